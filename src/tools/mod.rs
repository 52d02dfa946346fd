//! What a role may call, with schemas, and what the calls of the workspace do.
//!
//! The one place where a role's call is checked against its rights and its arguments. A tool is a file here and a line in
//! `TOOLS`. Control calls (`plan`, `done`, …) are the mission's own and only have their schemas here; `propose` is
//! the gate's.

mod changes;
mod code;
mod control;
pub mod fetch;
mod files;
mod git;
mod note;
mod results;
mod run;
mod schema;
mod search;
mod sessions;

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use crate::extensions::plugins::{Remark, Who};
use crate::extensions::{Extensions, skills};
use crate::gate::Gate;
use crate::gate::stage::Wanted;
use crate::journal::Journal;
use crate::mission::MissionId;
use crate::mission::control::RUN;
use crate::mission::conversation::{Role, ToolCall};
use crate::mission::event::SessionId;
use crate::mission::plan::ItemId;
use crate::workspace::worktree::Laid;
use crate::workspace::{OpenTexts, RelPath};

use self::fetch::Fetcher;
use self::schema::Tool;
use self::sessions::Sessions;
use crate::model::ToolSpec;

/// Every tool, in the order in which it is offered.
const TOOLS: &[Tool] = &[
    files::LIST,
    files::READ,
    search::SEARCH,
    code::CODE,
    files::DIAGNOSTICS,
    changes::CHANGES,
    run::RUN,
    run::JOB,
    git::GIT,
    fetch::FETCH,
    note::NOTE,
    control::PROPOSE,
    control::TRIAGE,
    control::PLAN,
    control::DONE,
    control::GIVE_UP,
    control::VERDICT,
    control::UPDATE_TODO,
    control::ASK,
];

fn of_role(role: Role) -> impl Iterator<Item = &'static Tool> {
    TOOLS.iter().filter(move |tool| tool.roles.contains(&role))
}

/// Whether a role may call a tool.
fn allows(role: Role, tool: &str) -> bool {
    of_role(role).any(|known| known.name == tool)
}

/// By which agents read a skill of the project, where it has some.
const SKILL: &str = "skill";

/// The names of all tools of the product; what a workspace adds may take none of them.
pub fn names() -> Vec<&'static str> {
    TOOLS.iter().map(|tool| tool.name).chain([SKILL]).collect()
}

fn skill() -> ToolSpec {
    let properties = serde_json::json!({ "name": schema::plain(), "file": schema::plain() });
    ToolSpec {
        name: SKILL.to_owned(),
        description: "A skill of the project, or a file beside it.".to_owned(),
        schema: schema::small(properties, &["name"]),
    }
}

#[derive(Debug, serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct SkillArgs {
    name: String,
    file: Option<String>,
}

/// The tools of a role with their schemas, always in the same order.
pub fn specs(role: Role) -> Vec<ToolSpec> {
    of_role(role).map(Tool::spec).collect()
}

/// Whether a call whose process died before it answered may be made again. What is not known is not such a tool.
pub fn may_be_repeated(tool: &str) -> bool {
    TOOLS.iter().any(|known| known.name == tool && known.repeatable)
}

/// The most bytes that one result hands back whole; of a longer one the two ends, and the name under which it is kept.
pub const MAX_RESULT: usize = 32 * 1024;

/// What the workspace adds, by mission and session.
type Offered = HashMap<(MissionId, SessionId), Arc<[ToolSpec]>>;

/// The tools of one workspace.
pub struct Toolbox {
    gate: Arc<Gate>,
    journal: Arc<Mutex<Journal>>,
    sessions: Sessions,
    fetcher: Arc<Fetcher>,
    extensions: Extensions,
    /// What the workspace adds, as each session was first told: its requests begin with the same bytes from turn to turn.
    offered: Mutex<Offered>,
}

/// Who calls, and for what.
#[derive(Debug, Clone)]
pub struct Caller {
    /// The mission.
    pub mission: MissionId,
    /// The session's number within it.
    pub session: SessionId,
    /// The role.
    pub role: Role,
    /// The task, where the session serves one.
    pub item: Option<ItemId>,
    /// How many change-sets of the mission were applied; a receipt beyond those is not in the tree.
    pub applied: usize,
    /// The files that its task's applied change-sets named, each with that one's number (0-based) in the mission.
    pub settled: Vec<(usize, String)>,
    /// Whether the session has run a command before.
    pub has_run: bool,
    /// Unsaved texts of the editor.
    pub open: OpenTexts,
}

/// A result for the agent: a text, or an error that says how the call would be right.
pub type ToolResult = Result<String, String>;

impl Toolbox {
    /// The tools over that workspace; `own` is the user's folder of this product. Must be called within a tokio runtime.
    pub fn new(
        gate: Arc<Gate>,
        journal: Arc<Mutex<Journal>>,
        fetch: fetch::Settings,
        own: Option<&Path>,
    ) -> Toolbox {
        let sessions = Sessions::new(gate.folder().map(|folder| folder.join("work")));
        let fetcher = Arc::new(Fetcher::new(gate.workspace().root(), fetch));
        let extensions = Extensions::new(gate.workspace().root(), own, fetcher.clone(), names());
        Toolbox { gate, journal, sessions, fetcher, extensions, offered: Mutex::default() }
    }

