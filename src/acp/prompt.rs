//! A prompt, read: a goal, an answer, or a slash command.

use std::path::Path;

use super::content;
use super::schema::ContentBlock;
use super::update::COMMANDS;
use crate::mission::Mode;

/// What a person asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Asked {
    /// Words without a command: the answer to what an agent asks, else a goal.
    Words(String),
    /// Begin a mission.
    Start(String, Mode),
    /// Show what is there.
    Status,
    /// Tell what a mission did.
    Report,
    /// Begin nothing new.
    Pause,
    /// Go on.
    Resume,
    /// Stop for good.
    Cancel,
    /// Take changes back.
    Undo {
        /// Which, by its receipt's number; `None` for the newest.
        receipt: Option<u64>,
        /// All that the mission did.
        all: bool,
        /// Whether what a person edited since may be merged.
        merge: bool,
    },
    /// Take the newest undo back.
    Redo {
        /// As for an undo.
        merge: bool,
    },
    /// It cannot be read, and why.
    Odd(String),
}

impl Asked {
    /// Whether it may be said while another prompt is being carried out.
    pub fn is_aside(&self) -> bool {
        matches!(self, Asked::Status | Asked::Report | Asked::Pause | Asked::Cancel | Asked::Odd(_))
    }
}

/// Reads a prompt made in the workspace at `root`.
pub fn read(prompt: &[ContentBlock], root: &Path) -> Asked {
    let words = content::words(prompt, root);
    let Some(command) = words.strip_prefix('/') else { return Asked::Words(words) };
    let (name, rest) = command.split_once(char::is_whitespace).unwrap_or((command, ""));
    // `/etc/hosts is wrong` is a goal.
    if name.is_empty() || !name.chars().all(|c| c.is_ascii_lowercase()) {
        return Asked::Words(words);
    }
    let rest = rest.trim();
    match name {
        "task" => Asked::Start(rest.to_owned(), Mode::Task),
        "plan" => Asked::Start(rest.to_owned(), Mode::Plan),
        "status" => Asked::Status,
        "report" => Asked::Report,
        "pause" => Asked::Pause,
        "resume" => Asked::Resume,
        "cancel" => Asked::Cancel,
        "undo" => undo(rest),
        "redo" => Asked::Redo { merge: rest == "merge" },
        _ => {
            let known: Vec<String> =
                COMMANDS.iter().map(|(name, ..)| format!("`/{name}`")).collect();
            Asked::Odd(format!("There is no command `/{name}`; there is {}.", known.join(", ")))
        }
    }
}

fn undo(words: &str) -> Asked {
    let (mut receipt, mut all, mut merge) = (None, false, false);
    for word in words.split_whitespace() {
        match (word, word.parse()) {
            ("all", _) => all = true,
            ("merge", _) => merge = true,
            (_, Ok(number)) => receipt = Some(number),
            _ => {
                return Asked::Odd(format!(
                    "`/undo {words}` cannot be read: say a receipt's number, or all, and merge"
                ));
            }
        }
    }
    Asked::Undo { receipt, all, merge }
}

/// A goal as a title: its beginning, on one line.
pub fn title(goal: &str) -> String {
    let line = goal.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(80) {
        Some((cut, _)) => format!("{}…", &line[..cut]),
        None => line,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(text: &str) -> Asked {
        read(&[ContentBlock::Text { text: text.to_owned() }], Path::new("/w"))
    }

    #[test]
    fn commands_are_told_from_goals() {
        let start = |goal: &str, mode| Asked::Start(goal.to_owned(), mode);
        assert_eq!(asked("/plan split it\nin two"), start("split it\nin two", Mode::Plan));
        assert_eq!(asked(" /task  add x "), start("add x", Mode::Task));
        assert_eq!(asked("add x"), Asked::Words("add x".into()));
        assert_eq!(asked("/etc/hosts is wrong"), Asked::Words("/etc/hosts is wrong".into()));
        assert_eq!(asked("/undo"), Asked::Undo { receipt: None, all: false, merge: false });
        assert_eq!(
            asked("/undo 3 merge"),
            Asked::Undo { receipt: Some(3), all: false, merge: true }
        );
        assert_eq!(asked("/redo merge"), Asked::Redo { merge: true });
        assert!(matches!(asked("/undo it"), Asked::Odd(_)));
        assert!(matches!(asked("/pln x"), Asked::Odd(why) if why.contains("`/plan`")));
        for (name, ..) in COMMANDS {
            assert!(
                !matches!(asked(&format!("/{name}")), Asked::Odd(_) | Asked::Words(_)),
                "{name}"
            );
        }
    }
}
