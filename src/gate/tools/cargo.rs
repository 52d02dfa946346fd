//! The output of `cargo check --message-format=json`: rustc's diagnostics, their remedies, and which files were read.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use serde::Deserialize;

use super::process::Ended;
use super::{Answered, Found, rel_path};
use crate::gate::diagnostic::{Diagnostic, Place, Range, Remedy, Severity};
use crate::workspace::change::{Change, ChangeSet, Edit};
use crate::workspace::path::RelPath;

/// The unit of what is said of no target; it is always looked into.
const PROJECT: &str = "";

/// A line of cargo's output; the fields that matter of those kinds that matter.
#[derive(Debug, Deserialize)]
#[serde(tag = "reason", rename_all = "kebab-case")]
enum Line {
    CompilerMessage {
        #[serde(default)]
        manifest_path: PathBuf,
        target: Target,
        message: Message,
    },
    CompilerArtifact {
        manifest_path: PathBuf,
        target: Target,
        filenames: Vec<PathBuf>,
    },
    #[serde(other)]
    Other,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
struct Target {
    name: String,
    src_path: String,
}

#[derive(Debug, Deserialize)]
struct Message {
    message: String,
    code: Option<Code>,
    level: String,
    spans: Vec<Span>,
    #[serde(default)]
    children: Vec<Message>,
}

#[derive(Debug, Deserialize)]
struct Code {
    code: String,
}

#[derive(Debug, Clone, Deserialize)]
struct Span {
    file_name: String,
    /// Offsets in the file as it lies on disk, byte order mark and CR included.
    byte_start: usize,
    byte_end: usize,
    /// 1-based.
    line_start: u32,
    line_end: u32,
    is_primary: bool,
    label: Option<String>,
    suggested_replacement: Option<String>,
    suggestion_applicability: Option<String>,
    expansion: Option<Box<Expansion>>,
}

#[derive(Debug, Clone, Deserialize)]
struct Expansion {
    span: Span,
}

/// Whether cargo failed for want of a network.
pub fn wants_network(stderr: &str) -> bool {
    [
        "failed to download",
        "Could not resolve host",
        "spurious network error",
        "network failure",
        "Unable to update",
    ]
    .iter()
    .any(|sign| stderr.contains(sign))
}

/// Reads what cargo said.
///
/// # Errors
/// The reason, for people, when it gave up without an error in a file of the workspace.
pub fn read(
    root: &Path,
    target_dir: &Path,
    folder: &str,
    ended: &Ended,
) -> Result<Answered, String> {
    let mut reader = Reader {
        root,
        folder,
        texts: HashMap::new(),
        answered: Answered { units: BTreeSet::from([PROJECT.to_owned()]), ..Answered::default() },
        failing: BTreeMap::new(),
        crash: None,
    };
    for line in ended.stdout.lines().filter(|line| line.starts_with('{')) {
        match serde_json::from_str(line) {
            Ok(Line::CompilerMessage { manifest_path, target, message }) => {
                reader.cover_manifest(&manifest_path);
                reader.message(&target, message);
            }
            Ok(Line::CompilerArtifact { manifest_path, target, filenames })
                if manifest_path.starts_with(root) =>
            {
                reader.cover_manifest(&manifest_path);
                reader.answered.units.insert(target.src_path);
                filenames.iter().for_each(|file| reader.cover_artifact(file));
            }
            Ok(Line::CompilerArtifact { .. } | Line::Other) => {}
            Err(error) => tracing::debug!(%error, "a line of cargo's output is not understood"),
        }
    }
    reader.finish(target_dir, ended)
}

struct Reader<'a> {
    root: &'a Path,
    folder: &'a str,
    /// Files that places are counted in, as they lie in the shadow.
    texts: HashMap<RelPath, String>,
    answered: Answered,
    /// Crate names of targets with errors, by their root file.
    failing: BTreeMap<String, String>,
    crash: Option<String>,
}

