//! What a workspace adds to the product: JavaScript plugins, and servers of tools. Nothing of it takes effect before a person
//! has trusted it as it is, and whatever it does wrong costs its own call.
//!
//! Nothing here knows a mission, a model or an editor.

pub mod plugins;
pub mod trust;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use self::plugins::{Net, Plugins, Remark, Standing, Who};
use self::trust::Trust;

/// How the names of tools begin that servers bring.
pub const FROM_SERVERS: &str = "mcp__";

/// A tool that is offered to agents.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Offer {
    /// Its name, as it is called.
    pub name: String,
    /// What it does, in its own words.
    #[serde(default)]
    pub description: String,
    /// The JSON schema of its arguments.
    pub schema: Value,
}

/// What a workspace adds.
pub struct Extensions {
    /// Its plugins, and the user's own.
    pub plugins: Plugins,
}

impl Extensions {
    /// Of the workspace at `root`; `own` is the user's folder of this product, `taken` are the names of its own tools.
    pub fn new(
        root: &Path,
        own: Option<&Path>,
        net: Arc<dyn Net>,
        taken: Vec<&'static str>,
    ) -> Extensions {
        let trust = Trust::new(own, root);
        let of_user: Option<PathBuf> = own.map(|own| own.join("plugins"));
        Extensions { plugins: Plugins::new(root, of_user, trust, Some(net), taken) }
    }

    /// Takes up what has changed.
    pub async fn refresh(&self) {
        self.plugins.refresh().await;
    }

    /// What stands there and is not in force, a line each.
    pub fn idle(&self) -> Vec<String> {
        let states = self.plugins.states().into_iter();
        let lines = states.flat_map(|state| {
            let name = format!("plugin `{}` ({})", state.name, state.path);
            let standing = match &state.standing {
                Standing::Up => None,
                Standing::NotTrusted => Some(format!(
                    "{name} is not in force: it is not trusted as it is now; `orchestrator trust` shows it"
                )),
                Standing::Off(why) => {
                    let first = why.lines().next().unwrap_or_default();
                    Some(format!("{name} is not in force: {first}"))
                }
            };
            let wrong = state.wrong.iter().map(|wrong| format!("{name}: {}", wrong.message));
            standing.into_iter().chain(wrong).collect::<Vec<_>>()
        });
        lines.collect()
    }

    /// The tools that can be called now.
    pub fn offers(&self) -> Vec<Offer> {
        self.plugins.offers()
    }

    /// Calls a tool; `None` where nobody has it.
    pub async fn call(
        &self,
        name: &str,
        arguments: &Map<String, Value>,
        who: &Who,
        remark: Remark<'_>,
    ) -> Option<Result<String, String>> {
        self.plugins.call(name, arguments, who, remark).await
    }

    /// Lets all of it come to its end.
    pub async fn close(&self) {
        self.plugins.close().await;
    }
}

/// A file of a workspace that takes effect once it is trusted.
#[derive(Debug, Clone)]
pub struct Candidate {
    /// From the workspace's root.
    pub path: String,
    /// What is trusted, where it is.
    pub bytes: Vec<u8>,
    /// What it would do, a line each.
    pub wants: Vec<String>,
    /// What is wrong with it.
    pub wrong: Vec<String>,
}

/// All that wants to run in the workspace at `root`; nothing of it runs for this.
pub fn candidates(root: &Path) -> Vec<Candidate> {
    plugins::candidates(root)
}
