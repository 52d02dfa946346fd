//! Results that are too long for a conversation: the agent gets their beginning, their end, and a name under which the whole is
//! kept. `read` and `search` take that name in place of a path.

use super::{Caller, MAX_RESULT, ToolResult};
use crate::gate::Gate;
use crate::journal::results;

/// What the names of kept results begin with.
pub(super) const PREFIX: &str = "result:";
/// How much of the beginning is shown, in bytes.
const HEAD: usize = 12 * 1024;
/// How much of the end is shown, in bytes.
const TAIL: usize = 2 * 1024;

/// The name of a kept result, if it is one.
pub(super) fn name(text: &str) -> Option<&str> {
    text.trim().strip_prefix(PREFIX)
}

/// A kept result of the caller's own mission.
pub(super) fn read(gate: &Gate, caller: &Caller, name: &str) -> ToolResult {
    let kept = results::kept(gate.workspace().root(), &caller.mission, name);
    let kept = kept.map_err(|error| format!("failed to read {PREFIX}{name}: {error}"))?;
    kept.ok_or_else(|| {
        format!("{PREFIX}{name} is not kept for this mission (any more); call the tool again")
    })
}

/// The result as the agent gets it: whole, or its two ends with the name of the whole.
pub(super) fn bounded(gate: &Gate, caller: &Caller, text: String) -> String {
    if text.len() <= MAX_RESULT {
        return text;
    }
    let head = up_to(&text, HEAD);
    let tail = from(&text, text.len() - TAIL);
    let left = &text[head.len()..text.len() - tail.len()];
    let (lines, bytes) = (left.matches('\n').count(), left.len());
    let how = match results::keep(gate.workspace().root(), &caller.mission, &text) {
        Ok(name) => {
            let first = head.matches('\n').count() + 1;
            format!(
                "the whole is kept: read path {PREFIX}{name} with from {first}, or search it by globs"
            )
        }
        Err(error) => {
            tracing::warn!(%error, "a long result could not be kept");
            "they could not be kept; ask for less at a time".to_owned()
        }
    };
    let gap = if head.ends_with('\n') { "" } else { "\n" };
    format!("{head}{gap}[{lines} lines ({bytes} bytes) are left out here; {how}]\n{tail}")
}

/// The beginning, up to a line's end where there is one.
fn up_to(text: &str, most: usize) -> &str {
    let cut = floor(text, most);
    let line = text[..cut].rfind('\n').map(|end| end + 1);
    &text[..line.unwrap_or(cut)]
}

/// The end, from the beginning of a line where there is one.
fn from(text: &str, start: usize) -> &str {
    let cut = floor(text, start);
    let line = text[cut..].find('\n').map(|end| cut + end + 1).filter(|at| *at < text.len());
    &text[line.unwrap_or(cut)..]
}

fn floor(text: &str, at: usize) -> usize {
    (0..=at.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gate::Settings;
    use crate::mission::MissionId;
    use crate::mission::conversation::Role;
    use crate::workspace::OpenTexts;

    fn caller(mission: &str) -> Caller {
        let (mission, open) = (MissionId(mission.to_owned()), OpenTexts::new());
        Caller {
            mission,
            session: 1,
            role: Role::Worker,
            item: None,
            applied: 0,
            settled: Vec::new(),
            has_run: false,
            open,
        }
    }

    #[test]
    fn a_long_result_is_shown_by_its_ends_and_kept_whole() {
        let folder = tempfile::tempdir().unwrap();
        let gate = Gate::open(folder.path(), Settings::default()).unwrap();
        let short = "x".repeat(MAX_RESULT);
        assert_eq!(bounded(&gate, &caller("m"), short.clone()), short);
        for text in [(0..5_000).map(|n| format!("{n} ü\n")).collect::<String>(), "ü".repeat(40_000)]
        {
            let shown = bounded(&gate, &caller("m"), text.clone());
            assert!(shown.len() < HEAD + TAIL + 300, "{}", shown.len());
            assert_eq!(bounded(&gate, &caller("m"), text.clone()), shown);
            let start = shown.find(PREFIX).unwrap();
            let handle = shown[start..].split(' ').next().unwrap();
            // Another toolbox on the same folder, as after a restart.
            let gate = Gate::open(folder.path(), Settings::default()).unwrap();
            assert_eq!(read(&gate, &caller("m"), name(handle).unwrap()).unwrap(), text);
            assert!(read(&gate, &caller("n"), name(handle).unwrap()).is_err());
            let tail = &shown[shown.find("]\n").unwrap() + 2..];
            assert!(text.ends_with(tail) && !tail.is_empty());
        }
        assert_eq!(name("src/a.rs"), None);
    }
}