    /// What the workspace adds.
    pub fn extensions(&self) -> &Extensions {
        &self.extensions
    }

    /// What the workspace adds for a session: what there was when it was first asked.
    pub fn offered(&self, mission: &MissionId, session: SessionId, role: Role) -> Arc<[ToolSpec]> {
        let mut offered = self.offered.lock().unwrap_or_else(PoisonError::into_inner);
        let known = offered.entry((mission.clone(), session));
        known
            .or_insert_with(|| if role == Role::Commander { Arc::default() } else { self.added() })
            .clone()
    }

    fn added(&self) -> Arc<[ToolSpec]> {
        let has_skills = !skills::paths(self.gate.workspace().root()).is_empty();
        let offers = self.extensions.offers().into_iter();
        let offers = offers.map(|offer| ToolSpec {
            name: offer.name,
            description: offer.description,
            schema: offer.schema,
        });
        has_skills.then(skill).into_iter().chain(offers).collect()
    }

    /// Ends what belongs to sessions of a mission that live no more: worktrees and processes.
    pub fn keep(&self, mission: &MissionId, lives: impl Fn(SessionId) -> bool) {
        let mut offered = self.offered.lock().unwrap_or_else(PoisonError::into_inner);
        offered.retain(|(of, session), _| of != mission || lives(*session));
        drop(offered);
        self.sessions.keep(mission, lives);
    }

    /// What a session changed in its worktree, all of it or what lies at `below`, merged onto the tree of now.
    ///
    /// # Errors
    /// Why it cannot be, for the agent: both sides, where they meet.
    pub async fn from_worktree(
        &self,
        mission: &MissionId,
        session: SessionId,
        below: Option<RelPath>,
        open: OpenTexts,
    ) -> Result<Laid, String> {
        self.sessions.lay(&self.gate, (mission, session), below, open).await
    }

    /// Answers a workspace call, with the project's plugins around it. The result is bounded, and an error never ends more
    /// than the call.
    pub async fn call(
        &self,
        caller: Caller,
        mut call: ToolCall,
        who: &Who,
        remark: Remark<'_>,
    ) -> ToolResult {
        let plugins = &self.extensions.plugins;
        call.arguments = plugins.before(&call.name, call.arguments, who, remark).await?;
        let (name, arguments) = (call.name.clone(), call.arguments.clone());
        let result = match self.added_call(&caller, &call, who, remark).await {
            Some(result) => result,
            None => self.own_call(&caller, call).await,
        };
        let told = |text| plugins.after(&name, &arguments, text, who, remark);
        let result = match result {
            Ok(text) => Ok(told(text).await),
            Err(text) => Err(told(text).await),
        };
        // A long error is cut like a long answer: neither may fill a conversation.
        let gate = self.gate.clone();
        apart(move || match result {
            Ok(text) => Ok(results::bounded(&gate, &caller, text)),
            Err(text) => Err(results::bounded(&gate, &caller, text)),
        })
        .await
    }

    /// A call of a tool that the workspace adds.
    async fn added_call(
        &self,
        caller: &Caller,
        call: &ToolCall,
        who: &Who,
        remark: Remark<'_>,
    ) -> Option<ToolResult> {
        if caller.role == Role::Commander || TOOLS.iter().any(|tool| tool.name == call.name) {
            return None;
        }
        self.extensions.call(&call.name, &call.arguments, who, remark).await
    }

    /// What reads the disk does so off the async threads.
    async fn own_call(&self, caller: &Caller, call: ToolCall) -> ToolResult {
        if call.name == SKILL && caller.role != Role::Commander {
            let (gate, args) = (self.gate.clone(), arguments::<SkillArgs>(&call)?);
            let root = move || gate.workspace().root().to_path_buf();
            return apart(move || skills::ask(&root(), &args.name, args.file.as_deref())).await;
        }
        if !allows(caller.role, &call.name) {
            let names = of_role(caller.role).map(|tool| tool.name.to_owned());
            let added = self.offered(&caller.mission, caller.session, caller.role);
            let names = names.chain(added.iter().map(|tool| tool.name.clone()));
            let names = names.collect::<Vec<_>>().join(", ");
            return Err(format!("the {} has no tool `{}`; it has {names}", caller.role, call.name));
        }
        match call.name.as_str() {
            "diagnostics" => self.diagnostics(caller, &arguments(&call)?).await,
            RUN => run::run(&self.sessions, &self.gate, caller, arguments(&call)?).await,
            "job" => run::job(&self.sessions, caller, arguments(&call)?).await,
            "git" => git::git(self.gate.workspace().root(), &arguments(&call)?).await,
            "fetch" => self.fetcher.fetch(&arguments(&call)?).await,
            "code" => self.code(caller, arguments(&call)?).await,
            _ => {
                let (gate, journal, caller) =
                    (self.gate.clone(), self.journal.clone(), caller.clone());
                apart(move || look(&gate, &journal, &caller, &call)).await
            }
        }
    }

