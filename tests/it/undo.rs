//! Accepted changes are taken back byte for byte, and put again; what a person wrote since is kept.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Stdio;

use orchestrator_lsp::mission::conversation::Role;
use serde_json::{Value, json};

use crate::support::model::{Asked, LocalModel};
use crate::support::project::{Project, Said};

/// Everything below a folder: bytes of files, and folders; with modes where there are such.
fn tree(root: &Path) -> BTreeMap<String, (u32, Option<Vec<u8>>)> {
    fn gather(root: &Path, folder: &Path, found: &mut BTreeMap<String, (u32, Option<Vec<u8>>)>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
            if name == ".opencode" || name == ".git" {
                continue;
            }
            let bytes = path.is_file().then(|| std::fs::read(&path).unwrap());
            found.insert(name, (mode(&path), bytes));
            if path.is_dir() {
                gather(root, &path, found);
            }
        }
    }
    let mut found = BTreeMap::new();
    gather(root, root, &mut found);
    found
}

#[cfg(unix)]
fn mode(path: &Path) -> u32 {
    use std::os::unix::fs::PermissionsExt;
    std::fs::metadata(path).unwrap().permissions().mode()
}

#[cfg(not(unix))]
fn mode(_path: &Path) -> u32 {
    0
}

#[cfg(unix)]
fn make_executable(path: &Path) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o751)).unwrap();
}

#[cfg(not(unix))]
fn make_executable(_path: &Path) {}

/// A model of one task for each change-set, in order; `between` happens before each proposal.
pub fn model(
    change_sets: Vec<Value>,
    between: impl Fn(usize) + Send + Sync + 'static,
) -> LocalModel {
    let mut plan = "# Mission: g\n## M1: all\n".to_owned();
    for number in 1..=change_sets.len() {
        let depends = match number {
            1 => String::new(),
            n => format!(" | depends:T1.{}", n - 1),
        };
        plan += &format!(
            "### T1.{number}: part {number}.{depends}\n- [ ] S1.{number}.1: it is there\n"
        );
    }
    LocalModel::calling(move |asked: &Asked| match (asked.role, asked.turns) {
        (Role::Commander, _) => ("triage", json!({"decision": "plan"})),
        (Role::Planner, _) => ("plan", json!({ "todo": plan })),
        (Role::Worker, 0) => {
            let task = asked.brief.split("part ").nth(1).and_then(|t| t.split('.').next());
            let number: usize = task.and_then(|t| t.parse().ok()).unwrap();
            between(number);
            ("propose", json!({ "changes": change_sets[number - 1] }))
        }
        (Role::Worker, _) => ("done", json!({"summary": "written"})),
        (Role::Reviewer, _) => ("verdict", json!({"pass": true, "evidence": ["read it"]})),
    })
}

pub fn edit(path: &str, old: &str, new: &str) -> Value {
    json!({"op": "edit", "path": path, "edits": [{"old": old, "new": new}]})
}

/// Runs the mission to its seal; its id.
pub fn sealed(project: &Project) -> String {
    let said = project.run(&["task", "write the notes", "--json"]);
    assert_eq!(said.code, 0, "{said:?}");
    let end = said.last()["end"].clone();
    assert_eq!(end["state"], "sealed", "{said:?}");
    end["id"].as_str().unwrap().to_owned()
}

fn done(said: &Said) {
    assert_eq!(said.code, 0, "{said:?}");
    assert_eq!(said.last()["done"], true, "{said:?}");
}

pub fn notes() -> Project {
    let project = Project::empty();
    project.write("notes.txt", "one\ntwo\nthree\nfour\nfive\nsix\nseven\n");
    project.write("marked.txt", b"\xef\xbb\xbffirst\r\nsecond\r\nlast");
    project.write("run.sh", "#!/bin/sh\necho run\n");
    project.write("old.sh", "#!/bin/sh\necho old\n");
    make_executable(&project.root().join("run.sh"));
    make_executable(&project.root().join("old.sh"));
    project
}

