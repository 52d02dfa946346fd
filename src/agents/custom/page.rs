//! Agents as pages: Markdown with front matter, as OpenCode has them in `.opencode/agent/*.md` (<https://opencode.ai/docs/agents>) and
//! Claude Code in `.claude/agents/*.md` (<https://code.claude.com/docs/en/sub-agents>). Their words are the page's text; of their rights
//! those are kept that a Worker has, too. Fields that say what a model is, or does, are read over.

use std::ops::Range;

use saphyr::YamlData;

use super::Custom;
use super::read::{File, is_name};
use crate::extensions::described::front::{self, Fields, Node, words};
use crate::extensions::described::{Choice, Entry, Problem};
use crate::mission::conversation::Role;

/// Whose format a page has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// Rights as `tools` and `permission`.
    OpenCode,
    /// Rights as lists of tools.
    Claude,
}

/// The folders of pages, from the project's root.
pub const FOLDERS: [(&str, Form); 3] = [
    (".opencode/agent", Form::OpenCode),
    (".opencode/agents", Form::OpenCode),
    (".claude/agents", Form::Claude),
];

/// The fields that have an effect, and what each is for.
pub const FIELDS: [(&str, &str); 7] = [
    ("name", "By which tasks name it; the file's name where nothing is said."),
    ("description", "What it is for, for the Planner."),
    ("tools", "What it may use: a list, or names with true and false."),
    ("disallowedTools", "What it may not use."),
    ("permission", "allow, ask or deny for `edit` and `bash`; what asks is denied here."),
    ("mode", "primary, subagent or all: each serves here as a Worker."),
    ("hidden", "Whether the Planner is not told of it."),
];

/// The form of the page at that path, where it is one, and the name of its file.
pub fn is_page(path: &str) -> Option<(Form, &str)> {
    let (folder, name) = path.rsplit_once('/')?;
    let (_, form) = FOLDERS.iter().find(|(known, _)| *known == folder)?;
    Some((*form, name.strip_suffix(".md").filter(|stem| !stem.is_empty())?))
}

/// What can be written at a place.
pub fn choices(text: &str, at: usize) -> (Vec<Choice>, usize) {
    front::choices(text, at, &FIELDS)
}

/// Reads a page.
pub fn read(form: Form, stem: &str, text: &str) -> File {
    let mut page = Page { file: File::default(), text, from: 0 };
    let Some((matter, body)) = front::front(text) else {
        let range = 0..text.find('\n').unwrap_or(text.len());
        let message = "an agent's page begins with front matter: fields between two lines of `---`";
        page.error(range, message.to_owned());
        return page.file;
    };
    page.from = matter.start;
    match front::parse(text, &matter) {
        Ok(documents) => page.take(form, stem, &Fields::of(documents.first()), body),
        Err(problem) => page.file.reading.problems.push(problem),
    }
    page.file
}

/// The names of a list: a sequence, or words with commas. What stands in parentheses narrows a tool, and is no name.
fn names(node: &Node<'_>) -> Vec<String> {
    let name = |text: &str| {
        let name = text.split('(').next().unwrap_or_default();
        name.trim().to_lowercase()
    };
    match &node.data {
        YamlData::Sequence(all) => all.iter().filter_map(words).map(|text| name(&text)).collect(),
        _ => words(node).unwrap_or_default().split(',').map(name).collect(),
    }
}

/// What a page takes away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Rights {
    write: bool,
    bash: bool,
}

const WRITES: [&str; 6] = ["write", "edit", "multiedit", "patch", "apply_patch", "notebookedit"];
const RUNS: [&str; 2] = ["bash", "shell"];

impl Rights {
    /// A rule for a tool, or for all of them.
    fn rule(&mut self, tool: &str, allows: bool) {
        let tool = tool.to_lowercase();
        if tool == "*" || WRITES.contains(&tool.as_str()) {
            self.write &= allows;
        }
        if tool == "*" || RUNS.contains(&tool.as_str()) {
            self.bash &= allows;
        }
    }

