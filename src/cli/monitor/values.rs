//! What the dashboard shows, as one JSON value.

use serde_json::{Value, json};

use super::figures::Figures;
use super::observer::{Watched, World};
use crate::mission::MissionId;
use crate::mission::view::MissionView;
use crate::workspace::lock::Holder;

/// All missions in sight, or the one that is named.
pub(super) fn of(world: &World, mission: Option<&MissionId>, clock: u64) -> Value {
    let meant = |watched: &&Watched| mission.is_none_or(|id| watched.mission.id == *id);
    let missions = world.missions.iter().filter(meant);
    let owner = match world.owner {
        Holder::Process(id) => json!({"process": id}),
        Holder::Nobody => json!("nobody"),
        Holder::Unknown => Value::Null,
    };
    json!({
        "root": world.root,
        "owner": owner,
        "lettersWaiting": world.letters,
        "missions": missions.map(|w| value(w, world.now(&w.mission, clock))).collect::<Vec<_>>(),
    })
}

/// A mission's view, and beside it the figures that are derived here.
fn value(watched: &Watched, now: u64) -> Value {
    let (mission, figures) = (&watched.mission, &watched.figures);
    let proving = figures.proving(mission).into_iter().map(|(kind, item, began)| {
        json!({"kind": kind, "item": item, "for_ms": now.saturating_sub(began)})
    });
    json!({
        "view": MissionView::of(mission),
        "damaged": watched.broken,
        "proving": proving.collect::<Vec<_>>(),
        "proofs": figures.proofs,
        "gate": gate(figures),
        "turns": figures.models,
        "doing": figures.sessions,
    })
}

fn gate(figures: &Figures) -> Value {
    let (gate, took) = (figures.gate, figures.gate_took());
    json!({
        "accepted": gate.accepted,
        "refused": gate.refused,
        "unverified": gate.unverified,
        "p50_ms": took.map(|[p50, _]| p50),
        "p95_ms": took.map(|[_, p95]| p95),
    })
}