/// Every kind of change.
fn everything() -> Value {
    json!([
        edit("marked.txt", "second", "zweite"),
        edit("notes.txt", "one\n", "eins\n"),
        {"op": "write", "path": "deep/er/new.txt", "content": "new\n"},
        {"op": "delete", "path": "run.sh"},
        {"op": "rename", "path": "old.sh", "to": "moved/new.sh"},
    ])
}

#[test]
fn every_kind_of_change_is_taken_back_exactly_and_put_again() {
    let model = model(vec![everything()], |_| {});
    let project = model.serving(notes());
    let before = tree(&project.root());
    let mission = sealed(&project);
    let after = tree(&project.root());
    assert!(after.contains_key("deep/er/new.txt") && !after.contains_key("run.sh"));
    assert_eq!(after["moved/new.sh"], before["old.sh"], "a file that moves keeps its mode");
    for _ in 0..2 {
        done(&project.run(&["undo", "--json"]));
        assert_eq!(tree(&project.root()), before, "bytes, modes, names and folders");
        done(&project.run(&["redo", "--json"]));
        assert_eq!(tree(&project.root()), after);
    }
    done(&project.run(&["undo", &mission, "--json"]));
    assert_eq!(tree(&project.root()), before);
    assert!(project.run(&["status"]).out.contains("taken back: change 1"));
    let nothing = project.run(&["undo", &mission, "1", "--json"]);
    assert_eq!(nothing.code, 11, "{nothing:?}");
    assert!(nothing.out.contains("there is no change 1 to take back"), "{nothing:?}");
    assert_eq!(project.run(&["undo"]).code, 2);
}

#[test]
fn an_older_change_under_a_younger_one_is_merged_when_that_is_asked_for() {
    let parts = vec![
        json!([edit("notes.txt", "two\n", "zwei\n"), {"op": "write", "path": "a.txt", "content": "a\n"}]),
        json!([edit("notes.txt", "six\n", "sechs\n")]),
    ];
    let model = model(parts, |_| {});
    let project = model.serving(notes());
    let mission = sealed(&project);
    let after = tree(&project.root());
    let refused = project.run(&["undo", &mission, "1"]);
    assert_eq!(refused.code, 11, "{refused:?}");
    assert!(refused.out.contains("notes.txt was edited since"), "{refused:?}");
    assert!(refused.out.contains("-zwei\n+two\n"), "the merge is shown: {refused:?}");
    assert!(refused.out.contains(&format!("orchestrator undo {mission} 1 --merge")), "{refused:?}");
    assert_eq!(tree(&project.root()), after, "all or nothing");
    done(&project.run(&["undo", &mission, "1", "--merge", "--json"]));
    assert_eq!(project.read("notes.txt"), "one\ntwo\nthree\nfour\nfive\nsechs\nseven\n");
    assert!(!project.root().join("a.txt").exists());
    done(&project.run(&["redo", "--json"]));
    assert_eq!(tree(&project.root()), after);
    // The younger first: then both are exact.
    done(&project.run(&["undo", "--json"]));
    done(&project.run(&["undo", "--json"]));
    assert_eq!(tree(&project.root()), tree(&notes().root()));
    done(&project.run(&["redo", "--json"]));
    done(&project.run(&["redo", "--json"]));
    assert_eq!(tree(&project.root()), after);
}

