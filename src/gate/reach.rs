//! How far a change of TypeScript can reach: the files whose types may depend on it. Pure, and never too few.
//!
//! A file depends on what it imports, and on what that imports. Specifiers are matched by their last name alone, which
//! finds more files than a resolver would and never fewer; where a name can mean something else (an alias, the
//! workspace's own packages), the importing file counts as dependent on everything. What stands inside the body of a
//! function that says what it returns is seen by nobody outside.

use std::collections::{BTreeMap, BTreeSet};

use similar::{DiffTag, TextDiff};
use tree_sitter::{Node, Tree};

use super::syntax::Grammar;
use crate::workspace::path::RelPath;
use crate::workspace::resolve::{Resolved, ResolvedFile};

/// What a file says of others.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Imports {
    /// The last names of its specifiers, without extension.
    names: BTreeSet<String>,
    /// Whether it may depend on anything.
    on_all: bool,
}

/// What the descriptions of the projects say that bears on specifiers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub(super) struct Setting {
    /// Names may be aliases of files, or of packages of the workspace itself.
    pub(super) aliases: bool,
    /// Files with JSX import a module that they do not name.
    pub(super) implicit_jsx: bool,
}

impl Setting {
    /// Reads it from the text of a `tsconfig.json` or `package.json`.
    pub(super) fn add(&mut self, description: &str) {
        let mentions = |word: &str| description.contains(word);
        self.aliases |=
            ["\"paths\"", "\"imports\"", "\"workspaces\"", "\"baseUrl\"", "\"rootDirs\""]
                .iter()
                .any(|word| mentions(word));
        self.implicit_jsx |= mentions("jsxImportSource");
    }
}

impl Imports {
    /// Reads the specifiers of a text. `own` is the name of the workspace's own packages.
    pub(super) fn of(
        path: &RelPath,
        text: &str,
        setting: Setting,
        own: &BTreeSet<String>,
    ) -> Imports {
        let mut imports = Imports::default();
        let has_jsx = path.as_str().ends_with('x');
        imports.on_all = has_jsx && setting.implicit_jsx || text.contains("@jsxImportSource");
        let words = ["import", "from", "require", "reference", "declare module"];
        for line in text.lines().filter(|line| words.iter().any(|word| line.contains(word))) {
            for specifier in quoted(line) {
                imports.add(specifier, setting, own);
            }
        }
        // A specifier on a line of its own follows `import(` or `from`; the lines before say so.
        for pair in text.lines().zip(text.lines().skip(1)) {
            let end = pair.0.trim_end();
            if ["from", "import(", "require(", "import"].iter().any(|word| end.ends_with(word)) {
                quoted(pair.1).for_each(|specifier| imports.add(specifier, setting, own));
            }
        }
        imports
    }

    /// Adds what another text says.
    pub(super) fn join(&mut self, other: &Imports) {
        self.names.extend(other.names.iter().cloned());
        self.on_all |= other.on_all;
    }

    fn add(&mut self, specifier: &str, setting: Setting, own: &BTreeSet<String>) {
        let is_relative = specifier.starts_with('.');
        let is_own = own.iter().any(|name| {
            specifier
                .strip_prefix(name.as_str())
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        });
        self.on_all |=
            !is_relative && (is_own || setting.aliases && !specifier.starts_with("node:"));
        let last = specifier.trim_end_matches('/').rsplit('/').next().unwrap_or_default();
        let name = match last {
            "" | "." | ".." => "index",
            _ => stem(last),
        };
        self.names.insert(name.to_owned());
    }
}

/// The pieces of a line between equal quotes.
fn quoted(line: &str) -> impl Iterator<Item = &str> {
    ['"', '\'', '`'].into_iter().flat_map(move |quote| line.split(quote).skip(1).step_by(2))
}

/// A file's name without its extensions.
fn stem(name: &str) -> &str {
    let extensions = [
        ".d.ts", ".d.mts", ".d.cts", ".tsx", ".mts", ".cts", ".ts", ".jsx", ".mjs", ".cjs", ".js",
        ".json",
    ];
    extensions.iter().find_map(|extension| name.strip_suffix(extension)).unwrap_or(name)
}

/// The names by which others import a file.
fn names(path: &RelPath) -> Vec<&str> {
    let mut parts = path.as_str().rsplit('/');
    let name = stem(parts.next().unwrap_or_default());
    match (name, parts.next()) {
        ("index", Some(folder)) => vec!["index", folder],
        _ => vec![name],
    }
}

