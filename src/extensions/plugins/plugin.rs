//! One plugin: its file, what it says of itself, and how it stands.

use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::{Duration, SystemTime};

use serde::Deserialize;

use super::isolate::{Failure, Isolate};
use super::manifest::Manifest;
use super::order::Hook;
use super::{MOST, MOST_BYTES, STRIKES, locked};
use crate::extensions::Offer;

/// A file as it was last looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Stamp {
    pub(super) changed: Option<SystemTime>,
    pub(super) bytes: u64,
}

/// What a plugin says of itself.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct Described {
    pub(super) fatal: Option<String>,
    pub(super) name: String,
    pub(super) version: String,
    pub(super) description: String,
    pub(super) tools: Vec<Offer>,
    pub(super) hooks: Vec<Hook>,
    pub(super) problems: Vec<Wrong>,
    pub(super) init: bool,
    pub(super) cleanup: bool,
}

/// Something wrong that only shows when the plugin is loaded.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Wrong {
    /// The part that it is about, as [`super::read()`] names it; empty for all of it.
    pub at: String,
    /// In words.
    pub message: String,
}

/// How a plugin stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// It is in force.
    Up,
    /// Nobody has said yet that it may run as it is now.
    NotTrusted,
    /// It is left alone, for this reason.
    Off(String),
}

/// A plugin, for those who look.
#[derive(Debug, Clone)]
pub struct State {
    /// Its file: from the workspace's root, or absolute where it is the user's own.
    pub path: String,
    /// Its name, or its file's where it does not run.
    pub name: String,
    /// Its version and what it is for, in a line; may be empty.
    pub about: String,
    /// How it stands.
    pub standing: Standing,
    /// What its manifest asks for.
    pub manifest: Manifest,
    /// Its tools.
    pub tools: Vec<String>,
    /// Its hooks.
    pub hooks: Vec<String>,
    /// What is wrong with parts of it.
    pub wrong: Vec<Wrong>,
}

pub(super) struct Plugin {
    pub(super) path: String,
    pub(super) code: String,
    pub(super) manifest: Manifest,
    pub(super) described: Described,
    pub(super) wrong: Vec<Wrong>,
    pub(super) standing: Mutex<Standing>,
    pub(super) strikes: Mutex<u32>,
    /// One call at a time; none until it is needed again after a deep failure.
    pub(super) isolate: tokio::sync::Mutex<Option<Isolate>>,
}

impl Plugin {
    pub(super) fn standing(&self) -> Standing {
        locked(&self.standing).clone()
    }

    pub(super) fn name(&self) -> &str {
        match self.described.name.as_str() {
            "" => self.path.rsplit(['/', '\\']).next().unwrap_or_default(),
            name => name,
        }
    }

    pub(super) fn words(&self, what: &str, failure: &Failure) -> String {
        let first = failure.to_string();
        let lines: Vec<&str> = first.lines().map(str::trim).filter(|l| !l.is_empty()).collect();
        let text = lines.iter().take(2).copied().collect::<Vec<_>>().join(" ");
        format!("plugin `{}` ({}): its {what} failed: {text}", self.name(), self.path)
    }

    /// A failure that cost its whole isolate; the last of several in a row turns it off.
    pub(super) fn struck(&self) {
        let mut strikes = locked(&self.strikes);
        *strikes += 1;
        if *strikes >= STRIKES {
            let text = format!(
                "{STRIKES} calls in a row had to be stopped; it is left alone until its file changes"
            );
            *locked(&self.standing) = Standing::Off(text);
        }
    }

    pub(super) async fn clean_up(&self, limit: Duration) {
        let isolate = self.isolate.lock().await.take();
        if let (Some(isolate), true) = (isolate, self.described.cleanup)
            && let Err(failure) = isolate.call("cleanup", "{}".to_owned(), limit).await
        {
            tracing::warn!("{}", self.words("cleanup", &failure));
        }
    }

    pub(super) fn state(&self) -> State {
        let about = [self.described.version.trim(), self.described.description.trim()];
        State {
            path: self.path.clone(),
            name: self.name().to_owned(),
            about: about.into_iter().filter(|t| !t.is_empty()).collect::<Vec<_>>().join(", "),
            standing: self.standing(),
            manifest: self.manifest.clone(),
            tools: self.described.tools.iter().map(|tool| tool.name.clone()).collect(),
            hooks: self.described.hooks.iter().map(|hook| hook.kind.clone()).collect(),
            wrong: self.wrong.clone(),
        }
    }
}

/// The plugins of a folder: plain files only, in the order of their names.
pub(super) fn files(folder: &Path) -> Vec<(PathBuf, Stamp)> {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return Vec::new();
    };
    let plain = |entry: std::fs::DirEntry| {
        let name = entry.file_name();
        let found = entry.metadata().ok().filter(|found| {
            found.is_file() && found.len() <= MOST_BYTES && name.to_str().is_some_and(is_code)
        })?;
        Some((entry.path(), Stamp { changed: found.modified().ok(), bytes: found.len() }))
    };
    let mut found: Vec<_> = entries.flatten().filter_map(plain).collect();
    found.sort_by(|(one, _), (other, _)| one.cmp(other));
    found.truncate(MOST);
    found
}

pub(super) fn is_code(name: &str) -> bool {
    [".js", ".mjs"].iter().any(|end| name.len() > end.len() && name.ends_with(end))
}
