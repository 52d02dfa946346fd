//! The output of `tsc --pretty false --listFiles`.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use super::process::Ended;
use super::{Answered, Found, rel_path};
use crate::gate::diagnostic::{Diagnostic, Place, Range, Severity};
use crate::workspace::path::RelPath;

/// Reads what tsc said.
///
/// # Errors
/// The reason, for people, when it gave up without saying where.
pub fn read(root: &Path, folder: &str, ended: &Ended) -> Result<Answered, String> {
    let unit = if folder.is_empty() {
        "tsconfig.json".to_owned()
    } else {
        format!("{folder}/tsconfig.json")
    };
    let mut answered = Answered { units: BTreeSet::from([unit.clone()]), ..Answered::default() };
    let mut about_project = Vec::new();
    for line in ended.stdout.lines() {
        match parse_line(line) {
            Some(Line::At { file, line, column, severity, code, message }) => {
                let Some(path) = rel_path(root, folder, file) else {
                    continue;
                };
                let diagnostic = diagnostic(root, path, (line, column), severity, code, message);
                answered.found.push(Found { diagnostic, unit: unit.clone() });
            }
            Some(Line::Project { message }) => about_project.push(message.to_owned()),
            Some(Line::More(more)) => {
                if let Some(last) = answered.found.last_mut() {
                    last.diagnostic.message.push('\n');
                    last.diagnostic.message.push_str(more);
                }
            }
            Some(Line::File(file)) => {
                answered.covered.extend(rel_path(root, folder, file).filter(is_own))
            }
            None => {}
        }
    }
    about_project.extend(
        answered
            .found
            .iter()
            .filter(|found| is_about_project(found))
            .map(|found| found.diagnostic.message.clone()),
    );
    if !answered.found.is_empty() && answered.found.iter().all(is_syntactic) {
        answered.covered.clear();
        answered.units.clear();
        answered.blind = Some(
            "tsc stops at syntax errors and looks at no types; mend them in the same change"
                .to_owned(),
        );
    } else if !about_project.is_empty() && answered.found.iter().all(is_about_project) {
        return Err(about_project.join("\n"));
    }
    if !ended.success && answered.found.is_empty() {
        return Err(ended.last_words());
    }
    if answered.found.iter().any(is_about_unbuilt) {
        answered.covered.clear();
        answered.blind = Some(
            "it refers to projects whose output is not built, and tsc looks at no types of theirs"
                .to_owned(),
        );
    } else if answered.blind.is_none() {
        answered.covered.extend(RelPath::new(&unit));
    }
    Ok(answered)
}

/// tsc looks at types only when nothing is wrong with its configuration, and says nothing of having stopped.
fn is_about_project(found: &Found) -> bool {
    found.diagnostic.path.as_str().ends_with(".json")
}

/// … and only when everything parses. Some errors of these codes are found later; then others stand beside them, or the
/// answer is taken for less than it is.
fn is_syntactic(found: &Found) -> bool {
    let code = found.diagnostic.code.as_deref().unwrap_or_default();
    code.len() == 6 && code.starts_with("TS1")
}

/// What is imported from a project that `references` names and that was not built has no types at all.
fn is_about_unbuilt(found: &Found) -> bool {
    found.diagnostic.code.as_deref() == Some("TS6305")
}

fn is_own(path: &RelPath) -> bool {
    !path.as_str().split('/').any(|part| part == "node_modules")
}

enum Line<'a> {
    At {
        file: &'a str,
        /// 1-based.
        line: u32,
        /// 1-based, in UTF-16 units.
        column: u32,
        severity: Severity,
        code: &'a str,
        message: &'a str,
    },
    /// An error about the project as a whole.
    Project { message: &'a str },
    /// A further line of the message before.
    More(&'a str),
    /// A file that was read.
    File(&'a str),
}

fn parse_line(line: &str) -> Option<Line<'_>> {
    if line.trim().is_empty() {
        return None;
    }
    if line.starts_with(' ') {
        return Some(Line::More(line));
    }
    if let Some(message) = line.strip_prefix("error TS") {
        let message = message.split_once(": ").map_or(message, |(_, message)| message);
        return Some(Line::Project { message });
    }
    if let Some(at) = parse_at(line) {
        return Some(at);
    }
    Path::new(line).extension().map(|_| Line::File(line))
}

/// `src/a.ts(3,5): error TS2304: Cannot find name 'x'.`
fn parse_at(line: &str) -> Option<Line<'_>> {
    let (place, rest, severity) =
        [("): error ", Severity::Error), ("): warning ", Severity::Warning)].into_iter().find_map(
            |(mark, severity)| line.split_once(mark).map(|(place, rest)| (place, rest, severity)),
        )?;
    let (code, message) = rest.split_once(": ")?;
    let (file, position) = place.rsplit_once('(')?;
    let (row, column) = position.split_once(',')?;
    Some(Line::At {
        file,
        line: row.parse().ok()?,
        column: column.parse().ok()?,
        severity,
        code,
        message,
    })
}