    /// A permission: what is not plainly allowed is denied, as nobody is asked in the night.
    fn permission(&mut self, tool: &str, value: &Node<'_>) {
        match &value.data {
            YamlData::Mapping(all) => {
                let allows =
                    all.iter().all(|(_, effect)| words(effect).as_deref() == Some("allow"));
                self.rule(tool, allows);
            }
            _ => self.rule(tool, words(value).as_deref() == Some("allow")),
        }
    }

    fn of_opencode(fields: &Fields<'_, '_>) -> Rights {
        let mut rights = Rights { write: true, bash: true };
        if let Some(YamlData::Mapping(all)) = fields.get("tools").map(|(_, value)| &value.data) {
            for (tool, value) in all.iter() {
                rights.rule(
                    &words(tool).unwrap_or_default(),
                    words(value).as_deref() != Some("false"),
                );
            }
        }
        for field in ["permission", "permissions"] {
            match fields.get(field).map(|(_, value)| &value.data) {
                Some(YamlData::Mapping(all)) => {
                    for (tool, value) in all.iter() {
                        rights.permission(&words(tool).unwrap_or_default(), value);
                    }
                }
                Some(YamlData::Sequence(all)) => {
                    for rule in all {
                        let rule = Fields::of(Some(rule));
                        let allows = rule.text("effect").as_deref() == Some("allow");
                        rights.rule(&rule.text("action").unwrap_or_default(), allows);
                    }
                }
                _ => {}
            }
        }
        rights
    }

    fn of_claude(fields: &Fields<'_, '_>) -> Rights {
        let mut rights = Rights { write: true, bash: true };
        if let Some((_, tools)) = fields.get("tools") {
            let given = names(tools);
            let has =
                |known: &[&str]| given.iter().any(|n| n == "*" || known.contains(&n.as_str()));
            rights = Rights { write: has(&WRITES), bash: has(&RUNS) };
        }
        if let Some((_, denied)) = fields.get("disallowedTools") {
            names(denied).iter().for_each(|tool| rights.rule(tool, false));
        }
        if fields.text("permissionMode").as_deref() == Some("plan") {
            rights = Rights { write: false, bash: false };
        }
        rights
    }
}

struct Page<'a> {
    file: File,
    text: &'a str,
    /// Where the front matter begins.
    from: usize,
}

