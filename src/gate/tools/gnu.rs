//! Output of the shape `file:line:column: severity: message`, which most compilers write.

use std::collections::BTreeSet;
use std::path::Path;

use super::place::{Columns, word};
use super::process::Ended;
use super::{Answered, Found, rel_path};
use crate::gate::diagnostic::{Diagnostic, Severity};

/// Reads what a tool of that shape said on both of its pipes; `name` is the tool's, for people. A line that is the name of
/// a file says that it was read.
///
/// # Errors
/// The reason, for people, when it failed without saying where.
pub fn read(root: &Path, folder: &str, name: &str, ended: &Ended) -> Result<Answered, String> {
    let mut answered = Answered { units: BTreeSet::from([String::new()]), ..Answered::default() };
    let mut goes_on = false;
    for line in ended.stdout.lines().chain(ended.stderr.lines()) {
        if let Some(found) = found(root, folder, name, line) {
            answered.found.push(found);
            goes_on = true;
        } else if line.starts_with([' ', '\t'])
            && goes_on
            && let Some(last) = answered.found.last_mut()
        {
            last.diagnostic.message.push('\n');
            last.diagnostic.message.push_str(line);
        } else {
            goes_on = false;
            let file = rel_path(root, folder, line.trim());
            answered.covered.extend(file.filter(|path| path.in_root(root).is_file()));
        }
    }
    let is_error = |found: &Found| found.diagnostic.severity == Severity::Error;
    if !ended.success && !answered.found.iter().any(is_error) {
        return Err(ended.last_words());
    }
    Ok(answered)
}

fn found(root: &Path, folder: &str, name: &str, line: &str) -> Option<Found> {
    let Line { file, line, column, severity, message } = parse(line)?;
    let path = rel_path(root, folder, file)?;
    let range = word(root, &path, (line, column), Columns::Bytes);
    let (code, message) = code_of(message);
    let diagnostic = Diagnostic {
        path,
        range,
        severity,
        code: code.map(str::to_owned),
        message: message.to_owned(),
        source: name.to_owned(),
        remedies: Vec::new(),
    };
    Some(Found { diagnostic, unit: String::new() })
}

/// A line of that shape, in parts.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Line<'a> {
    pub(super) file: &'a str,
    /// 1-based.
    pub(super) line: u32,
    /// 1-based; 1 where the tool says none.
    pub(super) column: u32,
    pub(super) severity: Severity,
    pub(super) message: &'a str,
}

/// Reads `file:line:column: severity: message`, where column and severity may be missing.
pub(super) fn parse(text: &str) -> Option<Line<'_>> {
    // The colon of a drive's letter ends no name.
    let drive = text.as_bytes().get(1) == Some(&b':')
        && text.starts_with(|c: char| c.is_ascii_alphabetic());
    let from = if drive { 2 } else { 0 };
    let end = from + text.get(from..)?.find(':')?;
    let file = text.get(..end).filter(|file| !file.is_empty() && !file.starts_with(' '))?;
    let (line, rest) = number(text.get(end + 1..)?)?;
    let (column, rest) = number(rest).unwrap_or((1, rest));
    let rest = rest.trim_start();
    let words = [
        ("fatal error", Severity::Error),
        ("error", Severity::Error),
        ("warning", Severity::Warning),
        ("note", Severity::Information),
        ("info", Severity::Information),
        ("hint", Severity::Hint),
    ];
    let said = words.iter().find_map(|(word, severity)| {
        let (head, message) = rest.split_once(": ")?;
        let head = head.to_ascii_lowercase();
        let code = head.strip_prefix(word)?;
        // `error[E0001]: message` and `error: message`.
        (code.is_empty() || code.starts_with('[')).then_some((*severity, message))
    });
    let (severity, message) = said.unwrap_or((Severity::Error, rest));
    Some(Line { file, line, column, severity, message })
}

fn number(text: &str) -> Option<(u32, &str)> {
    let end = text.find(|c: char| !c.is_ascii_digit())?;
    let number = text.get(..end)?.parse().ok()?;
    Some((number, text.get(end..)?.strip_prefix(':')?))
}

/// The code of a message that begins with one (`F401 …`) or ends with one (`… [unused-import]`).
fn code_of(message: &str) -> (Option<&str>, &str) {
    let is_code = |word: &str| {
        let digits = word.trim_start_matches(|c: char| c.is_ascii_uppercase());
        digits.len() < word.len() && digits.len() >= 2 && digits.bytes().all(|b| b.is_ascii_digit())
    };
    if let Some((first, rest)) = message.split_once(' ')
        && is_code(first.trim_end_matches(':'))
    {
        return (Some(first.trim_end_matches(':')), rest);
    }
    let last = message.strip_suffix(']').and_then(|text| text.rsplit_once(" ["));
    match last {
        Some((text, code)) if !code.contains(' ') => (Some(code), text),
        _ => (None, message),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_many_compilers_are_read() {
        let parts =
            |text| parse(text).map(|line| (line.file, line.line, line.column, line.message));
        assert_eq!(parts("a/b.c:3:14: error: no"), Some(("a/b.c", 3, 14, "no")));
        assert_eq!(parts("b.go:3:4: undefined: x"), Some(("b.go", 3, 4, "undefined: x")));
        assert_eq!(parts("x.py:7: something"), Some(("x.py", 7, 1, "something")));
        assert_eq!(parts("C:\\x.c:1:2: warning: w"), Some(("C:\\x.c", 1, 2, "w")));
        assert_eq!(parts("x.zig:1:2: error[E01]: m"), Some(("x.zig", 1, 2, "m")));
        for text in ["", ":", "note: this", "Found 3 errors.", "12:30:11 done", " x.c:1:1: more"] {
            let read = parse(text);
            assert!(read.as_ref().is_none_or(|line| line.file == "12"), "{text}: {read:?}");
        }
        let severity = |text| parse(text).map(|line| line.severity);
        assert_eq!(severity("a:1:1: note: n"), Some(Severity::Information));
        assert_eq!(severity("a:1:1: Warning: n"), Some(Severity::Warning));
    }

    #[test]
    fn codes_stand_at_either_end() {
        assert_eq!(code_of("F401 unused"), (Some("F401"), "unused"));
        assert_eq!(code_of("unused [unused-import]"), (Some("unused-import"), "unused"));
        assert_eq!(code_of("I am [not a code]"), (None, "I am [not a code]"));
    }

    #[test]
    fn a_failure_without_a_place_is_no_answer() {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join("a.c"), "int x\n").expect("a file");
        let ended = |success, stdout: &str| Ended {
            success,
            status: "exit status: 1".to_owned(),
            stdout: stdout.to_owned(),
            stderr: String::new(),
            began: std::time::UNIX_EPOCH,
        };
        assert!(read(folder.path(), "", "cc", &ended(false, "a.c:1:1: note: hm\n")).is_err());
        let answered =
            read(folder.path(), "", "cc", &ended(false, "a.c:1:5: error: x\n    ^\na.c\n"));
        let answered = answered.expect("an answer");
        assert_eq!(answered.found[0].diagnostic.message, "x\n    ^");
        assert_eq!(answered.covered.len(), 1);
    }
}
