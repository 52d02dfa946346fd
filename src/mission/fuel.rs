//! Fuel: what a mission may spend, and what it has spent.
//!
//! It is checked before it is spent. What a call will cost is only known afterwards; therefore each call that is asked
//! for holds a reserve, and another one is asked for beside it only when the reserves of all of them still fit. A
//! mission goes past a limit by at most the last call, however many sessions run at once.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::context::Context;
use super::conversation::{Role, Usage};

/// What a mission may spend. Every limit is finite, so that every mission ends.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "snake_case", deny_unknown_fields)]
pub struct Limits {
    /// Model turns, over all sessions.
    pub calls: u64,
    /// Input and output tokens, over all sessions.
    pub tokens: u64,
    /// Money, in millionths of a US dollar.
    pub micro_usd: u64,
    /// Wall time since the start, in milliseconds.
    pub wall_ms: u64,
    /// Attempts at one task, and at the plan.
    pub attempts: u32,
    /// Refusals within one session: of change-sets by the gate, of plans that are not valid.
    pub refusals: u32,
    /// Turns of one session.
    pub turns: u32,
    /// Review rounds of the mission.
    pub rounds: u32,
    /// How often the same call may bring the same result, within a session and over the sessions of one task.
    pub repeats: u32,
    /// Transient faults in a row.
    pub faults: u32,
    /// Rounds in a row in which no obligation falls, before the mission takes another way.
    pub stalls: u32,
    /// How often what is left is planned anew when the mission stands still.
    pub replans: u32,
    /// The longest wait that a provider may ask for, in milliseconds.
    pub wait_ms: u64,
    /// Questions that a mission may ask the person.
    pub questions: u32,
    /// How long it waits for an answer while nothing else can be done, in milliseconds; then it is blocked.
    pub answer_ms: u64,
    /// Tasks that are worked on at once.
    pub parallel: u32,
    /// What the models cost. Not a limit itself; it is known when the mission begins, and stays.
    #[serde(skip_serializing_if = "Prices::is_empty")]
    #[schemars(skip)]
    pub prices: Prices,
    /// How the context of sessions is made. Not a limit of what is spent; it, too, stays as it was at the beginning.
    #[serde(skip_serializing_if = "Context::is_off")]
    #[schemars(skip)]
    pub context: Context,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            calls: 400,
            tokens: 4_000_000,
            micro_usd: 10_000_000,
            wall_ms: 4 * 60 * 60 * 1000,
            attempts: 3,
            refusals: 6,
            turns: 60,
            rounds: 5,
            repeats: 3,
            faults: 6,
            stalls: 10,
            replans: 1,
            wait_ms: 10 * 60 * 1000,
            questions: 8,
            answer_ms: 30 * 60 * 1000,
            parallel: 4,
            prices: Prices::default(),
            context: Context::default(),
        }
    }
}

/// What the models of a mission cost, as far as somebody said so.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Prices {
    /// By the role that the model plays.
    pub of: BTreeMap<Role, Price>,
    /// The names of models without a price: what they cost is not known, and no limit on money holds for them.
    pub unknown: Vec<String>,
}

impl Prices {
    /// Whether nothing is said, as where no model is asked.
    pub fn is_empty(&self) -> bool {
        self.of.is_empty() && self.unknown.is_empty()
    }
}

/// What tokens cost, in millionths of a US dollar per million tokens.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Price {
    /// Input that did not come from the provider's cache.
    pub input: u64,
    /// Output.
    pub output: u64,
    /// Input from the cache.
    pub cached: u64,
}

impl Price {
    /// What so many tokens cost, in millionths of a US dollar, where none come from a cache.
    pub fn of(&self, input: u64, output: u64) -> u64 {
        let sum = u128::from(input) * u128::from(self.input.max(self.cached))
            + u128::from(output) * u128::from(self.output);
        u64::try_from(sum.div_ceil(1_000_000)).unwrap_or(u64::MAX)
    }
}

/// What a mission has spent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Spent {
    /// Turns that were asked for.
    pub calls: u64,
    /// What the answered ones used.
    pub usage: Usage,
}

/// What a call that is under way is reckoned with until it is known.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Reserve {
    pub tokens: u64,
    pub micro_usd: u64,
}

/// What a prompt and the schemas of the tools come to, in tokens; they are not part of a conversation.
const PROMPT: u64 = 4_096;
/// The longest answer that is reckoned with, in tokens, before a longer one was seen.
const ANSWER: u64 = 16_384;
/// Bytes of a token, fewer than usual: a reserve is rather too large.
const BYTES: usize = 3;

impl Reserve {
    /// For one more turn of a conversation of so many bytes, where the dearest call so far came to `greatest`.
    pub fn of(bytes: usize, price: Option<&Price>, greatest: Reserve) -> Reserve {
        let input = PROMPT.saturating_add((bytes / BYTES) as u64);
        Reserve {
            tokens: input.saturating_add(ANSWER).max(greatest.tokens),
            micro_usd: price.map_or(0, |price| price.of(input, ANSWER)).max(greatest.micro_usd),
        }
    }

    /// What a call really came to.
    pub fn used(usage: &Usage) -> Reserve {
        let tokens = usage.input.saturating_add(usage.output);
        Reserve { tokens, micro_usd: usage.micro_usd }
    }

    /// The greater of each.
    pub fn max(self, other: Reserve) -> Reserve {
        Reserve {
            tokens: self.tokens.max(other.tokens),
            micro_usd: self.micro_usd.max(other.micro_usd),
        }
    }
}

