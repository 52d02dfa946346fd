//! What of the missions is shown: their files, and their views on the board. Nothing here changes a mission.

use std::time::Instant;

use super::board::Update;
use super::engine::{Engine, newest};
use crate::mission::MissionId;
use crate::mission::view::{MissionView, state};

impl Engine {
    /// Shows what changed, as files and to this process. The files come first: whoever waits for a mission's end hears
    /// before it of one that cannot be written.
    pub(super) fn show(&mut self, changed: &[MissionId]) {
        let newest = newest(&self.missions);
        if let Some(known) = newest {
            for notice in self.projection.write(&known.mission, known.seq) {
                tracing::warn!("{notice}");
                self.board.tell(Update::Notice(notice));
            }
        }
        let told =
            changed.iter().filter_map(|id| self.missions.get(id)).map(|known| &known.mission);
        if let Some(notice) = self.memory.keep(told) {
            tracing::warn!("{notice}");
            self.board.tell(Update::Notice(notice));
        }
        changed.iter().for_each(|id| self.pace.changed(id));
        let is_due = self.pace.left().is_some_and(|left| left.is_zero());
        if is_due || changed.iter().any(|id| self.is_news(id)) {
            self.show_views();
        }
    }

    /// Whether a mission is at something else than what is shown of it.
    fn is_news(&self, id: &MissionId) -> bool {
        let views = self.board.views();
        let shown = views.iter().find(|view| &view.id == id);
        let known = self.missions.get(id);
        known.is_some_and(|known| shown.is_none_or(|view| view.state != state(&known.mission)))
    }

    pub(super) fn show_views(&mut self) {
        let began = Instant::now();
        for id in self.pace.take() {
            if let Some(known) = self.missions.get(&id) {
                self.board.show(MissionView::of(&known.mission));
            }
        }
        self.pace.shown(began.elapsed());
    }
}
