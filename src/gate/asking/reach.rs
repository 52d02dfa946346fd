//! How far a change of TypeScript can reach: the files whose types may depend on it. Pure, and never too few.
//!
//! A file depends on what it imports, and on what that imports. Specifiers are matched by their last name alone, which
//! finds more files than a resolver would and never fewer; where a name can mean something else (an alias, the
//! workspace's own packages), the importing file counts as dependent on everything. What stands inside the body of a
//! function that says what it returns is seen by nobody outside.

use std::collections::{BTreeMap, BTreeSet};

use tree_sitter::Node;

use crate::gate::prepare::syntax::Grammar;
use crate::workspace::path::RelPath;
use crate::workspace::resolve::{Resolved, ResolvedFile};

/// What a file says of others.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in crate::gate) struct Imports {
    /// The last names of its specifiers, without extension.
    names: BTreeSet<String>,
    /// Whether it may depend on anything.
    on_all: bool,
}

/// What the descriptions of the projects say that bears on specifiers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub(in crate::gate) struct Setting {
    /// Names may be aliases of files, or of packages of the workspace itself.
    pub(in crate::gate) aliases: bool,
    /// Names may have endings that specifiers do not say.
    pub(in crate::gate) suffixes: bool,
    /// Files with JSX import a module that they do not name.
    pub(in crate::gate) implicit_jsx: bool,
}

impl Setting {
    /// Where nobody knows what they say, names may mean anything.
    pub(in crate::gate) const UNKNOWN: Setting =
        Setting { aliases: true, suffixes: true, implicit_jsx: true };

    /// Reads it from the text of a `tsconfig.json` or `package.json`.
    pub(in crate::gate) fn add(&mut self, description: &str) {
        let mentions = |word: &str| description.contains(word);
        self.aliases |=
            ["\"paths\"", "\"imports\"", "\"workspaces\"", "\"baseUrl\"", "\"rootDirs\""]
                .iter()
                .any(|word| mentions(word));
        self.suffixes |= mentions("moduleSuffixes");
        self.implicit_jsx |= mentions("jsxImportSource");
    }
}

impl Imports {
    /// Reads the specifiers of a text. `own` is the name of the workspace's own packages.
    pub(in crate::gate) fn of(
        path: &RelPath,
        text: &str,
        setting: Setting,
        own: &BTreeSet<String>,
    ) -> Imports {
        let mut imports = Imports::default();
        let has_jsx = path.as_str().ends_with('x');
        imports.on_all = setting.suffixes
            || has_jsx && setting.implicit_jsx
            || text.contains("@jsxImportSource");
        for specifier in specifiers(text) {
            imports.add(specifier, setting, own);
        }
        imports
    }

