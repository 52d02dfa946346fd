//! The servers of a workspace: what its files name and a person trusts is started, and what they no longer name is ended.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde_json::{Map, Value};

use super::connection::Tool;
use super::expand::expanded;
use super::server::{Phase, Server};
use super::{Definition, Form, load, names, read};
use crate::extensions::Offer;

/// Whether a person trusts a file of the workspace, by its path from the root and its bytes.
pub type Trusts = Arc<dyn Fn(&str, &[u8]) -> bool + Send + Sync>;

/// Servers that a workspace may have.
const MOST_SERVERS: usize = 32;
/// How often a server is started in [`WINDOW`].
const STARTS: usize = 4;
const WINDOW: Duration = Duration::from_secs(180);
/// The first pause before a server is started again; each further one is twice as long.
const PAUSE: Duration = Duration::from_millis(250);

/// How long things may take.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// How long [`Servers::refresh`] waits for those that are starting.
    pub patience: Duration,
    /// A server's first answer, and each list of its tools.
    pub start: Duration,
    /// A call.
    pub call: Duration,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            patience: Duration::from_secs(10),
            start: Duration::from_secs(60),
            call: Duration::from_secs(60),
        }
    }
}

/// Where a server stands, for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct State {
    /// Its name; the file's, where the file cannot be used.
    pub name: String,
    /// The file that names it, from the workspace's root.
    pub file: &'static str,
    /// Whether it can be called.
    pub is_up: bool,
    /// `not trusted`, `starting`, `up with 3 tools`, `off: …`.
    pub words: String,
}

/// The servers of one workspace.
pub struct Servers {
    root: PathBuf,
    trusts: Trusts,
    limits: Limits,
    held: Mutex<Held>,
    /// One at a time looks at the files.
    refreshing: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct Held {
    is_closed: bool,
    servers: BTreeMap<String, Record>,
    /// What is not run, and why.
    idle: Vec<State>,
}

/// A server that is meant to run.
struct Record {
    form: Form,
    definition: Definition,
    starts: Vec<Instant>,
    /// Given up for now; why.
    off: Option<String>,
    server: Server,
}

/// What the files say.
#[derive(Default)]
struct Wanted {
    servers: BTreeMap<String, (Form, Definition)>,
    idle: Vec<State>,
}

impl fmt::Debug for Servers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Servers").field("root", &self.root).finish_non_exhaustive()
    }
}

impl Servers {
    /// The servers of the workspace at `root`. It starts nothing by itself: [`Servers::refresh`] does.
    pub fn new(root: PathBuf, trusts: Trusts) -> Servers {
        Servers::with_limits(root, trusts, Limits::default())
    }