impl Reader<'_> {
    fn message(&mut self, target: &Target, message: Message) {
        let severity = match message.level.as_str() {
            "error" => Severity::Error,
            "warning" => Severity::Warning,
            level if level.contains("internal compiler error") => {
                self.crash = Some(format!("the compiler crashed: {}", message.message));
                return;
            }
            _ => return,
        };
        if is_summary(&message) {
            return;
        }
        let Some(diagnostic) = self.diagnostic(target, severity, message) else {
            return;
        };
        self.answered.units.insert(target.src_path.clone());
        if severity == Severity::Error {
            self.failing.insert(target.src_path.clone(), target.name.replace('-', "_"));
        }
        let same = |found: &Found| {
            let known = &found.diagnostic;
            (&known.path, known.range, &known.code, first_line(known))
                == (&diagnostic.path, diagnostic.range, &diagnostic.code, first_line(&diagnostic))
        };
        // The library and its own tests are compiled apart and say everything twice.
        if !self.answered.found.iter().any(same) {
            self.answered.found.push(Found { diagnostic, unit: target.src_path.clone() });
        }
    }

    fn diagnostic(
        &mut self,
        target: &Target,
        severity: Severity,
        message: Message,
    ) -> Option<Diagnostic> {
        let primary = message.spans.iter().find(|span| span.is_primary);
        let place = primary.and_then(|span| self.place(span));
        // A crate-level error without a place is said of the crate's root file.
        let (path, range) = match place {
            Some(place) => place,
            None => (rel_path(self.root, self.folder, &target.src_path)?, Range::default()),
        };
        let label =
            primary.and_then(|span| span.label.as_deref()).filter(|label| !label.is_empty());
        let mut text = match label {
            Some(label) if !message.message.contains(label) => {
                format!("{}: {label}", message.message)
            }
            _ => message.message.clone(),
        };
        for child in &message.children {
            text.push_str(&format!("\n{}: {}", child.level, child.message));
        }
        let remedies = std::iter::once(&message)
            .chain(&message.children)
            .flat_map(|message| self.remedies(message))
            .collect();
        Some(Diagnostic {
            path,
            range,
            severity,
            code: message.code.map(|code| code.code),
            message: text,
            source: "rustc".to_owned(),
            remedies,
        })
    }

    /// The place of a span in the workspace: its own, or that of the macro call that it comes from.
    fn place(&mut self, span: &Span) -> Option<(RelPath, Range)> {
        let Some(path) = rel_path(self.root, self.folder, &span.file_name) else {
            return self.place(&span.expansion.as_ref()?.span);
        };
        let text = self.text(&path);
        let start = Place {
            line: span.line_start.saturating_sub(1),
            column: column(text, span.byte_start),
        };
        let end =
            Place { line: span.line_end.saturating_sub(1), column: column(text, span.byte_end) };
        Some((path, Range { start, end }))
    }

    fn text(&mut self, path: &RelPath) -> &str {
        let root = self.root;
        self.texts
            .entry(path.clone())
            .or_insert_with(|| fs::read_to_string(path.in_root(root)).unwrap_or_default())
    }

    /// The suggestions of one message. Several for the same place are alternatives.
    fn remedies(&self, message: &Message) -> Vec<Remedy> {
        let usable = |span: &&Span| {
            span.suggested_replacement.is_some()
                && span.suggestion_applicability.as_deref() != Some("HasPlaceholders")
        };
        let spans: Vec<&Span> = message.spans.iter().filter(usable).collect();
        let Some(first) = spans.first() else {
            return Vec::new();
        };
        let at = |span: &Span| (span.byte_start, span.byte_end, span.file_name.clone());
        let alternatives = spans.iter().filter(|span| at(span) == at(first)).count();
        if !spans.len().is_multiple_of(alternatives) {
            return Vec::new();
        }
        let parts = spans.len() / alternatives;
        spans
            .chunks(parts)
            .filter_map(|parts| self.remedy(&message.message, parts, alternatives > 1))
            .collect()
    }

    fn remedy(&self, title: &str, parts: &[&Span], is_alternative: bool) -> Option<Remedy> {
        let mut edits: BTreeMap<RelPath, Vec<Edit>> = BTreeMap::new();
        for span in parts {
            let path = rel_path(self.root, self.folder, &span.file_name)?;
            edits.entry(path).or_default().push(Edit::Span {
                start: span.byte_start,
                end: span.byte_end,
                new: span.suggested_replacement.clone()?,
            });
        }
        let first = parts
            .first()
            .and_then(|span| span.suggested_replacement.as_deref())
            .unwrap_or_default();
        let first = first.trim();
        let says_more = parts.len() == 1
            && !first.is_empty()
            && !first.contains('\n')
            && !title.contains(first);
        let title = if says_more { format!("{title}: {first}") } else { title.to_owned() };
        let vouched =
            |span: &&Span| span.suggestion_applicability.as_deref() == Some("MachineApplicable");
        let changes = edits.into_iter().map(|(path, edits)| Change::Edit { path, edits }).collect();
        Some(Remedy {
            title,
            change: ChangeSet { changes },
            certain: !is_alternative && parts.iter().all(vouched),
        })
    }

    /// A manifest that cargo went by.
    fn cover_manifest(&mut self, manifest: &Path) {
        self.answered.covered.extend(rel_path(self.root, self.folder, &manifest.to_string_lossy()));
    }

    /// A build script that ends badly is told to people only; what depends on it is not looked at.
    fn failed_build_scripts(&mut self, ended: &Ended) {
        let stderr = &ended.stderr;
        let sign = "failed to run custom build command for `";
        for rest in stderr.lines().filter_map(|line| line.split_once(sign).map(|(_, rest)| rest)) {
            let package = rest.split('`').next().unwrap_or_default();
            let folder = package.rsplit_once(" (").and_then(|(_, place)| place.strip_suffix(')'));
            let own =
                |folder: &str| rel_path(self.root, self.folder, &format!("{folder}/Cargo.toml"));
            let project = || rel_path(self.root, self.folder, "Cargo.toml");
            let name = package.split(" (").next().unwrap_or_default();
            let Some(path) = folder.and_then(own).or_else(project) else {
                continue;
            };
            let diagnostic = Diagnostic {
                path,
                range: Range::default(),
                severity: Severity::Error,
                code: Some("build-script".to_owned()),
                message: format!("the build script of {name} failed\n{}", ended.last_words()),
                source: "cargo".to_owned(),
                remedies: Vec::new(),
            };
            self.answered.found.push(Found { diagnostic, unit: PROJECT.to_owned() });
        }
    }

    /// The sources behind a compiled artifact, from the dependency file beside it.
    fn cover_artifact(&mut self, artifact: &Path) {
        let Some(folder) = artifact.parent() else {
            return;
        };
        let stem = artifact.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
        let stem =
            stem.strip_prefix("lib").filter(|_| artifact.extension().is_some()).unwrap_or(stem);
        let beside = folder.join(format!("{stem}.d"));
        if beside.is_file() {
            self.cover(&beside);
        } else {
            // Build scripts are hard-linked under another name than their dependency file's.
            dependency_files(folder, "build_script_").iter().for_each(|file| self.cover(file));
        }
    }

    fn cover(&mut self, dependency_file: &Path) {
        let sources = self.sources(dependency_file);
        self.answered.covered.extend(sources.iter().filter_map(|source| RelPath::new(source).ok()));
    }

    fn finish(mut self, target_dir: &Path, ended: &Ended) -> Result<Answered, String> {
        if let Some(crash) = self.crash {
            return Err(crash);
        }
        self.failed_build_scripts(ended);
        self.answered.covered.extend(rel_path(self.root, self.folder, "Cargo.toml"));
        let found = self.answered.found.iter();
        if !ended.success
            && !found.clone().any(|found| found.diagnostic.severity == Severity::Error)
        {
            return Err(ended.last_words());
        }
        let deps = target_dir.join(self.folder.replace('/', "+")).join("debug").join("deps");
        for (root_file, name) in std::mem::take(&mut self.failing) {
            let Some(root) = rel_path(self.root, self.folder, &root_file) else {
                continue;
            };
            // Written when everything is expanded, before types are looked at; another target of the same name has one too,
            // and one of a run before says nothing of this one.
            let files = dependency_files(&deps, &format!("{name}-"));
            let of_root = |file: &&PathBuf| {
                is_since(file, ended.began)
                    && self.sources(file).iter().any(|source| source == root.as_str())
            };
            let files: Vec<&PathBuf> = files.iter().filter(of_root).collect();
            if files.is_empty() {
                let why = "the compiler stopped at a syntax error (or a file that it could not read) and looked no \
                           further; mend it in the same change";
                self.answered.blind = Some(why.to_owned());
            }
            files.into_iter().for_each(|file| self.cover(file));
        }
        Ok(self.answered)
    }

    /// The sources that a dependency file names, relative to the shadow.
    fn sources(&self, dependency_file: &Path) -> Vec<String> {
        let text = fs::read_to_string(dependency_file).unwrap_or_default();
        let sources = text.lines().filter_map(|line| line.strip_suffix(':'));
        let rel = |source: &str| rel_path(self.root, self.folder, &source.replace("\\ ", " "));
        sources.filter_map(rel).map(String::from).collect()
    }
}

