//! Tests of [`super`].

use super::*;

type Outcome = Result<(), Box<dyn std::error::Error>>;

fn write(root: &Path, path: &str, text: impl AsRef<[u8]>) -> io::Result<()> {
    let place = root.join(path);
    fs::create_dir_all(place.parent().expect("below the root"))?;
    fs::write(place, text)
}

fn names(workspace: &Workspace) -> Result<Vec<String>, WorkspaceError> {
    Ok(workspace.paths()?.into_iter().map(String::from).collect())
}

#[test]
fn it_lists_without_git() -> Outcome {
    let root = tempfile::tempdir()?;
    write(root.path(), "src/a.rs", "")?;
    write(root.path(), ".hidden/b", "")?;
    write(root.path(), ".gitignore", "/out\n")?;
    write(root.path(), "out/c", "")?;
    write(root.path(), "node_modules/d", "")?;
    write(root.path(), ".opencode/e", "")?;
    write(root.path(), ".git/f", "")?;
    write(root.path(), "target/CACHEDIR.TAG", "")?;
    let workspace = Workspace::open(root.path())?;
    assert_eq!(names(&workspace)?, [".gitignore", ".hidden/b", "src/a.rs"]);
    Ok(())
}

#[test]
fn tracked_files_count_though_ignored() -> Outcome {
    let root = tempfile::tempdir()?;
    write(root.path(), ".gitignore", "*.gen\n")?;
    write(root.path(), "kept.gen", "")?;
    write(root.path(), "other.gen", "")?;
    for args in [&["init", "-q"][..], &["add", "-f", "kept.gen"][..]] {
        let status =
            std::process::Command::new("git").args(args).current_dir(root.path()).status()?;
        assert!(status.success(), "git {args:?}");
    }
    let workspace = Workspace::open(root.path())?;
    assert_eq!(names(&workspace)?, [".gitignore", "kept.gen"]);
    Ok(())
}

#[test]
fn what_is_no_text_is_refused_by_kind() -> Outcome {
    let root = tempfile::tempdir()?;
    write(root.path(), "latin1.txt", b"caf\xe9")?;
    write(root.path(), "zero.bin", b"a\0b")?;
    fs::File::create(root.path().join("big.txt"))?.set_len(MAX_TEXT + 1)?;
    let workspace = Workspace::open(root.path())?;
    let read = |path: &str| workspace.read(&RelPath::new(path).expect("good"));
    assert!(matches!(read("latin1.txt"), Err(ReadError::NotUtf8 { at: 3, .. })));
    assert!(matches!(read("zero.bin"), Err(ReadError::Binary { .. })));
    assert!(matches!(read("big.txt"), Err(ReadError::TooLarge { .. })));
    assert!(matches!(read("nothing.txt"), Ok(None)));
    Ok(())
}

#[test]
fn unsaved_text_overlays_the_disk() -> Outcome {
    let root = tempfile::tempdir()?;
    write(root.path(), "a.txt", "disk")?;
    let workspace = Workspace::open(root.path())?;
    let before = workspace.scan(&OpenTexts::new())?;
    let text = "unsaved".to_owned();
    let open = OpenTexts::from([(RelPath::new("a.txt")?, OpenText { version: 3, text })]);
    let after = workspace.scan(&open)?;
    assert_ne!(before.hash(), after.hash());
    assert_eq!(after.files.values().collect::<Vec<_>>(), [&sha256(b"unsaved")]);
    Ok(())
}

#[test]
fn a_write_within_one_tick_is_seen() -> Outcome {
    let root = tempfile::tempdir()?;
    let file = root.path().join("a.txt");
    let tick = SystemTime::now();
    let workspace = Workspace::open(root.path())?;
    let mut hashes = Vec::new();
    for text in ["one", "two"] {
        fs::write(&file, text)?;
        fs::File::options().write(true).open(&file)?.set_modified(tick)?;
        hashes.push(workspace.scan(&OpenTexts::new())?.hash());
    }
    assert_ne!(hashes[0], hashes[1]);
    Ok(())
}

#[cfg(unix)]
#[test]
fn links_out_are_not_followed() -> Outcome {
    let root = tempfile::tempdir()?;
    let elsewhere = tempfile::tempdir()?;
    write(elsewhere.path(), "secret", "s")?;
    std::os::unix::fs::symlink(elsewhere.path().join("secret"), root.path().join("link"))?;
    std::os::unix::fs::symlink(elsewhere.path(), root.path().join("dir"))?;
    let workspace = Workspace::open(root.path())?;
    assert_eq!(names(&workspace)?, Vec::<String>::new());
    let read = workspace.read(&RelPath::new("dir/secret")?);
    assert!(matches!(read, Err(ReadError::Outside { .. })));
    Ok(())
}

#[test]
fn reserved_folders_are_known_in_every_spelling() -> Result<(), Box<dyn std::error::Error>> {
    for name in [
        ".git/hooks/x",
        ".GIT/x",
        ".git./x",
        ".git /x",
        "GIT~1/x",
        ".git::$INDEX_ALLOCATION/x",
        ".g\u{200c}it/x",
        "a/Node_Modules/x",
        ".opencode./x",
    ] {
        assert!(is_reserved(&RelPath::new(name)?), "{name}");
    }
    for name in [".gitignore", ".github/x", "git/x", "a.git/x", ".git-blame-ignore-revs"] {
        assert!(!is_reserved(&RelPath::new(name)?), "{name}");
    }
    Ok(())
}
