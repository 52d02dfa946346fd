//! The memory of the processes that this one started, where the system says it.

use std::collections::{BTreeMap, BTreeSet};

use super::super::process::memory_kb;

/// KiB that are resident, by program, of all descendants of this process; empty where there is no `/proc`.
pub fn of_children() -> BTreeMap<String, u64> {
    let all = processes();
    let mut ours = BTreeSet::from([std::process::id()]);
    // Parents may stand behind their children in the list.
    loop {
        let before = ours.len();
        ours.extend(
            all.iter()
                .filter(|(_, above, _)| ours.contains(above))
                .map(|(id, _, _)| *id)
                .collect::<Vec<_>>(),
        );
        if ours.len() == before {
            break;
        }
    }
    let mut found = BTreeMap::new();
    for (id, _, name) in
        all.iter().filter(|(id, _, _)| ours.contains(id) && *id != std::process::id())
    {
        *found.entry(name.clone()).or_default() += memory_kb(*id, "VmRSS").unwrap_or(0);
    }
    found
}

/// Every process with its parent and name.
fn processes() -> Vec<(u32, u32, String)> {
    let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let ids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let describe = |id: u32| {
        let stat = std::fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
        let (head, tail) = stat.rsplit_once(')')?;
        let name = head.split_once('(')?.1.to_owned();
        Some((id, tail.split_whitespace().nth(1)?.parse().ok()?, name))
    };
    ids.filter_map(describe).collect()
}
