//! The language-server face: it translates between an editor and the runtime, and decides nothing.

pub mod client;
pub mod documents;
pub mod hunks;
pub mod outbox;
pub mod parent;
pub mod peer;
pub mod raw;
pub mod root;
pub mod text;
pub mod todo;
pub mod transport;
