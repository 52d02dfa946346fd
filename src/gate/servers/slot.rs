//! The place of one server: started when it is first needed, restarted when it has ended, given up when it ends too often.
//!
//! It must not know what the server is asked.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::{Arc, Weak};
use std::time::Duration;

use serde_json::Value;
use tokio::sync::{Mutex, RwLock};
use tokio::time::Instant;

use super::client::{CallError, Start};
use super::farm::{Farm, Ticket};
use super::session::{Session, Trouble};
use crate::gate::language::ServerSpec;
use crate::gate::tools::process::{find, path_with, virtual_environments};

/// So many starts within [`WINDOW`] and no more.
const STARTS: usize = 4;
/// See [`STARTS`]; also how long a server that would not even start is left alone.
const WINDOW: Duration = Duration::from_secs(180);

/// Where servers work and where they are looked for.
#[derive(Debug, Clone)]
pub struct Surroundings {
    /// The shadow.
    pub root: PathBuf,
    /// The user's own root.
    pub project: PathBuf,
    /// PATH.
    pub path: OsString,
    /// Who says how many may run.
    pub farm: Arc<Farm>,
    /// Held for writing while files are off the shadow's disk for a candidate's sake.
    pub disk: Arc<RwLock<()>>,
}

/// See the module.
#[derive(Debug)]
pub struct Slot {
    spec: ServerSpec,
    /// The server, and its right to run; given up in this order.
    session: Option<(Session, Ticket)>,
    starts: VecDeque<Instant>,
    off: Option<(Instant, String)>,
    /// Set while a question is under way; found set, the last question was abandoned.
    asking: bool,
}

impl Slot {
    /// A place for the server of `spec`.
    pub fn new(spec: ServerSpec) -> Slot {
        Slot { spec, session: None, starts: VecDeque::new(), off: None, asking: false }
    }

    /// The running server, if there is one.
    pub fn running(&mut self) -> Option<&mut Session> {
        self.session.as_mut().map(|(session, _)| session)
    }

    /// The server, started if need be, for one question; `own` is this slot.
    ///
    /// # Errors
    /// When it cannot be started, with the reason.
    pub async fn begin(
        &mut self,
        around: &Surroundings,
        own: Weak<Mutex<Slot>>,
    ) -> Result<&mut Session, String> {
        if let Some((session, _)) = &self.session {
            let gone = session.client.status().borrow().gone.is_some();
            // One that was still loading at the deadline may go on loading; one that was awake must say something.
            let stuck = self.asking && session.proved.awake && !session.is_alive().await;
            if gone || stuck || session.astray {
                self.session = None;
            }
        }
        let (session, ticket) = match self.session.take() {
            Some(running) => running,
            None => self.start(around, own).await?,
        };
        ticket.asked();
        self.asking = true;
        Ok(&mut self.session.insert((session, ticket)).0)
    }

    /// The question is answered, or failed with this.
    pub fn end(&mut self, trouble: Option<&Trouble>) {
        self.asking = false;
        if let Some((_, ticket)) = &self.session {
            ticket.asked();
        }
        if let Some(Trouble::Call(CallError::Gone(_)) | Trouble::Lost(_)) = trouble {
            self.session = None;
        }
    }

    /// Takes the server out; the next question starts another, and that is not held against it.
    pub fn retire(&mut self) -> Option<Session> {
        self.starts.clear();
        self.off = None;
        self.session.take().map(|(session, _)| session)
    }

    async fn start(
        &mut self,
        around: &Surroundings,
        own: Weak<Mutex<Slot>>,
    ) -> Result<(Session, Ticket), String> {
        if let Some((when, why)) = &self.off
            && when.elapsed() < WINDOW
        {
            return Err(why.clone());
        }
        let ServerSpec { name, install, command, .. } = self.spec.clone();
        let (program, args) =
            command.split_first().ok_or_else(|| format!("{name}: its command is empty"))?;
        // A package of a monorepo finds its tools in the folders above it, as node itself does.
        let node = around.project.ancestors().map(|folder| folder.join("node_modules/.bin"));
        let installed: Vec<PathBuf> = node.chain(virtual_environments(&around.root)).collect();
        let path = path_with(virtual_environments(&around.root), Some(&around.path));
        let Some(found) = find(program, &installed, Some(&around.path)) else {
            return Err(format!(
                "{name}: `{program}` is not in node_modules/.bin nor on PATH; to get it: {install}"
            ));
        };
        self.spend_a_start().await?;
        let settings = match &self.spec.settings {
            Some(text) => serde_json::from_str(text)
                .map_err(|error| format!("{}: bad settings: {error}", self.spec.name))?,
            None => Value::Null,
        };
        let start = Start {
            name: &self.spec.name,
            program: &found,
            args,
            folder: &around.root,
            path: &path,
            environment: &self.spec.environment,
        };
        let ticket = around.farm.take_seat(own).await;
        let begun = match start.client(settings.clone()) {
            Ok(client) => Session::initialize(client, &self.spec, &around.root, settings)
                .await
                .map_err(|e| e.to_string()),
            Err(error) => Err(error.to_string()),
        };
        let session = begun.map_err(|error| {
            let why = format!("failed to start {} ({}): {error}", self.spec.name, found.display());
            self.off = Some((Instant::now(), why.clone()));
            why
        })?;
        ticket.running(session.client.process_id());
        Ok((session, ticket))
    }

    /// Waits a little longer before each start, and refuses one too many.
    async fn spend_a_start(&mut self) -> Result<(), String> {
        self.starts.retain(|start| start.elapsed() < WINDOW);
        if self.starts.len() >= STARTS {
            let why = format!(
                "{} is off: it ended {STARTS} times within {} minutes; see its log, or start it by hand",
                self.spec.name,
                WINDOW.as_secs() / 60
            );
            self.off = Some((Instant::now(), why.clone()));
            return Err(why);
        }
        if let (Some(last), count @ 2..) = (self.starts.back(), self.starts.len()) {
            let pause = Duration::from_millis(500 << (count - 2));
            tokio::time::sleep_until(*last + pause).await;
        }
        self.starts.push_back(Instant::now());
        Ok(())
    }
}