    async fn code(&self, caller: &Caller, args: code::CodeArgs) -> ToolResult {
        let (gate, asker) = (self.gate.clone(), caller.clone());
        let Some(lookup) = args.lookup()? else {
            return apart(move || code::look(&gate, &asker, &args)).await;
        };
        match code::ask(&self.gate, caller, &lookup).await? {
            Err(why) if lookup.wanted == Wanted::Definition => {
                apart(move || code::defined(&gate, &asker, &lookup, &why)).await
            }
            answer => answer,
        }
    }

    async fn diagnostics(&self, caller: &Caller, wanted: &files::ListArgs) -> ToolResult {
        let path = wanted.path.as_deref().map(path).transpose()?;
        let found = self.gate.diagnose(&caller.open).await.map_err(|e| e.to_string())?;
        let inside = |p: &RelPath| path.as_ref().is_none_or(|wanted| p == wanted);
        let lines = found.diagnostics.iter().filter(|d| inside(&d.path)).map(|d| {
            let code = d.code.as_ref().map_or(String::new(), |code| format!(" [{code}]"));
            let severity = format!("{:?}", d.severity).to_lowercase();
            format!("{}:{}: {severity}{code} {}", d.path, d.range.start.line + 1, d.message)
        });
        let mut lines: Vec<String> = lines.collect();
        lines.extend(found.unverified.iter().map(|why| format!("not checked: {why}")));
        Ok(if lines.is_empty() { "no errors, no warnings".to_owned() } else { lines.join("\n") })
    }
}

/// Does what reads the disk off the async threads.
async fn apart(work: impl FnOnce() -> ToolResult + Send + 'static) -> ToolResult {
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or_else(|error| Err(format!("internal error: {error}")))
}

fn look(gate: &Gate, journal: &Mutex<Journal>, caller: &Caller, call: &ToolCall) -> ToolResult {
    match call.name.as_str() {
        "read" => files::read(gate, caller, &arguments(call)?),
        "list" => files::list(gate, &arguments(call)?),
        "search" => search::search(gate, caller, &arguments(call)?),
        "changes" => changes::changes(journal, caller, &arguments(call)?),
        other => Err(format!("`{other}` is not a tool of the workspace")),
    }
}

fn arguments<T: serde::de::DeserializeOwned>(call: &ToolCall) -> Result<T, String> {
    serde_json::from_value(serde_json::Value::Object((*call.arguments).clone()))
        .map_err(|error| format!("the arguments of `{}` do not fit: {error}", call.name))
}

fn path(text: &str) -> Result<RelPath, String> {
    RelPath::new(text).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mission::control as decisions;

    #[test]
    fn only_a_worker_proposes_and_nobody_has_anothers_decision() {
        for role in Role::ALL {
            assert_eq!(allows(role, decisions::PROPOSE), role == Role::Worker);
            for tool in TOOLS.iter().filter(|tool| decisions::is_control(tool.name)) {
                let own = decisions::is_of(role, tool.name);
                assert_eq!(allows(role, tool.name), own, "{role} {}", tool.name);
            }
        }
    }

    /// What a Worker can say beside its work costs it little.
    #[test]
    fn the_calls_beside_the_work_are_small() {
        let added = specs(Role::Worker)
            .into_iter()
            .filter(|spec| [decisions::UPDATE_TODO, decisions::ASK].contains(&spec.name.as_str()));
        let bytes: usize = added.map(|spec| serde_json::to_string(&spec).unwrap().len()).sum();
        // The format of a provider adds an envelope of some 38 bytes to each.
        assert!(bytes > 200 && bytes + 2 * 38 <= 500, "{bytes}");
    }

    #[test]
    fn what_decides_or_changes_is_never_done_twice() {
        for tool in TOOLS {
            let decides = decisions::is_control(tool.name) || tool.name == decisions::PROPOSE;
            assert!(!((decides || tool.name == RUN) && tool.repeatable), "{}", tool.name);
        }
        assert!(!may_be_repeated("unheard_of"));
    }

    /// Every request of a session carries them.
    #[test]
    fn commands_git_and_fetch_are_described_in_few_bytes() {
        let names = [RUN, "job", "git", "fetch"];
        let on_the_wire = |tool: &&Tool| {
            let spec = tool.spec();
            let function = serde_json::json!({"name": spec.name, "description": spec.description, "parameters": spec.schema});
            serde_json::json!({"type": "function", "function": function}).to_string().len() + 1
        };
        let tools: usize =
            TOOLS.iter().filter(|t| names.contains(&t.name)).map(|t| on_the_wire(&t)).sum();
        let in_propose = ",\"from_worktree\"".len();
        assert!(tools + in_propose <= 1_000, "{tools}");
    }
}