/// How far a change-set reaches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Reach {
    /// Every file.
    All,
    /// Those that import one of these, directly or not.
    From(Vec<RelPath>),
}

/// How far a change-set reaches: from those of its files whose change can be seen outside.
pub(super) fn of(resolved: &Resolved, speaks: impl Fn(&RelPath) -> bool) -> Reach {
    let mut from = Vec::new();
    for file in resolved.files.iter().filter(|file| speaks(&file.path)) {
        let before = file.base.as_ref().map(|base| base.text.as_str());
        let texts = [before, file.result.as_deref()];
        if file.path.as_str().contains(".d.") || texts.into_iter().flatten().any(is_global) {
            return Reach::All;
        }
        if !is_inside(file) {
            from.push(file.path.clone());
        }
    }
    Reach::From(from)
}

/// Whether a text adds to what every file sees: a script without imports and exports, or a declaration into others.
fn is_global(text: &str) -> bool {
    let is_module = text.lines().any(|line| {
        let line = line.trim_start();
        line.starts_with("import") || line.starts_with("export")
    });
    // An empty file is a script, and adds nothing.
    !is_module && !text.trim().is_empty()
        || ["declare global", "declare module"].iter().any(|word| text.contains(word))
}

/// The files among `imports` that depend on one of `from`.
pub(super) fn dependents(
    imports: &BTreeMap<RelPath, Imports>,
    from: &[RelPath],
) -> BTreeSet<RelPath> {
    let mut reached: BTreeSet<RelPath> = BTreeSet::new();
    let mut known: BTreeSet<&str> = from.iter().flat_map(names).collect();
    if from.is_empty() {
        return reached;
    }
    loop {
        let depends = |imports: &Imports| {
            imports.on_all || imports.names.iter().any(|name| known.contains(name.as_str()))
        };
        let more: Vec<&RelPath> = imports
            .iter()
            .filter(|(path, imports)| !reached.contains(*path) && depends(imports))
            .map(|(path, _)| path)
            .collect();
        if more.is_empty() {
            return reached;
        }
        known.extend(more.iter().flat_map(|path| names(path)));
        reached.extend(more.into_iter().cloned());
    }
}

/// Whether nothing of a file's change can be seen from outside of it.
fn is_inside(file: &ResolvedFile) -> bool {
    let (Some(before), Some(after), Some(grammar)) =
        (&file.base, &file.result, Grammar::for_path(&file.path))
    else {
        return false;
    };
    let Some((old, new)) = grammar.parse(&before.text).zip(grammar.parse(after)) else {
        return false;
    };
    let diff = TextDiff::from_lines(before.text.as_str(), after.as_str());
    let starts = [line_starts(&before.text), line_starts(after)];
    let changed = diff.ops().iter().filter(|op| op.tag() != DiffTag::Equal);
    changed.into_iter().all(|op| {
        let side = |tree: &Tree, text: &str, starts: &[usize], lines: std::ops::Range<usize>| {
            is_hidden(tree, text, starts[lines.start]..starts[lines.end])
        };
        side(&old, &before.text, &starts[0], op.old_range())
            && side(&new, after, &starts[1], op.new_range())
    })
}

/// The byte at which each line begins, and the end.
fn line_starts(text: &str) -> Vec<usize> {
    let mut starts = vec![0];
    starts.extend(text.split_inclusive('\n').scan(0, |at, line| {
        *at += line.len();
        Some(*at)
    }));
    starts
}

/// Whether what stands in these bytes is blank, a comment, or inside of a body whose function says what it returns.
fn is_hidden(tree: &Tree, text: &str, range: std::ops::Range<usize>) -> bool {
    let piece = &text[range.clone()];
    let blank = piece.len() - piece.trim_start().len();
    let (start, end) = (range.start + blank, range.start + piece.trim_end().len());
    if start >= end || tree.root_node().has_error() {
        return start >= end;
    }
    let Some(mut node) = tree.root_node().descendant_for_byte_range(start, end) else {
        return false;
    };
    if node.kind() == "comment" {
        return true;
    }
    if only_comments(node, start, end) {
        return true;
    }
    while let Some(parent) = node.parent() {
        let is_body = parent.child_by_field_name("body").is_some_and(|body| body.id() == node.id());
        // On the lines of the braces stands what others see.
        let within = node.start_byte() < start && end < node.end_byte();
        if is_body && within && parent.child_by_field_name("return_type").is_some() {
            return true;
        }
        node = parent;
    }
    false
}

