//! Agents of the project: what a session is told of them, and what one of them may not do. Their file is read anew each time,
//! so that a change of it counts at once; a session keeps what it was told.

use std::path::Path;

use super::perform::Performer;
use crate::agents::custom::{self, Custom};
use crate::extensions::{FROM_SERVERS, skills};
use crate::mission::control::RUN;
use crate::mission::conversation::Role;

/// What an agent may be kept from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Right {
    Write,
    Run,
}

impl Right {
    /// What a tool needs that an agent may lack.
    pub fn of_tool(name: &str) -> Option<Right> {
        // What a server does is done outside, as a command's work is.
        let runs = [RUN, "job"].contains(&name) || name.starts_with(FROM_SERVERS);
        runs.then_some(Right::Run)
    }
}

fn agents(root: &Path) -> Vec<Custom> {
    let loaded = custom::all(root);
    if let Err(why) = &loaded {
        tracing::warn!("no agents of the project: {why}");
    }
    loaded.unwrap_or_default()
}

/// What a session is told beside what is remembered: a Worker who it is to be, a Planner who there is, and both what skills
/// there are. Reads the disk.
pub(super) fn told(root: &Path, role: Role, agent: Option<&str>) -> String {
    let told = match (role, agent) {
        (Role::Worker, Some(name)) => {
            let agent = agents(root).into_iter().find(|agent| agent.name == name);
            agent.map_or(String::new(), |agent| custom::instructions(&agent))
        }
        (Role::Planner, _) => custom::list(&agents(root)),
        _ => String::new(),
    };
    match role {
        Role::Commander => told,
        _ => told + &skills::list(&skills::all(root)),
    }
}

impl Performer {
    /// Why that agent may not do this; `None` where it may.
    pub(super) fn forbids(&self, agent: Option<String>, right: Option<Right>) -> Option<String> {
        let (name, right) = (agent?, right?);
        let agent = agents(&self.root).into_iter().find(|agent| agent.name == name)?;
        let (may, what, field) = match right {
            Right::Write => (agent.can_write, "change no files", "canWrite"),
            Right::Run => (agent.can_bash, "run no commands", "canBash"),
        };
        (!may).then(|| format!("the agent `{name}` may {what} (`{field}` of the project's agent)"))
    }
}
