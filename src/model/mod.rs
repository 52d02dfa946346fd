//! Access to models: who is asked ([`settings`]), what is asked ([`request`]), over which wire format ([`openai`],
//! [`anthropic`]), and what can go wrong ([`fault`]).
//!
//! One [`Client`] serves all roles of a mission. It turns a [`Request`] into one HTTP exchange and that exchange into
//! either one complete [`Turn`](crate::mission::conversation::Turn) or one [`Fault`]; nothing in between ever leaves
//! this module. One question is at most one request: it retries nothing, journals nothing and knows nothing of missions, tools or files: whoever calls
//! decides what a fault means by its [`Reaction`].

pub mod anthropic;
mod breaker;
mod client;
mod decode;
mod draft;
mod endpoint;
mod environment;
mod events;
pub mod fault;
pub mod openai;
mod pool;
pub mod replay;
pub mod request;
mod retry_after;
mod routes;
mod secret;
pub mod settings;
mod span;
mod watch;

pub use client::{Client, ModelInfo, install_crypto};
pub use decode::Progress;
pub use fault::{Fault, FaultKind, ModelError, Reaction};
pub use pool::{SlotSettings, Slots};
pub use request::{Request, ToolSpec};
pub use secret::Secret;
pub use settings::{ModelSettings, Price, Provider, Settings};