fn only_comments(node: Node<'_>, start: usize, end: usize) -> bool {
    let mut cursor = node.walk();
    let touched = node
        .children(&mut cursor)
        .filter(|child| child.start_byte() < end && start < child.end_byte());
    let touched: Vec<Node<'_>> = touched.collect();
    !touched.is_empty() && touched.iter().all(|child| child.kind() == "comment")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workspace::FileText;

    fn path(name: &str) -> RelPath {
        RelPath::new(name).expect("a good path")
    }

    fn reach(before: &str, after: &str) -> Reach {
        let file = ResolvedFile {
            path: path("src/a.ts"),
            base: Some(FileText::new(before.to_owned())),
            result: Some(after.to_owned()),
            renamed_from: None,
        };
        of(&Resolved { files: vec![file] }, |_| true)
    }

    fn inside() -> Reach {
        Reach::From(Vec::new())
    }

    fn outside() -> Reach {
        Reach::From(vec![path("src/a.ts")])
    }

    const TEXT: &str = "export function f(a: number): number {\n  const b = a\n  return b\n}\n\nexport function g(a: number) {\n  return a\n}\n\nexport class C {\n  h(): string {\n    return \"\"\n  }\n  x = 1\n}\n";

    #[test]
    fn a_body_that_says_what_it_returns_hides_its_change() {
        assert_eq!(reach(TEXT, &TEXT.replace("= a\n", "= a + 1\n")), inside());
        assert_eq!(reach(TEXT, &TEXT.replace("return \"\"", "return \"x\"")), inside());
        assert_eq!(
            reach(TEXT, &TEXT.replace("export class", "// A class.\nexport class")),
            inside()
        );
        assert_eq!(reach(TEXT, &TEXT.replace("  return a\n", "  return `${a}`\n")), outside());
        assert_eq!(reach(TEXT, &TEXT.replace("x = 1", "x = \"\"")), outside());
        assert_eq!(reach(TEXT, &TEXT.replace("f(a: number)", "f(a: string)")), outside());
        assert_eq!(reach(TEXT, &TEXT.replace("): number {", "): string {")), outside());
        // One brace closes another function than it did before.
        assert_eq!(reach(TEXT, &TEXT.replace("  return b\n}\n", "  return b\n")), outside());
    }

    #[test]
    fn scripts_and_declarations_into_others_reach_all() {
        assert_eq!(reach("const a = 1\n", "const a = 2\n"), Reach::All);
        assert_eq!(
            reach(TEXT, &format!("{TEXT}declare global {{ interface A {{}} }}\n")),
            Reach::All
        );
    }

    #[test]
    fn whoever_imports_depends_and_so_on() {
        let own = BTreeSet::from(["self".to_owned()]);
        let read = |name: &str, text: &str| {
            (path(name), Imports::of(&path(name), text, Setting::default(), &own))
        };
        let imports = BTreeMap::from([
            read("src/a.ts", ""),
            read("src/b.ts", "import type { A } from './a.js'\n"),
            read("src/lib/index.ts", "export * from \"../b\"\n"),
            read("src/c.ts", "const x = await import('./lib')\n"),
            read("src/d.ts", "import {\n  y,\n} from\n  './c'\n"),
            read("src/e.ts", "import fs from 'node:fs'\nimport z from 'zod/a-thing'\n"),
            read("src/f.ts", "import { s } from 'self/x'\n"),
        ]);
        let reached = dependents(&imports, &[path("src/a.ts")]);
        let reached: Vec<&str> = reached.iter().map(RelPath::as_str).collect();
        assert_eq!(reached, ["src/b.ts", "src/c.ts", "src/d.ts", "src/f.ts", "src/lib/index.ts"]);
        assert!(dependents(&imports, &[]).is_empty());
    }

    #[test]
    fn aliases_and_implicit_imports_depend_on_everything() {
        let mut setting = Setting::default();
        setting.add("{ \"paths\": {} }");
        let none = BTreeSet::new();
        assert!(Imports::of(&path("a.ts"), "import a from '@/b'\n", setting, &none).on_all);
        assert!(!Imports::of(&path("a.ts"), "import a from './b'\n", setting, &none).on_all);
        setting.add("\"jsxImportSource\": \"hono/jsx\"");
        assert!(Imports::of(&path("a.tsx"), "", setting, &none).on_all);
    }
}
