//! `orchestrator bench simulate`: random missions by the hundred thousand, as people and CI start it.

use crate::support::project::Project;

/// Every mission ends in its bound and holds every rule, on all processors.
#[test]
fn a_hundred_thousand_missions_end_and_hold_every_rule() {
    let said = Project::empty().run(&["bench", "simulate", "--seeds", "100000", "--json"]);
    assert_eq!(said.code, 0, "{said:?}");
    let told = said.last();
    let ends = told["ends"].as_object().unwrap();
    let count: u64 = ends.values().map(|count| count.as_u64().unwrap()).sum();
    assert_eq!(count, 100_000, "{told}");
    assert!(ends["sealed"].as_u64() > Some(1_000), "good missions come to their end: {told}");
    assert!(!ends.contains_key("open"), "{told}");
    assert!(told["crashes"].as_u64() > Some(10_000), "{told}");
}

#[test]
fn a_seed_is_run_again_by_its_number() {
    let project = Project::empty();
    let run = || {
        let said = project.run(&["bench", "simulate", "--seeds", "7", "--seed", "1234", "--json"]);
        let mut told = said.last();
        told.as_object_mut().unwrap().remove("seconds");
        (said.code, told)
    };
    let (code, told) = run();
    assert_eq!(code, 0, "{told}");
    assert_eq!(run().1, told);
    let text = project.run(&["bench", "simulate", "--seeds", "7", "--seed", "1234"]).out;
    assert!(text.contains("7 missions from seed 1234, every rule held"), "{text}");
}
