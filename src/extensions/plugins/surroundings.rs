//! What a plugin can reach beyond its arguments: its log, the files and the hosts that its manifest names. It writes nothing.

use std::path::{Component, Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use globset::GlobSet;
use serde::{Deserialize, Serialize};
use tokio::runtime::Handle;

use super::manifest::Manifest;
use crate::workspace::RelPath;

/// The largest file that is read, in bytes.
const MAX_FILE: u64 = 1024 * 1024;
/// The most entries of a folder that are listed.
const MAX_ENTRIES: usize = 1_000;
/// How many redirects are followed.
const REDIRECTS: usize = 5;
/// Folders that no plugin reads, whatever its manifest says.
const HIDDEN: [&str; 2] = [".git", ".opencode"];

/// A request of a plugin's.
#[derive(Debug, Clone, Deserialize)]
pub struct Asked {
    /// Where.
    pub url: String,
    /// The method, in upper case.
    pub method: String,
    /// Names and values.
    pub headers: Vec<(String, String)>,
    /// The body, where there is one.
    pub body: Option<String>,
}

/// What came back.
#[derive(Debug, Clone, Serialize)]
pub struct Answer {
    /// Who answered.
    pub url: String,
    /// The status.
    pub status: u16,
    /// Names, in lower case, and values.
    pub headers: Vec<(String, String)>,
    /// The body, as text.
    pub body: String,
}

/// The way to the network: it bounds what it reads, follows no redirects, and decides which addresses may be asked at all.
pub trait Net: Send + Sync {
    /// Asks.
    fn ask(&self, asked: Asked) -> BoxFuture<'_, Result<Answer, String>>;
}

/// What one plugin can reach.
pub struct Surroundings {
    name: String,
    root: PathBuf,
    manifest: Manifest,
    files: GlobSet,
    net: Option<Arc<dyn Net>>,
    tokio: Handle,
}

impl Surroundings {
    /// Of the plugin of that name, in the workspace at `root`. Must be called within a tokio runtime.
    pub fn new(
        name: &str,
        root: &Path,
        manifest: &Manifest,
        net: Option<Arc<dyn Net>>,
    ) -> Surroundings {
        Surroundings {
            name: name.to_owned(),
            root: root.to_path_buf(),
            files: manifest.files(),
            manifest: manifest.clone(),
            net,
            tokio: Handle::current(),
        }
    }

    pub(super) fn log(&self, level: &str, text: &str) {
        let plugin = &self.name;
        match level {
            "error" => tracing::error!(plugin, "{text}"),
            "warn" => tracing::warn!(plugin, "{text}"),
            "debug" => tracing::debug!(plugin, "{text}"),
            _ => tracing::info!(plugin, "{text}"),
        }
    }

    /// Where a path of the workspace leads, links followed, if it stays inside.
    fn place(&self, path: &str) -> Result<(PathBuf, String), String> {
        let at = if path.is_empty() {
            self.root.clone()
        } else {
            RelPath::new(path).map_err(|error| error.to_string())?.in_root(&self.root)
        };
        let missing = |error: std::io::Error| format!("failed to read {path}: {error}");
        let (root, at) =
            (self.root.canonicalize().map_err(missing)?, at.canonicalize().map_err(missing)?);
        let inside =
            at.strip_prefix(&root).map_err(|_| format!("{path} leads out of the workspace"))?;
        let hides = |part: Component<'_>| {
            HIDDEN.iter().any(|name| part.as_os_str().eq_ignore_ascii_case(name))
        };
        if inside.components().any(hides) {
            return Err(format!("{path} is not for plugins"));
        }
        let named = inside.components().map(|part| part.as_os_str().to_string_lossy());
        let named = named.collect::<Vec<_>>().join("/");
        Ok((at, named))
    }

    pub(super) fn read(&self, path: &str) -> Result<String, String> {
        let (at, named) = self.place(path)?;
        if !self.files.is_match(&named) {
            return Err(self.refused(&format!("read {named}"), "read"));
        }
        let failed = |error: std::io::Error| format!("failed to read {path}: {error}");
        let found = std::fs::metadata(&at).map_err(failed)?;
        if !found.is_file() || found.len() > MAX_FILE {
            return Err(format!("{path} is no plain file of at most {MAX_FILE} bytes"));
        }
        let bytes = std::fs::read(&at).map_err(failed)?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// The files and folders right below a folder, as JSON: of files only those that may be read.
    pub(super) fn list(&self, folder: &str) -> Result<String, String> {
        let (at, named) = self.place(folder)?;
        if self.manifest.read.is_empty() {
            return Err(self.refused("list files", "read"));
        }
        let failed = |error: std::io::Error| format!("failed to list {folder}: {error}");
        let mut names = Vec::new();
        for entry in std::fs::read_dir(at).map_err(failed)?.take(MAX_ENTRIES) {
            let entry = entry.map_err(failed)?;
            let name = entry.file_name().to_string_lossy().into_owned();
            let path = if named.is_empty() { name } else { format!("{named}/{name}") };
            match entry.file_type().map_err(failed)?.is_dir() {
                true => names.push(path + "/"),
                false if self.files.is_match(&path) => names.push(path),
                false => {}
            }
        }
        names.sort();
        serde_json::to_string(&names).map_err(|error| error.to_string())
    }

    /// Asks a host of the manifest's; blocks the plugin's thread for as long as its call may last.
    pub(super) fn fetch(&self, request: &str, left: Duration) -> Result<String, String> {
        let mut asked: Asked = serde_json::from_str(request).map_err(|error| error.to_string())?;
        let net = self.net.clone().ok_or("there is no network here")?;
        let all = async {
            for _ in 0..=REDIRECTS {
                let url = self.allowed(&asked.url)?;
                let answer = net.ask(asked.clone()).await?;
                let to = answer.headers.iter().find(|(name, _)| name == "location");
                let Some((_, to)) = to.filter(|_| (300..400).contains(&answer.status)) else {
                    return serde_json::to_string(&answer).map_err(|error| error.to_string());
                };
                let to = url.join(to).map_err(|error| format!("{url} leads to `{to}`: {error}"))?;
                // What was meant for one place is not repeated at another.
                asked =
                    Asked { url: to.into(), method: "GET".into(), headers: Vec::new(), body: None };
            }
            Err(format!("{} leads on more than {REDIRECTS} times", asked.url))
        };
        let bounded = self.tokio.block_on(async { tokio::time::timeout(left, all).await });
        bounded.unwrap_or_else(|_| Err("no answer came in time".to_owned()))
    }

    fn allowed(&self, url: &str) -> Result<reqwest::Url, String> {
        let url =
            reqwest::Url::parse(url).map_err(|error| format!("`{url}` is no address: {error}"))?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(format!("{url}: only http and https are asked"));
        }
        let host = url.host_str().unwrap_or_default().to_owned();
        match self.manifest.may_ask(&host) {
            true => Ok(url),
            false => Err(self.refused(&format!("ask {host}"), "fetch")),
        }
    }

    fn refused(&self, what: &str, field: &str) -> String {
        format!(
            "the plugin `{}` may not {what}: its manifest does not name it under `{field}`",
            self.name
        )
    }
}
