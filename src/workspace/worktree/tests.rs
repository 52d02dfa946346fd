//! Worktrees on real folders.

use super::*;
use crate::workspace::change::Change;
use crate::workspace::resolve::Overlaid;
use crate::workspace::snapshot::OpenText;

struct Place {
    folder: tempfile::TempDir,
    workspace: Workspace,
    open: OpenTexts,
    worktree: Worktree,
}

fn path(text: &str) -> RelPath {
    RelPath::new(text).unwrap()
}

fn write(root: &Path, name: &str, text: &str) {
    let place = root.join(name);
    fs::create_dir_all(place.parent().unwrap()).unwrap();
    fs::write(place, text).unwrap();
}

impl Place {
    fn new(files: &[(&str, &str)], unsaved: &[(&str, &str)]) -> Place {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("project");
        fs::create_dir_all(&root).unwrap();
        files.iter().for_each(|(name, text)| write(&root, name, text));
        let open = unsaved
            .iter()
            .map(|(name, text)| (path(name), OpenText { version: 1, text: (*text).to_owned() }));
        let open: OpenTexts = open.collect();
        let workspace = Workspace::open(&root).unwrap();
        let store = Arc::new(Store::open(&folder.path().join("store")).unwrap());
        let tree = workspace.scan(&open).unwrap();
        let at = folder.path().join("worktree");
        let worktree = Worktree::make(&at, &store, workspace.root(), &tree, &open).unwrap();
        Place { folder, workspace, open, worktree }
    }

    fn user(&self, name: &str, text: &str) {
        write(self.workspace.root(), name, text);
    }

    fn here(&self, name: &str, text: &str) {
        write(self.worktree.root(), name, text);
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.worktree.root().join(name)).unwrap()
    }

    fn follow(&mut self) -> Vec<String> {
        self.follow_settled(&[])
    }

    fn follow_settled(&mut self, settled: &[&str]) -> Vec<String> {
        let tree = self.workspace.scan(&self.open).unwrap();
        let settled = settled.iter().map(|name| path(name)).collect();
        let met = self.worktree.follow(&tree, &self.open, &settled).unwrap();
        met.iter().map(ToString::to_string).collect()
    }

    fn lay(&self, below: Option<&str>) -> Result<Vec<(String, Option<String>)>, String> {
        let now = Overlaid { workspace: &self.workspace, open: &self.open };
        let laid = self.worktree.lay(below.map(path).as_ref(), &now).map_err(|e| e.to_string())?;
        assert_eq!(laid.changes.len(), laid.onto.len());
        let one = |change: Change| match change {
            Change::Write { path, content } => (path.to_string(), Some(content)),
            Change::Delete { path } => (path.to_string(), None),
            other => panic!("{other:?}"),
        };
        Ok(laid.changes.into_iter().map(one).collect())
    }
}

#[test]
fn unsaved_and_untracked_text_is_there_and_ignored_files_are_not() {
    let place = Place::new(
        &[(".gitignore", "/out\n"), ("a", "disk"), ("deep/b", "b"), ("out/x", "x")],
        &[("a", "unsaved"), ("new", "never saved")],
    );
    assert_eq!((place.read("a"), place.read("deep/b")), ("unsaved".into(), "b".into()));
    assert_eq!(place.read("new"), "never saved");
    assert!(!place.worktree.root().join("out").exists());
    assert!(place.worktree.changed().unwrap().is_empty());
    place.here("a", "by a command");
    place.here("out/y", "built");
    assert_eq!(place.workspace.read(&path("a")).unwrap().unwrap().text, "disk");
    assert_eq!(place.lay(None).unwrap(), [("a".to_owned(), Some("by a command".to_owned()))]);
}

#[test]
fn it_follows_the_tree_where_its_own_changes_allow() {
    let mut place = Place::new(
        &[("same", "1\n"), ("gone", "g\n"), ("both", "a\nb\nc\nd\ne\n"), ("met", "x\n")],
        &[],
    );
    place.here("both", "a\nb\nc\nd\nE\n");
    place.here("met", "mine\n");
    place.here("own", "o\n");
    place.user("same", "2\n");
    place.user("both", "A\nb\nc\nd\ne\n");
    place.user("met", "theirs\n");
    place.user("fresh", "f\n");
    fs::remove_file(place.workspace.root().join("gone")).unwrap();
    assert_eq!(place.follow(), ["met"]);
    assert_eq!((place.read("same"), place.read("fresh")), ("2\n".into(), "f\n".into()));
    assert_eq!(
        (place.read("both"), place.read("met")),
        ("A\nb\nc\nd\nE\n".into(), "mine\n".into())
    );
    assert!(!place.worktree.root().join("gone").exists());
    assert_eq!(place.follow(), ["met"], "it is told as long as it stands");
    let refusal = place.lay(None).unwrap_err();
    assert!(refusal.contains("+mine") && refusal.contains("+theirs"), "{refusal}");
    let only = place.lay(Some("both")).unwrap();
    assert_eq!(only, [("both".to_owned(), Some("A\nb\nc\nd\nE\n".to_owned()))]);
    // What was settled by a proposal of its own is taken over where it meets, and merged where it does not.
    place.user("both", "A\nB\nc\nd\ne\n");
    assert_eq!(place.follow_settled(&["met", "both"]), [] as [&str; 0]);
    assert_eq!(
        (place.read("met"), place.read("both")),
        ("theirs\n".into(), "A\nB\nc\nd\nE\n".into())
    );
}

