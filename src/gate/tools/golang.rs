//! The output of `go list -e -test -export -json`: every package with its files, and what the compiler said of it; and
//! that of `go vet -json`.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;

use super::gnu::{Line, parse};
use super::place::{Columns, word};
use super::process::Ended;
use super::{Answered, Found, rel_path};
use crate::gate::diagnostic::{Diagnostic, Severity};
use crate::workspace::path::RelPath;

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct Package {
    dir: String,
    import_path: String,
    go_files: Vec<String>,
    cgo_files: Vec<String>,
    embed_files: Vec<String>,
    error: Option<Trouble>,
    deps_errors: Vec<Trouble>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct Trouble {
    /// `file:line:column` where the package could not even be loaded.
    pos: String,
    err: String,
}

impl Trouble {
    /// Whether the compiler got as far as the types.
    fn is_complete(&self) -> bool {
        self.pos.is_empty() && self.err.starts_with("# ") && !self.err.contains("syntax error")
    }
}

/// Reads what go said.
///
/// # Errors
/// The reason, for people, when it gave up without saying where.
pub fn read(root: &Path, folder: &str, ended: &Ended) -> Result<Answered, String> {
    let mut answered = Answered::default();
    for package in serde_json::Deserializer::from_str(&ended.stdout).into_iter::<Package>() {
        let package =
            package.map_err(|error| format!("the list of packages is not understood: {error}"))?;
        add(root, folder, &package, &mut answered);
    }
    if !ended.success && answered.found.is_empty() {
        return Err(ended.last_words());
    }
    for description in ["go.mod", "go.sum"] {
        let path = rel_path(root, folder, description);
        answered.covered.extend(path.filter(|path| path.in_root(root).is_file()));
    }
    Ok(answered)
}

fn add(root: &Path, folder: &str, package: &Package, answered: &mut Answered) {
    let own_files = || package.go_files.iter().chain(&package.cgo_files);
    let in_dir = |file: &String| rel_path(root, folder, &format!("{}/{file}", package.dir));
    let mut errors = Vec::new();
    for trouble in package.error.iter().chain(&package.deps_errors) {
        let read = errors_of(root, folder, trouble);
        // What has no place is said of the package's first file.
        if read.is_empty()
            && let Some(path) = own_files().find_map(in_dir)
        {
            errors.push(diagnostic(root, path, (1, 1), trouble.err.trim()));
        }
        errors.extend(read);
    }
    for diagnostic in errors {
        let same = |found: &Found| {
            let known = &found.diagnostic;
            (&known.path, known.range, &known.message)
                == (&diagnostic.path, diagnostic.range, &diagnostic.message)
        };
        // A package and its tests are compiled apart and say everything twice.
        if !answered.found.iter().any(same) {
            let unit = unit_of(package);
            answered.found.push(Found { diagnostic, unit });
        }
    }
    if !package.deps_errors.is_empty() || !package.error.iter().all(Trouble::is_complete) {
        answered.blind.get_or_insert_with(|| {
            "go does not look at the types of a package that does not parse, or needs one that does not compile; \
             mend that in the same change"
                .to_owned()
        });
        return;
    }
    answered.units.insert(unit_of(package));
    answered.covered.extend(own_files().chain(&package.embed_files).filter_map(in_dir));
}

/// A finding of one of vet's analyzers.
#[derive(Debug, Deserialize)]
struct Vetted {
    /// `file:line:column`.
    posn: String,
    message: String,
}

/// What an analyzer says of a package: findings, or in another shape that it could not look.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Analysis {
    Findings(Vec<Vetted>),
    Other(serde::de::IgnoredAny),
}

/// Reads what `go vet -json` said. Packages that do not compile it leaves out, and so do we: the compiler tells of those.
///
/// # Errors
/// The reason, for people, when it gave up altogether.
pub fn read_vet(root: &Path, folder: &str, ended: &Ended) -> Result<Answered, String> {
    let mut answered = Answered::default();
    // Older versions write to the other pipe, between headers.
    for object in objects(&ended.stdout).into_iter().chain(objects(&ended.stderr)) {
        let packages: BTreeMap<String, BTreeMap<String, Analysis>> = serde_json::from_str(&object)
            .map_err(|error| format!("the findings of vet are not understood: {error}"))?;
        for (package, analyses) in packages {
            for (analyzer, analysis) in analyses {
                let Analysis::Findings(findings) = analysis else { continue };
                for Vetted { posn, message } in findings {
                    let found = error_at(root, folder, &format!("{posn}: {message}"));
                    answered.found.extend(found.map(|diagnostic| Found {
                        diagnostic: Diagnostic {
                            code: Some(analyzer.clone()),
                            source: "go vet".to_owned(),
                            ..diagnostic
                        },
                        unit: package.split(' ').next().unwrap_or_default().to_owned(),
                    }));
                }
            }
        }
    }
    let is_about_packages = ended.stderr.lines().any(|line| line.starts_with("# "));
    if !ended.success && !is_about_packages && answered.found.is_empty() {
        return Err(ended.last_words());
    }
    Ok(answered)
}

/// The JSON objects among the lines of a text, each of which begins and ends at the start of a line.
fn objects(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut open = String::new();
    for line in text.lines() {
        if !open.is_empty() || line.starts_with('{') {
            open.push_str(line);
        }
        if line.starts_with('}') || line == "{}" {
            found.push(std::mem::take(&mut open));
        }
    }
    found
}

