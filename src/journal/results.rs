//! Results of tools that are too long for a conversation, kept whole in files beside the journal: `.opencode/results/<mission>/`.
//!
//! A result is named by its hash, so that the same result has the same name at every time and in every process. What is kept is
//! bounded for each mission and in all; the oldest go first. Nothing of it is needed to go on: whoever asks for what is gone calls
//! the tool again. It must not know which tool said what.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use sha2::{Digest, Sha256};

use crate::disk;
use crate::mission::MissionId;

/// Where they lie, below the root.
const FOLDER: &str = ".opencode/results";
/// The most bytes that are kept for one mission. A longer result is not kept.
pub const MOST_OF_MISSION: u64 = 32 * 1024 * 1024;
/// The most bytes that are kept in all.
pub const MOST: u64 = 128 * 1024 * 1024;
/// How many bytes of the hash name a result, two digits each.
const NAME: usize = 8;

/// Keeps a result for a mission and answers with its name. It is there after a restart, though perhaps not after a power cut.
///
/// # Errors
/// When it is too long to be kept, or cannot be written.
pub fn keep(root: &Path, mission: &MissionId, text: &str) -> io::Result<String> {
    if text.len() as u64 > MOST_OF_MISSION {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, "it is too long to be kept"));
    }
    let all = root.join(FOLDER);
    make_private(&all)?;
    let ignore = all.join(".gitignore");
    if fs::symlink_metadata(&ignore).is_err() {
        disk::replace_unflushed(&ignore, b"*\n")?;
    }
    let folder = folder_of(root, mission)?;
    make_private(&folder)?;
    let name = name_of(text);
    disk::replace_unflushed(&folder.join(&name), text.as_bytes())?;
    drop_oldest(vec![folder.clone()], MOST_OF_MISSION, &folder.join(&name))?;
    let missions = fs::read_dir(&all)?.filter_map(|entry| Some(entry.ok()?.path()));
    drop_oldest(missions.filter(|path| is_real_folder(path)).collect(), MOST, &folder.join(&name))?;
    Ok(name)
}

/// A result that was kept for this very mission; `None` when there is none of that name, or it is gone.
///
/// # Errors
/// When it is there and cannot be read.
pub fn kept(root: &Path, mission: &MissionId, name: &str) -> io::Result<Option<String>> {
    let is_name = name.len() == 2 * NAME && name.bytes().all(|byte| byte.is_ascii_hexdigit());
    let folder = folder_of(root, mission)?;
    if !is_name || ![&root.join(FOLDER), &folder].into_iter().all(|path| is_real_folder(path)) {
        return Ok(None);
    }
    let place = folder.join(name);
    if !fs::symlink_metadata(&place).is_ok_and(|found| found.is_file()) {
        return Ok(None);
    }
    let text = fs::read_to_string(&place)?;
    // What somebody else wrote there is not what was said.
    Ok(Some(text).filter(|text| name_of(text) == name))
}

fn name_of(text: &str) -> String {
    Sha256::digest(text.as_bytes()).iter().take(NAME).map(|byte| format!("{byte:02x}")).collect()
}

/// The folder of a mission, whose id is a name that cannot lead elsewhere.
fn folder_of(root: &Path, mission: &MissionId) -> io::Result<PathBuf> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    if mission.0.is_empty() || !mission.0.bytes().all(is_plain) {
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "the mission's id is no plain name",
        ));
    }
    Ok(root.join(FOLDER).join(&mission.0))
}

/// Makes a folder that no other user reads. A link that a repository brought along is not followed.
fn make_private(folder: &Path) -> io::Result<()> {
    if let Some(above) = folder.parent() {
        disk::create_dir_all(above)?;
    }
    match disk::create_private_dir(folder) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
        _ if is_real_folder(folder) => Ok(()),
        _ => {
            let text = format!("{} is no folder; remove it", folder.display());
            Err(io::Error::new(io::ErrorKind::NotADirectory, text))
        }
    }
}

/// Whether it is a folder itself, and no link to one.
fn is_real_folder(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|found| found.is_dir())
}

