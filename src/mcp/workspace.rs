//! The workspace that is served: its runtime and its gate, each opened at the first need. What only looks opens neither.

use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::sync::OnceCell;
use tokio_util::sync::CancellationToken;

use super::Refusal;
use super::shown::{REPORT, cut};
use crate::gate::Gate;
use crate::mission::view::MissionView;
use crate::runtime::{Handle, Seen, Settings, Wake, load_views, with_servers};
use crate::server::todo::TODO_PATH;

/// A workspace.
pub struct Workspace {
    root: PathBuf,
    runtime: OnceCell<Handle>,
    gate: OnceCell<Gate>,
    /// Nobody is served any more.
    pub ending: CancellationToken,
}

impl Workspace {
    /// The workspace at `root`, of which nothing is opened yet.
    pub fn new(root: &Path) -> Workspace {
        let (runtime, gate) = (OnceCell::new(), OnceCell::new());
        Workspace { root: root.to_path_buf(), runtime, gate, ending: CancellationToken::new() }
    }

    /// Its root.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The runtime: this process's, or the way to the one that owns the workspace. No mission goes on for that alone.
    ///
    /// # Errors
    /// When it cannot be opened; it is tried again the next time.
    pub async fn runtime(&self) -> Result<&Handle, Refusal> {
        let open = || async {
            let root = self.root.clone();
            let opened = tokio::task::spawn_blocking(move || {
                let settings = Settings::load().map_err(Refusal::environment)?;
                let settings = Settings { wake: Wake::Inherited, ..settings };
                let handle = Handle::open(&root, settings, None).map_err(Refusal::environment)?;
                handle.wait_until_read();
                Ok(handle)
            });
            opened.await.map_err(Refusal::environment)?
        };
        self.runtime.get_or_try_init(open).await
    }

    /// The gate, with its language servers kept warm from check to check.
    ///
    /// # Errors
    /// When it cannot be opened; it is tried again the next time.
    pub async fn gate(&self) -> Result<&Gate, Refusal> {
        let open = || async {
            let settings = Settings::load().map_err(Refusal::environment)?.gate;
            Gate::open(&self.root, with_servers(settings, &self.root)).map_err(Refusal::environment)
        };
        self.gate.get_or_try_init(open).await
    }

    /// The mission that is named, or the recent ones, as they are now.
    ///
    /// # Errors
    /// When the journal cannot be read, or there is no mission of that name.
    pub async fn views(&self, mission: Option<&str>) -> Result<Vec<MissionView>, Refusal> {
        let (root, named) = (self.root.clone(), mission.map(str::to_owned));
        let views = tokio::task::spawn_blocking(move || {
            load_views(&root, named.as_deref().map_or(Seen::Recent, Seen::One))
        });
        let views = views.await.map_err(Refusal::environment)?.map_err(Refusal::environment)?;
        match mission {
            Some(id) if views.is_empty() => Err(Refusal::unknown(format!(
                "there is no mission {id}; mission_status lists them"
            ))),
            _ => Ok(views),
        }
    }

    /// The text of `todo.md`, within a bound.
    ///
    /// # Errors
    /// When there is none, or it cannot be read.
    pub async fn plan_text(&self) -> Result<String, Refusal> {
        let path = self.root.join(TODO_PATH);
        match tokio::fs::read_to_string(&path).await {
            Ok(text) => Ok(cut(&text, REPORT)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                Err(Refusal::unknown("there is no plan yet; mission_start makes one"))
            }
            Err(error) => Err(Refusal::environment(format!("{TODO_PATH} cannot be read: {error}"))),
        }
    }

    /// Stops the runtime, for at most `limit`.
    pub async fn end(&self, limit: Duration) {
        self.ending.cancel();
        let Some(runtime) = self.runtime.get().cloned() else { return };
        let stopped = tokio::task::spawn_blocking(move || runtime.stop());
        if tokio::time::timeout(limit, stopped).await.is_err() {
            tracing::warn!("the missions did not stop within {limit:?}; the journal has all of it");
        }
    }
}
