//! A session: one agent's conversation, from its brief to the call that ends it.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::accounts::Account;
use super::compact::LeftOut;
use super::conversation::{Message, Role, ToolCall, Usage};
use super::event::SessionId;
use super::plan::ItemId;

/// Bytes of a token, about, where the provider has counted nothing.
pub(super) const BYTES_PER_TOKEN: u64 = 4;

/// One agent's conversation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Session {
    /// Its number within the mission.
    pub id: SessionId,
    /// The role that it plays.
    pub role: Role,
    /// The task that it serves, where it serves one.
    pub item: Option<ItemId>,
    /// What was said; it only grows, so that a provider's cache can serve the prefix, but for the moments at which it
    /// had grown to its high mark, or was too long for its model, and old results gave way to notes. Shared with the turn
    /// that is under way.
    #[serde(
        serialize_with = "super::conversation::one_of_many",
        deserialize_with = "super::conversation::shared"
    )]
    pub messages: Arc<Vec<Message>>,
    /// How many bytes of the first message are the same in other sessions, too: what the project says of itself.
    pub pinned: usize,
    /// Where the part of the first message begins that is written anew at a cut.
    pub(super) renewed_at: usize,
    /// Turns that were left out whole, and what they called.
    pub(super) left_out: LeftOut,
    /// The tokens that the provider counted last, and the weight of the conversation that it counted.
    pub(super) counted: (u64, usize),
    /// The tokens that the last cut left.
    pub(super) floor: u64,
    /// The bytes of their texts, kept beside them: a reserve is reckoned with it at every turn.
    pub(super) weight: usize,
    /// Turns that were answered.
    pub turns: u32,
    /// What its requests came to.
    pub account: Account,
    pub(super) state: SessionState,
    /// Transient faults in a row.
    pub(super) faults: u32,
    /// Whether the turn that is wanted has met a fault of any kind.
    pub(super) troubled: bool,
    /// How far the conversation was shortened since the last turn.
    pub(super) shortened: usize,
    /// Answers in a row that could not be used.
    pub(super) nudges: u32,
    /// How often it was found to repeat itself since the tree changed.
    pub(super) strikes: u32,
    /// Refusals of its change-sets or plans.
    pub(super) refusals: u32,
    /// What is said once the calls of its turn are answered.
    #[serde(default)]
    pub(super) prompts: Vec<String>,
}

/// What a session is at.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) enum SessionState {
    /// Nobody has told it yet what is remembered.
    Fresh,
    /// Its next turn may be asked for.
    Ready,
    /// A fault was met; its turn is asked for again after a wait of that many milliseconds.
    Resting(u64),
    /// An effect (a turn, or a wait) is under way.
    Waiting,
    /// Its turn waits for a slot: nothing was sent yet.
    Queued,
    /// Its calls are being answered.
    Calling(Vec<OpenCall>),
}

/// A call and what has become of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct OpenCall {
    pub call: ToolCall,
    pub begun: bool,
    /// The text handed back, and whether it is an error.
    pub result: Option<(String, bool)>,
}

impl OpenCall {
    /// Whether it waits for a person's answer.
    fn is_asking(&self) -> bool {
        self.call.name == super::control::ASK && self.begun && self.result.is_none()
    }

    pub(super) fn is_refused(&self) -> bool {
        matches!(self.result, Some((_, true)))
    }
}

impl Session {
    pub(super) fn new(id: SessionId, role: Role, item: Option<ItemId>, brief: String) -> Session {
        let mut session = Session {
            id,
            role,
            item,
            messages: Arc::default(),
            pinned: 0,
            renewed_at: brief.len(),
            left_out: LeftOut::default(),
            counted: (0, 0),
            floor: 0,
            weight: 0,
            turns: 0,
            account: Account::default(),
            state: SessionState::Ready,
            faults: 0,
            troubled: false,
            shortened: 0,
            nudges: 0,
            strikes: 0,
            refusals: 0,
            prompts: Vec::new(),
        };
        session.add(Message::User { text: brief });
        session
    }

    fn add(&mut self, message: Message) {
        self.weight += message.weight();
        Arc::make_mut(&mut self.messages).push(message);
    }

