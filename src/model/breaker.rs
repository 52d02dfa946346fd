//! A breaker: what keeps a provider that fails from being asked again and again.
//!
//! *Closed*, it lets every request through and counts failures in a row. *Open*, it lets none through until its time is
//! over. *Half-open*, it lets one through: an answer closes it, a failure opens it for twice as long. Time comes in as
//! monotonic instants, so no clock that is set can hold it open; nothing here knows what a failure is.

use std::time::{Duration, Instant};

/// Failures in a row that open the breaker of a provider that nothing stands in for.
pub(crate) const FAILURES: u32 = 5;
/// The same where a fallback stands in.
pub(crate) const FAILURES_WITH_FALLBACK: u32 = 2;
/// For how long it opens at most.
pub(crate) const LONGEST: Duration = Duration::from_secs(10 * 60);

/// The breaker of one provider, shared by all roles that ask it.
#[derive(Debug)]
pub(crate) struct Breaker {
    limit: u32,
    first: Duration,
    state: State,
    failures: u32,
    last: String,
}

#[derive(Debug, Clone, Copy)]
enum State {
    Closed,
    Open {
        until: Instant,
        spell: Duration,
    },
    /// One request is under way.
    HalfOpen {
        spell: Duration,
    },
}

/// Why a request is not let through.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Held {
    /// When it is worth asking again.
    pub(crate) wait: Duration,
    /// How many failures in a row opened the breaker.
    pub(crate) failures: u32,
    /// What the last of them said.
    pub(crate) last: String,
}

impl Breaker {
    /// A closed breaker that opens after `limit` failures in a row, for `first` at first.
    pub(crate) fn new(limit: u32, first: Duration) -> Breaker {
        Breaker { limit, first, state: State::Closed, failures: 0, last: String::new() }
    }

    /// Whether a request would be let through, and if not, for how long.
    pub(crate) fn peek(&self, now: Instant) -> Result<(), Held> {
        let wait = match self.state {
            State::Closed => return Ok(()),
            State::Open { until, .. } if until <= now => return Ok(()),
            State::Open { until, .. } => until - now,
            // Soon it is known whether it answers again; who waits any longer loses time that the provider has.
            State::HalfOpen { .. } => self.first,
        };
        Err(Held { wait, failures: self.failures, last: self.last.clone() })
    }

    /// Lets a request through, or says for how long not. Each one that is let through must be followed by `succeed`,
    /// `fail` or `abandon`.
    pub(crate) fn admit(&mut self, now: Instant) -> Result<(), Held> {
        self.peek(now)?;
        if let State::Open { spell, .. } = self.state {
            self.state = State::HalfOpen { spell };
        }
        Ok(())
    }

    /// The provider answered.
    pub(crate) fn succeed(&mut self) {
        self.state = State::Closed;
        self.failures = 0;
        self.last.clear();
    }

    /// The provider failed. `wish` is how long it asks to be left alone; `for_good` opens the breaker at once.
    pub(crate) fn fail(&mut self, now: Instant, why: &str, wish: Duration, for_good: bool) {
        self.failures = self.failures.saturating_add(1);
        why.clone_into(&mut self.last);
        let spell = match self.state {
            State::Closed if for_good || self.failures >= self.limit => self.first,
            State::HalfOpen { spell, .. } => spell * 2,
            // A request that was under way when it opened says nothing new.
            State::Closed | State::Open { .. } => return,
        };
        let spell = spell.max(wish).min(LONGEST);
        self.state = State::Open { until: now + spell, spell };
    }

    /// The request was dropped before anything was known of it.
    pub(crate) fn abandon(&mut self, now: Instant) {
        if let State::HalfOpen { spell, .. } = self.state {
            self.state = State::Open { until: now, spell };
        }
    }

    /// Whether it lets nothing through at present.
    pub(crate) fn is_open(&self, now: Instant) -> bool {
        self.peek(now).is_err()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn fail(breaker: &mut Breaker, now: Instant) {
        breaker.admit(now).unwrap();
        breaker.fail(now, "down", Duration::ZERO, false);
    }

    #[test]
    fn it_opens_after_failures_in_a_row_and_closes_by_one_answer() {
        let now = Instant::now();
        let mut breaker = Breaker::new(2, 10 * SECOND);
        fail(&mut breaker, now);
        breaker.succeed();
        fail(&mut breaker, now);
        assert!(!breaker.is_open(now), "an answer in between begins the count again");
        fail(&mut breaker, now);
        let held = breaker.admit(now + 4 * SECOND).unwrap_err();
        assert_eq!(held, Held { wait: 6 * SECOND, failures: 2, last: "down".into() });
        let later = now + 10 * SECOND;
        assert_eq!(breaker.admit(later), Ok(()), "half-open");
        assert!(breaker.admit(later).is_err(), "one request only");
        breaker.succeed();
        assert_eq!(breaker.admit(later), Ok(()));
        assert_eq!(breaker.admit(later), Ok(()));
    }

    #[test]
    fn each_failed_probe_doubles_the_time_up_to_a_bound() {
        let mut now = Instant::now();
        let mut breaker = Breaker::new(1, 60 * SECOND);
        let mut spells = Vec::new();
        for _ in 0..6 {
            fail(&mut breaker, now);
            let wait = breaker.admit(now).unwrap_err().wait;
            spells.push(wait.as_secs());
            now += wait;
        }
        assert_eq!(spells, [60, 120, 240, 480, 600, 600]);
    }

    #[test]
    fn who_is_held_back_by_a_probe_asks_again_soon() {
        let mut now = Instant::now();
        let mut breaker = Breaker::new(1, SECOND);
        for _ in 0..8 {
            fail(&mut breaker, now);
            now += breaker.admit(now).unwrap_err().wait;
        }
        assert_eq!(breaker.admit(now), Ok(()), "the probe, after a long time");
        assert_eq!(breaker.admit(now).unwrap_err().wait, SECOND);
    }

    #[test]
    fn a_wish_of_the_provider_and_a_hopeless_failure_are_heard() {
        let now = Instant::now();
        let mut breaker = Breaker::new(1, 10 * SECOND);
        breaker.admit(now).unwrap();
        breaker.fail(now, "slow down", 30 * SECOND, false);
        assert_eq!(breaker.admit(now).unwrap_err().wait, 30 * SECOND);
        let mut breaker = Breaker::new(5, 10 * SECOND);
        breaker.admit(now).unwrap();
        breaker.fail(now, "no such key", Duration::ZERO, true);
        assert!(breaker.is_open(now));
    }

    #[test]
    fn a_dropped_probe_leaves_room_for_the_next() {
        let now = Instant::now();
        let mut breaker = Breaker::new(1, SECOND);
        fail(&mut breaker, now);
        let later = now + SECOND;
        breaker.admit(later).unwrap();
        breaker.abandon(later);
        assert_eq!(breaker.admit(later), Ok(()));
    }

    #[test]
    fn a_late_failure_does_not_prolong_the_time() {
        let now = Instant::now();
        let mut breaker = Breaker::new(1, 10 * SECOND);
        breaker.admit(now).unwrap();
        fail(&mut breaker, now);
        breaker.fail(now + 9 * SECOND, "late", Duration::ZERO, false);
        assert_eq!(breaker.admit(now + 10 * SECOND), Ok(()));
    }
}