#[test]
fn all_that_a_mission_did_is_taken_back_and_what_a_person_did_meanwhile_stays() {
    let project = notes();
    let root = project.root();
    let parts = vec![
        json!([edit("notes.txt", "two\n", "zwei\n")]),
        json!([edit("notes.txt", "six\n", "sechs\n"), {"op": "write", "path": "b/b.txt", "content": "b\n"}]),
    ];
    // By hand, between the two changes.
    let model = model(parts, move |part| {
        if part == 2 {
            let text = std::fs::read_to_string(root.join("notes.txt")).unwrap();
            std::fs::write(root.join("notes.txt"), text.replace("four", "mine")).unwrap();
        }
    });
    let project = model.serving(project);
    let mission = sealed(&project);
    let after = tree(&project.root());
    let refused = project.run(&["undo", &mission, "--json"]);
    assert_eq!(refused.code, 11, "{refused:?}");
    let offer = &refused.last()["offer"];
    assert_eq!(offer["files"], json!(["b/b.txt", "notes.txt"]), "{offer}");
    assert_eq!(tree(&project.root()), after);
    done(&project.run(&["undo", &mission, "--merge", "--json"]));
    assert_eq!(project.read("notes.txt"), "one\ntwo\nthree\nmine\nfive\nsix\nseven\n");
    assert!(!project.root().join("b").exists());
    done(&project.run(&["redo", &mission, "--json"]));
    assert_eq!(tree(&project.root()), after);
}

#[test]
fn what_a_person_wrote_is_never_replaced() {
    let model = model(vec![everything()], |_| {});
    let project = model.serving(notes());
    let mission = sealed(&project);
    project.write("deep/er/new.txt", "mine\n");
    project.write("deep/er/other.txt", "mine, too\n");
    project.write("run.sh", "my own\n");
    project.write("notes.txt", project.read("notes.txt").replace("eins", "uno"));
    let after = tree(&project.root());
    let refused = project.run(&["undo", "--json"]);
    assert_eq!(refused.code, 11, "{refused:?}");
    let reason = refused.last()["offer"]["reason"].as_str().unwrap().to_owned();
    for place in ["deep/er/new.txt", "run.sh", "notes.txt:1"] {
        assert!(reason.contains(place), "{place}: {reason}");
    }
    assert_eq!(tree(&project.root()), after);
    done(&project.run(&["undo", &mission, "--merge", "--json"]));
    for (name, text) in [
        ("deep/er/new.txt", "mine\n"),
        ("deep/er/other.txt", "mine, too\n"),
        ("run.sh", "my own\n"),
        ("old.sh", "#!/bin/sh\necho old\n"),
    ] {
        assert_eq!(project.read(name), text);
    }
    assert!(project.read("notes.txt").starts_with("uno\ntwo\n"));
    assert_eq!(
        std::fs::read(project.root().join("marked.txt")).unwrap(),
        b"\xef\xbb\xbffirst\r\nsecond\r\nlast"
    );
    assert!(!project.root().join("moved").exists());
}

#[test]
fn a_file_that_was_moved_stays_where_its_former_place_is_taken() {
    let moved = json!([
        {"op": "rename", "path": "old.sh", "to": "moved.sh"},
        edit("notes.txt", "one\n", "eins\n"),
    ]);
    let model = model(vec![moved], |_| {});
    let project = model.serving(notes());
    let mission = sealed(&project);
    project.write("old.sh", "my own\n");
    let refused = project.run(&["undo", "--json"]);
    assert_eq!(refused.code, 11, "{refused:?}");
    let offer = &refused.last()["offer"];
    assert!(offer["reason"].as_str().unwrap().contains("moved.sh"), "{offer}");
    done(&project.run(&["undo", &mission, "--merge", "--json"]));
    assert_eq!(project.read("old.sh"), "my own\n");
    assert_eq!(project.read("moved.sh"), "#!/bin/sh\necho old\n", "it stands nowhere else");
    assert!(project.read("notes.txt").starts_with("one\n"));
}

fn git(root: &Path, arguments: &[&str]) -> bool {
    let mut git = std::process::Command::new("git");
    let git = git.args(["-c", "user.name=a", "-c", "user.email=a@b", "-c", "commit.gpgsign=false"]);
    let git = git.args(arguments).current_dir(root).stdout(Stdio::null()).stderr(Stdio::null());
    git.status().unwrap().success()
}

/// Every file of `.git`, with its bytes.
fn of_git(root: &Path) -> BTreeMap<String, (u32, Option<Vec<u8>>)> {
    tree(&root.join(".git"))
}