    /// About how many tokens its next request has: what the provider counted last, and a quarter of the bytes since; a
    /// quarter of all where nothing was counted.
    pub fn tokens(&self) -> u64 {
        let (counted, weight) = self.counted;
        counted.saturating_add(self.weight.saturating_sub(weight) as u64 / BYTES_PER_TOKEN)
    }

    /// Notes what the provider counted of the turn that was heard. Some report only what their cache did not serve: fewer
    /// tokens than an eighth of the bytes are no count of the whole.
    pub(super) fn count(&mut self, usage: &Usage) {
        let is_whole = usage.input.saturating_mul(2 * BYTES_PER_TOKEN) >= self.weight as u64;
        if usage.input > 0 && is_whole && !usage.estimated {
            self.counted = (usage.input.saturating_add(usage.output), self.weight);
        }
    }

    /// Reckons the weight anew, when messages were changed: what was counted before does not hold any more.
    pub(super) fn weigh(&mut self) {
        self.weight = self.messages.iter().map(Message::weight).sum();
        self.counted = (0, 0);
    }

    /// Puts what is remembered around the brief.
    pub(super) fn remember(&mut self, shared: &str, own: &str, core: &str) {
        if let Some(Message::User { text }) = Arc::make_mut(&mut self.messages).first_mut() {
            *text = format!("{shared}{text}{own}");
            self.pinned = shared.len();
            self.renewed_at = text.len();
        }
        self.renew(core);
    }

    /// Writes the end of the first message anew: the stable core, and what was left out whole.
    pub(super) fn renew(&mut self, core: &str) {
        let left_out = self.left_out.to_string();
        if let Some(Message::User { text }) = Arc::make_mut(&mut self.messages).first_mut() {
            text.truncate(self.renewed_at);
            text.push_str(core);
            text.push_str(&left_out);
        }
        self.weigh();
    }

    /// What it does now, in a word.
    pub fn activity(&self) -> &'static str {
        match &self.state {
            SessionState::Fresh | SessionState::Ready | SessionState::Waiting => "thinking",
            SessionState::Queued => "waiting for a slot",
            SessionState::Resting(_) => "waiting",
            SessionState::Calling(calls) if calls.iter().any(|c| c.is_asking()) => "asking",
            SessionState::Calling(calls) => {
                match calls.iter().any(|c| c.call.name == super::control::PROPOSE) {
                    true => "at the gate",
                    false => "calling tools",
                }
            }
        }
    }

    /// Says something to the agent and lets it answer.
    pub(super) fn say(&mut self, text: impl Into<String>) {
        self.add(Message::User { text: text.into() });
        self.state = SessionState::Ready;
    }

    /// Records a turn and opens its calls.
    pub(super) fn hear(&mut self, text: String, calls: Vec<ToolCall>) {
        self.turns += 1;
        self.faults = 0;
        self.troubled = false;
        self.shortened = 0;
        let open = |call: &ToolCall| OpenCall { call: call.clone(), begun: false, result: None };
        self.state = SessionState::Calling(calls.iter().map(open).collect());
        self.add(Message::Assistant { text, calls });
    }

    pub(super) fn calls_mut(&mut self) -> &mut [OpenCall] {
        match &mut self.state {
            SessionState::Calling(calls) => calls,
            _ => &mut [],
        }
    }

    pub(super) fn answer(&mut self, index: usize, content: impl Into<String>, is_error: bool) {
        if let Some(open) = self.calls_mut().get_mut(index) {
            open.begun = true;
            open.result.get_or_insert((content.into(), is_error));
        }
    }

    /// Whether it has calls, and all of them are answered.
    pub(super) fn is_answered(&self) -> bool {
        let SessionState::Calling(calls) = &self.state else {
            return false;
        };
        calls.iter().all(|c| c.result.is_some())
    }

    /// When every call is answered, says the results in the calls' order and makes the session ready.
    pub(super) fn conclude_calls(&mut self) {
        if !self.is_answered() {
            return;
        }
        let SessionState::Calling(calls) = std::mem::replace(&mut self.state, SessionState::Ready)
        else {
            return;
        };
        for open in calls {
            let (content, is_error) = open.result.unwrap_or_default();
            self.add(Message::Tool { call_id: open.call.id, content, is_error });
        }
        for text in std::mem::take(&mut self.prompts) {
            self.add(Message::User { text });
        }
    }
}
