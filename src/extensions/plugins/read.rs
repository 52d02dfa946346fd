//! Reads the text of a plugin without running it: what is wrong with it, with its place, and what it holds. It is what an
//! editor shows; whether a plugin works, only its engine says.

use std::ops::Range;

use tree_sitter::{Node, Parser};

use super::{HOOKS, is_name, isolate, manifest};
use crate::extensions::described::{Choice, Entry, Problem, Reading};

/// A plugin that was read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct File {
    /// Its parts, and what is wrong.
    pub reading: Reading,
    /// The bytes of the default export's object, where it can be seen.
    pub object: Option<Range<usize>>,
    /// The bytes of its `hooks`.
    pub hooks: Option<Range<usize>>,
}

/// The fields of a plugin, and what each is for.
pub const FIELDS: [(&str, &str); 7] = [
    ("name", "What it is called, for people and in reports."),
    ("version", "Its version."),
    ("description", "What it is for."),
    ("tools", "Tools for agents, by their names."),
    ("hooks", "What it does around the tools, goals and turns of agents."),
    ("init", "Is called once, with { directory }, before anything else."),
    ("cleanup", "Is called when the plugin goes."),
];

/// Reads the text of a plugin; `taken` are the names of the product's own tools.
pub fn read(text: &str, taken: &[&str]) -> File {
    let problems = manifest::read(text).1;
    let mut file = File { reading: Reading { problems, ..Reading::default() }, ..File::default() };
    let mut parser = Parser::new();
    if parser.set_language(&tree_sitter_javascript::LANGUAGE.into()).is_err() {
        return file;
    }
    let Some(tree) = parser.parse(text, None) else {
        return file;
    };
    let mut reader = Reader { text, taken, file: &mut file };
    let root = tree.root_node();
    reader.look_at_syntax(root);
    reader.look_at_names(root);
    reader.look_at_export(root);
    file
}

struct Reader<'a> {
    text: &'a str,
    taken: &'a [&'a str],
    file: &'a mut File,
}

fn children<'t>(node: Node<'t>) -> impl Iterator<Item = Node<'t>> {
    (0..node.named_child_count() as u32).filter_map(move |at| node.named_child(at))
}

impl<'a> Reader<'a> {
    fn say(&mut self, node: Node<'_>, is_error: bool, message: impl Into<String>) {
        let problem = Problem { range: node.byte_range(), is_error, message: message.into() };
        self.file.reading.problems.push(problem);
    }

