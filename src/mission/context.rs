//! What the sessions of a mission know beside their briefs, and how large their conversations may grow.
//!
//! What is remembered comes in with an outcome, before a session's first turn, and so stands in the journal: a mission
//! that is folded again sends the same bytes. How it was chosen is not known here, only that each note has a weight.
//! When a conversation is cut, the stable core (plan, decisions, the last request, open findings) is written anew, word
//! for word, behind the brief.

use serde::{Deserialize, Serialize};

use super::brief;
use super::compact;
use super::conversation::{Role, ToolCall};
use super::event::{Act, Effect, SessionId};
use super::plan::{ItemId, one_line};
use super::session::SessionState;
use super::state::{LineKind, Mission};

/// The longest note, in characters.
const NOTE_CHARS: usize = 600;
/// The most notes of a mission.
const NOTES: usize = 100;
/// The most weights that one outcome brings.
const WEIGHED: usize = 1_000;

/// How the context of a mission's sessions is made. Fixed when it begins; all of it is off in missions of versions that
/// knew nothing of it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Context {
    /// Whether a session is told before its first turn what is remembered. Without it nothing is noted, either.
    pub recall: bool,
    /// Tokens of a conversation at which its old results give way; 0: only when the model says that it is too long.
    pub high: u32,
    /// About how many tokens a cut leaves.
    pub low: u32,
}

impl Context {
    /// Whether nothing of it is wanted.
    pub fn is_off(&self) -> bool {
        *self == Context::default()
    }
}

/// For whom a note is kept.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Keep {
    /// The later sessions of the mission.
    #[default]
    Mission,
    /// Later missions, too.
    Project,
}

/// What an agent noted for those who come after it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Note {
    /// One line.
    pub text: String,
    /// For whom.
    pub keep: Keep,
    /// Who noted it.
    pub role: Role,
    /// At which task.
    pub item: Option<ItemId>,
    /// When, milliseconds since the epoch.
    pub at: u64,
}

/// How relevant a note has been of late.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Weight {
    /// The moving average of its relevance, in thousandths.
    pub score: u16,
    /// Whether it is handed out at present.
    pub open: bool,
    /// When it was weighed, milliseconds since the epoch.
    #[serde(default)]
    pub at: u64,
}

/// A weight, with the key of its note.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Weighed {
    /// What the memory calls the note; a mission only keeps it.
    pub key: String,
    /// As in [`Weight`].
    pub score: u16,
    /// As in [`Weight`].
    pub open: bool,
}

/// Asks what is remembered, before a session's first turn.
pub(super) fn recall(m: &mut Mission, id: SessionId) -> Option<Effect> {
    m.sessions.get_mut(&id)?.state = SessionState::Waiting;
    Some(m.begin(Act::Recall { session: id }))
}

/// What is remembered came in.
pub(super) fn recalled(m: &mut Mission, id: SessionId, told: &Told<'_>, weighed: Vec<Weighed>) {
    let at = m.now;
    for Weighed { key, score, open } in weighed.into_iter().take(WEIGHED) {
        m.weights.insert(key, Weight { score, open, at });
    }
    // The other roles' briefs hold what is due to them.
    let is_worker = m.sessions.get(&id).is_some_and(|s| s.role == Role::Worker);
    let core = if is_worker { m.core(id) } else { String::new() };
    if let Some(session) = m.sessions.get_mut(&id) {
        session.remember(told.shared, told.own, &core);
        session.state = SessionState::Ready;
    }
}

/// What a session is told of what is remembered.
pub(super) struct Told<'a> {
    /// The same for all sessions at the same files; it goes before the brief.
    pub shared: &'a str,
    /// What was chosen for this one; it goes behind.
    pub own: &'a str,
}

/// Shortens a conversation that has grown to its high mark.
pub(super) fn relieve(m: &mut Mission, id: SessionId) {
    if m.engine == super::SYMBOLIC {
        // It costs no tokens, and reads what it proposed from its own calls.
        return;
    }
    let context = m.limits.context;
    let is_due = |s: &&mut super::Session| compact::is_due(s, &context);
    let Some(session) = m.sessions.get_mut(&id).filter(is_due) else {
        return;
    };
    let (role, before) = (session.role, session.tokens());
    let Some(pieces) = compact::relieve(session, &context) else {
        return;
    };
    renew(m, id);
    let left = m.sessions.get(&id).map_or(0, super::Session::tokens);
    let text = format!(
        "{pieces} old pieces of the conversation give way to notes (about {before} tokens, {left} left)"
    );
    m.tell(LineKind::Step, Some(role), None, text);
}

