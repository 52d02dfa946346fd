//! JavaScript plugins: tools that agents may call, and hooks around tools, goals and turns. Each lives in an isolate of its
//! own, with nothing but what its manifest names; whatever it does wrong costs its own call, and is told.
//!
//! Nothing here knows a mission, a model or an editor. A plugin's file is read anew when it has changed.

mod hooks;
mod isolate;
mod manifest;
mod order;
mod plugin;
mod read;
mod surroundings;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::{Map, Value, json};

pub use self::isolate::Failure;
use self::isolate::Isolate;
pub use self::manifest::Manifest;
use self::plugin::{Described, Plugin, Stamp, files, is_code};
pub use self::plugin::{Standing, State, Wrong};
pub use self::read::{FIELDS, File, choices, read};
use self::surroundings::Surroundings;
pub use self::surroundings::{Answer, Asked, Net};
use super::Offer;
use super::trust::Trust;

/// Where a project has its plugins, from its root.
pub const FOLDER: &str = ".opencode/plugins";

/// What a plugin exports and finds around it, as types of TypeScript.
pub const TYPES: &str = include_str!("types.d.ts");

/// The hooks, and what each is for.
pub const HOOKS: [(&str, &str); 4] = [
    (
        "preTool",
        "Before a tool of an agent runs: allow, block with a reason, or modify its arguments.",
    ),
    ("postTool", "After a tool has run: what the agent is told of it."),
    ("chat", "A goal, before the Commander sees it: process, or intercept."),
    ("done", "After an agent's turn: continue, stop, or inject prompts."),
];

/// Bytes that a plugin may have, and how many a folder may hold.
const MOST_BYTES: u64 = 256 * 1024;
const MOST: usize = 32;
/// How long loading, a tool and a hook may take.
#[derive(Debug, Clone, Copy)]
struct Bounds {
    loading: Duration,
    tool: Duration,
    hook: Duration,
}

impl Default for Bounds {
    fn default() -> Bounds {
        let [loading, tool, hook] = [3, 10, 2].map(Duration::from_secs);
        Bounds { loading, tool, hook }
    }
}

/// Deep failures in a row after which a plugin is left alone until its file changes.
const STRIKES: u32 = 3;
/// The longest description, in characters, and the largest schema, in bytes.
const MAX_DESCRIPTION: usize = 1_000;
const MAX_SCHEMA: usize = 16 * 1024;

/// Whether a tool may have that name.
pub(crate) fn is_name(name: &str) -> bool {
    name.len() <= 64
        && name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || "-_".contains(c))
        && !name.starts_with(super::FROM_SERVERS)
}

/// Whether a path of the workspace is a plugin's.
pub fn is_plugin(path: &str) -> bool {
    let name = path.strip_prefix(FOLDER).and_then(|rest| rest.strip_prefix('/'));
    name.is_some_and(|name| !name.contains('/') && is_code(name))
}

/// In which folder, and whether it is the workspace's: only that one has to be trusted.
#[derive(Debug, Clone)]
struct Folder {
    path: PathBuf,
    is_project: bool,
}

/// What a plugin does, for whoever is to trust it.
pub(super) fn wants(text: &str) -> Vec<String> {
    let entries = read(text, &[]).reading.entries;
    let parts = entries.iter().map(|entry| entry.name.as_str()).collect::<Vec<_>>();
    let words = manifest::read(text).0.in_words();
    let runs = format!("runs JavaScript: {}", parts.join(", "));
    std::iter::once(runs).chain(Some(words).filter(|words| !words.is_empty())).collect()
}

/// The plugins of a workspace, from its root.
pub(super) fn paths(root: &Path) -> impl Iterator<Item = String> {
    let name = |(path, _): (PathBuf, Stamp)| {
        Some(format!("{FOLDER}/{}", path.file_name()?.to_string_lossy()))
    };
    files(&root.join(FOLDER)).into_iter().filter_map(name)
}

/// Loads a plugin and lets go of it, without the network and without its `init`: what its engine finds wrong with it.
pub async fn examine(root: &Path, path: &str, text: &str, taken: Vec<&'static str>) -> Vec<Wrong> {
    let plugins = Plugins::new(root, None, Trust::new(None, root), None, taken);
    let mut plugin = plugins.plugin(path.to_owned(), text.to_owned());
    match plugins.run(&plugin).await {
        Ok((_, Described { fatal: Some(message), .. })) => {
            vec![Wrong { at: String::new(), message }]
        }
        Ok((_, described)) => {
            plugins.keep(&mut plugin, described);
            plugin.wrong
        }
        Err(failure) => vec![Wrong { at: String::new(), message: failure.to_string() }],
    }
}

struct Known {
    stamp: Stamp,
    plugin: Arc<Plugin>,
}

