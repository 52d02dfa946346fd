//! What a workspace adds to the product: JavaScript plugins and servers of tools, which take no effect before a person has
//! trusted them as they are, and cost no more than their own call; and words, which give no rights: skills and commands.
//!
//! Nothing here knows a mission, a model or an editor.

pub mod commands;
pub mod described;
pub mod mcp;
pub mod plugins;
pub mod skills;
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
    /// Its servers of tools.
    servers: mcp::Servers,
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
        let ledger = trust.clone();
        let trusts: mcp::Trusts = Arc::new(move |path, bytes| ledger.holds(path, bytes));
        Extensions {
            plugins: Plugins::new(root, of_user, trust, Some(net), taken),
            servers: mcp::Servers::new(root.to_path_buf(), trusts),
        }
    }

    /// Takes up what has changed; waits, within a bound, for servers that are starting.
    pub async fn refresh(&self) {
        futures_util::future::join(self.plugins.refresh(), self.servers.refresh()).await;
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
        let servers = self.servers.states().into_iter().filter(|state| !state.is_up);
        let servers = servers.map(|state| {
            let mcp::State { name, file, words, .. } = state;
            format!("server `{name}` ({file}) is not in force: {words}")
        });
        lines.chain(servers).collect()
    }

    /// The tools that can be called now.
    pub fn offers(&self) -> Vec<Offer> {
        let mut offers = self.plugins.offers();
        offers.extend(self.servers.offers());
        offers
    }

    /// Calls a tool; `None` where nobody has it.
    pub async fn call(
        &self,
        name: &str,
        arguments: &Map<String, Value>,
        who: &Who,
        remark: Remark<'_>,
    ) -> Option<Result<String, String>> {
        if !name.starts_with(FROM_SERVERS) {
            return self.plugins.call(name, arguments, who, remark).await;
        }
        // One that has died is started again for it.
        self.servers.refresh().await;
        self.servers.call(name, arguments.clone()).await
    }

    /// Lets all of it come to its end.
    pub async fn close(&self) {
        futures_util::future::join(self.plugins.close(), self.servers.close()).await;
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

impl Candidate {
    /// Whether a file of that path takes effect once it is trusted.
    pub fn is_one(path: &str) -> bool {
        plugins::is_plugin(path) || mcp::Form::ALL.into_iter().any(|form| form.path() == path)
    }

    /// The file at that path of a workspace with these bytes; `None` where such a file takes no effect.
    pub fn of(path: &str, bytes: Vec<u8>) -> Option<Candidate> {
        let text = String::from_utf8_lossy(&bytes);
        let (wants, reading) = match mcp::Form::ALL.into_iter().find(|form| form.path() == path) {
            Some(form) => {
                let file = mcp::read(form, &text);
                (file.servers.iter().map(mcp::Definition::in_words).collect(), file.reading)
            }
            None if plugins::is_plugin(path) => {
                (plugins::wants(&text), plugins::read(&text, &[]).reading)
            }
            None => return None,
        };
        let errors = reading.problems.into_iter().filter(|problem| problem.is_error);
        let wrong = errors.map(|problem| problem.message).collect();
        Some(Candidate { path: path.to_owned(), bytes, wants, wrong })
    }
}

/// All that wants to run in the workspace at `root`; nothing of it runs for this.
pub fn candidates(root: &Path) -> Vec<Candidate> {
    let servers = mcp::Form::ALL.map(|form| form.path().to_owned());
    let all = servers.into_iter().chain(plugins::paths(root));
    let of = |path: String| {
        let plain = std::fs::symlink_metadata(root.join(&path)).is_ok_and(|found| found.is_file());
        let bytes = plain.then(|| std::fs::read(root.join(&path)).ok()).flatten()?;
        Candidate::of(&path, bytes)
    };
    all.filter_map(of).collect()
}
