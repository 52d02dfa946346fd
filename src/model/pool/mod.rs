//! Slots: how many requests are under way at once, to a provider and to each of its models, and who is next.
//!
//! A request takes its place in the queue before it is made. The same [`Place`] is first a place in the queue and then a
//! slot; dropping it gives up whichever it is, so that a slot is released exactly once: after an answer, a fault, a
//! timeout, a cancel or a panic. Nobody who waits has spent anything.
//!
//! Who waits is served in the order of a moment that is *due*: that of its arrival, and later for a Worker, by less the
//! more tasks wait for its own. Who has waited for [`WORKER`] goes before everybody who comes after: nobody starves.
//!
//! The limits adapt ([`limit`]). When a provider asks to be left alone, all of its slots are shut until then. While the
//! machine is short of memory ([`memory`]), nothing begins beside what is under way.

mod limit;
mod memory;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use tokio::sync::Notify;

use crate::mission::conversation::Role;
use limit::Limit;
use memory::{Memory, READING};

/// By how much later a Worker is due than whoever decides what Workers do.
pub(super) const WORKER: Duration = Duration::from_secs(10);
/// By how much sooner for each task that waits for its own, up to the half of [`WORKER`].
const BLOCKED: Duration = Duration::from_secs(1);
/// The longest time that a provider is waited for here; a longer one is the caller's to decide on.
pub(super) const PATIENCE: Duration = Duration::from_secs(20);

/// `[slots]`: the most requests that are under way at once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct SlotSettings {
    /// To one provider: one address, with one key.
    pub provider: u32,
    /// To one model of it, where the model's own `slots` does not say otherwise.
    pub model: u32,
    /// How many of both to begin with.
    pub start: u32,
    /// Memory of the machine that is to stay free, in MiB; 0: whatever.
    pub free_memory_mb: u64,
}

impl Default for SlotSettings {
    fn default() -> SlotSettings {
        SlotSettings { provider: 64, model: 64, start: 16, free_memory_mb: 256 }
    }
}

/// The slots of one provider as they are at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Slots {
    /// The provider's host.
    pub host: String,
    /// How many requests may be under way.
    pub limit: usize,
    /// How many are.
    pub held: usize,
    /// How many wait.
    pub waiting: usize,
}

/// The pools of all providers.
#[derive(Debug)]
pub(super) struct Pools<K> {
    settings: SlotSettings,
    memory: Arc<Memory>,
    all: BTreeMap<K, Pool>,
}

impl<K: Ord> Pools<K> {
    pub(super) fn new(settings: SlotSettings) -> Pools<K> {
        let memory = Arc::new(Memory::new(settings.free_memory_mb));
        Pools { settings, memory, all: BTreeMap::new() }
    }

    /// The way to the slots of a model of the provider that is known by `key`.
    pub(super) fn of(&mut self, key: K, host: &str, model: &str, most: Option<u32>) -> Entrance {
        let (settings, memory) = (&self.settings, &self.memory);
        let pool = self.all.entry(key).or_insert_with(|| Pool::new(host, settings, memory.clone()));
        let limit = Limit::new(settings.start, most.unwrap_or(settings.model));
        pool.lock().models.entry(model.to_owned()).or_insert_with(|| (limit, 0));
        Entrance { pool: pool.clone(), model: model.to_owned() }
    }

    pub(super) fn into_all(self) -> Vec<Pool> {
        self.all.into_values().collect()
    }
}

/// The slots of one provider.
#[derive(Debug, Clone)]
pub(super) struct Pool(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    host: String,
    memory: Arc<Memory>,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    limit: Limit,
    /// The provider wants to be left alone until then.
    shut: Option<Instant>,
    /// The limit of each model, and how many of its requests are under way.
    models: BTreeMap<String, (Limit, usize)>,
    waiting: BTreeMap<Key, Waiting>,
    held: BTreeMap<Key, Held>,
    next: u64,
}

/// When it is due, and its number.
type Key = (Instant, u64);

#[derive(Debug)]
struct Waiting {
    model: String,
    bell: Arc<Notify>,
}

/// A request that is under way, with the ages of the limits under which it began.
#[derive(Debug)]
struct Held {
    model: String,
    ages: (u64, u64),
}

/// Where requests to one model of a provider come in.
#[derive(Debug, Clone)]
pub(super) struct Entrance {
    pool: Pool,
    model: String,
}

/// The provider is not asked for a longer time than is waited here.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Shut(pub(super) Duration);

/// What is told to whoever waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Told {
    /// It has waited for a moment, and waits on.
    Waits,
    /// It has a slot, after it was told to wait.
    Goes,
}

/// How long somebody waits before it is told.
const MOMENT: Duration = Duration::from_millis(250);

impl Pool {
    fn new(host: &str, settings: &SlotSettings, memory: Arc<Memory>) -> Pool {
        let state = State {
            limit: Limit::new(settings.start, settings.provider),
            shut: None,
            models: BTreeMap::new(),
            waiting: BTreeMap::new(),
            held: BTreeMap::new(),
            next: 0,
        };
        Pool(Arc::new(Shared { host: host.to_owned(), memory, state: Mutex::new(state) }))
    }

    /// The state is consistent after every one of its moves, whoever panicked.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn slots(&self) -> Slots {
        let state = self.lock();
        Slots {
            host: self.0.host.clone(),
            limit: state.limit.now(),
            held: state.held.len(),
            waiting: state.waiting.len(),
        }
    }

    /// Gives the slots that are free to those who are due first.
    fn serve(&self, state: &mut State, now: Instant) {
        state.shut = state.shut.filter(|until| *until > now);
        if state.shut.is_some() {
            return;
        }
        while let Some(key) = state.first_that_may(&self.0.memory, now) {
            state.grant(key);
        }
    }
}