    /// The same with limits of the caller's.
    pub fn with_limits(root: PathBuf, trusts: Trusts, limits: Limits) -> Servers {
        let (held, refreshing) = (Mutex::default(), tokio::sync::Mutex::default());
        Servers { root, trusts, limits, held, refreshing }
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads the files anew; starts, restarts and ends servers accordingly, and waits, within a bound, for the first answer
    /// of those that are starting. A server that ends is started again after a pause, at most four times in three minutes.
    pub async fn refresh(&self) {
        let _one = self.refreshing.lock().await;
        let wanted = self.wanted();
        let gone = self.held().drop_unwanted(&wanted);
        futures_util::future::join_all(gone.into_iter().map(Server::end)).await;
        // Those that need longer come up by themselves.
        let started = futures_util::future::join_all(self.start(wanted));
        drop(tokio::time::timeout(self.limits.patience, started).await);
    }

    /// What the files name, as far as it is trusted and sound.
    fn wanted(&self) -> Wanted {
        let mut wanted = Wanted::default();
        for form in Form::ALL {
            match load(&self.root, form) {
                Ok(Some(text)) => self.add(form, &text, &mut wanted),
                Ok(None) => {}
                Err(why) => wanted.idle(form.path(), form, why),
            }
        }
        wanted
    }

    fn add(&self, form: Form, text: &str, wanted: &mut Wanted) {
        let file = read(form, text);
        let is_trusted = (self.trusts)(form.path(), text.as_bytes());
        let lookup = |name: &str| std::env::var(name).ok();
        let sound: Vec<&str> = file.servers.iter().map(|server| server.name.as_str()).collect();
        for entry in file.reading.entries.iter().filter(|e| !sound.contains(&e.name.as_str())) {
            wanted.idle(&entry.name, form, "off: its entry is wrong".to_owned());
        }
        if file.reading.entries.is_empty() && file.reading.errors() > 0 {
            wanted.idle(form.path(), form, file.reading.problems[0].message.clone());
        }
        for definition in &file.servers {
            let name = &definition.name;
            let definition = match (definition.is_enabled, is_trusted) {
                (false, _) => Err("off: it is not enabled".to_owned()),
                (true, false) => Err("not trusted".to_owned()),
                _ if wanted.servers.contains_key(name) => {
                    Err("off: another file has a server of that name".to_owned())
                }
                _ if wanted.servers.len() >= MOST_SERVERS => {
                    Err(format!("off: there are more than {MOST_SERVERS}"))
                }
                _ => expanded(form, definition, &lookup).map_err(|why| format!("off: {why}")),
            };
            match definition {
                Ok(definition) => drop(wanted.servers.insert(name.clone(), (form, definition))),
                Err(why) => wanted.idle(name, form, why),
            }
        }
    }

    /// Starts what does not run and should; each of what it answers with waits for one's first answer.
    fn start(&self, wanted: Wanted) -> Vec<impl Future<Output = ()> + use<>> {
        let mut held = self.held();
        if held.is_closed {
            return Vec::new();
        }
        held.idle = wanted.idle;
        let mut started = Vec::new();
        for (name, (form, definition)) in wanted.servers {
            let start = || Server::start(&definition, &self.root, self.limits);
            match held.servers.get_mut(&name) {
                Some(record) => {
                    if record.look_after(start) {
                        started.push(record.server.settled());
                    }
                }
                None => {
                    let (server, starts) = (start(), vec![Instant::now()]);
                    started.push(server.settled());
                    let record = Record { form, definition, starts, off: None, server };
                    held.servers.insert(name, record);
                }
            }
        }
        started
    }

    /// The tools of the servers that are up.
    pub fn offers(&self) -> Vec<Offer> {
        let offer = |Named { name, tool: Tool { description, schema, .. }, .. }| Offer {
            name,
            description,
            schema,
        };
        let all = self.held().tools();
        all.into_iter().map(offer).collect()
    }

    /// Every server that the files name, with where it stands.
    pub fn states(&self) -> Vec<State> {
        let held = self.held();
        let mut states: Vec<State> =
            held.servers.iter().map(|(name, record)| record.state(name)).collect();
        states.extend(held.idle.iter().cloned());
        states.sort_by(|a, b| (a.file, &a.name).cmp(&(b.file, &b.name)));
        states
    }

    /// Calls a tool by the name that it is offered under; `None` where no server that is up has it. What it says is
    /// untrusted text within a bound, an error where the tool or the server says so. Dropping the future cancels the call.
    pub async fn call(
        &self,
        name: &str,
        arguments: Map<String, Value>,
    ) -> Option<Result<String, String>> {
        let call = {
            let held = self.held();
            let found = held.tools().into_iter().find(|named| named.name == name)?;
            held.servers.get(&found.server)?.server.call(found.tool.name, arguments)
        };
        Some(call.await)
    }

    /// Ends all servers, their groups at once; none is started any more.
    pub async fn close(&self) {
        let servers = {
            let mut held = self.held();
            held.is_closed = true;
            std::mem::take(&mut held.servers)
        };
        let ends = servers.into_values().map(|record| record.server.end());
        futures_util::future::join_all(ends).await;
    }
}

impl Wanted {
    fn idle(&mut self, name: &str, form: Form, words: String) {
        let name = name.to_owned();
        self.idle.push(State { name, file: form.path(), is_up: false, words });
    }
}

impl Held {
    /// Takes out what is no longer wanted, or is described differently.
    fn drop_unwanted(&mut self, wanted: &Wanted) -> Vec<Server> {
        let is_wanted = |name: &String, record: &Record| {
            let found = wanted.servers.get(name);
            found.is_some_and(|(form, it)| *form == record.form && *it == record.definition)
        };
        let gone = self.servers.iter().filter(|(name, record)| !is_wanted(name, record));
        let gone: Vec<String> = gone.map(|(name, _)| name.clone()).collect();
        gone.iter().filter_map(|name| self.servers.remove(name)).map(|it| it.server).collect()
    }

    /// The tools of the servers that are up. Of two that would be called the same, the first one is.
    fn tools(&self) -> Vec<Named> {
        let mut known = BTreeSet::new();
        let mut all = Vec::new();
        for (server, record) in &self.servers {
            let Phase::Up(_, offered) = record.server.phase() else { continue };
            for tool in &offered.tools {
                let name = names::name(server, &tool.name);
                if known.insert(name.clone()) {
                    all.push(Named { name, server: server.clone(), tool: tool.clone() });
                }
            }
        }
        all
    }
}

/// A tool with the name that it is offered under.
struct Named {
    name: String,
    server: String,
    tool: Tool,
}

impl Record {
    /// Starts it again where it has ended, not too soon and not too often; whether it did.
    fn look_after(&mut self, start: impl Fn() -> Server) -> bool {
        let Phase::Ended(why, ended) = self.server.phase() else { return false };
        self.starts.retain(|at| at.elapsed() < WINDOW);
        let count = self.starts.len();
        self.off = (count >= STARTS).then(|| format!("it was started {STARTS} times; {why}"));
        let pause = PAUSE * (1 << count.saturating_sub(1).min(STARTS));
        let is_due = self.off.is_none() && ended.elapsed() >= pause;
        if is_due {
            self.starts.push(Instant::now());
            self.server = start();
        }
        is_due
    }

    fn state(&self, name: &str) -> State {
        let (is_up, words) = match (self.server.phase(), &self.off) {
            (Phase::Starting, _) => (false, "starting".to_owned()),
            (Phase::Up(_, offered), _) => (true, up(offered.tools.len(), offered.all)),
            (Phase::Ended(..), Some(why)) => (false, format!("off: {why}")),
            (Phase::Ended(why, _), None) => (false, format!("is started again: {why}")),
        };
        State { name: name.to_owned(), file: self.form.path(), is_up, words }
    }
}

fn up(taken: usize, all: usize) -> String {
    let s = if taken == 1 { "" } else { "s" };
    let of = if all > taken { format!(" of {all}") } else { String::new() };
    format!("up with {taken} tool{s}{of}")
}
