//! Skills of a project: folders with a `SKILL.md` that says in a line what it is for (<https://agentskills.io/specification>). Agents are told
//! the lines; the text, and what else lies in the folder, they read when a task calls for it. A skill is words: it gives no rights.

use std::path::Path;

use super::described::front::{Fields, choices as fields_at, front, parse};
use super::described::{Choice, Entry, Problem, Reading};
use crate::workspace::RelPath;

/// The folders of skills, from the project's root.
pub const FOLDERS: [&str; 3] = [".opencode/skills", ".opencode/skill", ".claude/skills"];
/// The page of a skill.
const PAGE: &str = "SKILL.md";
/// The fields that have an effect, and what each is for.
const FIELDS: [(&str, &str); 2] = [
    ("name", "By which it is asked for; the folder's name where nothing is said."),
    ("description", "What it is for, and when: agents know it by that."),
];
/// Skills of a project, bytes of a page, and characters of what it is for.
const MOST: usize = 64;
const MOST_BYTES: u64 = 256 * 1024;
const MAX_DESCRIPTION: usize = 300;

/// A skill.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Skill {
    /// By which it is asked for.
    pub name: String,
    /// What it is for.
    pub description: String,
    /// Its folder, from the project's root.
    pub folder: String,
    /// Its text, without the front matter.
    pub text: String,
}

/// The folder of the skill whose page lies at that path; `None` where it is no such page.
fn folder_of(path: &str) -> Option<&str> {
    let folder = path.strip_suffix(PAGE)?.strip_suffix('/')?;
    let (parent, name) = folder.rsplit_once('/')?;
    (FOLDERS.contains(&parent) && !name.is_empty()).then_some(folder)
}

/// Whether a file of that path is the page of a skill.
pub fn is_page(path: &str) -> bool {
    folder_of(path).is_some()
}

/// What can be written at a place of a page.
pub fn choices(text: &str, at: usize) -> (Vec<Choice>, usize) {
    fields_at(text, at, &FIELDS)
}

/// Reads the page at that path.
pub fn read(path: &str, text: &str) -> (Option<Skill>, Reading) {
    let mut reading = Reading::default();
    let Some(folder) = folder_of(path) else {
        return (None, reading);
    };
    let Some((matter, body)) = front(text) else {
        let range = 0..text.find('\n').unwrap_or(text.len());
        let message = "a skill begins with front matter: its `name` and `description` between two lines of `---`";
        reading.problems.push(Problem { range, is_error: true, message: message.to_owned() });
        return (None, reading);
    };
    let documents = match parse(text, &matter) {
        Ok(documents) => documents,
        Err(problem) => {
            reading.problems.push(problem);
            return (None, reading);
        }
    };
    let fields = Fields::of(documents.first());
    let stem = folder.rsplit('/').next().unwrap_or(folder);
    let name = fields.text("name").unwrap_or_else(|| stem.to_owned());
    let Some(description) = fields.text("description") else {
        let message = "the skill lacks a `description`: agents know it by that".to_owned();
        reading.problems.push(Problem { range: 0..3, is_error: true, message });
        return (None, reading);
    };
    reading.entries.push(Entry {
        name: name.clone(),
        description: description.clone(),
        head: fields.head(text, matter.start, "name"),
        whole: 0..text.len(),
    });
    let text = text.get(body..).unwrap_or_default().trim().to_owned();
    (Some(Skill { name, description, folder: folder.to_owned(), text }), reading)
}

/// The skills of the workspace at `root`; of two of one name the first. What is wrong with a page costs that skill only.
pub fn all(root: &Path) -> Vec<Skill> {
    let mut skills: Vec<Skill> = Vec::new();
    for skill in pages(root).into_iter().filter_map(|(_, skill, _)| skill) {
        if !skills.iter().any(|known| known.name == skill.name) {
            skills.push(skill);
        }
    }
    skills
}

/// Every page of the workspace at `root`: its path, its skill where it is one, and what is wrong with it.
pub fn pages(root: &Path) -> Vec<(String, Option<Skill>, Reading)> {
    let page = |path: String| {
        let (skill, reading) = read(&path, &text_of(root, &path).unwrap_or_default());
        (path, skill, reading)
    };
    paths(root).into_iter().map(page).collect()
}

/// The pages of the workspace, in the order of their names.
pub fn paths(root: &Path) -> Vec<String> {
    let mut paths = Vec::new();
    for folder in FOLDERS {
        let entries = std::fs::read_dir(root.join(folder)).into_iter().flatten().flatten();
        let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
        let mut pages: Vec<String> = names.map(|name| format!("{folder}/{name}/{PAGE}")).collect();
        pages.retain(|page| root.join(page).is_file());
        pages.sort();
        paths.extend(pages);
    }
    paths.truncate(MOST);
    paths
}

/// The text of a file below the root that is plain, small, and no way out of the workspace.
fn text_of(root: &Path, path: &str) -> Option<String> {
    let (root, at) = (root.canonicalize().ok()?, root.join(path).canonicalize().ok()?);
    let found = std::fs::metadata(&at).ok()?;
    let fits = at.starts_with(root) && found.is_file() && found.len() <= MOST_BYTES;
    fits.then(|| std::fs::read_to_string(&at).ok()).flatten()
}

