//! How many servers may run at once, in how much memory and for how long unasked, over all workspaces of the process.
//!
//! Each running server has a seat. Who needs one where none is free has the server ended that was asked least lately;
//! one that is being asked is never ended, rather is it waited for. It must not know what servers are or say.

use std::sync::{Arc, LazyLock, Mutex as Table, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use tokio::sync::{Mutex, Notify};
use tokio::time::Instant;

use super::memory;
use super::slot::Slot;

/// How often the memory is looked at.
const MEASURED_EVERY: Duration = Duration::from_secs(5);
const GIB: u64 = 1 << 30;

/// What the servers of a process may take together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// How many may run at once; at least one does.
    pub servers: usize,
    /// How much memory they may hold in bytes. The one that was asked last is kept even if it alone holds more.
    pub memory: u64,
    /// After how long unasked a server is ended.
    pub idle: Duration,
}

impl Default for Limits {
    /// Four servers; six gibibytes or half of the machine, whichever is less; a quarter of an hour.
    fn default() -> Limits {
        let half = memory::of_machine().map_or(6 * GIB, |all| all / 2);
        Limits { servers: 4, memory: half.min(6 * GIB), idle: Duration::from_secs(15 * 60) }
    }
}

/// See the module.
#[derive(Debug, Default)]
pub struct Farm {
    limits: Limits,
    seats: Table<Seats>,
    /// Told when a seat was given back, or a server is no longer being asked.
    freed: Notify,
}

#[derive(Debug, Default)]
struct Seats {
    last: u64,
    taken: Vec<Seat>,
    measured: Option<Instant>,
}

#[derive(Debug)]
struct Seat {
    number: u64,
    slot: Weak<Mutex<Slot>>,
    used: Instant,
    process: Option<u32>,
}

impl Farm {
    /// A farm of its own, for those who must not share.
    pub fn new(limits: Limits) -> Arc<Farm> {
        Arc::new(Farm { limits, ..Farm::default() })
    }

    /// The farm that all workspaces of this process share.
    pub fn shared() -> Arc<Farm> {
        static SHARED: LazyLock<Arc<Farm>> = LazyLock::new(|| Farm::new(Limits::default()));
        Arc::clone(&SHARED)
    }

    /// A seat for the server that `slot` is about to start; waits while all are taken and being asked.
    pub(super) async fn take_seat(self: &Arc<Farm>, slot: Weak<Mutex<Slot>>) -> Ticket {
        self.keep_to_memory(0).await;
        loop {
            let freed = self.freed.notified();
            tokio::pin!(freed);
            freed.as_mut().enable();
            if let Some(ticket) = self.try_take(&slot) {
                return ticket;
            }
            if !self.end_least_lately_asked() {
                freed.await;
            }
        }
    }

    fn try_take(self: &Arc<Farm>, slot: &Weak<Mutex<Slot>>) -> Option<Ticket> {
        let mut seats = self.seats();
        if seats.taken.len() >= self.limits.servers.max(1) {
            return None;
        }
        seats.last += 1;
        let number = seats.last;
        let seat = Seat { number, slot: slot.clone(), used: Instant::now(), process: None };
        seats.taken.push(seat);
        Some(Ticket { farm: Arc::clone(self), number })
    }

    /// Ends a server that nobody asks, of all such the one that was asked least lately; `false` if there is none.
    fn end_least_lately_asked(&self) -> bool {
        let mut order: Vec<(Instant, Weak<Mutex<Slot>>)> =
            self.seats().taken.iter().map(|seat| (seat.used, seat.slot.clone())).collect();
        order.sort_by_key(|(used, _)| *used);
        order.into_iter().filter_map(|(_, slot)| slot.upgrade()).any(|slot| end(&slot))
    }

    /// Ends servers until the rest keep to the memory, but for `spared` of them.
    async fn keep_to_memory(&self, spared: usize) {
        loop {
            let processes: Vec<u32> = {
                let mut seats = self.seats();
                seats.measured = Some(Instant::now());
                seats.taken.iter().filter_map(|seat| seat.process).collect()
            };
            if processes.len() <= spared {
                return;
            }
            let measured = tokio::task::spawn_blocking(move || memory::of_groups(&processes)).await;
            let held: u64 = measured.unwrap_or_default().values().sum();
            if held <= self.limits.memory || !self.end_least_lately_asked() {
                return;
            }
            tracing::info!("a language server was ended: together they held {held} bytes");
        }
    }

    fn seats(&self) -> MutexGuard<'_, Seats> {
        self.seats.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Ends the server in the slot, unless it is being asked or not there.
fn end(slot: &Mutex<Slot>) -> bool {
    slot.try_lock().is_ok_and(|mut slot| slot.retire().is_some())
}

/// The right of one server to run; given back when it is dropped.
#[derive(Debug)]
pub(super) struct Ticket {
    farm: Arc<Farm>,
    number: u64,
}

impl Ticket {
    /// The server runs as the leader of this process group; from now on it is ended when nobody asks it for long.
    pub(super) fn running(&self, process: Option<u32>) {
        self.note(|seat| seat.process = process);
        tokio::spawn(end_when_idle(Arc::downgrade(&self.farm), self.number));
    }

    /// The server is asked something.
    pub(super) fn asked(&self) {
        self.note(|seat| seat.used = Instant::now());
    }

    fn note(&self, change: impl FnOnce(&mut Seat)) {
        if let Some(seat) = self.farm.seats().taken.iter_mut().find(|s| s.number == self.number) {
            change(seat);
        }
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.farm.seats().taken.retain(|seat| seat.number != self.number);
        self.farm.freed.notify_waiters();
    }
}

async fn end_when_idle(farm: Weak<Farm>, number: u64) {
    loop {
        let rest = {
            let Some(farm) = farm.upgrade() else { return };
            let seats = farm.seats();
            let Some(seat) = seats.taken.iter().find(|seat| seat.number == number) else { return };
            let rest = farm.limits.idle.saturating_sub(seat.used.elapsed());
            let slot = seat.slot.upgrade();
            drop(seats);
            match slot {
                Some(slot) if rest.is_zero() && end(&slot) => return,
                // It is being asked, and that takes long.
                _ if rest.is_zero() => farm.limits.idle,
                _ => rest,
            }
        };
        tokio::time::sleep(rest).await;
    }
}

/// Held while a server is asked; dropped after the slot was let go, it tells those who wait for a seat.
#[derive(Debug)]
pub(super) struct Asking(pub(super) Arc<Farm>);

impl Drop for Asking {
    fn drop(&mut self) {
        self.0.freed.notify_waiters();
        let due = {
            let seats = self.0.seats();
            seats.taken.len() > 1
                && seats.measured.is_none_or(|when| when.elapsed() > MEASURED_EVERY)
        };
        if due && let Ok(runtime) = tokio::runtime::Handle::try_current() {
            let farm = Arc::clone(&self.0);
            runtime.spawn(async move { farm.keep_to_memory(1).await });
        }
    }
}