impl std::iter::Sum for Reserve {
    fn sum<I: Iterator<Item = Reserve>>(all: I) -> Reserve {
        all.fold(Reserve::default(), |sum, one| Reserve {
            tokens: sum.tokens.saturating_add(one.tokens),
            micro_usd: sum.micro_usd.saturating_add(one.micro_usd),
        })
    }
}

/// Whether one more call may be asked for.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Fuel {
    /// It may.
    Enough,
    /// Not before a call that is under way has ended: together they could be too much.
    Held,
    /// Never again: the limit, in words.
    Spent(String),
}

impl Limits {
    /// The limit that forbids one more call, in words; `None` when there is fuel.
    pub fn forbids(&self, spent: &Spent, elapsed_ms: u64) -> Option<String> {
        let used = Reserve::used(&spent.usage);
        if spent.calls >= self.calls {
            Some(format!("{} model calls", self.calls))
        } else if used.tokens >= self.tokens {
            Some(format!("{} tokens", self.tokens))
        } else if used.micro_usd >= self.micro_usd && used.micro_usd > 0 {
            Some(format!("{:.2} US dollars", self.micro_usd as f64 / 1e6))
        } else if elapsed_ms >= self.wall_ms {
            Some(format!("{} seconds of wall time", self.wall_ms / 1000))
        } else {
            None
        }
    }

    /// Whether one more call may be asked for beside those that hold a reserve.
    pub(super) fn fuel(&self, spent: &Spent, elapsed_ms: u64, held: Option<Reserve>) -> Fuel {
        if let Some(limit) = self.forbids(spent, elapsed_ms) {
            return Fuel::Spent(limit);
        }
        let used = Reserve::used(&spent.usage);
        let full = |held: Reserve| {
            let sum: Reserve = [used, held].into_iter().sum();
            sum.tokens >= self.tokens || (sum.micro_usd >= self.micro_usd && sum.micro_usd > 0)
        };
        if held.is_some_and(full) { Fuel::Held } else { Fuel::Enough }
    }
}

/// How long to wait after the `faults`th fault in a row, in milliseconds: doubling from half a second to half a minute,
/// and shortened by up to a half as `jitter`, 0 to 999, says.
pub fn backoff_ms(faults: u32, jitter: u32) -> u64 {
    let whole = 500u64.saturating_mul(1 << faults.saturating_sub(1).min(6)).min(30_000);
    whole - whole * u64::from(jitter.min(999)) / 2000
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spent(calls: u64, input: u64, micro_usd: u64) -> Spent {
        Spent { calls, usage: Usage { input, micro_usd, ..Usage::default() } }
    }

    #[test]
    fn each_limit_forbids() {
        let limits = Limits::default();
        assert_eq!(limits.forbids(&spent(1, 1, 1), 1), None);
        assert!(limits.forbids(&spent(400, 0, 0), 0).unwrap().contains("calls"));
        assert!(limits.forbids(&spent(0, 4_000_000, 0), 0).unwrap().contains("tokens"));
        assert!(limits.forbids(&spent(0, 0, 10_000_000), 0).unwrap().contains("dollars"));
        assert!(limits.forbids(&spent(0, u64::MAX, 0), 0).unwrap().contains("tokens"));
        assert!(limits.forbids(&spent(0, 0, 0), limits.wall_ms).unwrap().contains("wall"));
    }

    #[test]
    fn calls_that_could_be_too_much_together_wait_for_each_other() {
        let limits = Limits { tokens: 50_000, ..Limits::default() };
        let one = Reserve::of(0, None, Reserve::default());
        assert_eq!(limits.fuel(&spent(0, 0, 0), 0, None), Fuel::Enough);
        assert_eq!(limits.fuel(&spent(1, 0, 0), 0, Some(one)), Fuel::Enough);
        let three = [one; 3].into_iter().sum();
        assert_eq!(limits.fuel(&spent(3, 0, 0), 0, Some(three)), Fuel::Held);
        assert_eq!(limits.fuel(&spent(3, 49_999, 0), 0, None), Fuel::Enough);
        assert_eq!(limits.fuel(&spent(3, 40_000, 0), 0, Some(one)), Fuel::Held);
        assert!(matches!(limits.fuel(&spent(3, 50_000, 0), 0, Some(one)), Fuel::Spent(_)));
    }

    #[test]
    fn a_reserve_grows_with_the_conversation_its_price_and_what_was_seen() {
        let price = Price { input: 3_000_000, output: 15_000_000, cached: 300_000 };
        let none = Reserve::default();
        let empty = Reserve::of(0, Some(&price), none);
        assert_eq!(empty.micro_usd, 3 * PROMPT + 15 * ANSWER);
        assert_eq!(Reserve::of(3_000, None, none).tokens, empty.tokens + 1_000);
        let greatest = Reserve { tokens: 1 << 30, micro_usd: 7 };
        assert_eq!(Reserve::of(0, None, greatest), greatest);
        assert_eq!(price.of(u64::MAX, u64::MAX), u64::MAX);
    }

    #[test]
    fn limits_of_earlier_versions_are_read() {
        let old = r#"{"calls":7,"tokens":1,"micro_usd":1,"wall_ms":1,"attempts":1,"refusals":1,"turns":1,"rounds":1,"repeats":1,"faults":1,"parallel":1}"#;
        let limits: Limits = serde_json::from_str(old).unwrap();
        assert_eq!((limits.calls, limits.stalls), (7, Limits::default().stalls));
    }

    #[test]
    fn backoff_is_bounded() {
        assert_eq!(backoff_ms(1, 0), 500);
        assert_eq!(backoff_ms(3, 0), 2000);
        assert_eq!(backoff_ms(3, 500), 1500);
        assert_eq!(backoff_ms(3, u32::MAX), 1001);
        assert_eq!(backoff_ms(u32::MAX, 0), 30_000);
    }
}
