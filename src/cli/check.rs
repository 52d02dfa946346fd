//! `orchestrator check`: the gate for others. A change-set comes in on standard input and a verdict goes out; there is no
//! mission, and nothing is written but what was accepted, and only where that is asked for.

use std::io::Read;
use std::path::Path;

use serde_json::json;

use super::paint::Colour;
use super::watch::Output;
use super::{CliError, asynchronously, environment};
use crate::gate::{Checked, Gate, Judged, Proposal, Report, Settings, StageVerdict, Verdict};
use crate::runtime;
use crate::workspace::{OpenTexts, apply};

/// The largest change-set that is read, in bytes.
const MAX_INPUT: u64 = 64 * 1024 * 1024;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Ask the compilers alone, and start no language server.
    #[arg(long)]
    no_servers: bool,
    /// Put what was accepted into the workspace: all of it or nothing.
    #[arg(long)]
    apply: bool,
}

pub(super) fn check(root: &Path, args: &Args, out: &Output) -> Result<u8, CliError> {
    let proposal = read(std::io::stdin().lock())?;
    let Judged { checked, .. } = asynchronously(async {
        let gate = Gate::open(root, settings(root, args)?).map_err(environment)?;
        gate.check_proposal(&proposal, &OpenTexts::new()).await.map_err(environment)
    })?;
    let applies = args.apply && checked.report.verdict == Verdict::Accepted;
    if applies {
        apply(root, &checked.contents).map_err(environment)?;
    }
    show(&checked, applies, out);
    Ok(match checked.report.verdict {
        Verdict::Accepted => 0,
        Verdict::Refused => 8,
        Verdict::Unverified => 9,
    })
}

/// The gate as the user's configuration has it.
fn settings(root: &Path, args: &Args) -> Result<Settings, CliError> {
    let settings = runtime::Settings::load().map_err(environment)?.gate;
    Ok(match args.no_servers {
        true => settings,
        false => runtime::with_servers(settings, root),
    })
}

fn read(input: impl Read) -> Result<Proposal, CliError> {
    let bad = |why: String| {
        CliError::User(format!("{why}; docs/gate.md shows a change-set, as it is read here"))
    };
    let mut text = Vec::new();
    input.take(MAX_INPUT + 1).read_to_end(&mut text).map_err(environment)?;
    if text.len() as u64 > MAX_INPUT {
        return Err(bad(format!("the change-set is larger than {} MiB", MAX_INPUT >> 20)));
    }
    if text.trim_ascii().is_empty() {
        return Err(bad("there is no change-set on standard input".to_owned()));
    }
    Proposal::read(&text).map_err(bad)
}

fn show(checked: &Checked, applied: bool, out: &Output) {
    let report = &checked.report;
    if out.is_json() {
        return out.value(&json!({ "report": report, "applied": applied }));
    }
    for stage in &report.stages {
        let (word, colour) = match stage.verdict {
            StageVerdict::Passed => ("ok", Colour::Green),
            StageVerdict::Refused => ("refused", Colour::Red),
            StageVerdict::Unverified => ("unverified", Colour::Yellow),
            StageVerdict::NotApplicable => ("-", Colour::Dim),
        };
        let name = format!("{:?}", stage.stage).to_lowercase();
        let word = out.paint.paint(colour, &format!("{word:<10}"));
        out.line(&format!("{name:<8} {word} {:>8.1} ms  {}", stage.us as f64 / 1e3, stage.detail));
    }
    problems(report, out);
    let (word, colour) = match (report.verdict, applied) {
        (Verdict::Accepted, true) => ("accepted and applied", Colour::Green),
        (Verdict::Accepted, false) => ("accepted", Colour::Green),
        (Verdict::Refused, _) => ("refused", Colour::Red),
        (Verdict::Unverified, _) => ("unverified: nothing was able to prove it", Colour::Yellow),
    };
    let files: Vec<&str> = report.files.iter().map(|file| file.path.as_str()).collect();
    out.line(&format!("{}: {}", out.paint.paint(colour, word), files.join(", ")));
}

fn problems(report: &Report, out: &Output) {
    for problem in &report.problems {
        let at = &problem.diagnostic;
        let code = at.code.as_ref().map_or(String::new(), |code| format!(" [{code}]"));
        let (line, column) = (at.range.start.line + 1, at.range.start.column + 1);
        out.line(&format!("\n{}:{line}:{column}:{code} {}", at.path, at.message));
        if !problem.frame.is_empty() {
            out.line(problem.frame.trim_end());
        }
    }
    if !report.problems.is_empty() {
        out.line("");
    }
    for repair in &report.repairs {
        out.line(&format!("repaired {}: {} ({})", repair.path, repair.message, repair.title));
    }
    for revealed in &report.revealed {
        let line = revealed.range.start.line + 1;
        out.line(&format!("revealed, not new: {}:{line}: {}", revealed.path, revealed.message));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn why(text: &str) -> String {
        match read(text.as_bytes()) {
            Err(CliError::User(why)) => why,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_change_set_is_read() {
        let text = r#"{"changes": [
            {"op": "edit", "path": "./a.rs", "edits": [{"old": "a", "new": "b"}, {"start": 1, "end": 2, "new": ""}]},
            {"op": "write", "path": "b.rs", "content": ""},
            {"op": "delete", "path": "c.rs"}, {"op": "rename", "path": "d.rs", "to": "e.rs"}]}"#;
        assert_eq!(read(text.as_bytes()).unwrap().changes.len(), 4);
    }

    #[test]
    fn bad_input_is_named() {
        assert!(why("").contains("there is no change-set"));
        assert!(why(" \n\t").contains("there is no change-set"));
        assert!(why("edit a.rs").contains("no JSON"));
        assert!(why("\u{feff}{}").contains("no JSON"));
        assert!(why("[]").contains("not understood"));
        assert!(why("{}").contains("changes"));
        assert!(why(r#"{"changes": [{"op": "copy", "path": "a"}]}"#).contains("copy"));
        for path in ["../a", "/etc/passwd", "C:/a", "a\\\\b", ""] {
            let text = format!(r#"{{"changes": [{{"op": "delete", "path": "{path}"}}]}}"#);
            assert!(why(&text).contains("not a path inside the workspace"), "{path}");
        }
        let nested = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
        assert!(why(&nested).contains("no JSON"));
    }

    #[test]
    fn what_never_ends_is_not_read_to_its_end() {
        let endless = std::io::repeat(b' ');
        assert!(matches!(read(endless), Err(CliError::User(why)) if why.contains("larger than")));
    }
}