/// Who calls, as hooks and tools are told.
#[derive(Debug, Clone)]
pub struct Who {
    /// The mission and the session in it.
    pub session: String,
    /// The role, or the project's agent that plays it.
    pub agent: String,
}

/// The plugins of a workspace.
pub struct Plugins {
    root: PathBuf,
    folders: Vec<Folder>,
    trust: Trust,
    net: Option<Arc<dyn Net>>,
    bounds: Bounds,
    /// The names of the product's own tools.
    taken: Vec<&'static str>,
    known: Mutex<BTreeMap<PathBuf, Known>>,
    /// Only one looks at a time; the others use what stands.
    looking: tokio::sync::Mutex<()>,
}

/// Is told what did not work, in words for people.
pub type Remark<'a> = &'a (dyn Fn(String) + Send + Sync);

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Plugins {
    /// Those of the workspace at `root`, and those in the user's own folder. Loads nothing yet.
    pub fn new(
        root: &Path,
        own: Option<PathBuf>,
        trust: Trust,
        net: Option<Arc<dyn Net>>,
        taken: Vec<&'static str>,
    ) -> Plugins {
        let of_user = own.map(|path| Folder { path, is_project: false });
        let of_project = Folder { path: root.join(FOLDER), is_project: true };
        Plugins {
            root: root.to_path_buf(),
            folders: of_user.into_iter().chain([of_project]).collect(),
            trust,
            net,
            bounds: Bounds::default(),
            taken,
            known: Mutex::default(),
            looking: tokio::sync::Mutex::default(),
        }
    }

    /// Looks at the folders, and loads what is new or has changed. Costs a listing where nothing has.
    pub async fn refresh(&self) {
        let Ok(_looking) = self.looking.try_lock() else {
            return;
        };
        let mut seen = Vec::new();
        for folder in &self.folders {
            for (path, stamp) in files(&folder.path) {
                self.look(folder, &path, stamp).await;
                seen.push(path);
            }
        }
        let gone: Vec<Known> = {
            let mut known = locked(&self.known);
            let gone: Vec<PathBuf> = known.keys().filter(|p| !seen.contains(p)).cloned().collect();
            gone.iter().filter_map(|path| known.remove(path)).collect()
        };
        for known in gone {
            known.plugin.clean_up(self.bounds.hook).await;
        }
    }

    async fn look(&self, folder: &Folder, path: &Path, stamp: Stamp) {
        let before = locked(&self.known).get(path).map(|k| (k.stamp.clone(), k.plugin.clone()));
        if let Some((known, plugin)) = &before
            && *known == stamp
            && (plugin.standing() != Standing::NotTrusted || !self.is_trusted(folder, plugin))
        {
            return;
        }
        let Ok(code) = std::fs::read_to_string(path) else {
            return;
        };
        let shown = self.shown(folder, path);
        let plugin = self.load(folder, shown, code).await;
        locked(&self.known).insert(path.to_path_buf(), Known { stamp, plugin: Arc::new(plugin) });
        if let Some((_, plugin)) = before {
            plugin.clean_up(self.bounds.hook).await;
        }
    }

    fn is_trusted(&self, folder: &Folder, plugin: &Plugin) -> bool {
        !folder.is_project || self.trust.holds(&plugin.path, plugin.code.as_bytes())
    }

    fn shown(&self, folder: &Folder, path: &Path) -> String {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        match folder.is_project {
            true => format!("{FOLDER}/{name}"),
            false => path.display().to_string(),
        }
    }

    async fn load(&self, folder: &Folder, path: String, code: String) -> Plugin {
        let problems = manifest::read(&code).1;
        let mut plugin = self.plugin(path, code);
        if !self.is_trusted(folder, &plugin) {
            return plugin;
        }
        let off = match problems.into_iter().find(|problem| problem.is_error) {
            Some(problem) => Some(problem.message),
            None => match self.begin(&plugin).await {
                Ok((isolate, described)) => {
                    plugin.isolate = tokio::sync::Mutex::new(Some(isolate));
                    self.keep(&mut plugin, described);
                    plugin.described.fatal.clone()
                }
                Err(failure) => Some(failure.to_string()),
            },
        };
        plugin.standing = Mutex::new(off.map_or(Standing::Up, Standing::Off));
        plugin
    }

    /// A plugin that nothing is known of yet.
    fn plugin(&self, path: String, code: String) -> Plugin {
        Plugin {
            path,
            manifest: manifest::read(&code).0,
            code,
            described: Described::default(),
            wrong: Vec::new(),
            standing: Mutex::new(Standing::NotTrusted),
            strikes: Mutex::default(),
            isolate: tokio::sync::Mutex::default(),
        }
    }

    /// Takes over what it says of itself, but for tools that cannot be offered.
    fn keep(&self, plugin: &mut Plugin, mut described: Described) {
        plugin.wrong.append(&mut described.problems);
        described.tools.retain_mut(|tool| {
            let is_large = tool.schema.to_string().len() > MAX_SCHEMA;
            let why = read::wrong_name(&tool.name, &self.taken).or_else(|| {
                is_large.then(|| format!("the arguments of `{}` take too many words", tool.name))
            });
            tool.description = tool.description.chars().take(MAX_DESCRIPTION).collect();
            let at = format!("tools.{}", tool.name);
            let is_sound = why.is_none();
            plugin.wrong.extend(why.map(|message| Wrong { at, message }));
            is_sound
        });
        plugin.described = described;
    }

    /// Runs its code, and its `init`.
    async fn begin(&self, plugin: &Plugin) -> Result<(Isolate, Described), Failure> {
        let (isolate, described) = self.run(plugin).await?;
        if described.fatal.is_none() && described.init {
            let directory = json!({"directory": self.root}).to_string();
            isolate.call("init", directory, self.bounds.loading).await?;
        }
        Ok((isolate, described))
    }

    async fn run(&self, plugin: &Plugin) -> Result<(Isolate, Described), Failure> {
        let name = plugin.path.rsplit(['/', '\\']).next().unwrap_or(&plugin.path);
        let around = Surroundings::new(name, &self.root, &plugin.manifest, self.net.clone());
        let (isolate, said) =
            Isolate::load(name, &plugin.code, around, self.bounds.loading).await?;
        let described: Described = serde_json::from_str(&said)
            .map_err(|error| Failure::Threw(format!("what it says of itself: {error}")))?;
        Ok((isolate, described))
    }

    fn all(&self) -> Vec<Arc<Plugin>> {
        locked(&self.known).values().map(|known| known.plugin.clone()).collect()
    }

    fn up(&self) -> impl Iterator<Item = Arc<Plugin>> {
        self.all().into_iter().filter(|plugin| plugin.standing() == Standing::Up)
    }

    /// Every plugin that was found.
    pub fn states(&self) -> Vec<State> {
        self.all().iter().map(|plugin| plugin.state()).collect()
    }

    /// The tools that can be called now. Of two of one name the first plugin's is.
    pub fn offers(&self) -> Vec<Offer> {
        let mut offers: Vec<Offer> = Vec::new();
        for tool in self.up().flat_map(|plugin| plugin.described.tools.clone()) {
            if !offers.iter().any(|known| known.name == tool.name) {
                offers.push(tool);
            }
        }
        offers
    }

    /// Calls a tool; `None` where no plugin has it.
    pub async fn call(
        &self,
        name: &str,
        arguments: &Map<String, Value>,
        who: &Who,
        remark: Remark<'_>,
    ) -> Option<Result<String, String>> {
        let has = |plugin: &Arc<Plugin>| plugin.described.tools.iter().any(|t| t.name == name);
        let plugin = self.up().find(has)?;
        let asked = json!({"name": name, "args": arguments, "context": self.context(who)});
        let answer = self.ask(&plugin, "tool", &asked, self.bounds.tool).await;
        Some(match answer {
            Ok(answer) => Ok(answer["output"].as_str().unwrap_or_default().to_owned()),
            Err(failure) => {
                remark(plugin.words(&format!("tool `{name}`"), &failure));
                Err(format!("the plugin's tool `{name}` failed: {failure}"))
            }
        })
    }

    fn context(&self, who: &Who) -> Value {
        json!({"sessionID": who.session, "messageID": "", "agent": who.agent, "directory": self.root})
    }

    /// Asks a plugin, which is begun anew where its last call left it in pieces.
    async fn ask(
        &self,
        plugin: &Arc<Plugin>,
        kind: &'static str,
        asked: &Value,
        limit: Duration,
    ) -> Result<Value, Failure> {
        let mut isolate = plugin.isolate.lock().await;
        if isolate.is_none() {
            *isolate = Some(self.begin(plugin).await.inspect_err(|_| plugin.struck())?.0);
        }
        let Some(begun) = isolate.as_ref() else {
            return Err(Failure::Hangs);
        };
        let answer = begun.call(kind, asked.to_string(), limit).await;
        match &answer {
            Err(failure) if failure.is_deep() => {
                *isolate = None;
                plugin.struck();
            }
            _ => *locked(&plugin.strikes) = 0,
        }
        let text = answer?;
        serde_json::from_str(&text).map_err(|error| Failure::Threw(error.to_string()))
    }

    /// Lets every plugin clean up.
    pub async fn close(&self) {
        let all = std::mem::take(&mut *locked(&self.known));
        for known in all.into_values() {
            known.plugin.clean_up(self.bounds.hook).await;
        }
    }
}

#[cfg(test)]
mod tests;