    fn of(&self, node: Node<'_>) -> &'a str {
        self.text.get(node.byte_range()).unwrap_or_default()
    }

    /// The text of a key or a text literal, without its quotes.
    fn word(&self, node: Node<'_>) -> &'a str {
        self.of(node).trim_matches(['"', '\'', '`'])
    }

    /// The first place that is no JavaScript; what follows it often is only its echo.
    fn look_at_syntax(&mut self, root: Node<'_>) {
        if !root.has_error() {
            return;
        }
        let mut at = root;
        while let Some(inner) = (0..at.child_count())
            .filter_map(|n| at.child(n))
            .find(|n| n.has_error() || n.is_missing())
        {
            at = inner;
        }
        let message = match at.is_missing() {
            true => format!("`{}` is missing here", at.kind()),
            false => "this is no JavaScript (types of TypeScript are none, either)".to_owned(),
        };
        self.say(at, true, message);
    }

    /// What a plugin of Node would use.
    fn look_at_names(&mut self, root: Node<'_>) {
        let mut waiting = vec![root];
        while let Some(node) = waiting.pop() {
            match node.kind() {
                "import_statement" => {
                    if let Some(source) = node.child_by_field_name("source")
                        && !isolate::imports().any(|known| known == self.word(source))
                    {
                        let known = isolate::imports().collect::<Vec<_>>().join(", ");
                        let message = format!("a plugin is one module: it imports only {known}");
                        self.say(source, true, message);
                    }
                }
                "call_expression" => {
                    let called = node.child_by_field_name("function");
                    if called.is_some_and(|called| self.of(called) == "require") {
                        self.say(
                            node,
                            true,
                            "there is no `require` here: plugins run without Node",
                        );
                    }
                }
                _ => {}
            }
            waiting.extend(children(node));
        }
    }

    fn look_at_export(&mut self, root: Node<'_>) {
        let exports: Vec<Node<'_>> =
            children(root).filter(|node| node.kind() == "export_statement").collect();
        let default = exports.iter().find_map(|node| node.child_by_field_name("value"));
        let Some(value) = default else {
            // Named exports are a plugin, too, as where it comes from allows it.
            let has_name = exports.iter().any(|node| self.of(*node).contains("name"));
            if !has_name && !root.has_error() {
                let range = 0..self.text.find('\n').unwrap_or(self.text.len());
                let message = "there is no `export default { name, … }` here".to_owned();
                self.file.reading.problems.push(Problem { range, is_error: true, message });
            }
            return;
        };
        if let Some(object) = self.object(root, value) {
            self.file.object = Some(object.byte_range());
            self.look_at_plugin(object, value);
        }
    }

    /// The object that an expression is: literally, by a name of the file, or as what a function is given.
    fn object<'t>(&self, root: Node<'t>, value: Node<'t>) -> Option<Node<'t>> {
        match value.kind() {
            "object" => Some(value),
            "parenthesized_expression" => self.object(root, value.named_child(0)?),
            "call_expression" => {
                let given = value.child_by_field_name("arguments")?;
                self.object(root, given.named_child(0)?)
            }
            "identifier" => {
                let declared = children(root)
                    .filter(|node| node.kind() == "lexical_declaration")
                    .flat_map(|node| children(node).collect::<Vec<_>>());
                let mut own = declared.filter(|one| {
                    one.child_by_field_name("name").is_some_and(|n| self.of(n) == self.of(value))
                });
                own.next()?.child_by_field_name("value").filter(|node| node.kind() == "object")
            }
            _ => None,
        }
    }

    /// The members of an object: name, its node, the value (none for a method), and the whole. Whether it has others, too.
    fn members<'t>(&self, object: Node<'t>) -> (Vec<Member<'a, 't>>, bool) {
        let mut is_open = false;
        let mut members = Vec::new();
        for whole in children(object) {
            let (head, value) = match whole.kind() {
                "pair" => (whole.child_by_field_name("key"), whole.child_by_field_name("value")),
                "method_definition" => (whole.child_by_field_name("name"), None),
                "shorthand_property_identifier" => (Some(whole), Some(whole)),
                "comment" => continue,
                _ => (None, None),
            };
            match head {
                Some(head) => members.push(Member { name: self.word(head), head, value, whole }),
                None => is_open = true,
            }
        }
        (members, is_open)
    }

    fn look_at_plugin(&mut self, object: Node<'_>, exported: Node<'_>) {
        let (members, is_open) = self.members(object);
        if !is_open && !members.iter().any(|member| member.name == "name") {
            let at = object.child(0).unwrap_or(exported);
            self.say(at, true, "the plugin has no `name`");
        }
        for member in &members {
            match member.name {
                "tools" => self.look_at_tools(member),
                "hooks" => self.look_at_hooks(member),
                "name" => {
                    let is_blank = member.value.is_some_and(|value| {
                        value.kind() == "string" && self.word(value).trim().is_empty()
                    });
                    if is_blank {
                        self.say(member.whole, true, "the plugin's `name` is blank");
                    }
                }
                "init" | "cleanup" => self.entry(member, member.name.to_owned()),
                "version" | "description" => {}
                other => {
                    let known = FIELDS.map(|(name, _)| name).join(", ");
                    let message = format!("a plugin has no field `{other}`; it has {known}");
                    self.say(member.head, false, message);
                }
            }
        }
    }

    fn entry(&mut self, member: &Member<'_, '_>, name: String) {
        let (head, whole) = (member.head.byte_range(), member.whole.byte_range());
        let description = String::new();
        self.file.reading.entries.push(Entry { name, description, head, whole });
    }

    fn look_at_tools(&mut self, member: &Member<'_, '_>) {
        let Some(object) = member.value.filter(|value| value.kind() == "object") else {
            return;
        };
        for tool in self.members(object).0 {
            self.entry(&tool, format!("tools.{}", tool.name));
            if let Some(why) = wrong_name(tool.name, self.taken) {
                self.say(tool.head, true, why);
            }
            if let Some(inner) = tool.value.filter(|value| value.kind() == "object") {
                let (fields, is_open) = self.members(inner);
                if !is_open && !fields.iter().any(|field| field.name == "execute") {
                    let message = format!("the tool `{}` has no function `execute`", tool.name);
                    self.say(tool.head, true, message);
                }
            }
        }
    }

    fn look_at_hooks(&mut self, member: &Member<'_, '_>) {
        let Some(object) = member.value.filter(|value| value.kind() == "object") else {
            return;
        };
        self.file.hooks = Some(object.byte_range());
        for hook in self.members(object).0 {
            self.entry(&hook, format!("hooks.{}", hook.name));
            if !HOOKS.iter().any(|(name, _)| *name == hook.name) {
                let known = HOOKS.map(|(name, _)| name).join(", ");
                let message = format!("there is no hook `{}`; there are {known}", hook.name);
                self.say(hook.head, true, message);
            }
        }
    }
}

struct Member<'a, 't> {
    name: &'a str,
    head: Node<'t>,
    value: Option<Node<'t>>,
    whole: Node<'t>,
}

/// Why a tool may not have that name.
pub(super) fn wrong_name(name: &str, taken: &[&str]) -> Option<String> {
    if taken.contains(&name) {
        return Some(format!("`{name}` is a tool of the product; a plugin's needs another name"));
    }
    (!is_name(name)).then(|| {
        format!("`{name}` is no name of a tool: letters, digits, `-` and `_`, 64 at most, a letter first, not `mcp__…`")
    })
}

/// What can be written at a place: labels, what each is for, and where the word begins that it replaces.
pub fn choices(text: &str, at: usize) -> (Vec<Choice>, usize) {
    let (found, from) = fitting(text, at);
    let choice = |(label, meaning): (&str, &str)| Choice {
        label: label.to_owned(),
        text: label.to_owned(),
        meaning: meaning.to_owned(),
    };
    (found.into_iter().map(choice).collect(), from)
}

fn fitting(text: &str, at: usize) -> (Vec<(&'static str, &'static str)>, usize) {
    let before = text.get(..at).unwrap_or_default();
    let from = before
        .char_indices()
        .rev()
        .take_while(|(_, c)| c.is_alphanumeric() || *c == '_')
        .last()
        .map_or(at, |(start, _)| start);
    if manifest::place(text).is_some_and(|place| place.contains(&from)) {
        return (manifest::FIELDS.to_vec(), from);
    }
    // What is being written often breaks the object: it is read as if nothing stood there yet.
    let mut without = text.to_owned();
    if without.get(from..at).is_some() {
        without.replace_range(from..at, "");
    }
    let file = read(&without, &[]);
    let is_in = |place: &Option<Range<usize>>| {
        place.as_ref().is_some_and(|place| place.start < from && from < place.end)
    };
    let is_within_part = |prefix: &str| {
        let parts = file.reading.entries.iter().filter(|entry| entry.name.starts_with(prefix));
        parts.into_iter().any(|part| part.whole.start < from && from < part.whole.end)
    };
    if is_in(&file.hooks) {
        return (if is_within_part("hooks.") { Vec::new() } else { HOOKS.to_vec() }, from);
    }
    match is_in(&file.object) && !is_within_part("") && !is_in_nested(&without, from) {
        true => (FIELDS.to_vec(), from),
        false => (Vec::new(), from),
    }
}

/// Whether a place lies deeper than the outermost braces of the code around it.
fn is_in_nested(text: &str, at: usize) -> bool {
    let before = text.get(..at).unwrap_or_default();
    let start = before.rfind("export default").unwrap_or(0);
    let depth = before.get(start..).unwrap_or_default().chars().fold(0_i32, |depth, c| match c {
        '{' | '(' | '[' => depth + 1,
        '}' | ')' | ']' => depth - 1,
        _ => depth,
    });
    depth > 1
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each line's problems stand in it as the text that they are about.
    fn problems(text: &str) -> Vec<(String, String)> {
        let found = read(text, &["read", "search"]).reading.problems.into_iter();
        found.map(|one| (text[one.range].to_owned(), one.message)).collect()
    }

    #[test]
    fn a_sound_plugin_has_no_problems_and_its_parts_are_known() {
        let text = r#"/* @manifest {"read": ["docs/**"]} */
import { tool } from "@opencode-ai/plugin";
const plugin = { name: "a", version: "1", tools: { greet: tool({ description: "d", args: {}, execute: () => "x" }) },
  hooks: { preTool: { priority: 1, async execute() {} }, done() {} }, async init() {} };
export default plugin;
"#;
        let file = read(text, &["read"]);
        assert_eq!(file.reading.problems, []);
        let names: Vec<&str> =
            file.reading.entries.iter().map(|entry| entry.name.as_str()).collect();
        assert_eq!(names, ["tools.greet", "hooks.preTool", "hooks.done", "init"]);
    }

    #[test]
    fn what_is_wrong_is_named_at_its_place() {
        for (text, part, why) in [
            ("export default { name: 'a', tool: {} }", "tool", "no field `tool`"),
            ("export default { tools: {} }", "{", "no `name`"),
            (
                "export default { name: 'a', tools: { read: { execute() {} } } }",
                "read",
                "is a tool of the product",
            ),
            (
                "export default { name: 'a', tools: { 'a b': { execute() {} } } }",
                "'a b'",
                "no name of a tool",
            ),
            (
                "export default { name: 'a', tools: { x: { description: '' } } }",
                "x",
                "no function `execute`",
            ),
            ("export default { name: 'a', hooks: { pre() {} } }", "pre", "no hook `pre`"),
            ("import fs from 'fs';\nexport default { name: 'a' }", "'fs'", "one module"),
            (
                "const fs = require('fs');\nexport default { name: 'a' }",
                "require('fs')",
                "no `require`",
            ),
            ("const a = 1;", "const a = 1;", "no `export default"),
            ("export default { name: 'a', version: 1 + }", "}", "no JavaScript"),
        ] {
            let found = problems(text);
            assert!(
                found.iter().any(|(at, what)| at == part && what.contains(why))
                    || (why == "no JavaScript" && found.len() == 1),
                "{text}: {found:?}"
            );
        }
    }

    #[test]
    fn choices_are_those_of_the_place() {
        let labels = |text: &str| {
            let at = text.find('|').unwrap();
            let (choices, from) = choices(&text.replace('|', ""), at);
            (choices.into_iter().map(|choice| choice.label).collect::<Vec<_>>(), at - from)
        };
        assert_eq!(labels("export default { name: 'a', ho| }").1, 2);
        assert!(labels("export default { name: 'a', ho| }").0.contains(&"hooks".to_owned()));
        assert!(
            labels("export default { name: 'a', hooks: { | } }").0.contains(&"preTool".to_owned())
        );
        assert_eq!(
            labels("export default { name: 'a', hooks: { done() { x| } } }").0,
            Vec::<String>::new()
        );
        assert_eq!(labels("const a = { | }; export default { name: 'a' }").0, Vec::<String>::new());
        assert_eq!(
            labels("/* @manifest { \"re|\": [] } */ export default {}").0,
            ["read", "fetch"]
        );
    }
}