/// The import path without the test that it is compiled for.
fn unit_of(package: &Package) -> String {
    package.import_path.split(' ').next().unwrap_or_default().to_owned()
}

fn errors_of(root: &Path, folder: &str, trouble: &Trouble) -> Vec<Diagnostic> {
    let mut errors: Vec<Diagnostic> = Vec::new();
    if !trouble.pos.is_empty() {
        let at = format!("{}: {}", trouble.pos, trouble.err.trim());
        return error_at(root, folder, &at).into_iter().collect();
    }
    for line in trouble.err.lines() {
        if let Some(error) = error_at(root, folder, line) {
            errors.push(error);
        } else if line.starts_with('\t')
            && let Some(last) = errors.last_mut()
        {
            last.message.push('\n');
            last.message.push_str(line);
        }
    }
    errors
}

fn error_at(root: &Path, folder: &str, line: &str) -> Option<Diagnostic> {
    let Line { file, line, column, message, .. } = parse(line)?;
    Some(diagnostic(root, rel_path(root, folder, file)?, (line, column), message))
}

fn diagnostic(root: &Path, path: RelPath, place: (u32, u32), message: &str) -> Diagnostic {
    Diagnostic {
        range: word(root, &path, place, Columns::Bytes),
        path,
        severity: Severity::Error,
        code: None,
        message: message.to_owned(),
        source: "go".to_owned(),
        remedies: Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn ended(stdout: &str) -> Ended {
        Ended {
            success: true,
            status: "exit status: 0".to_owned(),
            stdout: stdout.to_owned(),
            stderr: String::new(),
            began: std::time::UNIX_EPOCH,
        }
    }

    #[test]
    fn packages_with_and_without_errors_are_told_apart() {
        let output = r##"
{ "Dir": "/shadow/a", "ImportPath": "m/a", "GoFiles": ["a.go"],
  "Error": { "Pos": "", "Err": "# m/a\na/a.go:3:41: undefined: x\n\thave (number)\n" } }
{ "Dir": "/shadow/a", "ImportPath": "m/a [m/a.test]", "GoFiles": ["a.go", "a_test.go"],
  "Error": { "Pos": "", "Err": "# m/a [m/a.test]\na/a.go:3:41: undefined: x\n\thave (number)\na/a_test.go:5:1: undefined: y\n" } }
{ "Dir": "/shadow/b", "ImportPath": "m/b", "GoFiles": ["b.go"],
  "DepsErrors": [{ "Pos": "", "Err": "# m/a\na/a.go:3:41: undefined: x\n\thave (number)\n" }] }
{ "Dir": "/shadow/c", "ImportPath": "m/c", "GoFiles": ["c.go"],
  "Error": { "Pos": "/shadow/c/c.go:3:8", "Err": "no required module provides package q" } }
{ "Dir": "/shadow/d", "ImportPath": "m/d", "GoFiles": ["d.go"],
  "Error": { "Pos": "", "Err": "# m/d\nd/d.go:1:1: syntax error: non-declaration statement\n" } }
"##;
        let answered = read(Path::new("/shadow"), "", &ended(output)).expect("an answer");
        let found: Vec<(&str, &str)> = answered
            .found
            .iter()
            .map(|found| (found.diagnostic.path.as_str(), found.diagnostic.message.as_str()))
            .collect();
        let expected = [
            ("a/a.go", "undefined: x\n\thave (number)"),
            ("a/a_test.go", "undefined: y"),
            ("c/c.go", "no required module provides package q"),
            ("d/d.go", "syntax error: non-declaration statement"),
        ];
        assert_eq!(found, expected);
        let covered: Vec<&str> = answered.covered.iter().map(RelPath::as_str).collect();
        assert_eq!(covered, ["a/a.go", "a/a_test.go"]);
        assert_eq!(answered.units, BTreeSet::from(["m/a".to_owned()]));
        assert!(answered.blind.is_some());
    }

    #[test]
    fn findings_of_vet_are_read_beside_its_complaints() {
        let stdout = "{}\n{\n\t\"m/c\": {\n\t\t\"printf\": [\n\t\t\t{\n\t\t\t\t\"posn\": \"/shadow/c/c.go:5:24\",\n\t\t\t\t\"message\": \"wrong type\"\n\t\t\t}\n\t\t],\n\t\t\"asmdecl\": {\n\t\t\t\"error\": \"no\"\n\t\t}\n\t}\n}\n";
        let failed =
            |stderr: &str| Ended { success: false, stderr: stderr.to_owned(), ..ended(stdout) };
        let complaint = "# m/a\nvet: a/a.go:3:41: undefined: x\n";
        let answered = read_vet(Path::new("/shadow"), "", &failed(complaint)).expect("an answer");
        let diagnostic = &answered.found[0].diagnostic;
        assert_eq!((answered.found.len(), diagnostic.code.as_deref()), (1, Some("printf")));
        assert_eq!((diagnostic.path.as_str(), diagnostic.range.start.line), ("c/c.go", 4));
        let broken = Ended { success: false, ..ended("") };
        assert!(read_vet(Path::new("/"), "", &broken).is_err());
    }

    #[test]
    fn what_is_no_list_is_no_answer() {
        assert!(read(Path::new("/"), "", &ended("go: not a list")).is_err());
        let failed = Ended { success: false, ..ended("") };
        assert!(read(Path::new("/"), "", &failed).is_err());
    }
}