impl State {
    fn first_that_may(&self, memory: &Memory, now: Instant) -> Option<Key> {
        let is_full = self.held.len() >= self.limit.now();
        if self.waiting.is_empty() || is_full || (!self.held.is_empty() && memory.is_low(now)) {
            return None;
        }
        let has_room = |(limit, held): &(Limit, usize)| *held < limit.now();
        if !self.models.values().any(has_room) {
            return None;
        }
        let mut waiting = self.waiting.iter();
        let first = waiting.find(|(_, one)| self.models.get(&one.model).is_some_and(has_room));
        first.map(|(key, _)| *key)
    }

    fn grant(&mut self, key: Key) {
        let Some(Waiting { model, bell }) = self.waiting.remove(&key) else {
            return;
        };
        let Some((limit, held)) = self.models.get_mut(&model) else {
            return;
        };
        *held += 1;
        let ages = (self.limit.age(), limit.age());
        self.held.insert(key, Held { model, ages });
        bell.notify_one();
    }

    /// Takes a place away, whatever it is; whether it was a slot.
    fn leave(&mut self, key: Key) -> bool {
        self.waiting.remove(&key);
        let Some(held) = self.held.remove(&key) else {
            return false;
        };
        if let Some((_, count)) = self.models.get_mut(&held.model) {
            *count -= 1;
        }
        true
    }
}

/// When a request that arrives now is due.
fn due(now: Instant, role: Role, blocks: u32) -> Instant {
    match role {
        Role::Worker => now + WORKER - (BLOCKED * blocks.min(5)),
        _ => now,
    }
}

impl Entrance {
    /// Waits for a slot. `blocks` is the number of tasks that wait for the one that is served.
    ///
    /// # Errors
    /// When the provider asked for more time than is waited for here.
    pub(super) async fn enter(
        &self,
        role: Role,
        blocks: u32,
        tell: &mut (dyn FnMut(Told) + Send),
    ) -> Result<Place, Shut> {
        let place = self.queue(due(Instant::now(), role, blocks));
        let visible = Instant::now() + MOMENT;
        let mut told = false;
        while let Some(again) = place.look()? {
            let next = if told { again } else { again.min(visible) };
            let timer = tokio::time::sleep_until(next.into());
            tokio::select! {
                () = place.bell.notified() => {}
                () = timer => {}
            }
            if !told && Instant::now() >= visible && !place.is_slot() {
                told = true;
                tell(Told::Waits);
            }
        }
        if told {
            tell(Told::Goes);
        }
        Ok(place)
    }

    fn queue(&self, due: Instant) -> Place {
        let mut state = self.pool.lock();
        let (key, bell) = ((due, state.next), Arc::<Notify>::default());
        state.next += 1;
        state.waiting.insert(key, Waiting { model: self.model.clone(), bell: bell.clone() });
        drop(state);
        Place { pool: self.pool.clone(), key, bell }
    }
}

/// A place in the queue, then a slot. Dropped, it is given up.
#[derive(Debug)]
pub(super) struct Place {
    pool: Pool,
    key: Key,
    bell: Arc<Notify>,
}

/// How long somebody who waits for nothing but a slot may go without looking.
const LONG: Duration = Duration::from_secs(3600);

impl Place {
    fn is_slot(&self) -> bool {
        self.pool.lock().held.contains_key(&self.key)
    }

    /// Looks whether it is a slot by now; when not, until when it is to be waited without a call.
    fn look(&self) -> Result<Option<Instant>, Shut> {
        let now = Instant::now();
        let mut state = self.pool.lock();
        self.pool.serve(&mut state, now);
        if state.held.contains_key(&self.key) {
            return Ok(None);
        }
        match state.shut {
            Some(until) if until - now > PATIENCE => Err(Shut(until - now)),
            Some(until) => Ok(Some(until)),
            None if self.pool.0.memory.is_low(now) => Ok(Some(now + READING)),
            None => Ok(Some(now + LONG)),
        }
    }

    /// The request was answered, and the answer began after so long.
    pub(super) fn succeeded(self, latency: Duration) {
        self.settle(|state, held| {
            let all = state.held.len();
            state.limit.succeed(all);
            if let Some((limit, count)) = state.models.get_mut(&held.model) {
                limit.succeed(*count);
                limit.measure(held.ages.1, latency);
            }
        });
    }

    /// The provider is asked too much; it may say for how long it is to be left alone.
    pub(super) fn congested(self, wish: Duration) {
        self.settle(|state, held| {
            state.limit.congested(held.ages.0);
            if let Some((limit, _)) = state.models.get_mut(&held.model) {
                limit.congested(held.ages.1);
            }
            let until = Instant::now().checked_add(wish).filter(|_| !wish.is_zero());
            state.shut = state.shut.max(until);
            // Whoever waits hears for how long.
            state.waiting.values().for_each(|one| one.bell.notify_one());
        });
    }

    fn settle(self, learn: impl FnOnce(&mut State, &Held)) {
        let mut state = self.pool.lock();
        if let Some(held) = state.held.get(&self.key) {
            let held = Held { model: held.model.clone(), ages: held.ages };
            learn(&mut state, &held);
        }
        drop(state);
        // What is dropped here is the slot.
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut state = self.pool.lock();
        state.leave(self.key);
        self.pool.serve(&mut state, Instant::now());
    }
}

#[cfg(test)]
mod tests;