#[test]
fn what_was_changed_is_merged_onto_the_tree_of_now() {
    let mut place = Place::new(
        &[("a", "1\n2\n3\n4\n5\n"), ("del", "d\n"), ("kept", "k\n"), ("to/b", "b\n")],
        &[],
    );
    place.here("a", "1\n2\n3\n4\nfive\n");
    place.here("to/c", "c\n");
    fs::remove_file(place.worktree.root().join("del")).unwrap();
    place.user("a", "one\n2\n3\n4\n5\n");
    let some = |text: &str| Some(text.to_owned());
    let all = [
        ("a".to_owned(), some("one\n2\n3\n4\nfive\n")),
        ("del".to_owned(), None),
        ("to/c".to_owned(), some("c\n")),
    ];
    assert_eq!(place.lay(None).unwrap(), all);
    assert_eq!(place.lay(Some("to")).unwrap(), all[2..]);
    assert_eq!(place.lay(Some("t")).unwrap(), [] as [(String, Option<String>); 0]);
    // It was accepted: the worktree follows, and nothing is left.
    place.user("a", "one\n2\n3\n4\nfive\n");
    place.user("to/c", "c\n");
    fs::remove_file(place.workspace.root().join("del")).unwrap();
    assert_eq!(place.follow(), [] as [&str; 0]);
    assert_eq!(place.read("a"), "one\n2\n3\n4\nfive\n");
    assert!(place.worktree.changed().unwrap().is_empty());
    // What is no text is refused, and nothing else is touched.
    fs::write(place.worktree.root().join("kept"), [0, 159]).unwrap();
    assert!(place.lay(None).unwrap_err().contains("kept"));
    drop(place.folder);
}

#[test]
fn a_deletion_meets_a_change() {
    let mut place = Place::new(&[("a", "1\n"), ("b", "2\n")], &[]);
    fs::remove_file(place.worktree.root().join("a")).unwrap();
    place.here("b", "mine\n");
    place.user("a", "changed\n");
    fs::remove_file(place.workspace.root().join("b")).unwrap();
    assert_eq!(place.follow(), ["a", "b"]);
    assert_eq!(place.read("b"), "mine\n");
    let refusal = place.lay(None).unwrap_err();
    assert!(refusal.contains("-1") && refusal.contains("+changed"), "{refusal}");
}

#[cfg(unix)]
#[test]
fn installed_packages_are_copies_and_scripts_stay_executable() {
    use std::os::unix::fs::{PermissionsExt, symlink};
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().canonicalize().unwrap().join("project");
    write(&root, "package.json", "{}");
    write(&root, "run.sh", "#!/bin/sh\n");
    write(&root, "packages/own/index.js", "own");
    write(&root, "node_modules/dep/index.js", "dep");
    symlink(root.join("packages/own"), root.join("node_modules/own")).unwrap();
    fs::set_permissions(root.join("run.sh"), fs::Permissions::from_mode(0o555)).unwrap();
    let workspace = Workspace::open(&root).unwrap();
    let store = Arc::new(Store::open(&folder.path().join("store")).unwrap());
    let (tree, open) = (workspace.scan(&OpenTexts::new()).unwrap(), OpenTexts::new());
    let at = folder.path().join("worktree");
    let worktree = Worktree::make(&at, &store, workspace.root(), &tree, &open).unwrap();
    let mode = fs::metadata(worktree.root().join("run.sh")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o755);
    write(worktree.root(), "node_modules/dep/index.js", "patched");
    write(worktree.root(), "node_modules/own/index.js", "patched");
    assert_eq!(fs::read_to_string(root.join("node_modules/dep/index.js")).unwrap(), "dep");
    assert_eq!(fs::read_to_string(root.join("packages/own/index.js")).unwrap(), "own");
    let changed = worktree.changed().unwrap();
    assert_eq!(changed.into_iter().collect::<Vec<_>>(), [path("packages/own/index.js")]);
}
