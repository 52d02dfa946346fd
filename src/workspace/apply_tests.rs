//! Tests of [`super`]: every operation is made to fail in turn, and the tree must be whole after each.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::fs;

use super::*;

type Outcome = Result<(), Box<dyn std::error::Error>>;

/// The real disk, whose `fail_at`-th changing operation says that there is no space.
struct Faulty {
    calls: Cell<usize>,
    fail_at: usize,
    error: io::ErrorKind,
}

impl Faulty {
    fn turn(&self) -> io::Result<()> {
        let call = self.calls.get();
        self.calls.set(call + 1);
        if call == self.fail_at { Err(self.error.into()) } else { Ok(()) }
    }
}

impl Files for Faulty {
    fn read(&self, path: &Path) -> io::Result<Option<Vec<u8>>> {
        Disk.read(path)
    }
    fn stage(&self, target: &Path, bytes: &[u8]) -> io::Result<PathBuf> {
        self.turn()?;
        Disk.stage(target, bytes)
    }
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.turn()?;
        Disk.rename(from, to)
    }
    fn remove(&self, path: &Path) -> io::Result<()> {
        self.turn()?;
        Disk.remove(path)
    }
    fn create_dir(&self, path: &Path) -> io::Result<()> {
        self.turn()?;
        Disk.create_dir(path)
    }
    fn remove_dir(&self, path: &Path) -> io::Result<()> {
        Disk.remove_dir(path)
    }
}

fn write(path: &str, expect: Option<&str>, result: Option<&str>) -> FileWrite {
    FileWrite {
        path: RelPath::new(path).expect("a good path"),
        expect: expect.map(|text| sha256(text.as_bytes())),
        result: result.map(|text| text.as_bytes().to_vec()),
    }
}

/// All files below `root`, by relative path.
fn tree(root: &Path) -> BTreeMap<String, String> {
    ignore::WalkBuilder::new(root)
        .standard_filters(false)
        .build()
        .flatten()
        .filter(|entry| entry.path().is_file())
        .map(|entry| {
            let name = entry.path().strip_prefix(root).expect("below").display().to_string();
            (name, fs::read_to_string(entry.path()).expect("readable"))
        })
        .collect()
}

fn project() -> io::Result<tempfile::TempDir> {
    let root = tempfile::tempdir()?;
    fs::write(root.path().join("a.txt"), "a")?;
    fs::write(root.path().join("b.txt"), "b")?;
    fs::write(root.path().join("gone.txt"), "gone")?;
    Ok(root)
}

fn writes() -> Vec<FileWrite> {
    vec![
        write("a.txt", Some("a"), Some("A")),
        write("gone.txt", Some("gone"), None),
        write("new/deep/c.txt", None, Some("c")),
        write("b.txt", Some("b"), Some("B")),
    ]
}

#[test]
fn all_of_it_lands() -> Outcome {
    let root = project()?;
    let applied = apply(root.path(), &writes())?;
    assert_eq!(applied.files.len(), 4);
    assert_eq!(applied.created_dirs.len(), 2);
    let want = [("a.txt", "A"), ("b.txt", "B"), ("new/deep/c.txt", "c")];
    let want: BTreeMap<String, String> = want.map(|(k, v)| (k.to_owned(), v.to_owned())).into();
    assert_eq!(tree(root.path()), want);
    Ok(())
}

#[test]
fn a_fault_at_any_operation_leaves_the_tree_as_it_was() -> Outcome {
    let mut faults = 0;
    for fail_at in 0.. {
        let root = project()?;
        let before = tree(root.path());
        let files = Faulty { calls: Cell::new(0), fail_at, error: io::ErrorKind::StorageFull };
        match apply_with(&files, root.path(), &writes()) {
            // Only the removal of backups is left to fail by then.
            Ok(_) => break,
            Err(error) => assert!(matches!(error, ApplyError::DiskFull { .. }), "{error}"),
        }
        assert_eq!(tree(root.path()), before, "after a fault at operation {fail_at}");
        assert!(!root.path().join("new").exists());
        faults += 1;
    }
    assert!(faults >= 12, "only {faults} operations were tried");
    Ok(())
}

#[test]
fn a_read_only_workspace_is_said_so() -> Outcome {
    let root = project()?;
    let files =
        Faulty { calls: Cell::new(0), fail_at: 0, error: io::ErrorKind::ReadOnlyFilesystem };
    let error = apply_with(&files, root.path(), &writes()).expect_err("nothing may be written");
    assert!(matches!(error, ApplyError::ReadOnly { .. }), "{error}");
    Ok(())
}

#[test]
fn a_read_only_file_is_left_alone() -> Outcome {
    let root = project()?;
    let file = root.path().join("a.txt");
    let mut mode = fs::metadata(&file)?.permissions();
    mode.set_readonly(true);
    fs::set_permissions(&file, mode)?;
    let error = apply(root.path(), &writes()).expect_err("the file is read-only");
    assert!(matches!(error, ApplyError::ReadOnly { .. }), "{error}");
    Ok(())
}

#[test]
fn a_stale_file_stops_all() -> Outcome {
    let root = project()?;
    fs::write(root.path().join("b.txt"), "somebody else's")?;
    let before = tree(root.path());
    let error = apply(root.path(), &writes()).expect_err("b.txt is stale");
    assert!(
        matches!(&error, ApplyError::Stale { path, .. } if path.as_str() == "b.txt"),
        "{error}"
    );
    assert_eq!(tree(root.path()), before);
    Ok(())
}

#[test]
fn a_new_file_does_not_overwrite_one_that_appeared() -> Outcome {
    let root = project()?;
    let error = apply(root.path(), &[write("a.txt", None, Some("mine"))]).expect_err("it exists");
    assert!(matches!(error, ApplyError::Stale { .. }), "{error}");
    Ok(())
}

#[cfg(unix)]
#[test]
fn the_mode_is_kept() -> Outcome {
    use std::os::unix::fs::PermissionsExt;
    let root = project()?;
    let file = root.path().join("a.txt");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o755))?;
    apply(root.path(), &[write("a.txt", Some("a"), Some("A"))])?;
    assert_eq!(fs::metadata(&file)?.permissions().mode() & 0o777, 0o755);
    Ok(())
}

#[cfg(unix)]
#[test]
fn links_out_of_the_workspace_are_refused() -> Outcome {
    let root = project()?;
    let elsewhere = tempfile::tempdir()?;
    fs::write(elsewhere.path().join("x.txt"), "x")?;
    std::os::unix::fs::symlink(elsewhere.path(), root.path().join("dir"))?;
    std::os::unix::fs::symlink(elsewhere.path().join("x.txt"), root.path().join("link.txt"))?;
    std::os::unix::fs::symlink(root.path().join("a.txt"), root.path().join("inside.txt"))?;
    for path in ["dir/x.txt", "link.txt"] {
        let error =
            apply(root.path(), &[write(path, Some("x"), Some("y"))]).expect_err("it leads out");
        assert!(matches!(error, ApplyError::Outside { .. }), "{error}");
    }
    apply(root.path(), &[write("inside.txt", Some("a"), Some("A"))])?;
    assert_eq!(fs::read_to_string(root.path().join("a.txt"))?, "A");
    assert!(root.path().join("inside.txt").is_symlink());
    Ok(())
}
