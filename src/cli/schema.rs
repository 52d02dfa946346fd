//! `orchestrator schema`: what can stand in a file, as a JSON schema for editors.

use super::CliError;
use super::watch::Output;
use crate::agents::custom;
use crate::extensions::mcp::{self, Form};
use crate::extensions::plugins;
use crate::runtime::settings;

/// The files.
#[derive(Debug, Clone, Copy, Default, clap::ValueEnum)]
pub(super) enum Of {
    /// The configuration file of the user.
    #[default]
    Config,
    /// `.opencode/agents.json` of a project.
    Agents,
    /// A plugin: its types, for TypeScript.
    Plugin,
    /// `.mcp.json` of a project.
    Mcp,
    /// `.opencode/mcp.json` of a project.
    McpOpencode,
}

pub(super) fn print(of: Of, out: &Output) -> Result<u8, CliError> {
    let schema = match of {
        Of::Config => settings::schema(),
        Of::Agents => custom::schema(),
        Of::Plugin => {
            out.line(plugins::TYPES.trim_end());
            return Ok(0);
        }
        Of::Mcp => mcp::schema(Form::Project),
        Of::McpOpencode => mcp::schema(Form::OpenCode),
    };
    if out.is_json() {
        out.value(&schema);
    } else {
        let text = serde_json::to_string_pretty(&schema);
        out.line(&text.map_err(super::environment)?);
    }
    Ok(0)
}