    /// Adds what another text says.
    pub(in crate::gate) fn join(&mut self, other: &Imports) {
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

/// What a text may name as another file or package: strings on lines that speak of imports, those on a line of their own
/// behind such a line, and whatever looks like a path beside.
fn specifiers(text: &str) -> BTreeSet<&str> {
    let words = ["import", "from", "require", "reference", "declare module"];
    let ends = ["from", "import(", "require(", "import"];
    let mut found = BTreeSet::new();
    let mut goes_on = false;
    for line in text.lines() {
        let speaks = goes_on || words.iter().any(|word| line.contains(word));
        found.extend(quoted(line).filter(|piece| speaks || piece.starts_with('.')));
        let line = line.trim();
        goes_on = goes_on && (line.is_empty() || line.starts_with("//"))
            || ends.iter().any(|word| line.ends_with(word));
    }
    found
}

/// The pieces of a line between equal quotes. Of what stands between two of them nobody knows here whether it is inside or
/// outside (an apostrophe is a quote, too), so both are taken.
fn quoted(line: &str) -> impl Iterator<Item = &str> {
    ['"', '\'', '`'].into_iter().flat_map(move |quote| {
        let last = line.matches(quote).count();
        line.split(quote).skip(1).take(last.saturating_sub(1))
    })
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
pub(in crate::gate) enum Reach {
    /// Every file.
    All,
    /// Those that import one of these, directly or not.
    From(Vec<RelPath>),
}

/// How far a change-set reaches: from those of its files whose change can be seen outside.
pub(in crate::gate) fn of(resolved: &Resolved, speaks: impl Fn(&RelPath) -> bool) -> Reach {
    let mut from = Vec::new();
    for file in resolved.files.iter().filter(|file| speaks(&file.path)) {
        let before = file.base.as_ref().map(|base| base.text.as_str());
        let texts = [before, file.result.as_deref()];
        // What nobody sees reaches nobody, wherever it stands.
        if is_inside(file) {
            continue;
        }
        if file.path.as_str().contains(".d.")
            || texts.into_iter().flatten().any(|text| is_global(&file.path, text))
        {
            return Reach::All;
        }
        from.push(file.path.clone());
    }
    Reach::From(from)
}

/// Whether a text adds to what every file sees: a script without imports and exports, or a declaration into others.
fn is_global(path: &RelPath, text: &str) -> bool {
    let into_others = ["declare global", "declare module"].iter().any(|word| text.contains(word));
    // An empty file is a script, and adds nothing.
    into_others || !text.trim().is_empty() && !is_module(path, text)
}

/// Whether it imports or exports at the top. (What a namespace exports makes no module of the file.)
fn is_module(path: &RelPath, text: &str) -> bool {
    let Some(tree) = Grammar::for_path(path).and_then(|grammar| grammar.parse(text)) else {
        return false;
    };
    let root = tree.root_node();
    let mut cursor = root.walk();
    let mut top = root.children(&mut cursor);
    top.any(|node| ["import_statement", "export_statement"].contains(&node.kind()))
}

/// Whether a change-set leaves it as it is which files belong to the project: none comes or goes, none is of a kind that
/// the language does not speak, and all import what they did. What an import brings in can be seen by all.
pub(in crate::gate) fn keeps_members(
    resolved: &Resolved,
    speaks: impl Fn(&RelPath) -> bool,
) -> bool {
    resolved.files.iter().all(|file| match (&file.base, &file.result) {
        (Some(before), Some(after)) => {
            speaks(&file.path) && specifiers(&before.text) == specifiers(after)
        }
        _ => false,
    })
}

/// The files among `imports` that depend on one of `from`.
pub(in crate::gate) fn dependents(
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

/// Whether nothing of a file's change can be seen from outside of it: without what is hidden, the texts are the same.
fn is_inside(file: &ResolvedFile) -> bool {
    let (Some(before), Some(after), Some(grammar)) =
        (&file.base, &file.result, Grammar::for_path(&file.path))
    else {
        return false;
    };
    match (visible(grammar, &before.text), visible(grammar, after)) {
        (Some(old), Some(new)) => old == new,
        _ => false,
    }
}

/// Kinds of nodes and their words, in order.
type Words<'a> = Vec<(u16, &'a str)>;

/// A text as far as others can see it: without comments and bodies of functions that say what they return.
#[derive(PartialEq, Eq)]
struct Visible<'a> {
    /// Functions at the top, sorted: they are there before anything is run, so that their order is nothing.
    functions: Vec<Words<'a>>,
    /// All else, in order.
    rest: Words<'a>,
}

/// `None` where the text does not parse, so that nobody knows what is a body.
fn visible(grammar: Grammar, text: &str) -> Option<Visible<'_>> {
    let tree = grammar.parse(text)?;
    let root = tree.root_node();
    if root.has_error() {
        return None;
    }
    let mut visible = Visible { functions: Vec::new(), rest: Vec::new() };
    let mut cursor = root.walk();
    let top: Vec<Node<'_>> = root.children(&mut cursor).collect();
    // Signatures belong to the function that follows them.
    let is_overloaded = top.iter().any(|node| declared(*node).kind() == "function_signature");
    for node in top {
        match declared(node).kind() {
            "function_declaration" if !is_overloaded => visible.functions.push(words(node, text)),
            _ => visible.rest.extend(words(node, text)),
        }
    }
    visible.functions.sort_unstable();
    Some(visible)
}

/// What an `export` is about, or the statement itself.
fn declared(node: Node<'_>) -> Node<'_> {
    node.child_by_field_name("declaration").unwrap_or(node)
}

fn words<'a>(node: Node<'_>, text: &'a str) -> Words<'a> {
    let mut seen = Vec::new();
    let mut left = vec![node];
    while let Some(node) = left.pop() {
        let word = &text[node.byte_range()];
        if node.kind() == "comment" {
            // Some comments speak to the compiler.
            let speaks = word.starts_with("///") || word.contains("@jsx");
            seen.extend(speaks.then_some((node.kind_id(), word)));
            continue;
        }
        // Within a text blanks count.
        let is_whole = node.child_count() == 0 || node.kind().starts_with("template");
        let is_hidden = is_hidden_body(node);
        seen.push((node.kind_id(), if is_whole && !is_hidden { word } else { "" }));
        if is_whole || is_hidden {
            continue;
        }
        let mut cursor = node.walk();
        let parts: Vec<Node<'_>> = node.children(&mut cursor).collect();
        left.extend(parts.into_iter().rev());
    }
    seen
}

/// Whether it is the body of a function that says what it returns.
fn is_hidden_body(node: Node<'_>) -> bool {
    node.parent().is_some_and(|parent| {
        parent.child_by_field_name("return_type").is_some()
            && parent.child_by_field_name("body").is_some_and(|body| body.id() == node.id())
    })
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
    fn what_is_commented_out_is_no_comment() {
        let hidden = TEXT.replace("  x = 1\n", "/*\n  x = 1\n*/\n");
        assert_eq!(reach(TEXT, &hidden), outside());
        assert_eq!(reach(TEXT, &format!("/// <reference path=\"x.ts\" />\n{TEXT}")), outside());
        // What was a function of its own is a part of a text in another's body.
        let swallowed =
            TEXT.replace("= a\n", "= a\n  `\n").replace("  return \"\"", "`;return \"\"");
        assert_eq!(reach(TEXT, &swallowed), outside());
    }

    #[test]
    fn only_imports_and_exports_at_the_top_make_a_module() {
        for script in [
            "namespace A {\n  export const a = 1\n}\n",
            "/*\nimport a\n*/\nvar a = 1\n",
            "exporter()\nimportScripts('a')\n",
        ] {
            assert_eq!(reach(script, &format!("{script}var b = 1\n")), Reach::All, "{script}");
        }
    }

    #[test]
    fn specifiers_are_found_wherever_they_stand() {
        let text = "log(\"can't\"); import('./a')\nconst b = import(\n\n  // b\n  './b')\nf(import(/* c */\n'./c'))\n";
        let found = specifiers(text);
        assert!(["./a", "./b", "./c"].iter().all(|name| found.contains(name)), "{found:?}");
        let file = |before: &str, after: Option<&str>| ResolvedFile {
            path: path("src/a.ts"),
            base: Some(FileText::new(before.to_owned())),
            result: after.map(str::to_owned),
            renamed_from: None,
        };
        let keeps = |file| keeps_members(&Resolved { files: vec![file] }, |_| true);
        assert!(keeps(file("import 'a'\nb()\n", Some("import 'a'\nc()\n"))));
        assert!(!keeps(file("import 'a'\n", Some("import 'b'\n"))));
        assert!(!keeps(file("import './x/a'\n", Some("import './y/a'\n"))));
        assert!(!keeps(file("import 'a'\n", None)));
    }

    #[test]
    fn the_order_of_functions_is_nothing_and_that_of_all_else_is() {
        let (f, g) =
            ("export function f() {\n  return 1\n}\n", "function g() {\n  return f()\n}\n");
        let (a, b) = ("export const a = 1\n", "export const b = 2\n");
        assert_eq!(reach(&[f, g, a].concat(), &[a, g, f].concat()), inside());
        assert_eq!(reach(&[f, a, b].concat(), &[f, b, a].concat()), outside());
        let one = "export function h(a: string): string\n";
        let two = "export function h(a: number): number\n";
        let body = "export function h(a: any): any {\n  return a\n}\n";
        assert_eq!(reach(&[one, two, body].concat(), &[two, one, body].concat()), outside());
    }

    #[test]
    fn scripts_and_declarations_into_others_reach_all() {
        let script = "const a = 1\nfunction f(): number {\n  return 1\n}\n";
        assert_eq!(reach(script, &script.replace("return 1", "return 2")), inside());
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
