//! Servers of the Model Context Protocol that a workspace names, and their tools: `.mcp.json` as Claude Code has it
//! (<https://code.claude.com/docs/en/mcp>), and `.opencode/mcp.json` as OpenCode has it
//! (<https://opencode.ai/v1/docs/mcp-servers>, <https://opencode.ai/v2/docs/mcp-servers>).
//!
//! [`read()`] reads and explains the files, wrong ones too; [`Servers`] starts what a trusted file names, keeps it within
//! bounds and ends it. It must not know who calls a tool, or why a file is trusted.

mod answer;
mod connection;
mod expand;
mod fields;
mod names;
mod process;
mod read;
mod server;
mod servers;

pub use fields::{choices, schema};
pub use read::{Definition, File, Transport, read};
pub use servers::{Limits, Servers, State, Trusts};

use std::path::Path;

use super::described;

/// The two forms in which a workspace names servers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Form {
    /// `.mcp.json`, of Claude Code.
    Project,
    /// `.opencode/mcp.json`, of OpenCode.
    OpenCode,
}

impl Form {
    /// Both; of a name that stands in both files, the first one's server is meant.
    pub const ALL: [Form; 2] = [Form::Project, Form::OpenCode];

    /// Where the file lies, from the workspace's root.
    pub const fn path(self) -> &'static str {
        match self {
            Form::Project => ".mcp.json",
            Form::OpenCode => ".opencode/mcp.json",
        }
    }
}

/// Bytes that such a file may have.
const MOST_BYTES: u64 = 256 * 1024;

/// The bytes of the file of the workspace at `root`; `None` where there is none.
///
/// # Errors
/// In words, where it cannot be read.
pub fn load(root: &Path, form: Form) -> Result<Option<String>, String> {
    described::load(root, form.path(), MOST_BYTES)
}
