//! What can go wrong when a model is asked, by kind, and what kind of answer each kind deserves.
//!
//! A fault is data: it is journaled and it decides what the mission does next, so it carries no key, no request body and
//! at most [`MAX_MESSAGE`] bytes of a provider's own words.

use serde::{Deserialize, Serialize};

use super::secret::Secret;
use crate::mission::conversation::Usage;
use crate::mission::provider::Server;

pub(crate) mod classify;

/// Upper bound of a fault's message, in bytes.
pub const MAX_MESSAGE: usize = 800;

/// Why a turn did not come about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FaultKind {
    /// No connection, or it broke: refused, reset, name not found, TLS failure.
    Network,
    /// No byte arrived for the idle time.
    Stalled,
    /// The answer ended without its terminal marker.
    Truncated,
    /// The answer is not what the wire format prescribes.
    MalformedStream,
    /// 429: too many requests or tokens a minute.
    RateLimited,
    /// 503 or 529: the provider has no capacity just now.
    Overloaded,
    /// Any other failure on the provider's side, 408, 409 and 425 included.
    Server,
    /// The request is longer than the model's context window or the provider's size limit.
    ContextOverflow,
    /// 401 or 403.
    Auth,
    /// Out of credit, or a spending limit was reached: no retry helps.
    Quota,
    /// 404: no such model, or no such path.
    NotFound,
    /// The provider rejects the request as such.
    BadRequest,
    /// The arguments of a tool call are not a JSON object.
    MalformedArguments,
    /// Neither text nor a call.
    EmptyAnswer,
    /// The answer was cut at the output-token limit.
    OutputLimit,
    /// The model, or a filter in front of it, declined to answer.
    Refused,
    /// The answer did not end within its size or time bound.
    Unbounded,
    /// The answer repeated itself over and over.
    Repeated,
    /// Nothing was sent: the provider has failed too often to be asked just now.
    Held,
    /// A setting is missing or wrong; nothing was sent.
    Configuration,
}

/// What to do about a fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reaction {
    /// Ask the same again after a pause, a bounded number of times.
    Retry,
    /// Shorten the conversation, then ask again.
    Compact,
    /// Tell the model what was wrong with its answer; it counts as an attempt.
    Correct,
    /// Stop and name the setting or account that a person must mend.
    Human,
}

impl FaultKind {
    /// What to do about a fault of this kind.
    pub fn reaction(self) -> Reaction {
        use FaultKind::*;
        match self {
            Network | Stalled | Truncated | MalformedStream | RateLimited | Overloaded | Server
            | Held => Reaction::Retry,
            ContextOverflow => Reaction::Compact,
            MalformedArguments | EmptyAnswer | OutputLimit | Refused | Unbounded | Repeated => {
                Reaction::Correct
            }
            Auth | Quota | NotFound | BadRequest | Configuration => Reaction::Human,
        }
    }

    /// What a fault of this kind says of the provider.
    pub(crate) fn health(self) -> Health {
        use FaultKind::*;
        match self {
            Auth | Quota | NotFound | Configuration => Health::Unusable,
            // The request itself was wrong, whoever had got it.
            BadRequest => Health::Alive,
            other if other.reaction() == Reaction::Retry => Health::Failing,
            _ => Health::Alive,
        }
    }
}

/// What a fault says of the provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Health {
    /// It answers.
    Alive,
    /// It does not answer just now.
    Failing,
    /// It will not answer until a person has mended something.
    Unusable,
}

/// Why a turn did not come about, with the provider's words and what it cost nonetheless.
///
/// Those that a client returns hold no secret and at most [`MAX_MESSAGE`] bytes of message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{message}")]
pub struct Fault {
    /// The kind, which decides the reaction.
    pub kind: FaultKind,
    /// For people and, after [`Reaction::Correct`], for the model. Free of secrets.
    pub message: String,
    /// How long the provider asks to wait, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after_ms: Option<u64>,
    /// What the failed turn cost, when an answer had begun.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usage: Option<Usage>,
    /// Who was asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<Box<Server>>,
    /// Whether nothing was sent.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unsent: bool,
    /// The name of the model that stands in and can be asked at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instead: Option<String>,
}

impl Fault {
    /// A fault without a wish to wait and without cost.
    pub fn new(kind: FaultKind, message: impl Into<String>) -> Self {
        Fault {
            kind,
            message: message.into(),
            retry_after_ms: None,
            usage: None,
            by: None,
            unsent: false,
            instead: None,
        }
    }

    /// The same without a trace of `secrets`, which providers like to quote, and with a message of bounded length.
    pub(crate) fn sealed<'a>(mut self, secrets: impl IntoIterator<Item = &'a Secret>) -> Self {
        for secret in secrets {
            secret.redact(&mut self.message);
        }
        // Only now: a cut could leave half a secret that no search finds.
        shorten(&mut self.message, MAX_MESSAGE);
        self
    }

    /// What to do about it.
    pub fn reaction(&self) -> Reaction {
        self.kind.reaction()
    }
}

/// Cuts `text` to at most `limit` bytes, at a character boundary.
pub(crate) fn shorten(text: &mut String, limit: usize) {
    if text.len() > limit {
        let mut end = limit.saturating_sub("…".len());
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        text.truncate(end);
        text.push('…');
    }
}

/// An error and its causes in one line.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.ends_with(&cause_text) {
            text.push_str(": ");
            text.push_str(&cause_text);
        }
        source = cause.source();
    }
    text
}

/// Why there is no client: always a setting that a person can change.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ModelError {
    /// A setting is missing, unreadable or contradicts another.
    #[error("failed to use the model settings: {reason}; set {setting}")]
    Setting {
        /// The setting to change: its name in the configuration file and in the environment.
        setting: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A replay script cannot be played.
    #[error("failed to play the replay script {path}: {reason}")]
    Replay {
        /// As it stands in the settings.
        path: String,
        /// What is wrong with it, with line and column where there is one.
        reason: String,
    },
    /// The HTTP client could not be built, for instance because the system has no root certificates.
    #[error(
        "failed to build the HTTP client: {reason}; install the system's root certificates (ca-certificates) or set an http base_url"
    )]
    Http {
        /// What the HTTP library says.
        reason: String,
    },
}

impl From<ModelError> for Fault {
    fn from(error: ModelError) -> Self {
        Fault::new(FaultKind::Configuration, error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_survives_the_journal() {
        let mut fault = Fault::new(FaultKind::RateLimited, "slow down");
        fault.retry_after_ms = Some(1500);
        let text = serde_json::to_string(&fault).unwrap();
        assert_eq!(text, r#"{"kind":"rate_limited","message":"slow down","retry_after_ms":1500}"#);
        assert_eq!(serde_json::from_str::<Fault>(&text).unwrap(), fault);
    }

    #[test]
    fn a_secret_at_the_cut_leaves_no_half() {
        let secret = Secret::new("sk-0123456789");
        for padding in MAX_MESSAGE - 30..MAX_MESSAGE {
            let fault = Fault::new(FaultKind::Auth, "x".repeat(padding) + "sk-0123456789");
            assert!(!fault.sealed([&secret]).message.contains("sk-"));
        }
    }

    #[test]
    fn a_message_is_cut_at_a_character() {
        let fault = Fault::new(FaultKind::Server, "ä".repeat(MAX_MESSAGE)).sealed([]);
        assert!(fault.message.len() <= MAX_MESSAGE);
        assert!(fault.message.ends_with("ä…"));
    }
}
