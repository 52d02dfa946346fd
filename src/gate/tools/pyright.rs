//! The output of `pyright --verbose --dependencies`: what is wrong, and after that every file that was looked at. (Its JSON does not
//! say which files those are.)

use std::collections::BTreeSet;
use std::path::Path;

use super::gnu::{Line, parse};
use super::place::{Columns, word};
use super::process::Ended;
use super::{Answered, Found, rel_path};
use crate::gate::diagnostic::{Diagnostic, Severity};
use crate::workspace::path::RelPath;

/// Files that describe a Python project, and that pyright has then gone by.
const DESCRIPTIONS: [&str; 2] = ["pyproject.toml", "pyrightconfig.json"];

/// Reads what pyright said.
///
/// # Errors
/// The reason, for people, when it gave up without saying where.
pub fn read(root: &Path, folder: &str, ended: &Ended) -> Result<Answered, String> {
    let mut answered = Answered { units: BTreeSet::from([String::new()]), ..Answered::default() };
    let mut before = "";
    let mut goes_on = false;
    for line in ended.stdout.lines() {
        if let Some(text) = line.strip_prefix("  ") {
            if let Some(diagnostic) = diagnostic(root, folder, text) {
                answered.found.push(Found { diagnostic, unit: String::new() });
                goes_on = true;
            } else if goes_on && let Some(last) = answered.found.last_mut() {
                last.diagnostic.message.push('\n');
                last.diagnostic.message.push_str(text.trim_start());
            }
        } else {
            goes_on = false;
            let file = rel_path(root, folder, before).filter(|_| line.starts_with(" Imports "));
            answered.covered.extend(file.filter(|path| path.in_root(root).is_file()));
        }
        before = line;
    }
    for found in &mut answered.found {
        split_rule(&mut found.diagnostic);
    }
    let is_error = |found: &Found| found.diagnostic.severity == Severity::Error;
    if !ended.success && !answered.found.iter().any(is_error) {
        return Err(ended.last_words());
    }
    let description = |name: &&str| rel_path(root, folder, name);
    let there = |path: &RelPath| path.in_root(root).is_file();
    answered.covered.extend(DESCRIPTIONS.iter().filter_map(description).filter(there));
    Ok(answered)
}

/// `/src/a.py:2:3 - error: "x" is not defined (reportUndefinedVariable)`.
fn diagnostic(root: &Path, folder: &str, text: &str) -> Option<Diagnostic> {
    let marks = [
        (" - error: ", Severity::Error),
        (" - warning: ", Severity::Warning),
        (" - information: ", Severity::Information),
    ];
    let read = |(mark, severity)| {
        let (place, message) = text.split_once(mark)?;
        let place = format!("{place}: ");
        let Line { file, line, column, .. } = parse(&place)?;
        let path = rel_path(root, folder, file)?;
        Some(Diagnostic {
            range: word(root, &path, (line, column), Columns::Utf16),
            path,
            severity,
            code: None,
            message: message.to_owned(),
            source: "pyright".to_owned(),
            remedies: Vec::new(),
        })
    };
    marks.into_iter().find_map(read)
}

/// The rule stands in parentheses at the end of a message.
fn split_rule(diagnostic: &mut Diagnostic) {
    let rule = diagnostic.message.strip_suffix(')').and_then(|text| text.rsplit_once(" ("));
    if let Some((message, rule)) = rule
        && rule.starts_with("report")
        && rule.bytes().all(|byte| byte.is_ascii_alphanumeric())
    {
        diagnostic.code = Some(rule.to_owned());
        diagnostic.message = message.to_owned();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn recorded_output_is_read() {
        let folder = tempfile::tempdir().expect("a folder");
        let root = folder.path();
        std::fs::create_dir(root.join("pkg")).expect("a folder");
        let text = "from pkg.a import f\nf(\"x\")\nä = undefined\ndef\n";
        std::fs::write(root.join("pkg/b.py"), text).expect("a file");
        std::fs::write(root.join("pyproject.toml"), "").expect("a file");
        let own = root.join("pkg/b.py");
        let own = own.display();
        let output = format!(
            "{own}\n  {own}:2:3 - error: Argument of type \"Literal['x']\" cannot be assigned\n  \u{a0} \u{a0} \"Literal['x']\" is \
             not assignable to \"int\" (reportArgumentType)\n  {own}:3:5 - warning: \"undefined\" is not defined \
             (reportUndefinedVariable)\n  {own}:4:1 - error: Expected function name after \"def\"\n2 errors, 1 warning, \
             0 informations\n\npkg/b.py\n Imports     1 file\n    file:///pkg/a.py\n Imported by 0 files\n\n1 file not \
             explicitly imported\n    {own}\n"
        );
        let ended = Ended {
            success: false,
            status: "exit status: 1".to_owned(),
            stdout: output,
            stderr: String::new(),
            began: std::time::UNIX_EPOCH,
        };
        let answered = read(root, "", &ended).expect("an answer");
        let found: Vec<_> = answered.found.iter().map(|found| &found.diagnostic).collect();
        assert_eq!(found[0].code.as_deref(), Some("reportArgumentType"));
        assert!(found[0].message.ends_with("is not assignable to \"int\""), "{}", found[0].message);
        assert_eq!((found[0].range.start.line, found[0].range.start.column), (1, 2));
        assert_eq!((found[1].severity, found[1].range.start.column), (Severity::Warning, 5));
        assert_eq!((found[2].code.as_deref(), found.len()), (None, 3));
        let covered: Vec<&str> = answered.covered.iter().map(RelPath::as_str).collect();
        assert_eq!(covered, ["pkg/b.py", "pyproject.toml"]);
        let broken = Ended { stdout: "Config file could not be read.\n".to_owned(), ..ended };
        assert!(read(root, "", &broken).expect_err("no answer").contains("Config file"));
    }
}
