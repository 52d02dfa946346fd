//! Where each editor's file lies, and what it is told.

use std::path::{Path, PathBuf};

use serde_json::json;

use super::block::Block;
use super::json::Entry;
use super::{Edit, Editor, Plan};
use crate::cli::CliError;
use crate::gate::tools::process::find;

const NAME: &str = "orchestrator";

pub(super) fn plan(editor: Editor, root: &Path) -> Result<Plan, CliError> {
    let program = program();
    let comments = true;
    Ok(match editor {
        Editor::Vscode => Plan {
            file: vscode_settings()?,
            edit: Edit::Json(Entry {
                keys: &["orchestrator.server.path"],
                value: json!(own_path()),
                comments,
            }),
            next: "next: install the extension (`code --install-extension orchestrator-….vsix`, from the release or `npm run package` in editors/vscode), open a folder, and choose `Orchestrator: /task: Start a Mission`".into(),
        },
        Editor::Neovim => Plan {
            file: neovim_folder()?.join("plugin").join("orchestrator.lua"),
            edit: Edit::Block(Block { comment: "--", name: "neovim", lines: neovim_lines }),
            next: "next: open a file of a project, write `/task fix all diagnostics` into a comment and take the code action (`gra`); the plugin in editors/neovim adds :Task and a view, and needs nothing of this".into(),
        },
        Editor::Helix => Plan {
            file: folder("helix", "helix")?.join("languages.toml"),
            edit: Edit::Block(Block { comment: "#", name: "helix", lines: helix_lines }),
            next: "next: `hx --health rust`, then write `// /task fix all diagnostics` and take the code action (`space a`); a language of your own needs \"orchestrator\" among its language-servers".into(),
        },
        Editor::Zed => Plan {
            file: folder("zed", "Zed")?.join("settings.json"),
            edit: Edit::Json(Entry {
                keys: &["agent_servers", "Orchestrator"],
                value: json!({ "type": "custom", "command": program, "args": ["acp"], "env": {} }),
                comments,
            }),
            next: "next: open the agent panel and begin a thread with Orchestrator".into(),
        },
        Editor::Mcp => Plan {
            file: root.join(".mcp.json"),
            // The file is a project's, and other people's machines have the program elsewhere.
            edit: Edit::Json(Entry {
                keys: &["mcpServers", NAME],
                value: json!({ "command": NAME, "args": ["mcp"] }),
                comments: false,
            }),
            next: "next: start your agent anew in this folder, and allow the server; `orchestrator` must be on its PATH".into(),
        },
    })
}

/// This program as an editor starts it: by its name where that finds it, else by its path.
fn program() -> String {
    let own = own_path();
    let found = find(NAME, &[], None).and_then(|path| path.canonicalize().ok());
    match found {
        Some(found) if found == Path::new(&own) => NAME.to_owned(),
        _ => own,
    }
}

fn own_path() -> String {
    let own = std::env::current_exe().and_then(|path| path.canonicalize());
    own.map_or_else(|_| NAME.to_owned(), |path| path.to_string_lossy().into_owned())
}

fn variable(name: &str) -> Result<PathBuf, CliError> {
    let value = std::env::var_os(name).filter(|value| !value.is_empty());
    let missing = || {
        CliError::Environment(format!(
            "{name} is not set, so that the editor's folder is not known"
        ))
    };
    value.map(PathBuf::from).ok_or_else(missing)
}

/// The platform's folder for configuration, as editors take it that follow XDG on every Unix.
fn folder(unix: &str, windows: &str) -> Result<PathBuf, CliError> {
    if cfg!(windows) {
        return Ok(variable("APPDATA")?.join(windows));
    }
    Ok(configuration()?.join(unix))
}

fn configuration() -> Result<PathBuf, CliError> {
    match variable("XDG_CONFIG_HOME") {
        Ok(folder) => Ok(folder),
        Err(_) => Ok(variable("HOME")?.join(".config")),
    }
}

fn vscode_settings() -> Result<PathBuf, CliError> {
    let folder = if cfg!(windows) {
        variable("APPDATA")?
    } else if cfg!(target_os = "macos") {
        variable("HOME")?.join("Library").join("Application Support")
    } else {
        configuration()?
    };
    Ok(folder.join("Code").join("User").join("settings.json"))
}

fn neovim_folder() -> Result<PathBuf, CliError> {
    let name = std::env::var("NVIM_APPNAME").ok().filter(|name| !name.is_empty());
    let name = name.unwrap_or_else(|| "nvim".to_owned());
    match cfg!(windows) {
        true => Ok(variable("LOCALAPPDATA")?.join(name)),
        false => Ok(configuration()?.join(name)),
    }
}

/// A text as a literal of TOML, and of Lua.
fn literal(text: &str) -> String {
    json!(text).to_string()
}

#[expect(clippy::unnecessary_wraps, reason = "it is one of several")]
fn neovim_lines(_: &str) -> Result<String, String> {
    let program = literal(&program());
    Ok(format!(
        "vim.lsp.config(\"orchestrator\", {{ cmd = {{ {program}, \"lsp\" }}, root_markers = {{ \".git\", \"Cargo.toml\", \"package.json\" }} }})\nvim.lsp.enable(\"orchestrator\")"
    ))
}

/// The languages that are told, each with the servers that it keeps.
const LANGUAGES: [(&str, &[&str]); 3] = [
    ("rust", &["rust-analyzer", NAME]),
    ("typescript", &["typescript-language-server", NAME]),
    ("markdown", &[NAME]),
];

/// The server, and the languages of which the file says nothing yet: what a person has said of one stays as it is.
fn helix_lines(rest: &str) -> Result<String, String> {
    let table: toml::Table = rest.parse().map_err(|error: toml::de::Error| {
        let line = error
            .span()
            .map_or(1, |span| rest[..span.start.min(rest.len())].matches('\n').count() + 1);
        format!("it is not understood: {} on line {line}", error.message())
    })?;
    let servers = table.get("language-server").and_then(|servers| servers.as_table());
    if servers.is_some_and(|servers| servers.contains_key(NAME)) {
        return Err("it names a language server `orchestrator` already".to_owned());
    }
    let named = table.get("language").and_then(|all| all.as_array()).cloned().unwrap_or_default();
    let is_named = |name: &str| {
        named.iter().any(|one| one.get("name").and_then(|own| own.as_str()) == Some(name))
    };
    let mut lines = format!(
        "[language-server.orchestrator]\ncommand = {}\nargs = [\"lsp\"]\n",
        literal(&program())
    );
    for (name, servers) in LANGUAGES.iter().filter(|(name, _)| !is_named(name)) {
        let servers: Vec<String> = servers.iter().map(|server| literal(server)).collect();
        lines += &format!(
            "\n[[language]]\nname = \"{name}\"\nlanguage-servers = [{}]\n",
            servers.join(", ")
        );
    }
    // Languages can be written as a list in one line, which nothing can be added to from below.
    match format!("{rest}\n{lines}").parse::<toml::Table>() {
        Ok(_) => Ok(lines),
        Err(_) => {
            Err("its `language` is no row of tables; write `[[language]]` for each".to_owned())
        }
    }
}