#[test]
fn git_is_never_touched_whatever_it_is_at() {
    let model = model(vec![everything()], |_| {});
    // Nobody's name, no configuration of a person's.
    let nobody = tempfile::tempdir().unwrap();
    let project = model
        .serving(notes())
        .with("HOME", nobody.path())
        .with("GIT_CONFIG_GLOBAL", "/dev/null")
        .with("GIT_CONFIG_SYSTEM", "/dev/null");
    let root = project.root();
    for arguments in [
        &["init", "--quiet", "-b", "main"][..],
        &["add", "notes.txt", "run.sh", "old.sh"],
        &["commit", "--quiet", "-m", "first"],
        &["checkout", "--quiet", "-b", "other"],
    ] {
        assert!(git(&root, arguments), "{arguments:?}");
    }
    // In the middle of a rebase, with a stash, staged and untracked files, and a locked index.
    let change = |text: &str| {
        project.write("conflict.txt", text);
        assert!(git(&root, &["add", "conflict.txt"]));
        assert!(git(&root, &["commit", "--quiet", "-m", "conflict"]));
    };
    change("other\n");
    assert!(git(&root, &["checkout", "--quiet", "main"]));
    change("main\n");
    project.write("notes.txt", project.read("notes.txt").replace("seven", "stashed"));
    assert!(git(&root, &["stash", "--quiet"]));
    assert!(!git(&root, &["rebase", "other"]), "it stops at the conflict");
    assert!(root.join(".git/rebase-merge").exists());
    project.write("conflict.txt", "mine\n");
    project.write("staged.txt", "staged\n");
    assert!(git(&root, &["add", "staged.txt"]));
    project.write("staged.txt", "staged, and edited\n");
    project.write(".git/index.lock", "");

    let (before, of_git_before) = (tree(&root), of_git(&root));
    sealed(&project);
    let after = tree(&root);
    done(&project.run(&["undo", "--json"]));
    assert_eq!(tree(&root), before);
    done(&project.run(&["redo", "--json"]));
    assert_eq!(tree(&root), after);
    done(&project.run(&["undo", "--json"]));
    assert_eq!(of_git(&root), of_git_before, "index, HEAD, stash, reflog and configuration");
}

/// What a person can do with SQLite alone, as the documentation says.
#[test]
fn a_checkpoint_can_be_read_without_the_program() {
    let model = model(vec![everything()], |_| {});
    let project = model.serving(notes());
    sealed(&project);
    let docs =
        std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/reliability.md"))
            .unwrap();
    let query = docs.split("```sql\n").nth(1).unwrap().split("```").next().unwrap();
    let journal = rusqlite::Connection::open(project.root().join(".opencode/journal.db")).unwrap();
    let mut statement = journal.prepare(query).unwrap();
    let rows = statement.query_map([], |row| Ok((row.get(2)?, row.get(3)?))).unwrap();
    let found: BTreeMap<String, Option<Vec<u8>>> = rows.collect::<Result<_, _>>().unwrap();
    assert_eq!(found["run.sh"].as_deref(), Some(&b"#!/bin/sh\necho run\n"[..]), "{found:?}");
    assert_eq!(found["deep/er/new.txt"], None, "it was not there");
    assert_eq!(found.len(), 6);
}

#[cfg(unix)]
const FILES: usize = 300;

#[cfg(unix)]
fn name(index: usize) -> String {
    format!("notes/{index:03}.txt")
}

/// A project of many notes with a mission that is to change them all.
#[cfg(unix)]
fn many_notes(then: &'static str) -> (LocalModel, Project) {
    let changes: Vec<Value> = (0..FILES).map(|i| edit(&name(i), "old text", "new text")).collect();
    let model = LocalModel::calling(move |asked| match (asked.role, asked.turns) {
        (Role::Commander, _) => ("triage", json!({"decision": "direct"})),
        (Role::Worker, 0) => ("propose", json!({ "changes": changes })),
        (Role::Worker, _) if then == "done" => ("done", json!({"summary": "renewed"})),
        (Role::Worker, _) => ("give_up", json!({"reason": "the notes have changed"})),
        _ => ("verdict", json!({"pass": true, "evidence": ["every note was read"]})),
    });
    let project = model.serving(Project::empty());
    (0..FILES).for_each(|index| project.write(&name(index), "old text\n"));
    (model, project)
}