impl Page<'_> {
    fn error(&mut self, range: Range<usize>, message: String) {
        let range = range.start..range.end.min(self.text.len()).max(range.start);
        self.file.reading.problems.push(Problem { range, is_error: true, message });
    }

    fn take(&mut self, form: Form, stem: &str, fields: &Fields<'_, '_>, body: usize) {
        let of = |page: &Page<'_>, name: &str| fields.head(page.text, page.from, name);
        let name = fields.text("name").unwrap_or_else(|| stem.to_owned());
        // A name for people is none for a tag: the file's own is, then.
        let name = if is_name(&name) { name } else { stem.to_owned() };
        let description = fields.text("description").unwrap_or_default();
        let head = of(self, "name");
        let entry = Entry {
            name: name.clone(),
            description: description.clone(),
            head: head.clone(),
            whole: 0..self.text.len(),
        };
        self.file.reading.entries.push(entry);
        if !is_name(&name) {
            let message = format!(
                "`{name}` is no name of an agent: letters, digits, `-` and `_`, a letter first; rename the file, or give it a `name`"
            );
            self.error(head.clone(), message);
        }
        if Role::ALL.iter().any(|role| role.to_string().eq_ignore_ascii_case(&name)) {
            self.error(head, format!("`{name}` is a role; an agent needs another name"));
        }
        if description.is_empty() {
            let place = of(self, "description");
            self.error(
                place,
                "the agent lacks a `description`: the Planner knows it by that".into(),
            );
        }
        let prompt = self.text.get(body..).unwrap_or_default().trim().to_owned();
        if prompt.is_empty() {
            self.error(0..3, "the page has no text: it is what the agent is told".into());
        }
        let rights = match form {
            Form::OpenCode => Rights::of_opencode(fields),
            Form::Claude => Rights::of_claude(fields),
        };
        let is = |field: &str| fields.text(field).as_deref() == Some("true");
        if self.file.reading.problems.is_empty() && !is("disable") && !is("disabled") {
            self.file.agents.push(Custom {
                name,
                description,
                system_prompt: prompt,
                can_write: rights.write,
                can_bash: rights.bash,
                is_hidden: is("hidden"),
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rights(form: Form, fields: &str) -> (bool, bool) {
        let file = read(form, "a", &format!("---\ndescription: d\n{fields}\n---\nwords\n"));
        assert_eq!(file.reading.problems, [], "{fields}");
        (file.agents[0].can_write, file.agents[0].can_bash)
    }

    #[test]
    fn rights_are_read_as_each_writes_them() {
        for (fields, wanted) in [
            ("mode: subagent", (true, true)),
            ("tools:\n  write: false\n  edit: false", (false, true)),
            ("tools:\n  bash: false", (true, false)),
            ("tools:\n  \"*\": false", (false, false)),
            (
                "permission:\n  edit: deny\n  bash:\n    \"*\": ask\n    \"npm test\": allow",
                (false, false),
            ),
            ("permission:\n  edit: allow\n  bash: ask\n  webfetch: deny", (true, false)),
            (
                "permissions:\n  - action: edit\n    resource: \"*\"\n    effect: deny",
                (false, true),
            ),
        ] {
            assert_eq!(rights(Form::OpenCode, fields), wanted, "{fields}");
        }
        for (fields, wanted) in [
            ("model: sonnet", (true, true)),
            ("tools: Read, Grep, Bash(git:*)", (false, true)),
            ("tools: [Read, Edit]", (true, false)),
            ("disallowedTools: Write, Bash", (false, false)),
            ("permissionMode: plan", (false, false)),
        ] {
            assert_eq!(rights(Form::Claude, fields), wanted, "{fields}");
        }
    }

    #[test]
    fn a_page_is_an_agent_with_its_text_as_its_words() {
        let text = "---\nname: ‘Ä’ Code Reviewer\ndescription: \"Reviews, and more\"\nhidden: true\ncolor: blue\n---\n\n# You review\n---\nplainly.\n";
        let file = read(Form::Claude, "code-reviewer", text);
        assert_eq!(file.reading.problems, []);
        let agent = &file.agents[0];
        assert_eq!((agent.name.as_str(), agent.is_hidden), ("code-reviewer", true));
        assert_eq!(agent.system_prompt, "# You review\n---\nplainly.");
        assert_eq!(&text[file.reading.entries[0].head.clone()], "name");
        assert_eq!(is_page(".claude/agents/a.md"), Some((Form::Claude, "a")));
        for path in [".claude/agents/a.txt", ".claude/agents/b/a.md", "a.md", ".opencode/agent/.md"]
        {
            assert_eq!(is_page(path), None, "{path}");
        }
    }

    #[test]
    fn what_is_wrong_is_named_with_its_place() {
        for (text, part, why) in [
            ("words", "words", "begins with front matter"),
            ("---\ndescription: d\nwords", "---", "begins with front matter"),
            ("---\ndescription: d\n---\n", "---", "no text"),
            ("---\nmode: all\n---\nw\n", "---", "lacks a `description`"),
            ("---\nname: worker\ndescription: d\n---\nw\n", "name", "is a role"),
            ("---\ndescription: [\n---\nw\n", "", ""),
        ] {
            let file = read(Form::OpenCode, "a", text);
            assert_eq!(file.agents, [], "{text}");
            let problem = &file.reading.problems[0];
            assert!(text[problem.range.clone()].contains(part), "{text}: {problem:?}");
            assert!(problem.message.contains(why), "{problem:?}");
        }
    }
}
