//! What the tests share: finding or installing the real tools, temporary projects, a client that speaks over pipes.

pub mod client;
#[cfg(unix)]
pub mod collector;
pub mod editor;
pub mod ended;
pub mod model;
#[cfg(unix)]
pub mod panel;
pub mod project;
#[cfg(target_os = "linux")]
pub mod provider;
#[cfg(unix)]
pub mod schema;
#[cfg(target_os = "linux")]
pub mod stage;
#[cfg(target_os = "linux")]
pub mod tmux;
pub mod tools;
pub mod wire;