/// Runs a command and kills it as soon as the first note is `text`. Says whether some notes are not.
#[cfg(unix)]
fn killed(project: &Project, arguments: &[&str], text: &str) -> bool {
    let mut child = project.command(arguments).stdout(Stdio::null()).spawn().unwrap();
    let first = project.root().join(name(0));
    while std::fs::read(&first).unwrap_or_default() != text.as_bytes()
        && child.try_wait().unwrap().is_none()
    {
        std::thread::yield_now();
    }
    child.kill().unwrap();
    child.wait().unwrap();
    with(project, text).len() < FILES - 1 && !with(project, text).is_empty()
}

/// The notes that hold `text`.
#[cfg(unix)]
fn with(project: &Project, text: &str) -> Vec<usize> {
    (0..FILES).filter(|index| project.read(&name(*index)) == text).collect()
}

#[cfg(unix)]
fn no_temporary_files(project: &Project) {
    let left = tree(&project.root()).into_keys().filter(|name| name.contains(".orchestrator-"));
    assert_eq!(left.collect::<Vec<_>>(), [] as [String; 0]);
}

/// A process is killed among the files of one change-set. Then a person writes into one file what the change would have
/// written, and something else into another: all that the process wrote is taken back, and nothing that the person wrote.
#[cfg(unix)]
#[test]
fn after_a_kill_only_what_was_written_is_taken_back() {
    for _ in 0..20 {
        let (_model, project) = many_notes("give up");
        if !killed(&project, &["task", "renew the notes"], "new text\n") {
            continue;
        }
        let unwritten = with(&project, "old text\n");
        let (same, other) = (unwritten[0], *unwritten.last().unwrap());
        project.write(&name(same), "new text\n");
        project.write(&name(other), "my own text\n");
        let resumed = project.run(&["resume", "--json"]);
        assert_eq!(resumed.last()["end"]["state"], "blocked", "{resumed:?}");
        assert_eq!(with(&project, "new text\n"), [same], "the person's stays, and nothing else");
        assert_eq!(project.read(&name(other)), "my own text\n");
        return no_temporary_files(&project);
    }
    panic!("in 20 attempts no process could be killed between two files");
}

#[cfg(unix)]
#[test]
fn an_undo_that_was_cut_in_two_is_finished_or_put_back() {
    let (_model, project) = many_notes("done");
    sealed(&project);
    let mut cut = 0;
    for attempt in 0..40 {
        if killed(&project, &["undo"], "old text\n") {
            cut += 1;
            if cut == 1 {
                // A person edits what is not taken back yet: then nothing of it is.
                let other = *with(&project, "new text\n").last().unwrap();
                project.write(&name(other), "my own text\n");
                let said = project.run(&["undo", "--json"]);
                assert_eq!(said.code, 11, "{said:?}");
                assert_eq!(with(&project, "new text\n").len(), FILES - 1, "attempt {attempt}");
                assert_eq!(project.read(&name(other)), "my own text\n");
                no_temporary_files(&project);
                project.write(&name(other), "new text\n");
                continue;
            }
            done(&project.run(&["undo", "--json"]));
            assert_eq!(with(&project, "old text\n").len(), FILES);
            return no_temporary_files(&project);
        }
        // It was killed before the first file, or had ended: from the start.
        let _ = project.run(&["resume"]);
        if with(&project, "old text\n").len() < FILES {
            let _ = project.run(&["undo"]);
        }
        done(&project.run(&["redo", "--json"]));
        assert_eq!(with(&project, "new text\n").len(), FILES);
    }
    panic!("no undo could be killed between two files");
}
