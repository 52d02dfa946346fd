//! How much memory the processes of a group hold, as the system tells it.
//!
//! It must not know whose processes they are.

use std::collections::BTreeMap;

/// The resident memory, in bytes, of each of these process groups; those that the system does not tell are left out.
/// It reads files or waits for a child: not for an async thread.
pub fn of_groups(groups: &[u32]) -> BTreeMap<u32, u64> {
    let mut sums = BTreeMap::new();
    if groups.is_empty() {
        return sums;
    }
    for (group, bytes) in processes(groups) {
        if groups.contains(&group) {
            *sums.entry(group).or_default() += bytes;
        }
    }
    sums
}

/// The machine's memory in bytes, where it is known.
pub fn of_machine() -> Option<u64> {
    kilobytes(&std::fs::read_to_string("/proc/meminfo").ok()?, "MemTotal:")
}

fn kilobytes(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_whitespace().next()?.parse::<u64>().ok().map(|kilobytes| kilobytes * 1024)
}

#[cfg(target_os = "linux")]
fn processes(groups: &[u32]) -> Vec<(u32, u64)> {
    let Ok(entries) = std::fs::read_dir("/proc") else {
        return Vec::new();
    };
    let one = |folder: std::path::PathBuf| {
        let stat = std::fs::read_to_string(folder.join("stat")).ok()?;
        // The name stands in parentheses and may hold anything; behind it: state, parent, group.
        let group = stat.rsplit_once(')')?.1.split_whitespace().nth(2)?.parse().ok()?;
        if !groups.contains(&group) {
            return None;
        }
        let status = std::fs::read_to_string(folder.join("status")).ok()?;
        Some((group, kilobytes(&status, "VmRSS:")?))
    };
    let is_process = |name: &std::ffi::OsStr| name.as_encoded_bytes()[0].is_ascii_digit();
    let folders = entries.flatten().filter(|entry| is_process(&entry.file_name()));
    folders.filter_map(|entry| one(entry.path())).collect()
}

#[cfg(all(unix, not(target_os = "linux")))]
fn processes(_groups: &[u32]) -> Vec<(u32, u64)> {
    let told = std::process::Command::new("ps").args(["-A", "-o", "pgid=,rss="]).output();
    let Ok(told) = told else {
        return Vec::new();
    };
    let text = String::from_utf8_lossy(&told.stdout).into_owned();
    let one = |line: &str| {
        let (group, kilobytes) = line.trim().split_once(char::is_whitespace)?;
        Some((group.parse().ok()?, kilobytes.trim().parse::<u64>().ok()? * 1024))
    };
    text.lines().filter_map(one).collect()
}

#[cfg(not(unix))]
fn processes(_groups: &[u32]) -> Vec<(u32, u64)> {
    Vec::new()
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn a_group_is_summed() {
        use std::os::unix::process::CommandExt;
        let mut child =
            std::process::Command::new("sleep").arg("600").process_group(0).spawn().expect("sleep");
        let id = child.id();
        let sums = of_groups(&[id, u32::MAX]);
        child.kill().expect("it runs");
        child.wait().expect("it ended");
        assert!(sums[&id] > 0);
        assert_eq!(sums.len(), 1);
        assert!(of_machine() > Some(1 << 20));
    }
}
