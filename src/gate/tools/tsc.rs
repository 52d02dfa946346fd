//! The output of `tsc --pretty false --listFiles`.

use std::collections::BTreeSet;
use std::path::Path;

use super::place::{Columns, word};
use super::process::Ended;
use super::{Answered, Found, rel_path};
use crate::gate::diagnostic::{Diagnostic, Severity};
use crate::workspace::path::RelPath;

/// The path of the project file that a command names, else of the one that tsc takes by itself.
pub fn unit(folder: &str, command: &[String]) -> String {
    let named = command.iter().skip_while(|word| *word != "-p").nth(1);
    let config = named.map_or("tsconfig.json", String::as_str);
    if folder.is_empty() { config.to_owned() } else { format!("{folder}/{config}") }
}

/// Reads what tsc, run in `folder`, said of the project file `unit`.
///
/// # Errors
/// The reason, for people, when it gave up without saying where.
pub fn read(root: &Path, folder: &str, unit: &str, ended: &Ended) -> Result<Answered, String> {
    let unit = unit.to_owned();
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

/// … and only when everything parses; in JavaScript the TypeScript in it (TS8010) does not. Some errors of these codes are found later; then others stand beside them, or the
/// answer is taken for less than it is.
fn is_syntactic(found: &Found) -> bool {
    let code = found.diagnostic.code.as_deref().unwrap_or_default();
    code.len() == 6 && (code.starts_with("TS1") || code.starts_with("TS80"))
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

fn diagnostic(
    root: &Path,
    path: RelPath,
    place: (u32, u32),
    severity: Severity,
    code: &str,
    message: &str,
) -> Diagnostic {
    Diagnostic {
        range: word(root, &path, place, Columns::Utf16),
        path,
        severity,
        code: Some(code.to_owned()),
        message: message.to_owned(),
        source: "tsc".to_owned(),
        remedies: Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::gate::diagnostic::Place;

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
        let answered =
            read(root.path(), "", "tsconfig.json", &ended(false, &output)).expect("it answered");
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
        let answered = read(Path::new("/"), "", "tsconfig.json", &syntax).expect("it answered");
        assert!(answered.covered.is_empty() && answered.blind.is_some());
        let unbuilt = "src/b.ts(1,1): error TS6305: Output file has not been built.\n/src/a.ts\n";
        let answered =
            read(Path::new("/"), "", "tsconfig.json", &ended(false, unbuilt)).expect("it answered");
        assert!(answered.covered.is_empty() && answered.blind.is_some());
        let config = "tsconfig.json(1,3): error TS5107: Option is deprecated.\n/src/a.ts\n";
        assert!(read(Path::new("/"), "", "tsconfig.json", &ended(false, config)).is_err());
        let types = "src/b.ts(1,17): error TS2322: Not assignable.\n/src/a.ts\n";
        assert_eq!(
            read(Path::new("/"), "", "tsconfig.json", &ended(false, types))
                .expect("it answered")
                .blind,
            None
        );
    }

    #[test]
    fn an_error_about_the_project_is_no_answer() {
        let output = "error TS18003: No inputs were found in config file 'tsconfig.json'.\n";
        assert!(
            read(Path::new("/"), "", "tsconfig.json", &ended(false, output))
                .expect_err("no answer")
                .contains("No inputs")
        );
        assert!(read(Path::new("/"), "", "tsconfig.json", &ended(false, "")).is_err());
        assert!(read(Path::new("/"), "", "tsconfig.json", &ended(true, "")).is_ok());
    }
}
