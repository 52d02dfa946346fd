//! The workspace's root, and the two spellings of a file: the client's URI and our [`RelPath`].

use std::path::{Path, PathBuf};

use tower_lsp::UriExt as _;
use tower_lsp::lsp_types::Uri;

use crate::workspace::path::RelPath;

/// The folder that missions work in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Root {
    /// As the client spells it.
    given: PathBuf,
    /// Without symbolic links, which is how other programs may spell it.
    real: PathBuf,
}

impl Root {
    /// The root at `path`. Asks the file system where it really lies.
    pub fn new(path: PathBuf) -> Root {
        let real = path.canonicalize().unwrap_or_else(|_| path.clone());
        Root { given: path, real }
    }

    /// The folder, as the client spells it.
    pub fn path(&self) -> &Path {
        &self.given
    }

    /// The file of `uri`; `None` when it is no file, or lies outside.
    pub fn rel(&self, uri: &Uri) -> Option<RelPath> {
        let path = file_path(uri)?;
        let inside = |root: &Path| RelPath::under(root, &path).ok();
        inside(&self.given).or_else(|| inside(&self.real))
    }

    /// The URI of `path`.
    pub fn uri(&self, path: &RelPath) -> Option<Uri> {
        Uri::from_file_path(path.in_root(&self.given))
    }
}

/// The path of a `file:` URI.
pub fn file_path(uri: &Uri) -> Option<PathBuf> {
    let is_file = uri.scheme().is_some_and(|scheme| scheme.as_str().eq_ignore_ascii_case("file"));
    is_file.then(|| uri.to_file_path()).flatten().map(|path| path.into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_go_both_ways() {
        let folder = tempfile::tempdir().unwrap();
        let root = Root::new(folder.path().to_path_buf());
        let path = RelPath::new("src/a b/ü#?.rs").unwrap();
        let uri = root.uri(&path).unwrap();
        assert_eq!(root.rel(&uri), Some(path));
        assert_eq!(root.rel(&"untitled:Untitled-1".parse().unwrap()), None);
        assert_eq!(root.rel(&"file:///elsewhere/x".parse().unwrap()), None);
    }

    #[cfg(unix)]
    #[test]
    fn a_linked_root_is_one_root() {
        let folder = tempfile::tempdir().unwrap();
        let link = folder.path().join("link");
        std::fs::create_dir(folder.path().join("real")).unwrap();
        std::os::unix::fs::symlink(folder.path().join("real"), &link).unwrap();
        let root = Root::new(link.clone());
        let path = RelPath::new("x.rs").unwrap();
        let real =
            Uri::from_file_path(folder.path().canonicalize().unwrap().join("real/x.rs")).unwrap();
        assert_eq!(root.rel(&real), Some(path.clone()));
        assert_eq!(root.uri(&path), Uri::from_file_path(link.join("x.rs")));
    }
}
