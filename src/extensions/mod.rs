//! What a workspace adds to the tools of agents. Nothing here runs before its file is trusted, and nothing here knows of
//! agents or models: a tool is offered, and called by its name.

pub mod described;
pub mod mcp;

use serde_json::Value;

/// A tool that an extension offers.
#[derive(Debug, Clone, PartialEq)]
pub struct Offer {
    /// By which it is called.
    pub name: String,
    /// What its author says of it: untrusted text.
    pub description: String,
    /// The JSON schema of its arguments.
    pub schema: Value,
}
