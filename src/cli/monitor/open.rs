//! Opens a file in the person's own editor, at a line where the editor can be told one.

use std::ffi::OsString;
use std::path::Path;
use std::process::Command;

use super::screen::Place;

/// The person's editor, as `$VISUAL`, else `$EDITOR` says it; `None` where neither does.
pub(super) fn editor() -> Option<String> {
    let said = ["VISUAL", "EDITOR"].into_iter().filter_map(|name| std::env::var(name).ok());
    said.map(|editor| editor.trim().to_owned()).find(|editor| !editor.is_empty())
}

/// The command that opens a place in the workspace at `root`; `None` where the editor has no name. The editor's words are
/// divided at blanks, and no shell sees the file's name.
pub(super) fn command(editor: &str, root: &Path, place: &Place) -> Option<Command> {
    let mut words = editor.split_whitespace();
    let program = words.next()?;
    let mut command = Command::new(program);
    let file = root.join(&place.file);
    command.args(words).args(arguments(program, &file, place.line)).current_dir(root);
    Some(command)
}

/// How editors are told a line: most of them as `+line`, some behind the file's name.
fn arguments(program: &str, file: &Path, line: Option<u32>) -> Vec<OsString> {
    let Some(line) = line else {
        return vec![file.into()];
    };
    let mut behind = file.as_os_str().to_owned();
    behind.push(format!(":{line}"));
    let name = Path::new(program).file_stem().unwrap_or_default();
    match name.to_string_lossy().as_ref() {
        "code" | "codium" | "code-insiders" | "cursor" => vec!["--goto".into(), behind],
        "hx" | "helix" | "zed" | "subl" => vec![behind],
        "vi" | "vim" | "nvim" | "nano" | "emacs" | "emacsclient" | "micro" | "kak" => {
            vec![format!("+{line}").into(), file.into()]
        }
        // What is not known is told the file alone: another argument may be taken for a file.
        _ => vec![file.into()],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(editor: &str, line: Option<u32>) -> Vec<String> {
        let place = Place { file: "a b; rm.rs".into(), line };
        let command = command(editor, Path::new("/w"), &place).unwrap();
        let all = std::iter::once(command.get_program()).chain(command.get_args());
        all.map(|word| word.to_string_lossy().replace('\\', "/")).collect()
    }

    #[test]
    fn editors_are_told_the_line_in_their_own_way() {
        assert_eq!(said("/usr/bin/vim -R", Some(7)), ["/usr/bin/vim", "-R", "+7", "/w/a b; rm.rs"]);
        assert_eq!(said("code --wait", Some(7)), ["code", "--wait", "--goto", "/w/a b; rm.rs:7"]);
        assert_eq!(said("hx", None), ["hx", "/w/a b; rm.rs"]);
        assert_eq!(said("my-editor", Some(7)), ["my-editor", "/w/a b; rm.rs"]);
        assert!(command("  ", Path::new("/w"), &Place { file: "a".into(), line: None }).is_none());
    }
}
