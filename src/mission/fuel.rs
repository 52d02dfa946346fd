//! Fuel: what a mission may spend, and what it has spent. It is checked before it is spent.

use serde::{Deserialize, Serialize};

use super::conversation::Usage;

/// What a mission may spend. Every limit is finite, so that every mission ends.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
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
    /// Refusals by the gate within one attempt.
    pub refusals: u32,
    /// Turns of one session.
    pub turns: u32,
    /// Review rounds of the mission.
    pub rounds: u32,
    /// Identical turns in a row.
    pub repeats: u32,
    /// Transient faults in a row.
    pub faults: u32,
    /// The longest wait that a provider may ask for, in milliseconds.
    pub wait_ms: u64,
    /// Tasks that are worked on at once.
    pub parallel: u32,
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
            wait_ms: 10 * 60 * 1000,
            parallel: 4,
        }
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

impl Limits {
    /// The limit that forbids one more call, in words; `None` when there is fuel.
    pub fn forbids(&self, spent: &Spent, elapsed_ms: u64) -> Option<String> {
        let tokens = spent.usage.input.saturating_add(spent.usage.output);
        if spent.calls >= self.calls {
            Some(format!("{} model calls", self.calls))
        } else if tokens >= self.tokens {
            Some(format!("{} tokens", self.tokens))
        } else if spent.usage.micro_usd >= self.micro_usd && spent.usage.micro_usd > 0 {
            Some(format!("{:.2} US dollars", self.micro_usd as f64 / 1e6))
        } else if elapsed_ms >= self.wall_ms {
            Some(format!("{} seconds of wall time", self.wall_ms / 1000))
        } else {
            None
        }
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

    #[test]
    fn each_limit_forbids() {
        let limits = Limits::default();
        let spent = |calls, input, micro_usd| Spent {
            calls,
            usage: Usage { input, micro_usd, ..Usage::default() },
        };
        assert_eq!(limits.forbids(&spent(1, 1, 1), 1), None);
        assert!(limits.forbids(&spent(400, 0, 0), 0).unwrap().contains("calls"));
        assert!(limits.forbids(&spent(0, 4_000_000, 0), 0).unwrap().contains("tokens"));
        assert!(limits.forbids(&spent(0, 0, 10_000_000), 0).unwrap().contains("dollars"));
        assert!(limits.forbids(&spent(0, u64::MAX, 0), 0).unwrap().contains("tokens"));
        assert!(limits.forbids(&spent(0, 0, 0), limits.wall_ms).unwrap().contains("wall"));
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
