//! What the tests share: finding or installing the real tools, temporary projects, a client that speaks over pipes.

pub mod client;
pub mod model;
pub mod project;
pub mod tools;
pub mod wire;
