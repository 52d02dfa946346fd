//! The house: imports run downwards, the core stays pure, every module says what it is for.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::support::tools::checkout;

/// The floors, as `src/lib.rs` tells them.
const FLOORS: &[(&str, u32)] = &[
    ("cli", 5),
    ("server", 5),
    ("acp", 5),
    ("mcp", 5),
    ("runtime", 4),
    ("agents", 3),
    ("tools", 3),
    ("gate", 2),
    ("model", 2),
    ("memory", 2),
    ("extensions", 2),
    ("workspace", 1),
    ("journal", 1),
    ("wire", 1),
    ("telemetry", 1),
    ("mission", 0),
    ("disk", 0),
];

/// Rooms of one floor that know each other, in this direction only: agents offer tools; `orchestrator lsp`, `acp` and `mcp`
/// serve;
/// the agent's face speaks to its client through the server's queue, which knows no protocol.
const SIDEWAYS: &[(&str, &str)] = &[
    ("agents", "tools"),
    ("cli", "server"),
    ("cli", "acp"),
    ("cli", "mcp"),
    ("acp", "server"),
    ("mcp", "server"),
];

fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(sources(&path));
        } else if path.extension().is_some_and(|e| e == "rs") {
            files.push(path);
        }
    }
    files
}

fn source_files() -> BTreeMap<String, String> {
    let src = checkout().join("src");
    let named = sources(&src).into_iter().map(|path| {
        let name = path.strip_prefix(&src).unwrap().to_str().unwrap().replace('\\', "/");
        (name, std::fs::read_to_string(path).unwrap())
    });
    named.collect()
}

/// The code without comments.
fn code(text: &str) -> String {
    text.lines()
        .map(|line| line.split("//").next().unwrap_or_default())
        .collect::<Vec<_>>()
        .join("\n")
}

/// The rooms that a text names by `crate::room`.
fn imports(text: &str) -> Vec<String> {
    let code = code(text);
    let after = code.split("crate::").skip(1);
    let names = after.flat_map(|rest| match rest.strip_prefix('{') {
        Some(list) => {
            list.split(['}', ';']).next().unwrap_or_default().split(',').map(first_word).collect()
        }
        None => vec![first_word(rest)],
    });
    names.filter(|name| FLOORS.iter().any(|(room, _)| room == name)).collect()
}

fn first_word(text: &str) -> String {
    text.trim().chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()
}

fn floor(room: &str) -> Option<u32> {
    FLOORS.iter().find(|(name, _)| *name == room).map(|(_, floor)| *floor)
}

#[test]
fn imports_run_downwards() {
    let mut wrong = Vec::new();
    for (name, text) in source_files() {
        let room = name.split('/').next().unwrap().trim_end_matches(".rs").to_owned();
        let Some(own) = floor(&room) else {
            assert!(["lib", "main"].contains(&room.as_str()), "{name} lies on no floor");
            continue;
        };
        for other in imports(&text).iter().filter(|other| **other != room) {
            let sideways = SIDEWAYS.contains(&(room.as_str(), other.as_str()));
            if floor(other) >= Some(own) && !sideways {
                wrong.push(format!("{name} imports {other}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// The gate is offered to others as it is.
#[test]
fn the_gate_knows_nothing_of_missions() {
    for (name, text) in source_files().iter().filter(|(name, _)| name.starts_with("gate/")) {
        for room in imports(text) {
            let known = ["gate", "workspace", "wire", "telemetry", "disk"].contains(&room.as_str());
            assert!(known, "{name} imports {room}");
        }
    }
}

#[test]
fn the_core_is_pure() {
    let forbidden = [
        "std::fs",
        "std::io",
        "std::net",
        "std::time",
        "std::env",
        "std::process",
        "std::thread",
        "std::sync::{",
        "std::sync::atomic",
        "std::sync::mpsc",
        "Mutex",
        "RwLock",
        "Condvar",
        "OnceLock",
        "LazyLock",
        "tokio",
        "async ",
        ".await",
        "rand::",
        "reqwest",
        "rusqlite",
        "SystemTime",
        "Instant",
        "HashMap",
        "HashSet",
        "println!",
        "eprintln!",
        "tracing::",
        "unsafe ",
    ];
    // The last one makes up cases for tests; nothing that is shipped knows it.
    let allowed = ["super", "crate", "std", "serde", "serde_json", "schemars", "proptest"];
    for (name, text) in source_files().iter().filter(|(name, _)| name.starts_with("mission/")) {
        let code = code(text);
        for word in forbidden {
            assert!(!code.contains(word), "{name} uses {word}");
        }
        for line in code.lines().filter(|line| line.trim_start().starts_with("use ")) {
            let first = first_word(line.trim_start().trim_start_matches("use "));
            let is_ours = first == "self"
                || first.starts_with(char::is_uppercase)
                || code.contains(&format!("mod {first};"));
            assert!(is_ours || allowed.contains(&first.as_str()), "{name}: {line}");
        }
        assert!(imports(text).iter().all(|room| room == "mission"), "{name}");
    }
}

/// Where a crash matters every change of the disk passes a point, or the sweep would not see it.
#[test]
fn a_disk_is_changed_in_one_place() {
    let changes = [
        "fs::write(",
        "fs::rename(",
        "fs::remove_",
        "fs::create_dir",
        "fs::copy(",
        "File::create",
        "File::options()",
        "OpenOptions",
        "tempfile::",
        ".persist(",
        ".set_len(",
    ];
    let watched = |name: &str| {
        let room = ["workspace/", "journal/", "runtime/", "tools/", "gate/shadow.rs"];
        let exempt = name.ends_with("tests.rs") || EXEMPT.contains(&name);
        room.iter().any(|room| name.starts_with(room)) && !exempt
    };
    let mut wrong = Vec::new();
    for (name, text) in source_files().iter().filter(|(name, _)| watched(name)) {
        let code = code(text.split("#[cfg(test)]").next().unwrap());
        for line in code.lines().filter(|line| !line.contains("disk::")) {
            if changes.iter().any(|change| line.contains(change)) {
                wrong.push(format!("{name}: {}", line.trim()));
            }
        }
    }
    assert!(wrong.is_empty(), "these belong into `disk`: {wrong:#?}");
}

/// `verify --rerun` works in a temporary folder that it throws away.
const EXEMPT: &[&str] = &["runtime/rerun.rs"];

#[test]
fn every_module_says_what_it_is_for() {
    for (name, text) in source_files() {
        assert!(text.starts_with("//! "), "{name} has no module documentation");
        assert!(text.lines().count() <= 600, "{name} is longer than 600 lines");
    }
}

#[test]
fn the_code_is_formatted() {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = std::process::Command::new(cargo)
        .args(["fmt", "--all", "--check"])
        .current_dir(checkout())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}

#[test]
fn the_top_level_is_as_drawn() {
    let expected = [
        "CHANGELOG.md",
        "CONTRIBUTING.md",
        "Cargo.lock",
        "Cargo.toml",
        "LICENSE",
        "README.md",
        "clippy.toml",
        "docs",
        "editors",
        "grammars",
        "rustfmt.toml",
        "src",
        "tests",
    ];
    let mut found: Vec<String> = std::fs::read_dir(checkout())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| !name.starts_with('.') && name != "target")
        .collect();
    found.sort();
    assert_eq!(found, expected);
    let mut editors: Vec<String> = std::fs::read_dir(checkout().join("editors"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    editors.sort();
    assert_eq!(editors, ["neovim", "vscode"]);
}
