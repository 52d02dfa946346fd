//! JSON-RPC 2.0 over a byte stream with `Content-Length` frames: what our own server and the client of downstream
//! servers share.
//!
//! It must not know what a method means, who the peer is, or that LSP types exist.

mod frame;
mod message;

pub use frame::{DEFAULT_BODY_CAP, Frame, FrameReader, encode_frame, write_frame};
pub use message::{
    BadMessage, Id, Message, Notification, Request, Response, ResponseError, code, notification,
};
