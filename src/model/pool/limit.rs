//! How many requests may be under way at once, found out by trying: more while it goes well, fewer when it does not.
//!
//! Additive increase: three answers in a row, while at least half of the limit was in use, allow one more.
//! Multiplicative decrease: a provider that says that it is asked too much halves the limit, and a latency that grows
//! takes a quarter of it. What was already under way when the limit fell says nothing new, so a burst of refusals is one
//! decrease: every request carries the *age* of the limit under which it began. Nothing here knows a clock or a queue.

use std::time::Duration;

/// Answers in a row that allow one more request.
const STREAK: u32 = 3;
/// Answers after which a latency says something.
const SAMPLES: u32 = 8;
/// A latency counts as grown when it is more than twice the least one and this besides.
const SLACK: f64 = 1.0;
/// How fast the smoothed latency follows what is measured.
const SMOOTHING: f64 = 1.0 / 8.0;
/// How fast the least latency forgets, so that a lasting change is taken for what is usual after some hundred answers.
const FORGETTING: f64 = 1.01;

/// An adaptive limit.
#[derive(Debug, Clone)]
pub(crate) struct Limit {
    now: usize,
    most: usize,
    streak: u32,
    age: u64,
    /// Seconds until an answer began, smoothed; over `samples` answers since the limit last fell.
    smoothed: f64,
    samples: u32,
    /// The least smoothed latency, forgetting.
    least: f64,
}

impl Limit {
    /// A limit that begins with `start` and grows up to `most`; neither is less than one.
    pub(crate) fn new(start: u32, most: u32) -> Limit {
        let most = (most as usize).max(1);
        Limit {
            now: (start as usize).clamp(1, most),
            most,
            streak: 0,
            age: 0,
            smoothed: 0.0,
            samples: 0,
            least: f64::INFINITY,
        }
    }

    /// How many may be under way at present.
    pub(crate) fn now(&self) -> usize {
        self.now
    }

    /// What a request that begins now has to carry.
    pub(crate) fn age(&self) -> u64 {
        self.age
    }

    /// An answer came while `held` requests were under way.
    pub(crate) fn succeed(&mut self, held: usize) {
        // Who does not use what there is learns nothing of what there could be.
        if held * 2 < self.now {
            return;
        }
        self.streak += 1;
        if self.streak >= STREAK {
            self.streak = 0;
            self.now = (self.now + 1).min(self.most);
        }
    }

    /// An answer of a request of that age began after so long.
    pub(crate) fn measure(&mut self, age: u64, latency: Duration) {
        if age != self.age {
            return;
        }
        let latency = latency.as_secs_f64();
        self.smoothed = match self.samples {
            0 => latency,
            _ => self.smoothed + (latency - self.smoothed) * SMOOTHING,
        };
        self.samples = self.samples.saturating_add(1);
        if self.samples < SAMPLES {
            return;
        }
        self.least = (self.least * FORGETTING).min(self.smoothed);
        if self.smoothed > self.least * 2.0 + SLACK {
            self.fall(age, 3, 4);
        }
    }

    /// The provider said to a request of that age that it is asked too much.
    pub(crate) fn congested(&mut self, age: u64) {
        self.fall(age, 1, 2);
    }

    fn fall(&mut self, age: u64, parts: usize, of: usize) {
        if age != self.age {
            return;
        }
        self.age += 1;
        self.now = (self.now * parts / of).max(1);
        (self.streak, self.samples) = (0, 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answers(limit: &mut Limit, count: usize, held: usize) {
        (0..count).for_each(|_| limit.succeed(held));
    }

    fn measured(limit: &mut Limit, ms: &[u64]) {
        for ms in ms {
            limit.measure(limit.age(), Duration::from_millis(*ms));
        }
    }

    #[test]
    fn three_answers_allow_one_more_up_to_the_most() {
        let mut limit = Limit::new(2, 4);
        answers(&mut limit, 2, 2);
        assert_eq!(limit.now(), 2);
        answers(&mut limit, 1, 2);
        assert_eq!(limit.now(), 3);
        answers(&mut limit, 300, 4);
        assert_eq!(limit.now(), 4);
    }

    #[test]
    fn who_uses_little_is_not_allowed_more() {
        let mut limit = Limit::new(8, 64);
        answers(&mut limit, 300, 3);
        assert_eq!(limit.now(), 8);
    }

    #[test]
    fn a_burst_of_refusals_is_one_decrease() {
        let mut limit = Limit::new(16, 64);
        let age = limit.age();
        (0..16).for_each(|_| limit.congested(age));
        assert_eq!(limit.now(), 8);
        limit.congested(limit.age());
        assert_eq!(limit.now(), 4);
        (0..9).for_each(|_| limit.congested(limit.age()));
        assert_eq!(limit.now(), 1, "one is always let through");
    }

    #[test]
    fn a_latency_that_grows_lowers_the_limit_and_a_steady_one_does_not() {
        let mut limit = Limit::new(16, 64);
        measured(&mut limit, &[2_000; 200]);
        assert_eq!(limit.now(), 16, "slow, but always so");
        measured(&mut limit, &[20_000; 8]);
        assert_eq!(limit.now(), 12);
        let mut limit = Limit::new(16, 64);
        measured(&mut limit, &[5; 20]);
        measured(&mut limit, &[900; 200]);
        assert_eq!(limit.now(), 16, "a second is no congestion");
    }

    #[test]
    fn what_is_slow_for_good_is_taken_for_usual() {
        let mut limit = Limit::new(64, 64);
        measured(&mut limit, &[1_000; 50]);
        measured(&mut limit, &[6_000; 2_000]);
        let settled = limit.now();
        measured(&mut limit, &[6_000; 2_000]);
        assert_eq!(limit.now(), settled);
    }
}
