//! `orchestrator report`: a mission from its goal to its end, as Markdown, or as a page of HTML with charts. It tells what
//! the journal, or the archive, has of it and changes nothing.

mod facts;
mod html;
mod markdown;
mod page;
mod told;

use std::path::{Path, PathBuf};

use serde_json::json;

use super::control::known;
use super::watch::Output;
use super::{CliError, environment};
use crate::mission::view::MissionView;
use crate::runtime::Seen;

/// Which mission, and in which form.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The mission, archived or not (default: the newest).
    mission: Option<String>,
    /// A page of HTML that needs nothing else, with charts.
    #[arg(long)]
    html: bool,
    /// Write it to a file, and not to standard output.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

pub(super) fn report(root: &Path, args: &Args, out: &Output) -> Result<u8, CliError> {
    let view = chosen(root, args.mission.as_deref())?;
    let page = told::page(&facts::load(root, &view)?);
    let text = if args.html { html::render(&page) } else { markdown::render(&page) };
    match &args.out {
        None if out.is_json() => out.value(&json!({ "mission": view.id, "report": text })),
        None => out.line(text.trim_end()),
        Some(path) => {
            std::fs::write(path, text)
                .map_err(|e| environment(format!("failed to write {}: {e}", path.display())))?;
            out.say(&format!("the report of mission {} is in {}", view.id, path.display()));
        }
    }
    Ok(0)
}

/// The mission that is named, else the newest that began, open or ended; an archived one where there is no other.
fn chosen(root: &Path, mission: Option<&str>) -> Result<MissionView, CliError> {
    let newest = |views: Vec<MissionView>| {
        views.into_iter().max_by(|a, b| (a.started_at, &a.id).cmp(&(b.started_at, &b.id)))
    };
    let found = match mission {
        Some(_) => newest(known(root, mission, Seen::Recent)?),
        None => match newest(known(root, None, Seen::Recent)?) {
            Some(view) => Some(view),
            None => newest(known(root, None, Seen::All)?),
        },
    };
    found.ok_or_else(|| {
        CliError::User("no missions in this workspace; `orchestrator task \"…\"` starts one".into())
    })
}