/// The diagnostic, its place in UTF-8 bytes of the text that was checked.
fn diagnostic(
    root: &Path,
    path: RelPath,
    (line, column): (u32, u32),
    severity: Severity,
    code: &str,
    message: &str,
) -> Diagnostic {
    let line = line.saturating_sub(1);
    let text = fs::read_to_string(path.in_root(root)).unwrap_or_default();
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
    let row = text.lines().nth(line as usize).unwrap_or_default();
    let start = utf8_column(row, column.saturating_sub(1));
    Diagnostic {
        path,
        range: Range {
            start: Place { line, column: start },
            end: Place { line, column: start + word_at(row, start) },
        },
        severity,
        code: Some(code.to_owned()),
        message: message.to_owned(),
        source: "tsc".to_owned(),
        remedies: Vec::new(),
    }
}

/// The UTF-8 column of a UTF-16 one.
fn utf8_column(row: &str, utf16: u32) -> u32 {
    let mut units = 0;
    for (at, c) in row.char_indices() {
        if units >= utf16 as usize {
            return u32::try_from(at).unwrap_or(u32::MAX);
        }
        units += c.len_utf16();
    }
    u32::try_from(row.len()).unwrap_or(u32::MAX)
}

/// The length in bytes of the word at a column (tsc does not say where a place ends); at least the character there.
fn word_at(row: &str, start: u32) -> u32 {
    let rest = row.get(start as usize..).unwrap_or_default();
    let word =
        rest.find(|c: char| !(c.is_alphanumeric() || c == '_' || c == '$')).unwrap_or(rest.len());
    let width = word.max(rest.chars().next().map_or(0, char::len_utf8));
    u32::try_from(width).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ended(success: bool, stdout: &str) -> Ended {
        Ended {
            success,
            status: "exit status: 2".to_owned(),
            stdout: stdout.to_owned(),
            stderr: String::new(),
            began: std::time::UNIX_EPOCH,
        }
    }

    #[test]
    fn recorded_output_is_read() {
        let root = tempfile::tempdir().expect("a folder");
        fs::create_dir(root.path().join("src")).expect("a folder");
        fs::write(root.path().join("src/a.ts"), "const ü = \"𝄞\"; missing();\n").expect("a file");
        let lib = "/usr/lib/node_modules/typescript/lib/lib.es5.d.ts";
        let own = root.path().join("src/a.ts");
        let output = format!(
            "src/a.ts(1,17): error TS2304: Cannot find name 'missing'.\n  Did you mean it?\n{lib}\n{}\n",
            own.display()
        );
        let answered = read(root.path(), "", &ended(false, &output)).expect("it answered");
        let diagnostic = &answered.found[0].diagnostic;
        assert_eq!(diagnostic.code.as_deref(), Some("TS2304"));
        assert_eq!(diagnostic.message, "Cannot find name 'missing'.\n  Did you mean it?");
        // 16 UTF-16 units before it are 19 bytes.
        assert_eq!(diagnostic.range.start, Place { line: 0, column: 19 });
        assert_eq!(diagnostic.range.end.column, 26);
        let covered: Vec<&str> = answered.covered.iter().map(RelPath::as_str).collect();
        assert_eq!(covered, ["src/a.ts", "tsconfig.json"]);
    }

    #[test]
    fn what_hides_the_types_is_no_clean_answer() {
        let syntax =
            ended(false, "src/b.ts(1,17): error TS1109: Expression expected.\n/src/a.ts\n");
        let answered = read(Path::new("/"), "", &syntax).expect("it answered");
        assert!(answered.covered.is_empty() && answered.blind.is_some());
        let unbuilt = "src/b.ts(1,1): error TS6305: Output file has not been built.\n/src/a.ts\n";
        let answered = read(Path::new("/"), "", &ended(false, unbuilt)).expect("it answered");
        assert!(answered.covered.is_empty() && answered.blind.is_some());
        let config = "tsconfig.json(1,3): error TS5107: Option is deprecated.\n/src/a.ts\n";
        assert!(read(Path::new("/"), "", &ended(false, config)).is_err());
        let types = "src/b.ts(1,17): error TS2322: Not assignable.\n/src/a.ts\n";
        assert_eq!(
            read(Path::new("/"), "", &ended(false, types)).expect("it answered").blind,
            None
        );
    }

    #[test]
    fn an_error_about_the_project_is_no_answer() {
        let output = "error TS18003: No inputs were found in config file 'tsconfig.json'.\n";
        assert!(
            read(Path::new("/"), "", &ended(false, output))
                .expect_err("no answer")
                .contains("No inputs")
        );
        assert!(read(Path::new("/"), "", &ended(false, "")).is_err());
        assert!(read(Path::new("/"), "", &ended(true, "")).is_ok());
    }
}
