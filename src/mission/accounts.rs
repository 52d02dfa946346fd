//! The accounts of a mission: what its requests came to, by role and model, and in each open session.
//!
//! One book is kept, by role and model; what a role, a model or the mission came to is a sum over it. All of it is folded
//! from events, so it is the same after a restart and holds what sessions did that are long closed. Nothing here knows
//! of HTTP, addresses or keys.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::conversation::{Role, Usage};

/// What requests came to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Account {
    /// Requests that went out.
    pub requests: u64,
    /// Turns that came.
    pub turns: u64,
    /// Those of them that came after one or more faults, of the same provider or of the one that it stands in for.
    pub recovered: u64,
    /// Turns that never came: a session or the mission was given up for want of them.
    pub failed: u64,
    /// Tokens in, out and cached, and money; those of faults as well, as far as they are known.
    #[serde(flatten)]
    pub usage: Usage,
    /// How long the turns took.
    pub latency: Latency,
}

impl Account {
    /// Turns that came, of those that were wanted, from 0 to 1; `None` before the first is decided.
    pub fn rate(&self) -> Option<f64> {
        let wanted = self.turns.saturating_add(self.failed);
        (wanted > 0).then(|| self.turns as f64 / wanted as f64)
    }
}

impl std::ops::AddAssign<&Account> for Account {
    fn add_assign(&mut self, other: &Account) {
        self.requests = self.requests.saturating_add(other.requests);
        self.turns = self.turns.saturating_add(other.turns);
        self.recovered = self.recovered.saturating_add(other.recovered);
        self.failed = self.failed.saturating_add(other.failed);
        self.usage += other.usage;
        self.latency += &other.latency;
    }
}

impl<'a> std::iter::Sum<&'a Account> for Account {
    fn sum<I: Iterator<Item = &'a Account>>(all: I) -> Account {
        all.fold(Account::default(), |mut sum, one| {
            sum += one;
            sum
        })
    }
}

/// The upper bounds of the histogram's buckets, in milliseconds; the last bucket has none.
const BOUNDS: [u64; 15] = [
    10, 25, 50, 100, 250, 500, 1_000, 2_000, 4_000, 8_000, 15_000, 30_000, 60_000, 120_000, 300_000,
];

/// How long turns took: their number, their sum, and a small histogram.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Shown", into = "Shown")]
pub struct Latency {
    sum_ms: u64,
    buckets: [u32; BOUNDS.len() + 1],
}

impl Latency {
    /// Counts a turn.
    pub fn count(&mut self, ms: u64) {
        self.sum_ms = self.sum_ms.saturating_add(ms);
        let at = BOUNDS.partition_point(|bound| *bound < ms);
        self.buckets[at] = self.buckets[at].saturating_add(1);
    }

    /// How many were counted.
    pub fn turns(&self) -> u64 {
        self.buckets.iter().map(|count| u64::from(*count)).sum()
    }

    /// Their sum in milliseconds.
    pub fn sum_ms(&self) -> u64 {
        self.sum_ms
    }

    /// The `q`th quantile (0 to 1) in milliseconds, read off the histogram: right within its bucket, of which it takes the
    /// place by proportion. 0 where nothing was counted.
    pub fn quantile_ms(&self, q: f64) -> u64 {
        let wanted = (self.turns() as f64 * q.clamp(0.0, 1.0)).max(1.0);
        let mut before = 0.0;
        for (at, count) in self.buckets.iter().enumerate().filter(|(_, count)| **count > 0) {
            let count = f64::from(*count);
            if before + count >= wanted {
                let low = at.checked_sub(1).map_or(0, |at| BOUNDS[at]) as f64;
                let high = BOUNDS.get(at).copied().unwrap_or(2 * BOUNDS[BOUNDS.len() - 1]) as f64;
                return (low + (high - low) * (wanted - before) / count).round() as u64;
            }
            before += count;
        }
        0
    }
}

impl std::ops::AddAssign<&Latency> for Latency {
    fn add_assign(&mut self, other: &Latency) {
        self.sum_ms = self.sum_ms.saturating_add(other.sum_ms);
        for (own, other) in self.buckets.iter_mut().zip(other.buckets) {
            *own = own.saturating_add(other);
        }
    }
}

