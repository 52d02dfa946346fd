//! Tests of [`super`].

use super::*;
use crate::workspace::{OpenTexts, Workspace};

type Outcome = Result<(), Box<dyn std::error::Error>>;

struct Place {
    _folder: tempfile::TempDir,
    root: PathBuf,
    cache: PathBuf,
}

fn place() -> io::Result<Place> {
    let folder = tempfile::tempdir()?;
    let root = folder.path().join("project");
    fs::create_dir_all(root.join("src"))?;
    fs::write(root.join("src/a.rs"), "a")?;
    fs::write(root.join("b.txt"), "b")?;
    Ok(Place { root: root.canonicalize()?, cache: folder.path().join("cache"), _folder: folder })
}

fn sync(copy: &mut ShadowCopy, root: &Path) -> Result<Vec<String>, Box<dyn std::error::Error>> {
    let tree = Workspace::open(root)?.scan(&OpenTexts::new())?;
    Ok(copy.sync(&tree, &BTreeMap::new())?.into_iter().map(String::from).collect())
}

#[test]
fn only_what_changed_is_written() -> Outcome {
    let place = place()?;
    let mut shadow = Shadow::open(&place.cache, &place.root)?;
    let copy = &mut shadow.tools;
    assert_eq!(sync(copy, &place.root)?, ["b.txt", "src/a.rs"]);
    assert!(sync(copy, &place.root)?.is_empty());
    let before = fs::metadata(copy.root().join("src/a.rs"))?.modified()?;
    fs::write(place.root.join("src/a.rs"), "A")?;
    fs::remove_file(place.root.join("b.txt"))?;
    assert_eq!(sync(copy, &place.root)?, ["b.txt", "src/a.rs"]);
    assert_eq!(fs::read_to_string(copy.root().join("src/a.rs"))?, "A");
    assert!(!copy.root().join("b.txt").exists());
    assert!(fs::metadata(copy.root().join("src/a.rs"))?.modified()? > before);
    Ok(())
}

#[test]
fn the_time_is_later_even_when_the_text_goes_back() -> Outcome {
    let place = place()?;
    let mut shadow = Shadow::open(&place.cache, &place.root)?;
    let file = shadow.tools.root().join("src/a.rs");
    let tree = Workspace::open(&place.root)?.scan(&OpenTexts::new())?;
    let path = RelPath::new("src/a.rs")?;
    let mut last = UNIX_EPOCH;
    for round in 0..20 {
        let text = format!("candidate {}", round % 2);
        let mut tree = tree.clone();
        tree.files.insert(path.clone(), sha256(text.as_bytes()));
        shadow.tools.sync(&tree, &BTreeMap::from([(path.clone(), text)]))?;
        let now = fs::metadata(&file)?.modified()?;
        assert!(now > last, "round {round}");
        last = now;
    }
    Ok(())
}

#[test]
fn it_removes_only_what_it_made_and_mends_what_a_tool_broke() -> Outcome {
    let place = place()?;
    {
        let mut shadow = Shadow::open(&place.cache, &place.root)?;
        sync(&mut shadow.tools, &place.root)?;
        fs::write(shadow.tools.root().join("Cargo.lock"), "by a tool")?;
        fs::write(shadow.tools.root().join("src/a.rs"), "by a tool")?;
        fs::remove_file(shadow.tools.root().join("b.txt"))?;
    }
    let mut shadow = Shadow::open(&place.cache, &place.root)?;
    assert_eq!(sync(&mut shadow.tools, &place.root)?, ["b.txt", "src/a.rs"]);
    assert_eq!(fs::read_to_string(shadow.tools.root().join("src/a.rs"))?, "a");
    assert!(shadow.tools.root().join("Cargo.lock").exists());
    Ok(())
}

#[test]
fn two_processes_never_share_one() -> Outcome {
    let place = place()?;
    let first = Shadow::open(&place.cache, &place.root)?;
    let second = Shadow::open(&place.cache, &place.root)?;
    assert_ne!(first.tools.root(), second.tools.root());
    assert_ne!(first.target(), second.target());
    Ok(())
}

#[test]
fn a_file_that_changes_meanwhile_is_noticed() -> Outcome {
    let place = place()?;
    let mut shadow = Shadow::open(&place.cache, &place.root)?;
    let tree = Workspace::open(&place.root)?.scan(&OpenTexts::new())?;
    fs::write(place.root.join("b.txt"), "changed")?;
    let outcome = shadow.tools.sync(&tree, &BTreeMap::new());
    assert!(matches!(outcome, Err(ShadowError::Moving { .. })));
    Ok(())
}

#[cfg(unix)]
#[test]
fn installed_packages_are_linked_and_own_ones_are_the_shadows() -> Outcome {
    let place = place()?;
    let modules = place.root.join("node_modules");
    fs::create_dir_all(modules.join("left"))?;
    fs::write(modules.join("left/index.js"), "")?;
    fs::create_dir_all(place.root.join("packages/own"))?;
    fs::write(place.root.join("packages/own/index.ts"), "own")?;
    fs::write(place.root.join("package.json"), "{}")?;
    let mut shadow = Shadow::open(&place.cache, &place.root)?;
    sync(&mut shadow.tools, &place.root)?;
    let here = shadow.tools.root().join("node_modules");
    assert_eq!(fs::read_link(&here)?, modules);
    fs::create_dir_all(modules.join("@me"))?;
    std::os::unix::fs::symlink("../../packages/own", modules.join("@me/own"))?;
    sync(&mut shadow.tools, &place.root)?;
    assert!(!here.is_symlink());
    assert_eq!(here.join("@me/own").canonicalize()?, shadow.tools.root().join("packages/own"));
    assert!(here.join("left/index.js").exists());
    assert!(modules.join("left/index.js").exists(), "the user's packages stay");
    Ok(())
}

#[test]
fn what_nobody_remembers_is_removed_and_a_lost_cache_is_made_anew() -> Outcome {
    let place = place()?;
    let shadow = Shadow::open(&place.cache, &place.root)?;
    let root = shadow.tools.root().to_owned();
    drop(shadow);
    fs::write(root.join("candidate.rs"), "left behind")?;
    fs::write(root.with_file_name("tools.json"), "{ cut of")?;
    let mut shadow = Shadow::open(&place.cache, &place.root)?;
    sync(&mut shadow.tools, &place.root)?;
    assert!(!root.join("candidate.rs").exists());
    fs::remove_dir_all(&place.cache)?;
    assert_eq!(sync(&mut shadow.tools, &place.root)?, ["b.txt", "src/a.rs"]);
    assert!(root.join("b.txt").is_file());
    Ok(())
}