/// Removes the oldest files of these folders until the rest keeps to the bound; `spared` stays.
fn drop_oldest(folders: Vec<PathBuf>, most: u64, spared: &Path) -> io::Result<()> {
    let mut files: Vec<(SystemTime, PathBuf, u64)> = Vec::new();
    for folder in folders {
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            let Ok(found) = entry.metadata() else { continue };
            if found.is_file() {
                let time = found.modified().unwrap_or(SystemTime::UNIX_EPOCH);
                files.push((time, entry.path(), found.len()));
            }
        }
    }
    files.sort();
    let mut held: u64 = files.iter().map(|(_, _, size)| size).sum();
    for (_, path, size) in files {
        if held <= most {
            break;
        }
        if path != spared {
            disk::remove_if_there(&path)?;
            held -= size;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mission(id: &str) -> MissionId {
        MissionId(id.to_owned())
    }

    #[test]
    fn a_result_comes_back_for_its_own_mission_alone() {
        let root = tempfile::tempdir().unwrap();
        let (one, two) = (mission("m1"), mission("m2"));
        let name = keep(root.path(), &one, "long\ntext\n").unwrap();
        assert_eq!(keep(root.path(), &one, "long\ntext\n").unwrap(), name, "the same every time");
        assert_eq!(kept(root.path(), &one, &name).unwrap().as_deref(), Some("long\ntext\n"));
        assert_eq!(kept(root.path(), &two, &name).unwrap(), None);
        let ignored = fs::read_to_string(root.path().join(FOLDER).join(".gitignore")).unwrap();
        assert_eq!(ignored, "*\n");
        for bad in ["", "../../../etc/passwd", "0123456789abcdeg", "0123456789abcdef0"] {
            assert_eq!(kept(root.path(), &one, bad).unwrap(), None, "{bad}");
        }
        assert!(keep(root.path(), &mission("../x"), "a").is_err());
    }

    #[test]
    fn what_somebody_else_wrote_is_no_result() {
        let root = tempfile::tempdir().unwrap();
        let name = keep(root.path(), &mission("m"), "said").unwrap();
        let place = root.path().join(FOLDER).join("m").join(&name);
        fs::write(&place, "forged").unwrap();
        assert_eq!(kept(root.path(), &mission("m"), &name).unwrap(), None);
        #[cfg(unix)]
        {
            let treasure = root.path().join("treasure");
            fs::write(&treasure, "said").unwrap();
            fs::remove_file(&place).unwrap();
            std::os::unix::fs::symlink(&treasure, &place).unwrap();
            assert_eq!(kept(root.path(), &mission("m"), &name).unwrap(), None);
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_link_in_place_of_the_folder_is_not_followed() {
        let root = tempfile::tempdir().unwrap();
        let elsewhere = tempfile::tempdir().unwrap();
        fs::create_dir(root.path().join(".opencode")).unwrap();
        std::os::unix::fs::symlink(elsewhere.path(), root.path().join(FOLDER)).unwrap();
        assert!(keep(root.path(), &mission("m"), "text").is_err());
        assert_eq!(fs::read_dir(elsewhere.path()).unwrap().count(), 0);
    }

    #[test]
    fn the_oldest_go_and_the_newest_stays() {
        let root = tempfile::tempdir().unwrap();
        let m = mission("m");
        let names: Vec<String> =
            (0..3).map(|n| keep(root.path(), &m, &format!("{n}").repeat(100)).unwrap()).collect();
        let folder = root.path().join(FOLDER).join("m");
        for (age, name) in [30, 20, 10].into_iter().zip(&names) {
            let file = fs::File::options().write(true).open(folder.join(name)).unwrap();
            file.set_modified(SystemTime::now() - std::time::Duration::from_secs(age)).unwrap();
        }
        drop_oldest(vec![folder.clone()], 150, &folder.join(&names[2])).unwrap();
        let left: Vec<bool> = names.iter().map(|name| folder.join(name).is_file()).collect();
        assert_eq!(left, [false, false, true]);
        assert!(keep(root.path(), &m, &"x".repeat(MOST_OF_MISSION as usize + 1)).is_err());
    }
}
