//! The parameters of the protocol's requests, as far as they are used, and its errors. Lenient as the protocol wants it:
//! what is unknown is passed over.

use std::path::PathBuf;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::wire::{ResponseError, code};

/// The version that is spoken.
pub const VERSION: u64 = 1;

/// A session or a file that is named does not exist.
pub const NOT_FOUND: i64 = -32002;

/// What the client can do.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Client {
    /// `fs/read_text_file`: it tells the texts of its buffers.
    pub reads_files: bool,
}

impl Client {
    /// Reads it from the parameters of `initialize`. What is left out is not supported.
    pub fn of(params: &Value) -> Client {
        let reads = params.pointer("/clientCapabilities/fs/readTextFile");
        Client { reads_files: reads.and_then(Value::as_bool).unwrap_or(false) }
    }
}

/// `session/new`. MCP servers are accepted and not used.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NewSession {
    /// The workspace; absolute.
    pub cwd: PathBuf,
    /// Servers that an agent may connect to.
    #[serde(default)]
    pub mcp_servers: Value,
}

/// `session/load` and `session/resume`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LoadSession {
    /// Which.
    pub session_id: String,
    /// Its workspace; absolute.
    pub cwd: PathBuf,
}

/// `session/list`.
#[derive(Debug, Deserialize)]
pub struct ListSessions {
    /// Only those of this workspace.
    #[serde(default)]
    pub cwd: Option<PathBuf>,
}

/// `session/prompt`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Prompt {
    /// Where.
    pub session_id: String,
    /// What the person said.
    pub prompt: Vec<ContentBlock>,
}

/// `session/cancel` and `session/close`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OfSession {
    /// Which.
    pub session_id: String,
}

/// `session/set_mode`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SetMode {
    /// Where.
    pub session_id: String,
    /// `task` or `plan`.
    pub mode_id: String,
}

/// A piece of a prompt.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum ContentBlock {
    /// Words.
    Text {
        /// Which.
        text: String,
    },
    /// Something that can be read where it is.
    ResourceLink {
        /// Where.
        uri: String,
    },
    /// Something with its content.
    Resource {
        /// Which.
        resource: Resource,
    },
    /// Pictures and sounds, which `initialize` said are not taken.
    #[serde(other)]
    Other,
}

/// An embedded resource.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Resource {
    /// What it is.
    pub uri: String,
    /// Its text; `None` for bytes.
    #[serde(default)]
    pub text: Option<String>,
}

/// Reads the parameters of a request.
///
/// # Errors
/// Invalid parameters, with the reason.
pub fn read<T: DeserializeOwned>(params: Option<Value>) -> Result<T, ResponseError> {
    serde_json::from_value(params.unwrap_or_default()).map_err(|why| invalid(why.to_string()))
}

/// The parameters are wrong.
pub fn invalid(message: String) -> ResponseError {
    ResponseError { code: code::INVALID_PARAMS, message, data: None }
}

/// The request does not fit now.
pub fn refused(message: String) -> ResponseError {
    ResponseError { code: code::INVALID_REQUEST, message, data: None }
}

/// It could not be done, and not by the client's fault.
pub fn failed(message: String) -> ResponseError {
    ResponseError { code: code::INTERNAL_ERROR, message, data: None }
}

/// The client has gone before it was done.
pub fn left() -> ResponseError {
    let message = "the client has left; the mission goes on when its workspace is opened again";
    ResponseError { code: code::REQUEST_CANCELLED, message: message.to_owned(), data: None }
}
