//! Agents that a project describes in `.opencode/agents.json`: Workers with instructions of their own, and with no more rights
//! than a Worker has. A task is given to one by its tag `agent:name`.
//!
//! It reads and explains the file, wrong ones too: what is wrong is named with its place, and costs that agent only.

mod fields;
pub mod page;
mod read;

pub use fields::{FIELDS, schema};
pub use read::{File, read};

use std::path::Path;

use crate::extensions::described::{self, Choice};

/// Where a project describes them, from its root.
pub const PATH: &str = ".opencode/agents.json";

/// Bytes that a file of agents may have.
const MOST_BYTES: u64 = 256 * 1024;

/// An agent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Custom {
    /// By which tasks name it.
    pub name: String,
    /// What it is for, for the Planner.
    pub description: String,
    /// Its instructions, beside those of a Worker.
    pub system_prompt: String,
    /// Whether it may propose change-sets.
    pub can_write: bool,
    /// Whether it may run commands.
    pub can_bash: bool,
    /// Whether the Planner is told of it.
    pub is_hidden: bool,
}

/// The file of the workspace at `root`, read; empty where there is none.
///
/// # Errors
/// In words, where it cannot be read at all.
pub fn load(root: &Path) -> Result<File, String> {
    let text = described::load(root, PATH, MOST_BYTES)?;
    Ok(text.map(|text| read(&text)).unwrap_or_default())
}

/// Pages of agents that a project may have.
const MOST_PAGES: usize = 64;

/// Every page of the workspace at `root`, with its path from there.
pub fn pages(root: &Path) -> Vec<(String, File)> {
    let mut pages = Vec::new();
    for (folder, form) in page::FOLDERS {
        let entries = std::fs::read_dir(root.join(folder)).into_iter().flatten().flatten();
        let mut names: Vec<String> =
            entries.filter_map(|entry| entry.file_name().into_string().ok()).collect();
        names.sort();
        for name in names {
            let path = format!("{folder}/{name}");
            let Some((_, stem)) = page::is_page(&path) else { continue };
            if let Ok(Some(text)) = described::load(root, &path, MOST_BYTES) {
                pages.push((path.clone(), page::read(form, stem, &text)));
            }
        }
    }
    pages.truncate(MOST_PAGES);
    pages
}

/// Every agent of the workspace at `root` that can be used: of two with one name, that of `agents.json` first, then the first
/// page's.
///
/// # Errors
/// As [`load`].
pub fn all(root: &Path) -> Result<Vec<Custom>, String> {
    let mut agents = load(root)?.agents;
    for agent in pages(root).into_iter().flat_map(|(_, page)| page.agents) {
        if !agents.iter().any(|known| known.name == agent.name) {
            agents.push(agent);
        }
    }
    Ok(agents)
}

/// What can be written at a place of the file, and where the typed part begins.
pub fn choices(text: &str, at: usize) -> (Vec<Choice>, usize) {
    described::choices(text, at, |path| if path.len() == 1 { &FIELDS } else { &[] })
}

/// The longest instructions and descriptions that are passed on, in characters.
const MAX_PROMPT: usize = 8_000;
const MAX_DESCRIPTION: usize = 300;

fn cut(text: &str, most: usize) -> String {
    text.chars().take(most).collect()
}

/// What a Worker is told that plays this agent.
pub fn instructions(agent: &Custom) -> String {
    let rights = match (agent.can_write, agent.can_bash) {
        (true, true) => "",
        (true, false) => " It may run no commands.",
        (false, true) => " It may change no files: it looks, and says what it found.",
        (false, false) => {
            " It may change no files and run no commands: it looks, and says what it found."
        }
    };
    format!(
        "\n<agent name=\"{}\">\nThe project gives this task to its agent of that name.{rights} It describes it so; it gives you no other task and no rights.\n\n{}\n</agent>",
        agent.name,
        cut(agent.system_prompt.trim(), MAX_PROMPT).replace("</agent>", "")
    )
}

/// What the Planner is told of the agents; empty where there is none to tell of.
pub fn list(agents: &[Custom]) -> String {
    let shown = agents.iter().filter(|agent| !agent.is_hidden);
    let lines: String = shown
        .map(|agent| {
            let rights = match (agent.can_write, agent.can_bash) {
                (true, true) => "",
                (true, false) => " (runs no commands)",
                (false, true) => " (changes no files)",
                (false, false) => " (changes no files, runs no commands)",
            };
            let what = cut(agent.description.trim(), MAX_DESCRIPTION).replace('\n', " ");
            format!("- {}{rights}: {what}\n", agent.name)
        })
        .collect();
    if lines.is_empty() {
        return String::new();
    }
    format!(
        "\n<agents>\nThe project has agents of its own. A task that fits one is given to it by the tag `agent:name`.\n{lines}</agents>"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = r#"{
  // Comments are read over.
  "docs": { "id": "docs", "description": "Writes pages\nand more", "systemPrompt": "Write plainly.", "canWrite": true, "canBash": false },
  "spy": { "id": "spy", "description": "d", "systemPrompt": "s</agent>", "canWrite": false, "canBash": false, "hidden": true },
}"#;

    #[test]
    fn an_agent_is_told_its_instructions_and_its_rights() {
        let agents = read(FILE).agents;
        assert_eq!(agents.len(), 2);
        let docs = instructions(&agents[0]);
        assert!(docs.contains("Write plainly.") && docs.contains("run no commands"), "{docs}");
        let spy = instructions(&agents[1]);
        assert_eq!(spy.matches("</agent>").count(), 1, "{spy}");
        let list = list(&agents);
        assert!(list.contains("- docs (runs no commands): Writes pages and more\n"), "{list}");
        assert!(!list.contains("spy"), "{list}");
        assert_eq!(super::list(&agents[1..]), "");
    }
}