/// What agents are told of the skills; empty where there is none.
pub fn list(skills: &[Skill]) -> String {
    if skills.is_empty() {
        return String::new();
    }
    let line = |skill: &Skill| {
        let what: String = skill.description.trim().chars().take(MAX_DESCRIPTION).collect();
        format!("- {}: {}\n", skill.name, what.replace('\n', " ").replace("</skills>", ""))
    };
    let lines: String = skills.iter().map(line).collect();
    format!(
        "\n<skills>\nThe project has written down how some things are done. Where one fits the task, read it with `skill` first.\n{lines}</skills>"
    )
}

/// What an agent is told that asks for a skill, or for a file of its folder.
///
/// # Errors
/// What there is instead, in words for the agent.
pub fn ask(root: &Path, name: &str, file: Option<&str>) -> Result<String, String> {
    let skills = all(root);
    let Some(skill) = skills.iter().find(|skill| skill.name == name) else {
        let names: Vec<&str> = skills.iter().map(|skill| skill.name.as_str()).collect();
        let names = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
        return Err(format!("there is no skill `{name}`; there are {names}"));
    };
    let head = format!("[the project's skill `{name}`; it gives no rights]\n");
    if let Some(file) = file.filter(|file| *file != PAGE) {
        let inside = RelPath::new(file).map_err(|error| error.to_string())?;
        let path = format!("{}/{inside}", skill.folder);
        let missing = || {
            format!("the skill `{name}` has no text file `{file}`; it has {}", files(root, skill))
        };
        return text_of(root, &path).map(|text| head + &text).ok_or_else(missing);
    }
    let others = files(root, skill);
    let more = if others.is_empty() {
        String::new()
    } else {
        format!("\n\n[beside it: {others}; ask with `file`]")
    };
    Ok(format!("{head}{}{more}", skill.text))
}

/// The other files of a skill's folder, two levels deep.
fn files(root: &Path, skill: &Skill) -> String {
    let mut found = Vec::new();
    let mut look = |below: &str, deep: bool| -> Vec<String> {
        let folder = root.join(&skill.folder).join(below);
        let mut inner = Vec::new();
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten().take(100) {
            let Ok(name) = entry.file_name().into_string() else { continue };
            let path = if below.is_empty() { name } else { format!("{below}/{name}") };
            match entry.file_type() {
                Ok(kind) if kind.is_dir() && deep => inner.push(path),
                Ok(kind) if kind.is_file() && path != PAGE => found.push(path),
                _ => {}
            }
        }
        inner
    };
    for folder in look("", true) {
        look(&folder, false);
    }
    found.sort();
    found.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_skill_is_told_in_a_line_and_read_when_it_is_asked_for() {
        let root = tempfile::tempdir().unwrap();
        let put = |path: &str, text: &str| {
            let path = root.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        put(
            ".claude/skills/release/SKILL.md",
            "---\nname: release\ndescription: How a release\n  is made\n---\n# Steps\nTag it.\n",
        );
        put(".claude/skills/release/scripts/tag.sh", "git tag\n");
        put(".opencode/skills/broken/SKILL.md", "no front matter");
        put(".opencode/skills/other/notes.md", "no skill");
        let skills = all(root.path());
        assert_eq!(skills.len(), 1);
        let list = list(&skills);
        assert!(list.contains("- release: How a release is made\n"), "{list}");
        assert!(!list.contains("Tag it"));
        let text = ask(root.path(), "release", None).unwrap();
        assert!(text.contains("# Steps\nTag it.") && text.contains("scripts/tag.sh"), "{text}");
        let script = ask(root.path(), "release", Some("scripts/tag.sh")).unwrap();
        assert!(script.ends_with("git tag\n"), "{script}");
        for (name, file) in
            [("nothing", None), ("release", Some("../../x")), ("release", Some("gone"))]
        {
            ask(root.path(), name, file).unwrap_err();
        }
        assert_eq!(super::list(&[]), "");
        let problems = |text: &str| read(".claude/skills/a/SKILL.md", text).1.problems;
        assert!(problems("x")[0].message.contains("front matter"));
        assert!(problems("---\nname: a\n---\n")[0].message.contains("lacks a `description`"));
        assert!(!is_page(".claude/skills/SKILL.md") && !is_page("SKILL.md"));
    }

    #[cfg(unix)]
    #[test]
    fn no_link_leads_out_of_the_workspace() {
        let (root, outside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let folder = root.path().join(".claude/skills/a");
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("SKILL.md"), "---\ndescription: d\n---\nt").unwrap();
        std::fs::write(outside.path().join("key"), "secret").unwrap();
        std::os::unix::fs::symlink(outside.path().join("key"), folder.join("key")).unwrap();
        ask(root.path(), "a", Some("key")).unwrap_err();
        assert!(ask(root.path(), "a", None).is_ok());
    }
}
