//! The files of which the recordings are made: sources of this program, as they were when it was built, and the
//! documents that a project would have.

/// A file, by its path.
pub(super) struct File {
    pub path: &'static str,
    pub text: &'static str,
}

macro_rules! files {
    ($($path:literal),* $(,)?) => {
        &[$(File { path: $path, text: include_str!(concat!("../../../../", $path)) }),*]
    };
}

/// Where the work is done.
pub(super) const SOURCES: &[File] = files![
    "src/disk/mod.rs",
    "src/gate/language.rs",
    "src/gate/prove.rs",
    "src/gate/repair.rs",
    "src/gate/shadow.rs",
    "src/gate/tools.rs",
    "src/gate/whole.rs",
    "src/journal/mod.rs",
    "src/journal/recover.rs",
    "src/journal/schema.rs",
    "src/mission/state.rs",
    "src/mission/work.rs",
    "src/mission/plan/parse.rs",
    "src/model/client.rs",
    "src/runtime/attach.rs",
    "src/runtime/editors.rs",
    "src/runtime/engine.rs",
    "src/runtime/land.rs",
    "src/runtime/undo.rs",
    "src/server/ask.rs",
    "src/server/diagnostics.rs",
    "src/workspace/apply.rs",
    "src/workspace/resolve.rs",
    "src/workspace/snapshot.rs",
    "tests/fixtures/demo/src/count.rs",
    "tests/fixtures/demo/src/options.rs",
];

/// What the project says of itself.
pub(super) const RULES: &str = "# Rules\n\n- Imports run downwards.\n- The core stays pure: no clock, no randomness, no I/O.\n- Every public item is documented.\n- Errors say what to do next.\n- A bug comes with the test that would have found it.\n";

/// What earlier missions noted: the first sentences of what the sources say of themselves.
pub(super) fn notes() -> Vec<String> {
    let of = |file: &'static File| {
        let docs = file.text.lines().filter_map(|line| line.trim().strip_prefix("/// "));
        let long = docs.filter(|line| line.len() > 60).take(4);
        long.map(|line| format!("{}: {line}", file.path))
    };
    SOURCES.iter().flat_map(of).collect()
}

/// Other things that such files hold: build, release, house rules at length.
pub(super) fn context() -> String {
    let said = |file: &'static File| {
        let docs = file.text.lines().take_while(|line| line.starts_with("//!"));
        let docs: Vec<&str> = docs.map(|line| line.trim_start_matches("//!")).collect();
        format!("## {}\n{}\n\n", file.path, docs.join("\n"))
    };
    SOURCES.iter().map(said).collect()
}

/// The functions of a file: their names, and the lines (from 0) at which they begin and end.
pub(super) fn functions(file: &File) -> Vec<(&'static str, usize, usize)> {
    let lines: Vec<&'static str> = file.text.lines().collect();
    let mut found = Vec::new();
    for (at, line) in lines.iter().enumerate() {
        let Some((_, after)) = line.split_once("fn ") else {
            continue;
        };
        let name = after.split(['(', '<']).next().unwrap_or_default();
        let indent = line.len() - line.trim_start().len();
        let closes = |end: &str| end.len() == indent + 1 && end.ends_with('}');
        let is_name = !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || c == '_');
        if let Some(length) = lines[at..].iter().position(|l| closes(l)).filter(|_| is_name) {
            found.push((name, at, at + length));
        }
    }
    found
}
