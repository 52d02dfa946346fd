//! JSON-RPC 2.0 over a byte stream, in `Content-Length` frames or one message a line, and the spelling of URIs: what our own
//! servers and the client of downstream servers share.
//!
//! It must not know what a method means, who the peer is, or that LSP types exist.

mod frame;
mod lines;
mod message;
pub mod percent;

pub use frame::{DEFAULT_BODY_CAP, Frame, FrameReader, encode_frame, write_frame};
pub use lines::{LineReader, encode_line};
pub use message::{
    BadMessage, Id, Message, Notification, Request, Response, ResponseError, code, notification,
};