/// Writes the stable core of a session anew, behind its brief.
pub(super) fn renew(m: &mut Mission, id: SessionId) {
    if m.limits.context.is_off() {
        return;
    }
    let core = m.core(id);
    if let Some(session) = m.sessions.get_mut(&id) {
        session.renew(&core);
    }
}

impl Mission {
    /// What a session must never lose, word for word: the plan, what was decided, the last request of a person, the
    /// findings that are open. The goal and the task stand in its brief.
    pub fn core(&self, session: SessionId) -> String {
        self.session(session).map_or_else(String::new, |s| brief::core(self, s.item.as_ref()))
    }
}

/// Takes a note down, or says why not.
pub(super) fn note(m: &mut Mission, id: SessionId, index: usize) {
    let Some(session) = m.sessions.get_mut(&id) else {
        return;
    };
    let (role, item) = (session.role, session.item.clone());
    let Some(call) = session.calls_mut().get(index).map(|open| open.call.clone()) else {
        return;
    };
    let answer = read(&call).and_then(|(text, keep)| {
        let note = Note { text, keep, role, item: item.clone(), at: m.now };
        take_down(m, note)
    });
    let (text, is_error) = match answer {
        Ok(text) => (text, false),
        Err(text) => (text, true),
    };
    if let Some(session) = m.sessions.get_mut(&id) {
        session.answer(index, text, is_error);
    }
}

fn take_down(m: &mut Mission, note: Note) -> Result<String, String> {
    if let Some(known) = m.notes.iter_mut().find(|known| alike(&known.text, &note.text)) {
        if note.keep == Keep::Project {
            known.keep = Keep::Project;
        }
        return Ok("known already".to_owned());
    }
    if m.notes.len() >= NOTES {
        return Err(format!("not noted: a mission keeps {NOTES} notes, and has them"));
    }
    let text: String = note.text.chars().take(160).collect();
    m.tell(LineKind::Step, Some(note.role), note.item.as_ref(), format!("notes: {text}"));
    m.notes.push(note);
    Ok("noted".to_owned())
}

fn read(call: &ToolCall) -> Result<(String, Keep), String> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Arguments {
        text: String,
        #[serde(default)]
        keep: Keep,
    }
    let value = serde_json::Value::Object((*call.arguments).clone());
    let Arguments { text, keep } = serde_json::from_value(value)
        .map_err(|error| format!("the arguments of `{}` do not fit: {error}", call.name))?;
    let text = one_line(&text);
    match text.chars().count() {
        0 => Err("the note is empty".to_owned()),
        n if n > NOTE_CHARS => {
            Err(format!("the note has {n} characters; {NOTE_CHARS} is the most: say less"))
        }
        _ => Ok((text, keep)),
    }
}

/// Whether two notes say the same, but for case and spaces.
fn alike(a: &str, b: &str) -> bool {
    let words = |text: &str| text.split_whitespace().map(str::to_lowercase).collect::<Vec<_>>();
    words(a) == words(b)
}

#[cfg(test)]
mod tests {
    use super::super::control;
    use super::*;

    fn read_note(arguments: serde_json::Value) -> Result<(String, Keep), String> {
        let arguments = arguments.as_object().cloned().unwrap();
        read(&ToolCall { id: "1".into(), name: control::NOTE.into(), arguments: arguments.into() })
    }

    #[test]
    fn a_note_is_one_line_within_its_bounds() {
        let (text, keep) = read_note(serde_json::json!({"text": " a\n b "})).unwrap();
        assert_eq!((text.as_str(), keep), ("a b", Keep::Mission));
        assert!(read_note(serde_json::json!({"text": " \n"})).is_err());
        assert!(read_note(serde_json::json!({"text": "x", "keep": "for ever"})).is_err());
        let error = read_note(serde_json::json!({"text": "x".repeat(NOTE_CHARS + 1)})).unwrap_err();
        assert!(error.contains("601 characters"), "{error}");
    }

    #[test]
    fn what_is_off_is_not_written_and_what_is_not_written_is_off() {
        let limits = super::super::fuel::Limits::default();
        assert!(!serde_json::to_string(&limits).unwrap().contains("context"));
        let context = Context { recall: true, high: 9, low: 3 };
        let limits = super::super::fuel::Limits { context, ..limits };
        let text = serde_json::to_string(&limits).unwrap();
        assert_eq!(serde_json::from_str::<super::super::fuel::Limits>(&text).unwrap(), limits);
    }
}