/// A latency as it is shown: with what people ask for, and with what it is made of.
#[derive(Serialize, Deserialize, Default)]
#[serde(default)]
struct Shown {
    turns: u64,
    sum_ms: u64,
    p50_ms: u64,
    p95_ms: u64,
    /// Turns by the upper bound of their bucket in milliseconds; `-` for those above all bounds.
    buckets: BTreeMap<String, u32>,
}

fn bound(at: usize) -> String {
    BOUNDS.get(at).map_or_else(|| "-".to_owned(), u64::to_string)
}

impl From<Latency> for Shown {
    fn from(latency: Latency) -> Shown {
        let buckets = latency.buckets.iter().enumerate().filter(|(_, count)| **count > 0);
        Shown {
            turns: latency.turns(),
            sum_ms: latency.sum_ms,
            p50_ms: latency.quantile_ms(0.5),
            p95_ms: latency.quantile_ms(0.95),
            buckets: buckets.map(|(at, count)| (bound(at), *count)).collect(),
        }
    }
}

impl From<Shown> for Latency {
    fn from(shown: Shown) -> Latency {
        let mut latency = Latency { sum_ms: shown.sum_ms, ..Latency::default() };
        for (at, count) in latency.buckets.iter_mut().enumerate() {
            *count = shown.buckets.get(&bound(at)).copied().unwrap_or(0);
        }
        latency
    }
}

/// The book: an account for each model, by its name, in each role.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Accounts(BTreeMap<Role, BTreeMap<String, Account>>);

impl Accounts {
    pub(super) fn of(&mut self, role: Role, model: &str) -> &mut Account {
        self.0.entry(role).or_default().entry(model.to_owned()).or_default()
    }

    /// The whole mission's.
    pub fn total(&self) -> Account {
        self.0.values().flat_map(BTreeMap::values).sum()
    }

    /// Each role's.
    pub fn by_role(&self) -> BTreeMap<Role, Account> {
        self.0.iter().map(|(role, models)| (*role, models.values().sum())).collect()
    }

    /// Each model's.
    pub fn by_model(&self) -> BTreeMap<String, Account> {
        let mut all: BTreeMap<String, Account> = BTreeMap::new();
        for (name, account) in self.0.values().flatten() {
            *all.entry(name.clone()).or_default() += account;
        }
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_read_off_the_histogram() {
        let mut latency = Latency::default();
        assert_eq!(latency.quantile_ms(0.5), 0);
        (0..95).for_each(|_| latency.count(200));
        (0..5).for_each(|_| latency.count(3_000));
        assert_eq!((latency.turns(), latency.sum_ms()), (100, 95 * 200 + 5 * 3_000));
        assert!((100..=250).contains(&latency.quantile_ms(0.5)));
        assert!((100..=250).contains(&latency.quantile_ms(0.95)));
        assert!((2_000..=4_000).contains(&latency.quantile_ms(0.99)));
        latency.count(u64::MAX);
        assert_eq!(latency.quantile_ms(1.0), 600_000);
    }

    #[test]
    fn an_account_is_read_as_it_was_written_and_an_old_one_without_what_it_lacks() {
        let mut account = Account { requests: 3, turns: 2, failed: 1, ..Account::default() };
        account.usage = Usage { input: 10, output: 2, cached: 4, micro_usd: 9, estimated: true };
        account.latency.count(7);
        account.latency.count(u64::MAX);
        let text = serde_json::to_string(&account).unwrap();
        assert_eq!(serde_json::from_str::<Account>(&text).unwrap(), account);
        let old = r#"{"requests":3,"turns":2,"recovered":0,"failed":1}"#;
        let read: Account = serde_json::from_str(old).unwrap();
        assert_eq!((read.requests, read.rate()), (3, Some(2.0 / 3.0)));
    }

    #[test]
    fn roles_models_and_the_mission_are_sums_over_one_book() {
        let mut accounts = Accounts::default();
        for (role, model, turns) in
            [(Role::Worker, "a", 3), (Role::Worker, "b", 4), (Role::Planner, "a", 5)]
        {
            accounts.of(role, model).turns += turns;
        }
        assert_eq!(accounts.total().turns, 12);
        assert_eq!(accounts.by_role()[&Role::Worker].turns, 7);
        assert_eq!(accounts.by_model()["a"].turns, 8);
    }
}
