//! How often missions are shown. A view holds a whole plan and every session: of a large mission, making one after each
//! event would take more time than the mission. It is made as often as a tenth of the loop's time allows, which for an
//! ordinary mission is after every event; what a person waits for is shown at once.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use crate::mission::MissionId;

/// Showing may take one part in so many.
const PARTS: u32 = 10;

/// The rest after something was shown, so that showing takes its part of the time.
#[derive(Debug)]
pub struct Rest(Instant);

impl Default for Rest {
    /// Nothing was shown yet: it is over.
    fn default() -> Rest {
        Rest(Instant::now())
    }
}

impl Rest {
    /// When it is over.
    pub fn end(&self) -> Instant {
        self.0
    }

    /// Something was shown, which took so long.
    pub fn after(&mut self, took: Duration) {
        self.0 = Instant::now() + took * (PARTS - 1);
    }
}

/// What is to be shown, and when.
#[derive(Debug, Default)]
pub(super) struct Pace {
    waiting: BTreeSet<MissionId>,
    rest: Rest,
}

impl Pace {
    /// A mission changed.
    pub fn changed(&mut self, mission: &MissionId) {
        if !self.waiting.contains(mission) {
            self.waiting.insert(mission.clone());
        }
    }

    /// How long until what waits may be shown; `None` where nothing waits.
    pub fn left(&self) -> Option<Duration> {
        let left = || self.rest.end().saturating_duration_since(Instant::now());
        (!self.waiting.is_empty()).then(left)
    }

    /// What is to be shown now.
    pub fn take(&mut self) -> BTreeSet<MissionId> {
        std::mem::take(&mut self.waiting)
    }

    /// It was shown, which took so long.
    pub fn shown(&mut self, took: Duration) {
        self.rest.after(took);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_dear_to_show_is_shown_less_often() {
        let mut pace = Pace::default();
        assert_eq!(pace.left(), None, "nothing waits");
        pace.changed(&MissionId("m".into()));
        assert_eq!(pace.left(), Some(Duration::ZERO));
        assert_eq!(pace.take().len(), 1);
        pace.shown(Duration::from_secs(60));
        assert_eq!(pace.left(), None);
        pace.changed(&MissionId("m".into()));
        assert!(pace.left().unwrap() > Duration::from_secs(500));
    }
}
