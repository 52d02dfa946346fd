//! `orchestrator setup`: tells an editor of this program, in the editor's own file, and takes that out again. It changes as
//! little of the file as it can, keeps the one before beside it, and refuses a file that it does not understand. What an
//! editor is told is what docs/editors.md says of it.

mod block;
mod editors;
mod file;
mod json;

use std::path::{Path, PathBuf};

use serde_json::json;

use self::file::{Before, State};
use super::watch::Output;
use super::{CliError, environment};

/// Whom to tell, and what.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The editor; `mcp` is a project's `.mcp.json`.
    #[arg(value_enum)]
    editor: Editor,
    /// Take it out again.
    #[arg(long)]
    remove: bool,
    /// Show what would be changed, and change nothing.
    #[arg(long)]
    dry_run: bool,
}

/// Who can be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Editor {
    /// Visual Studio Code: your settings name the program for the extension.
    Vscode,
    /// Neovim: a file in your `plugin` folder starts the server.
    Neovim,
    /// Helix: a language server in your `languages.toml`.
    Helix,
    /// Zed: an agent for its panel, in your settings.
    Zed,
    /// Agents that speak the Model Context Protocol: a server in this project's `.mcp.json`.
    Mcp,
}

/// What is told, and where.
struct Plan {
    file: PathBuf,
    edit: Edit,
    /// What a person does next.
    next: String,
}

/// How a file is changed.
enum Edit {
    Block(block::Block),
    Json(json::Entry),
}

impl Edit {
    /// The text with our part in it. The error is for people, without the file's name.
    fn put(&self, text: &str) -> Result<String, String> {
        match self {
            Edit::Block(block) => block.put(text),
            Edit::Json(entry) => entry.put(text),
        }
    }

    /// The text without our part. `before` is what it was before we came, where that is known.
    fn take(&self, text: &str, before: Option<&str>) -> Result<String, String> {
        match self {
            Edit::Block(block) => block.take(text),
            Edit::Json(entry) => entry.take(text, before),
        }
    }
}

/// What becomes of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Change {
    /// It is as it should be.
    None,
    Made,
    Changed,
    /// It is what it was before, byte for byte.
    Restored,
    Removed,
}

pub(super) fn setup(root: &Path, args: &Args, out: &Output) -> Result<u8, CliError> {
    let plan = editors::plan(args.editor, root)?;
    let state = State::read(&plan.file).map_err(CliError::User)?;
    let wrong =
        |why: String| CliError::User(format!("{} is left as it is: {why}", state.path.display()));
    let (after, change) = match args.remove {
        false => put(&plan.edit, &state).map_err(wrong)?,
        true => take(&plan.edit, &state).map_err(wrong)?,
    };
    if !args.dry_run {
        write(&state, after.as_deref(), change)?;
    }
    tell(args, &plan, &state, after.as_deref(), change, out);
    Ok(0)
}

/// The text that is to be; `None`: no file.
type After = Option<String>;

fn put(edit: &Edit, state: &State) -> Result<(After, Change), String> {
    let now = state.text.as_deref();
    let after = edit.put(now.unwrap_or_default())?;
    let change = match now {
        None => Change::Made,
        Some(now) if now == after => Change::None,
        Some(_) => Change::Changed,
    };
    Ok((Some(after), change))
}

/// Where nothing but our part was changed, the file becomes what it was, or goes; else only our part does.
fn take(edit: &Edit, state: &State) -> Result<(After, Change), String> {
    let Some(now) = state.text.as_deref() else {
        return Ok((None, Change::None));
    };
    let is_ours = |before: &str| edit.put(before).is_ok_and(|after| after == now && before != now);
    match &state.before {
        Before::Text(before) if is_ours(before) => {
            return Ok((Some(before.clone()), Change::Restored));
        }
        Before::NoFile if is_ours("") => return Ok((None, Change::Removed)),
        _ => {}
    }
    let before = match &state.before {
        Before::Text(before) => Some(before.as_str()),
        Before::NoFile => None,
    };
    let after = edit.take(now, before)?;
    let change = if after == now { Change::None } else { Change::Changed };
    Ok((Some(after), change))
}

fn write(state: &State, after: Option<&str>, change: Change) -> Result<(), CliError> {
    let done = match (change, after) {
        (Change::None, _) => Ok(()),
        (Change::Removed, _) => state.remove(),
        (Change::Restored, Some(text)) => state.write(text).and_then(|()| state.forget()),
        (_, Some(text)) => state.keep().and_then(|()| state.write(text)),
        (_, None) => Ok(()),
    };
    done.map_err(|error| environment(format!("failed to write {}: {error}", state.path.display())))
}

fn tell(
    args: &Args,
    plan: &Plan,
    state: &State,
    after: Option<&str>,
    change: Change,
    out: &Output,
) {
    let path = state.path.display();
    if out.is_json() {
        let change = format!("{change:?}").to_lowercase();
        return out
            .value(&json!({ "file": state.path, "change": change, "dry_run": args.dry_run }));
    }
    let would = if args.dry_run { "would be " } else { "" };
    let what = match change {
        Change::None if args.remove => format!("{path} has nothing of it"),
        Change::None => format!("{path} says it already"),
        Change::Made => format!("{path} {would}made"),
        Change::Changed => format!("{path} {would}changed"),
        Change::Restored => format!("{path} {would}what it was before, byte for byte"),
        Change::Removed => format!("{path} {would}removed; it was made for this alone"),
    };
    out.say(&what);
    if args.dry_run && change != Change::None {
        let before = state.text.as_deref().unwrap_or_default();
        let diff = similar::TextDiff::from_lines(before, after.unwrap_or_default());
        let diff = diff.unified_diff().context_radius(2).to_string();
        diff.lines().for_each(|line| out.say(line));
        return;
    }
    if change == Change::Changed && !args.dry_run {
        out.say(&format!("what it was before is in {}", state.backup().display()));
    }
    if !args.remove {
        out.say(&plan.next);
    }
}
