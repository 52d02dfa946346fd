//! What a person attached to a prompt, as words of a goal: paths for what agents can read by themselves, texts for the rest.

use std::path::Path;

use super::schema::{ContentBlock, Resource};
use crate::wire::percent::decoded_leniently;
use crate::workspace::RelPath;

/// The longest text that is taken along, in characters, and the most of all together. A goal has room for more.
const MAX_TEXT: usize = 8_000;
const MAX_TEXTS: usize = 40_000;

/// The prompt as one text: where something is attached its name stands in the sentence, and its text below, where that is
/// not what the file says.
pub fn words(prompt: &[ContentBlock], root: &Path) -> String {
    let (mut words, mut below, mut room) = (String::new(), String::new(), MAX_TEXTS);
    for block in prompt {
        match block {
            ContentBlock::Text { text } => words.push_str(text),
            ContentBlock::ResourceLink { uri } => words.push_str(&format!("`{}`", name(uri, root))),
            ContentBlock::Resource { resource } => {
                let name = name(&resource.uri, root);
                words.push_str(&format!("`{name}`"));
                if let Some(text) = attached(resource, root) {
                    let most = room.min(MAX_TEXT);
                    let taken = cut(text, most);
                    room -= text.chars().count().min(most);
                    below.push_str(&format!("\n\nAttached, `{name}`:\n\n{}", fenced(&taken)));
                }
            }
            ContentBlock::Other => {}
        }
    }
    format!("{}{below}", words.trim())
}

/// The text of a resource, unless the workspace's file says the same.
fn attached<'a>(resource: &'a Resource, root: &Path) -> Option<&'a str> {
    let text = resource.text.as_deref()?;
    let path = file_path(&resource.uri).map(|path| root.join(path));
    let is_inside = |path: &Path| RelPath::under(root, path).is_ok();
    let on_disk =
        path.filter(|path| is_inside(path)).and_then(|path| std::fs::read_to_string(path).ok());
    (on_disk.as_deref() != Some(text)).then_some(text)
}

fn cut(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        Some((at, _)) => format!("{}\n[the rest is not shown]", &text[..at]),
        None => text.to_owned(),
    }
}

/// A code block whose fence the text does not hold.
fn fenced(text: &str) -> String {
    let mut fence = "```".to_owned();
    while text.contains(&fence) {
        fence.push('`');
    }
    format!("{fence}\n{}\n{fence}", text.trim_end_matches('\n'))
}

/// What a URI is called: a path inside the workspace, another file's whole path, else the URI; with the lines that it
/// names.
fn name(uri: &str, root: &Path) -> String {
    let Some(path) = file_path(uri) else { return uri.replace('`', "'") };
    let lines = uri.split_once('#').map_or(String::new(), |(_, lines)| format!("#{lines}"));
    let path = match RelPath::under(root, Path::new(&path)) {
        Ok(inside) => inside.to_string(),
        Err(_) => path,
    };
    format!("{path}{lines}").replace('`', "'")
}

/// The path of a `file:` URI.
fn file_path(uri: &str) -> Option<String> {
    let path = uri.strip_prefix("file://")?.split(['?', '#']).next()?;
    let path = decoded_leniently(path)?;
    // `file:///C:/x` on Windows.
    let drive = path.strip_prefix('/').filter(|rest| rest.as_bytes().get(1) == Some(&b':'));
    Some(drive.map_or(path.clone(), str::to_owned))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> ContentBlock {
        ContentBlock::Text { text: text.to_owned() }
    }

    fn resource(uri: String, text: &str) -> ContentBlock {
        ContentBlock::Resource { resource: Resource { uri, text: Some(text.to_owned()) } }
    }

    #[cfg(unix)]
    #[test]
    fn what_can_be_read_is_named_and_what_cannot_is_quoted() {
        let root = tempfile::tempdir().unwrap();
        std::fs::write(root.path().join("a b.rs"), "saved").unwrap();
        let uri = |name: &str| format!("file://{}/{name}", root.path().display());
        let link = ContentBlock::ResourceLink { uri: uri("a%20b.rs#L1:3") };
        let prompt = [text("mend "), link, text(" please")];
        assert_eq!(words(&prompt, root.path()), "mend `a b.rs#L1:3` please");
        let same = [text("mend "), resource(uri("a%20b.rs"), "saved")];
        assert_eq!(words(&same, root.path()), "mend `a b.rs`");
        let unsaved = [text("mend "), resource(uri("a%20b.rs"), "typed ``` here")];
        let quoted = "mend `a b.rs`\n\nAttached, `a b.rs`:\n\n````\ntyped ``` here\n````";
        assert_eq!(words(&unsaved, root.path()), quoted);
        let link = ContentBlock::ResourceLink { uri: "https://example.org/x".into() };
        assert_eq!(words(&[link, ContentBlock::Other], root.path()), "`https://example.org/x`");
    }

    #[test]
    fn texts_are_bounded_one_by_one_and_together() {
        let large = "x".repeat(2 * MAX_TEXT);
        let prompt: Vec<_> =
            (0..20).map(|n| resource(format!("zed:///thread/{n}"), &large)).collect();
        let words = words(&prompt, Path::new("/nowhere"));
        let kept = words.chars().filter(|c| *c == 'x').count();
        assert_eq!(kept, MAX_TEXTS);
        assert!(words.chars().count() < crate::runtime::MAX_GOAL);
        assert!(words.contains("[the rest is not shown]"));
    }

    #[test]
    fn odd_uris_are_no_paths() {
        assert_eq!(file_path("file:///C:/x%41").as_deref(), Some("C:/xA"));
        assert_eq!(file_path("file:///100%/a").as_deref(), Some("/100%/a"));
        assert_eq!(file_path("file:///%ff"), None);
        assert_eq!(file_path("untitled:1"), None);
    }
}
