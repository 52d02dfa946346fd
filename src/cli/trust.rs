//! `orchestrator trust`: what of a workspace wants to run, and a person's word that it may, as it is now.

use std::path::Path;

use serde_json::json;

use super::paint::Colour;
use super::watch::Output;
use super::{CliError, environment};
use crate::extensions::{Candidate, candidates};
use crate::runtime::settings;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Trust all that is listed, as it is now; what changes later is asked about again.
    #[arg(long, conflicts_with = "revoke")]
    yes: bool,
    /// Trust nothing of this workspace any more.
    #[arg(long)]
    revoke: bool,
}

pub(super) fn trust(root: &Path, args: &Args, out: &Output) -> Result<u8, CliError> {
    let trust = settings::trust(root);
    let kept = |error: std::io::Error| environment(format!("failed to keep it: {error}"));
    if args.revoke {
        trust.take_back().map_err(kept)?;
    }
    let found = candidates(root);
    if found.is_empty() {
        out.say("nothing here wants to run: there are no plugins and no servers of tools");
    }
    for candidate in &found {
        if args.yes {
            trust.give(&candidate.path, &candidate.bytes).map_err(kept)?;
        }
        tell(candidate, trust.holds(&candidate.path, &candidate.bytes), out);
    }
    let is_asked = !args.yes && found.iter().any(|one| !trust.holds(&one.path, &one.bytes));
    if is_asked {
        out.say("\n`orchestrator trust --yes` lets all of it take effect, exactly as it is now");
    }
    Ok(0)
}

fn tell(candidate: &Candidate, is_trusted: bool, out: &Output) {
    let Candidate { path, wants, wrong, .. } = candidate;
    if out.is_json() {
        return out.value(
            &json!({ "path": path, "trusted": is_trusted, "wants": wants, "wrong": wrong }),
        );
    }
    let (mark, colour) = match is_trusted {
        true => ("trusted", Colour::Green),
        false => ("not trusted", Colour::Yellow),
    };
    out.line(&format!("{} {path}", out.paint.paint(colour, &format!("{mark:<12}"))));
    for line in wants {
        out.line(&format!("             {line}"));
    }
    for line in wrong {
        out.line(&format!("             wrong: {line}"));
    }
}
