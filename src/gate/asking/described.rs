//! What the descriptions of TypeScript's projects say: the texts of all of them, and of those that they extend. It knows
//! nothing of what a setting means.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use crate::workspace::path::RelPath;

/// Every `…config….json` among `paths` below `root`, with what each `extends`, installed packages included; `None` where one
/// of those cannot be found, so that nobody knows what it says.
pub(in crate::gate) fn texts<'a>(
    root: &Path,
    paths: impl Iterator<Item = &'a RelPath>,
) -> Option<Vec<String>> {
    let is_description = |path: &&RelPath| {
        let name = path.as_str().rsplit('/').next().unwrap_or_default();
        path.extension() == Some("json") && name.contains("config")
    };
    let root = root.canonicalize().ok()?;
    let mut left: Vec<PathBuf> =
        paths.filter(is_description).map(|path| path.in_root(&root)).collect();
    let mut seen: BTreeSet<PathBuf> = left.iter().cloned().collect();
    let mut texts = Vec::new();
    while let Some(file) = left.pop() {
        let text = fs::read_to_string(&file).ok()?;
        for named in extended(&text) {
            let more = find(&file, named)?;
            if seen.insert(more.clone()) {
                left.push(more);
            }
        }
        texts.push(text);
    }
    Some(texts)
}

/// What a description names behind `"extends"`: one string, or a list of them.
fn extended(text: &str) -> Vec<&str> {
    let Some((_, rest)) = text.split_once("\"extends\"") else {
        return Vec::new();
    };
    let rest = rest.trim_start().trim_start_matches(':').trim_start();
    match rest.strip_prefix('[').and_then(|list| list.split_once(']')) {
        Some((list, _)) => list.split('"').skip(1).step_by(2).collect(),
        None => rest.split('"').skip(1).take(1).collect(),
    }
}

/// The file that `named` means in the description `from`.
fn find(from: &Path, named: &str) -> Option<PathBuf> {
    let spellings = |place: PathBuf| {
        let mut longer = place.clone().into_os_string();
        longer.push(".json");
        [place.clone(), longer.into(), place.join("tsconfig.json")]
    };
    let folders = from.ancestors().skip(1);
    let places: Vec<PathBuf> = if named.starts_with('.') || Path::new(named).is_absolute() {
        folders.take(1).map(|folder| folder.join(named)).collect()
    } else {
        folders.map(|folder| folder.join("node_modules").join(named)).collect()
    };
    let found = places.into_iter().flat_map(spellings).find(|file| file.is_file())?;
    // One file has one name, or two that extend each other would go on for ever.
    found.canonicalize().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_extended_is_read_too() -> Result<(), Box<dyn std::error::Error>> {
        let folder = tempfile::tempdir()?;
        let put = |name: &str, text: &str| -> std::io::Result<()> {
            let place = folder.path().join(name);
            fs::create_dir_all(place.parent().unwrap_or(folder.path()))?;
            fs::write(place, text)
        };
        put("tsconfig.json", "{ // one\n \"extends\": [\"./shared/base\", \"kit/strict\"] }")?;
        put("shared/base.json", "{ \"extends\": \"../tsconfig.json\" }")?;
        put("node_modules/kit/strict/tsconfig.json", "{ \"allowJs\": true }")?;
        let paths = [RelPath::new("tsconfig.json")?, RelPath::new("src/data.json")?];
        let read = texts(folder.path(), paths.iter()).ok_or("all are there")?;
        assert_eq!(read.len(), 3);
        assert!(read.iter().any(|text| text.contains("allowJs")));
        put("tsconfig.json", "{ \"extends\": \"gone\" }")?;
        assert_eq!(texts(folder.path(), paths.iter()), None);
        Ok(())
    }
}
