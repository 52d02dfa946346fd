//! File URIs and paths.
//!
//! It must not know which files exist.

use std::path::{Path, PathBuf};

/// The `file:` URI of an absolute path.
pub fn from_path(path: &Path) -> String {
    let text = path.to_string_lossy().replace('\\', "/");
    let mut uri = String::from(if text.starts_with('/') { "file://" } else { "file:///" });
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'/' | b'-' | b'.' | b'_' | b'~' | b':' => {
                uri.push(byte as char)
            }
            _ => uri.push_str(&format!("%{byte:02X}")),
        }
    }
    uri
}

/// The path of a `file:` URI; `None` for other schemes, hosts and bad escapes.
pub fn to_path(uri: &str) -> Option<PathBuf> {
    let rest = uri.strip_prefix("file://")?;
    let mut bytes = Vec::with_capacity(rest.len());
    let mut input = rest.bytes();
    while let Some(byte) = input.next() {
        if byte == b'%' {
            let digits = [input.next()?, input.next()?];
            bytes.push(u8::from_str_radix(std::str::from_utf8(&digits).ok()?, 16).ok()?);
        } else {
            bytes.push(byte);
        }
    }
    let text = String::from_utf8(bytes).ok()?;
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
