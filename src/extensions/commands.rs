//! Commands of a project: pages whose text is a goal with places for words, as OpenCode has them in `.opencode/command/*.md`
//! (<https://opencode.ai/docs/commands>) and Claude Code in `.claude/commands/*.md`. `/name words` as a goal stands for its text.
//! Nothing of a page is run: a shell command in it stays words.

use std::path::Path;

use super::described::front::{Fields, choices as fields_at, front, parse};
use super::described::{self, Choice, Entry, Problem, Reading};

/// The folders of commands, from the project's root.
pub const FOLDERS: [&str; 3] = [".opencode/command", ".opencode/commands", ".claude/commands"];
const FIELDS: [(&str, &str); 1] = [("description", "What it is for, for people.")];
/// Bytes of a page.
const MOST_BYTES: u64 = 64 * 1024;

/// The name of the command whose page lies at that path; `None` where it is no such page.
pub fn name_of(path: &str) -> Option<&str> {
    let (folder, name) = path.rsplit_once('/')?;
    let stem = name.strip_suffix(".md").filter(|stem| !stem.is_empty())?;
    FOLDERS.contains(&folder).then_some(stem)
}

/// What can be written at a place of a page.
pub fn choices(text: &str, at: usize) -> (Vec<Choice>, usize) {
    fields_at(text, at, &FIELDS)
}

/// What is wrong with a page.
pub fn read(path: &str, text: &str) -> Reading {
    let mut reading = Reading::default();
    let Some(name) = name_of(path) else { return reading };
    let mut description = String::new();
    if let Some((matter, _)) = front(text) {
        match parse(text, &matter) {
            Ok(documents) => {
                let fields = Fields::of(documents.first());
                description = fields.text("description").unwrap_or_default();
            }
            Err(problem) => reading.problems.push(problem),
        }
    }
    let body = front(text).map_or(0, |(_, body)| body);
    if text.get(body..).unwrap_or_default().trim().is_empty() {
        let message = "the command has no text: it is the goal".to_owned();
        reading.problems.push(Problem { range: 0..text.len().min(3), is_error: true, message });
    }
    let (name, whole) = (name.to_owned(), 0..text.len());
    reading.entries.push(Entry { name, description, head: 0..text.len().min(3), whole });
    reading
}

/// The goal that `/name words` stands for in the workspace at `root`; `None` where the goal is no command of it.
pub fn expanded(root: &Path, goal: &str) -> Option<String> {
    let rest = goal.trim().strip_prefix('/')?;
    let (name, words) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
    let is_name = !name.is_empty()
        && name.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c))
        && !name.starts_with('.');
    if !is_name {
        return None;
    }
    let text = FOLDERS.iter().find_map(|folder| {
        described::load(root, &format!("{folder}/{name}.md"), MOST_BYTES).ok().flatten()
    })?;
    let body = front(&text).map_or(0, |(_, body)| body);
    let template = text.get(body..).unwrap_or_default().trim();
    (!template.is_empty()).then(|| filled(template, words.trim()))
}

/// The text with its places filled: `$ARGUMENTS` with all words, `$1` to `$9` with one each; words without a place follow.
fn filled(template: &str, words: &str) -> String {
    let each: Vec<&str> = words.split_whitespace().collect();
    let mut out = String::with_capacity(template.len() + words.len());
    let (mut rest, mut has_place) = (template, false);
    while let Some(at) = rest.find('$') {
        out.push_str(&rest[..at]);
        let behind = &rest[at + 1..];
        let number = behind.chars().next().and_then(|c| c.to_digit(10)).filter(|n| *n > 0);
        if let Some(after) = behind.strip_prefix("ARGUMENTS") {
            out.push_str(words);
            (rest, has_place) = (after, true);
        } else if let Some(number) = number {
            out.push_str(each.get(number as usize - 1).copied().unwrap_or_default());
            (rest, has_place) = (&behind[1..], true);
        } else {
            out.push('$');
            rest = behind;
        }
    }
    out.push_str(rest);
    if !has_place && !words.is_empty() {
        out.push_str("\n\n");
        out.push_str(words);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_stands_for_its_text() {
        let root = tempfile::tempdir().unwrap();
        let put = |path: &str, text: &str| {
            let path = root.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        put(
            ".opencode/command/fix.md",
            "---\ndescription: d\nagent: build\n---\nFix $1 in $2; all: $ARGUMENTS. $ and $0 stay, as !`ls` does.\n",
        );
        put(".claude/commands/plain.md", "Write tests.\n");
        put(".claude/commands/empty.md", "---\ndescription: d\n---\n");
        let expanded = |goal: &str| super::expanded(root.path(), goal);
        assert_eq!(
            expanded("/fix a b c").unwrap(),
            "Fix a in b; all: a b c. $ and $0 stay, as !`ls` does."
        );
        assert_eq!(expanded(" /plain ").unwrap(), "Write tests.");
        assert_eq!(expanded("/plain for the\nparser").unwrap(), "Write tests.\n\nfor the\nparser");
        for none in ["/gone", "/empty", "plain", "/", "/../fix", "/fix/x", "/.hidden"] {
            assert_eq!(expanded(none), None, "{none}");
        }
        // What stands in for a place is not a place again.
        assert_eq!(
            expanded("/fix $2 b").unwrap(),
            "Fix $2 in b; all: $2 b. $ and $0 stay, as !`ls` does."
        );
        assert_eq!(name_of(".opencode/commands/a.md"), Some("a"));
        assert!(
            read(".claude/commands/empty.md", "---\na: b\n---\n").problems[0]
                .message
                .contains("no text")
        );
        assert_eq!(read(".claude/commands/a.md", "words").problems, []);
        assert_eq!(read(".claude/commands/a.md", "---\na: [\n---\nwords").problems.len(), 1);
    }
}