fn is_since(file: &Path, began: SystemTime) -> bool {
    fs::metadata(file).and_then(|data| data.modified()).is_ok_and(|written| written >= began)
}

fn dependency_files(folder: &Path, prefix: &str) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else {
        return Vec::new();
    };
    let is_one = |name: &str| name.starts_with(prefix) && name.ends_with(".d");
    let files = entries.flatten().filter(|entry| entry.file_name().to_str().is_some_and(is_one));
    files.map(|entry| entry.path()).collect()
}

fn first_line(diagnostic: &Diagnostic) -> &str {
    diagnostic.message.lines().next().unwrap_or_default()
}

/// `aborting due to …`, `3 warnings emitted`: said of others, and of no place.
fn is_summary(message: &Message) -> bool {
    let text = &message.message;
    message.spans.is_empty()
        && (text.starts_with("aborting due to")
            || text.ends_with("warning emitted")
            || text.ends_with("warnings emitted"))
}

/// The column in bytes of an offset.
fn column(text: &str, at: usize) -> u32 {
    let before = &text.as_bytes()[..at.min(text.len())];
    let start = before.iter().rposition(|byte| *byte == b'\n').map_or(0, |newline| newline + 1);
    u32::try_from(before.len() - start).unwrap_or(u32::MAX)
}

#[cfg(test)]
#[path = "cargo_tests.rs"]
mod tests;
