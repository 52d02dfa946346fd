//! Bad input gets a clear error and loses nothing: files and workspaces.

#![expect(clippy::expect_used, reason = "a test that cannot go on has failed")]

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use orchestrator_lsp::gate::{Checked, Gate, Settings, Stage, Verdict};
use orchestrator_lsp::workspace::apply::apply_with;
use orchestrator_lsp::workspace::files::{Disk, Files};
use orchestrator_lsp::workspace::{
    ApplyError, Change, ChangeSet, Edit, OpenTexts, RelPath, Workspace, apply,
};

type Outcome = Result<(), Box<dyn std::error::Error>>;

/// A workspace without a git repository, and the folder that holds it.
fn workspace() -> io::Result<(tempfile::TempDir, PathBuf)> {
    let folder = tempfile::tempdir()?;
    let root = folder.path().join("project");
    fs::create_dir(&root)?;
    fs::write(root.join("notes.txt"), "one\ntwo\n")?;
    fs::write(root.join("latin1.txt"), b"caf\xe9 two\n")?;
    Ok((folder, root))
}

async fn check(
    folder: &Path,
    root: &Path,
    changes: Vec<Change>,
) -> Result<Checked, Box<dyn std::error::Error>> {
    let settings = Settings { cache_dir: Some(folder.join("cache")), ..Settings::default() };
    let gate = Gate::open(root, settings)?;
    Ok(gate.check(&ChangeSet { changes }, &OpenTexts::new()).await?)
}

fn edit(file: &str, old: &str, new: &str) -> Change {
    Change::Edit {
        path: RelPath::new(file).expect("a good path"),
        edits: vec![Edit::Text { old: old.to_owned(), new: new.to_owned() }],
    }
}

/// The one message of a change that does not fit.
fn refusal(checked: &Checked) -> &str {
    assert_eq!(checked.report.verdict, Verdict::Refused);
    let problem = checked.report.problems.first().expect("a reason");
    assert_eq!(problem.stage, Stage::Apply);
    &problem.diagnostic.message
}

#[tokio::test]
async fn a_file_that_is_not_utf8_is_left_as_it_is() -> Outcome {
    let (folder, root) = workspace()?;
    let checked = check(folder.path(), &root, vec![edit("latin1.txt", "two", "2")]).await?;
    assert!(refusal(&checked).contains("is not UTF-8 text (byte 3)"), "{}", refusal(&checked));
    // Beside it, all goes on, without git as well.
    let checked = check(folder.path(), &root, vec![edit("notes.txt", "two", "2")]).await?;
    assert_eq!(checked.report.verdict, Verdict::Accepted, "{:#?}", checked.report);
    apply(&root, &checked.contents)?;
    assert_eq!(fs::read(root.join("latin1.txt"))?, b"caf\xe9 two\n");
    assert_eq!(fs::read(root.join("notes.txt"))?, b"one\n2\n");
    Ok(())
}

#[tokio::test]
async fn what_is_not_the_projects_cannot_be_changed() -> Outcome {
    let (folder, root) = workspace()?;
    for path in
        [".git/hooks/post-commit", ".opencode/todo.md", "node_modules/a/index.js", ".GIT/config"]
    {
        let path = RelPath::new(path)?;
        let content = "#!/bin/sh\n".to_owned();
        let checked = check(folder.path(), &root, vec![Change::Write { path, content }]).await?;
        assert!(refusal(&checked).contains("not to the project"), "{}", refusal(&checked));
    }
    for path in ["../outside", "/etc/passwd", "C:/x", "a\\b"] {
        let json = serde_json::json!({"changes": [{"op": "delete", "path": path}]});
        let error = serde_json::from_value::<ChangeSet>(json).expect_err("it leads out");
        assert!(error.to_string().contains("is not a path inside the workspace"), "{error}");
    }
    Ok(())
}

#[tokio::test]
async fn changes_of_no_sense_are_answered() -> Outcome {
    let (folder, root) = workspace()?;
    let checked = check(folder.path(), &root, Vec::new()).await?;
    assert!(refusal(&checked).contains("the change-set is empty"));
    let checked = check(folder.path(), &root, vec![edit("notes.txt", "two", "two")]).await?;
    assert!(refusal(&checked).contains("changes nothing"));
    let checked = check(folder.path(), &root, vec![edit("nothing.txt", "a", "b")]).await?;
    assert!(refusal(&checked).contains("no such file"));
    let long = "two lines\n".repeat(100_000);
    let checked = check(folder.path(), &root, vec![edit("notes.txt", &long, "b")]).await?;
    assert!(refusal(&checked).contains("does not stand in the file"));
    Ok(())
}

#[test]
fn a_workspace_that_is_none_is_said_so() {
    let error = Workspace::open(Path::new("no/such/folder")).expect_err("there is none");
    assert!(error.to_string().starts_with("failed to open the workspace"), "{error}");
}

/// A disk on which one kind of failure meets every write.
struct Failing(io::ErrorKind);

impl Files for Failing {
    fn read(&self, path: &Path) -> io::Result<Option<Vec<u8>>> {
        Disk.read(path)
    }
    fn stage(&self, _: &Path, _: &[u8]) -> io::Result<PathBuf> {
        Err(self.0.into())
    }
    fn rename(&self, _: &Path, _: &Path) -> io::Result<()> {
        Err(self.0.into())
    }
    fn remove(&self, _: &Path) -> io::Result<()> {
        Err(self.0.into())
    }
    fn create_dir(&self, _: &Path) -> io::Result<()> {
        Err(self.0.into())
    }
    fn remove_dir(&self, _: &Path) -> io::Result<()> {
        Err(self.0.into())
    }
}

#[tokio::test]
async fn a_full_disk_and_a_read_only_workspace_lose_nothing() -> Outcome {
    let (folder, root) = workspace()?;
    let checked = check(folder.path(), &root, vec![edit("notes.txt", "two", "2")]).await?;
    let full = apply_with(&Failing(io::ErrorKind::StorageFull), &root, &checked.contents);
    let error = full.expect_err("there is no space");
    assert!(
        matches!(error, ApplyError::DiskFull { .. })
            && error.to_string().contains("the disk is full")
    );
    let denied = apply_with(&Failing(io::ErrorKind::ReadOnlyFilesystem), &root, &checked.contents);
    let error = denied.expect_err("it is read-only");
    assert!(
        matches!(error, ApplyError::ReadOnly { .. }) && error.to_string().contains("read-only")
    );
    assert_eq!(fs::read(root.join("notes.txt"))?, b"one\ntwo\n");
    // Somebody else was quicker: theirs stays.
    fs::write(root.join("notes.txt"), "theirs\n")?;
    let error = apply(&root, &checked.contents).expect_err("it is stale");
    assert!(matches!(error, ApplyError::Stale { .. }), "{error}");
    assert_eq!(fs::read(root.join("notes.txt"))?, b"theirs\n");
    Ok(())
}
