//! `git`: what the user's repository says, read and never changed.
//!
//! A repository's own configuration can name programs. None of them is run: no pager, hook, file-system monitor, external
//! diff, text conversion or filter, and no remote is asked.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;
use serde_json::{Value, json};

use super::schema::{NOT_COMMANDER, Tool, small};
use super::{ToolResult, path};
use crate::gate::tools::process::{self, Ended, Request, allowed_environment};

/// How long git may take.
const DEADLINE: Duration = Duration::from_secs(30);
/// How many commits a log has, unless it is told; and the most.
const COMMITS: (u32, u32) = (20, 200);
/// How many lines around the one that was asked for `blame` shows.
const AROUND: u32 = 20;
/// The longest revision, in bytes.
const MAX_REV: usize = 200;

pub(super) const GIT: Tool = Tool {
    name: "git",
    description: "n: commits; blame: line.",
    schema,
    roles: NOT_COMMANDER,
    repeatable: true,
};

fn schema() -> Value {
    let properties = json!({
        "op": {"enum": ["status", "diff", "log", "show", "blame"]},
        "path": {"type": "string"},
        "rev": {"type": "string"},
        "n": {"type": "integer"},
    });
    small(properties, &["op"])
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct GitArgs {
    op: Op,
    path: Option<String>,
    rev: Option<String>,
    n: Option<u32>,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Op {
    Status,
    Diff,
    Log,
    Show,
    Blame,
}

/// Answers a question to the repository that `root` lies in.
pub(super) async fn git(root: &Path, args: &GitArgs) -> ToolResult {
    let wanted = arguments(args)?;
    let program = process::find("git", &[], None).ok_or("git is not installed")?;
    let mut settings = hardened();
    for name in filters(&program, root, &settings).await? {
        settings.extend(["-c".to_owned(), format!("{name}=")]);
    }
    let ended = ask(&program, root, settings.into_iter().chain(wanted).collect()).await?;
    if ended.success {
        let text = ended.stdout.trim_end();
        return Ok(if text.is_empty() { "nothing".to_owned() } else { text.to_owned() });
    }
    if ended.stderr.contains("not a git repository") {
        return Err("this workspace is not in a git repository".to_owned());
    }
    Err(format!("git: {}", ended.last_words()))
}

async fn ask(program: &Path, root: &Path, arguments: Vec<String>) -> Result<Ended, String> {
    let request = Request {
        program: PathBuf::from(program),
        arguments,
        folder: root.to_owned(),
        environment: environment(),
        deadline: DEADLINE,
    };
    process::run("git", &request).await
}

fn environment() -> Vec<(OsString, OsString)> {
    let set = [
        ("GIT_TERMINAL_PROMPT", "0"),
        ("GIT_NO_LAZY_FETCH", "1"),
        ("GIT_OPTIONAL_LOCKS", "0"),
        ("LC_ALL", "C"),
    ];
    let mut environment = allowed_environment();
    environment.retain(|(known, _)| set.iter().all(|(name, _)| known != name));
    environment.extend(set.map(|(name, value)| (name.into(), value.into())));
    environment
}

/// What the repository's configuration has no say in.
fn hardened() -> Vec<String> {
    let mut arguments: Vec<String> =
        ["--no-pager", "--no-optional-locks", "--literal-pathspecs"].map(str::to_owned).into();
    for setting in [
        "core.fsmonitor=false",
        "core.hooksPath=/dev/null",
        "core.alternateRefsCommand=",
        "diff.external=",
        "protocol.allow=never",
        "color.ui=false",
        "log.showSignature=false",
        "status.relativePaths=true",
        "blame.ignoreRevsFile=",
    ] {
        arguments.extend(["-c".to_owned(), setting.to_owned()]);
    }
    arguments
}

/// The filters that the repository itself configures: `status` and `diff` would run them on files.
async fn filters(program: &Path, root: &Path, settings: &[String]) -> Result<Vec<String>, String> {
    let list = ["config", "--local", "--includes", "--name-only", "-z", "--list"];
    let arguments = settings.iter().cloned().chain(list.map(str::to_owned)).collect();
    let ended = ask(program, root, arguments).await?;
    let names = ended.stdout.split('\0').filter(|name| name.starts_with("filter."));
    // `required` without a filter would be an error; emptied, it is none.
    Ok(names.map(str::to_owned).collect())
}

fn arguments(args: &GitArgs) -> Result<Vec<String>, String> {
    let rev = args.rev.as_deref().map(revision).transpose()?;
    let path = args.path.as_deref().map(path).transpose()?;
    let n = args.n.unwrap_or(COMMITS.0).clamp(1, COMMITS.1).to_string();
    const PATCH: [&str; 4] =
        ["--no-ext-diff", "--no-textconv", "--no-color", "--ignore-submodules=dirty"];
    let mut all: Vec<String> = match args.op {
        Op::Status => vec!["status", "--short", "--branch", "--ignore-submodules=dirty"],
        Op::Diff => [&["diff", "--relative"][..], &PATCH].concat(),
        Op::Log => vec!["log", "--no-color", "--date=short", "--format=%h %ad %an: %s", "-n", &n],
        Op::Show => [&["show", "--no-show-signature"][..], &PATCH].concat(),
        Op::Blame => vec!["blame", "--no-textconv", "--date=short"],
    }
    .into_iter()
    .map(str::to_owned)
    .collect();
    if let (Op::Blame, Some(line)) = (args.op, args.n) {
        let first = line.saturating_sub(AROUND).max(1);
        all.push(format!("-L{first},+{}", 2 * AROUND));
    }
    if matches!(args.op, Op::Blame) && path.is_none() {
        return Err("blame needs a `path`".to_owned());
    }
    if let (Some(rev), false) = (rev, matches!(args.op, Op::Status)) {
        all.extend(["--end-of-options".to_owned(), rev.to_owned()]);
    }
    let below = match (path, args.op) {
        (Some(path), _) => Some(path.to_string()),
        (None, Op::Status | Op::Diff) => Some(".".to_owned()),
        (None, _) => None,
    };
    all.extend(below.into_iter().flat_map(|path| ["--".to_owned(), path]));
    Ok(all)
}

/// A revision that cannot be taken for anything else.
fn revision(text: &str) -> Result<&str, String> {
    let is_plain = |c: char| c.is_alphanumeric() || "._-/~^@{}:+=".contains(c);
    match text {
        "" => Err("`rev` is empty".to_owned()),
        _ if text.starts_with('-') || text.len() > MAX_REV || !text.chars().all(is_plain) => {
            Err(format!("`{text}` is no revision; say HEAD~1, a name, a hash, or a..b"))
        }
        _ => Ok(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args(value: Value) -> GitArgs {
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn nothing_that_is_given_can_be_an_option() {
        for rev in ["--output=x", "-p", "a b", "$(x)", "a;b", "", "a\nb"] {
            assert!(arguments(&args(json!({"op": "diff", "rev": rev}))).is_err(), "{rev}");
        }
        for rev in ["HEAD~2", "main..topic", "v1.0^{}", "@{u}", "HEAD:src/a.rs"] {
            let all = arguments(&args(json!({"op": "show", "rev": rev}))).unwrap();
            assert_eq!(all[all.len() - 2..], ["--end-of-options", rev]);
        }
        assert!(arguments(&args(json!({"op": "log", "path": "../x"}))).is_err());
        let all = arguments(&args(json!({"op": "log", "path": "-x"}))).unwrap();
        assert_eq!(all[all.len() - 2..], ["--", "-x"]);
    }

    /// A repository that names a program for everything that git can call.
    #[cfg(unix)]
    #[tokio::test]
    async fn a_repository_is_read_and_none_of_its_programs_is_run() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        let run = |arguments: &[&str]| {
            let who = ["-c", "user.name=a", "-c", "user.email=a@b", "-c", "commit.gpgsign=false"];
            let all = [&who[..], arguments].concat();
            let status = std::process::Command::new("git").args(all).current_dir(root).output();
            assert!(status.unwrap().status.success(), "{arguments:?}");
        };
        let none = git(root, &args(json!({"op": "status"}))).await.unwrap_err();
        assert!(none.contains("not in a git repository"), "{none}");
        run(&["init", "--quiet"]);
        std::fs::write(root.join("a.txt"), "one\n").unwrap();
        run(&["add", "."]);
        run(&["commit", "--quiet", "-m", "first"]);
        std::fs::write(root.join("a.txt"), "two\n").unwrap();
        std::fs::write(root.join(".gitattributes"), "*.txt filter=evil diff=evil\n").unwrap();
        let evil = format!("touch {}; cat", folder.path().join("ran").display());
        for name in [
            "filter.evil.clean",
            "filter.evil.smudge",
            "diff.evil.textconv",
            "diff.evil.command",
            "diff.external",
            "core.fsmonitor",
            "core.pager",
        ] {
            run(&["config", name, &evil]);
        }
        run(&["config", "filter.evil.required", "true"]);
        let ops = [
            (json!({"op": "status"}), "M a.txt"),
            (json!({"op": "diff"}), "+two"),
            (json!({"op": "diff", "rev": "HEAD", "path": "a.txt"}), "-one"),
            (json!({"op": "log", "n": 1}), "first"),
            (json!({"op": "show", "rev": "HEAD"}), "+one"),
            (json!({"op": "show", "rev": "HEAD:a.txt"}), "one"),
            (json!({"op": "blame", "path": "a.txt", "n": 1}), "two"),
        ];
        for (op, expected) in ops {
            let said = git(root, &args(op.clone())).await.unwrap_or_else(|e| panic!("{op}: {e}"));
            assert!(said.contains(expected), "{op}: {said}");
            assert!(!root.join("ran").exists(), "{op} ran a program of the repository");
        }
        let unknown = git(root, &args(json!({"op": "log", "rev": "nowhere"}))).await.unwrap_err();
        assert!(unknown.contains("nowhere"), "{unknown}");
    }
}
