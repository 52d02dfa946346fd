//! Whether the machine is short of memory, where the system says it. Linux: what is available of the machine, and of the
//! control group that the process is in. Elsewhere there is no reading, and so no limit.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How long a reading holds.
pub(super) const READING: Duration = Duration::from_millis(250);

/// The memory that is left free by whoever asks first.
#[derive(Debug)]
pub(super) struct Memory {
    /// In bytes; 0 asks for no reading.
    free: u64,
    read: fn() -> Option<u64>,
    last: Mutex<Option<(Instant, bool)>>,
}

impl Memory {
    pub(super) fn new(free_mb: u64) -> Memory {
        Memory::reading(free_mb, available)
    }

    pub(super) fn reading(free_mb: u64, read: fn() -> Option<u64>) -> Memory {
        Memory { free: free_mb.saturating_mul(1 << 20), read, last: Mutex::new(None) }
    }

    /// Whether less is available than is to stay free.
    pub(super) fn is_low(&self, now: Instant) -> bool {
        if self.free == 0 {
            return false;
        }
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        match *last {
            Some((at, low)) if now.saturating_duration_since(at) < READING => low,
            _ => {
                let low = (self.read)().is_some_and(|available| available < self.free);
                *last = Some((now, low));
                low
            }
        }
    }
}

/// The bytes that can still be had.
fn available() -> Option<u64> {
    let machine = std::fs::read_to_string("/proc/meminfo").ok().and_then(|text| in_meminfo(&text));
    let number = |name: &str| {
        let text = std::fs::read_to_string(format!("/sys/fs/cgroup/{name}")).ok()?;
        text.trim().parse::<u64>().ok()
    };
    let group = || {
        let (most, used) = (number("memory.max")?, number("memory.current")?);
        // What files are cached in can be had back.
        let cached = std::fs::read_to_string("/sys/fs/cgroup/memory.stat").ok();
        let cached = cached.and_then(|text| in_stat(&text)).unwrap_or(0);
        Some(most.saturating_sub(used.saturating_sub(cached)))
    };
    [machine, group()].into_iter().flatten().min()
}

fn in_meminfo(text: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    line.split_whitespace().next()?.parse::<u64>().ok()?.checked_mul(1024)
}

fn in_stat(text: &str) -> Option<u64> {
    text.lines().find_map(|line| line.strip_prefix("inactive_file "))?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_systems_files_are_read() {
        assert_eq!(in_meminfo("MemTotal: 9 kB\nMemAvailable:   23543 kB\n"), Some(23543 * 1024));
        assert_eq!(in_meminfo("MemTotal: 9 kB\nMemAvailable: many\n"), None);
        assert_eq!(in_stat("anon 7\ninactive_file 4096\n"), Some(4096));
    }

    #[test]
    fn no_reading_is_no_limit() {
        let now = Instant::now();
        assert!(!Memory::reading(1, || None).is_low(now));
        assert!(!Memory::reading(0, || Some(0)).is_low(now));
        assert!(Memory::reading(1, || Some(1000)).is_low(now));
        assert!(!Memory::reading(1, || Some(2 << 20)).is_low(now));
    }
}
