//! File URIs and paths.
//!
//! It must not know which files exist.

use std::path::{Path, PathBuf};

use crate::wire::percent::{decoded, encoded};

/// The `file:` URI of an absolute path.
pub fn from_path(path: &Path) -> String {
    let text = path.to_string_lossy().replace('\\', "/");
    let head = if text.starts_with('/') { "file://" } else { "file:///" };
    format!("{head}{}", encoded(&text, b"/:"))
}

/// The path of a `file:` URI; `None` for other schemes, hosts and bad escapes.
pub fn to_path(uri: &str) -> Option<PathBuf> {
    let rest = uri.strip_prefix("file://")?;
    let text = decoded(rest)?;
    if !text.starts_with('/') {
        return None;
    }
    // `/c:/x` is a path of Windows; drive letters are spelt large there, whatever a server does with them.
    if cfg!(windows) && text.as_bytes().get(2) == Some(&b':') {
        return Some(PathBuf::from(format!("{}{}", text[1..2].to_uppercase(), &text[2..])));
    }
    Some(PathBuf::from(text))
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn paths_come_back() {
        for path in ["/a/b.rs", "/with space/ü%#?.ts", "/a:b"] {
            assert_eq!(to_path(&from_path(Path::new(path))).unwrap(), Path::new(path));
        }
        assert_eq!(from_path(Path::new("/a b")), "file:///a%20b");
        for bad in ["untitled:1", "file://host/x", "file:///%zz", "file:///%f"] {
            assert_eq!(to_path(bad), None, "{bad}");
        }
    }
}
