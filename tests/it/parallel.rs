//! Workers side by side: on one file, around a signature that changes, around a name that changes. Whichever lands
//! first, no write is lost, and no tree comes about that does not build.

use std::sync::{Arc, Condvar, Mutex};

use orchestrator_lsp::mission::conversation::Role;
use serde_json::{Value, json};

use crate::support::client::DEADLINE;
use crate::support::project::{Project, path_without_servers};
use crate::support::provider::{Provider, Reply, Request};
use crate::support::tools;

const FILES: &[(&str, &str)] = &[
    ("Cargo.toml", "[package]\nname = \"shapes\"\nversion = \"0.1.0\"\nedition = \"2021\"\n"),
    ("src/lib.rs", "//! Shapes.\n\npub mod area;\npub mod report;\npub mod table;\n"),
    (
        "src/area.rs",
        "//! Areas.\n\n/// Of a square.\npub fn area(side: u32) -> u32 {\n    side * side\n}\n\n/// Of its edges.\npub fn edges(side: u32) -> u32 {\n    4 * side\n}\n",
    ),
    (
        "src/report.rs",
        "//! Reports.\n\nuse crate::area::area;\n\n/// The area in words.\npub fn report(side: u32) -> String {\n    format!(\"{} units\", area(side))\n}\n",
    ),
    (
        "src/table.rs",
        "//! Tables.\n\n/// The heading.\npub fn heading() -> &'static str {\n    \"area\"\n}\n",
    ),
];

/// Which of the two Workers lands its change first.
#[derive(Clone, Copy, Debug, PartialEq)]
enum First {
    A,
    B,
    /// Both hand in at once, and the gate takes one after the other.
    Either,
}

/// What a Worker hands in: at first, and once it was refused.
struct Worker {
    change: Value,
    mended: Value,
}

fn edit(path: &str, old: &str, new: &str) -> Value {
    json!({"op": "edit", "path": path, "edits": [{"old": old, "new": new}]})
}

/// The Workers that have handed in, and those that were answered.
#[derive(Default)]
struct Desk {
    came: Vec<usize>,
    answered: Vec<usize>,
}

fn last_message(asked: &Request) -> String {
    let body: Value = serde_json::from_str(&asked.body).unwrap();
    let last = body["messages"].as_array().and_then(|messages| messages.last().cloned());
    last.unwrap_or_default()["content"].as_str().unwrap_or_default().to_owned()
}

/// A team of two Workers who hand in their changes in that order, and mend what is refused.
fn team(first: First, plan: &'static str, workers: [Worker; 2]) -> Provider {
    let desk = Arc::<(Mutex<Desk>, Condvar)>::default();
    Provider::answering(move |asked| match asked.role {
        Role::Commander => Reply::Call("triage", json!({"decision": "plan"})),
        Role::Planner => Reply::Call("plan", json!({ "todo": plan })),
        Role::Reviewer => Reply::Call("verdict", json!({"pass": true, "evidence": ["read"]})),
        Role::Worker => {
            let me = usize::from(asked.brief.contains("task T1.2"));
            if asked.turns == 0 {
                wait_for_turn(&desk, me, first);
                return Reply::Call("propose", json!({"changes": workers[me].change}));
            }
            let mut seen = desk.0.lock().unwrap();
            seen.answered.push(me);
            desk.1.notify_all();
            match last_message(asked).contains("refused") {
                true => Reply::Call("propose", json!({"changes": workers[me].mended})),
                false => Reply::Call("done", json!({"summary": "it is done"})),
            }
        }
    })
}

/// Both Workers have begun before either hands in; the second one then waits for the first one's answer.
fn wait_for_turn(desk: &(Mutex<Desk>, Condvar), me: usize, first: First) {
    let mut seen = desk.0.lock().unwrap();
    if seen.came.contains(&me) {
        return;
    }
    seen.came.push(me);
    desk.1.notify_all();
    let goes = |seen: &mut Desk| match first {
        First::Either => seen.came.len() == 2,
        First::A => seen.came.len() == 2 && (me == 0 || seen.answered.contains(&0)),
        First::B => seen.came.len() == 2 && (me == 1 || seen.answered.contains(&1)),
    };
    let (_seen, late) = desk.1.wait_timeout_while(seen, DEADLINE, |seen| !goes(seen)).unwrap();
    assert!(!late.timed_out(), "the other Worker did not come");
}

/// Tasks whose files nobody declared: they run side by side.
const PLAN: &str = "# Mission: g\n## M1: shapes\n### T1.1: the one\n- [ ] S1.1.1: it is so\n### T1.2: the other\n- [ ] S1.2.1: it is so\n";

/// Runs the mission, and answers with its project after the seal.
fn sealed(first: First, workers: [Worker; 2]) -> Project {
    let provider = team(first, PLAN, workers);
    let (_folder, path) = path_without_servers();
    let project = provider.serving(Project::empty()).with("PATH", path);
    FILES.iter().for_each(|(name, text)| project.write(name, text));
    let said = project.run(&["task", "two things at once", "--json"]);
    assert_eq!(said.code, 0, "{first:?}: {said:?}");
    assert_eq!(said.last()["end"]["state"], "sealed", "{first:?}");
    assert_eq!(project.run(&["verify", "--rerun"]).code, 0, "each receipt holds on its own tree");
    let built = std::process::Command::new("cargo")
        .args(["check", "--quiet", "--offline"])
        .current_dir(project.root())
        .output()
        .unwrap();
    assert!(built.status.success(), "{first:?}: {}", String::from_utf8_lossy(&built.stderr));
    project
}

#[test]
fn two_places_of_one_file_are_both_changed() {
    for first in [First::A, First::B, First::Either] {
        let a = json!([edit("src/area.rs", "side * side", "side.pow(2)")]);
        let b = json!([edit("src/area.rs", "4 * side", "side * 4")]);
        let project = sealed(
            first,
            [Worker { mended: a.clone(), change: a }, Worker { mended: b.clone(), change: b }],
        );
        let expected =
            FILES[2].1.replace("side * side", "side.pow(2)").replace("4 * side", "side * 4");
        assert_eq!(project.read("src/area.rs"), expected, "{first:?}");
    }
}

/// The second one is refused, for the text that it knows is gone, and is shown the text as it is.
#[test]
fn of_two_changes_to_one_place_none_is_written_over() {
    for first in [First::A, First::B, First::Either] {
        let area = |old, new| json!([edit("src/area.rs", old, new)]);
        let a = Worker {
            change: area("    side * side\n", "    side.pow(2)\n"),
            mended: area("    side.saturating_mul(side)\n", "    side.saturating_pow(2)\n"),
        };
        let b = Worker {
            change: area("    side * side\n", "    side.saturating_mul(side)\n"),
            mended: area("    side.pow(2)\n", "    side.saturating_pow(2)\n"),
        };
        let project = sealed(first, [a, b]);
        let text = project.read("src/area.rs");
        assert!(text.contains("    side.saturating_pow(2)\n"), "{first:?}: {text}");
    }
}

/// One Worker changes a signature with all callers that it knows; the other writes a new caller.
#[test]
fn a_caller_that_is_written_beside_a_change_of_signature_is_noticed() {
    for first in [First::A, First::B, First::Either] {
        let wide = [
            edit(
                "src/area.rs",
                "pub fn area(side: u32) -> u32 {\n    side * side",
                "pub fn area(side: u32, scale: u32) -> u32 {\n    side * side * scale",
            ),
            edit("src/report.rs", "area(side))", "area(side, 1))"),
        ];
        let caller = |call: &str| {
            edit(
                "src/table.rs",
                "    \"area\"\n}\n",
                &format!(
                    "    \"area\"\n}}\n\n/// A row.\npub fn row(side: u32) -> u32 {{\n    {call}\n}}\n"
                ),
            )
        };
        let (old, new) = ("crate::area::area(side)", "crate::area::area(side, 1)");
        let a = Worker {
            change: json!(wide),
            mended: json!([wide[0], wide[1], edit("src/table.rs", old, new)]),
        };
        let b = Worker { change: json!([caller(old)]), mended: json!([caller(new)]) };
        let project = sealed(first, [a, b]);
        assert!(project.read("src/table.rs").contains(new), "{first:?}");
        assert!(project.read("src/report.rs").contains("area(side, 1)"), "{first:?}");
    }
}

/// One Worker renames across files; the other writes the old name into a further one.
#[test]
fn a_name_that_is_used_beside_its_rename_is_noticed() {
    for first in [First::A, First::B, First::Either] {
        let rename = [
            edit("src/area.rs", "pub fn area(", "pub fn surface("),
            json!({"op": "edit", "path": "src/report.rs", "edits": [
                {"old": "use crate::area::area;", "new": "use crate::area::surface;"},
                {"old": "area(side))", "new": "surface(side))"}]}),
        ];
        let using = |name: &str| {
            edit(
                "src/table.rs",
                "//! Tables.\n",
                &format!(
                    "//! Tables.\n\nuse crate::area::{name};\n\n/// Of the first row.\npub fn first() -> u32 {{\n    {name}(1)\n}}\n"
                ),
            )
        };
        let table = json!({"op": "edit", "path": "src/table.rs", "edits": [
            {"old": "use crate::area::area;", "new": "use crate::area::surface;"},
            {"old": "    area(1)", "new": "    surface(1)"}]});
        let a = Worker { change: json!(rename), mended: json!([rename[0], rename[1], table]) };
        let b = Worker { change: json!([using("area")]), mended: json!([using("surface")]) };
        let project = sealed(first, [a, b]);
        let table = project.read("src/table.rs");
        assert!(
            table.contains("surface(1)") && !table.contains("area::area"),
            "{first:?}: {table}"
        );
    }
}

/// The tasks name what they change, and nobody declared a file: the one that writes to a file in which the other's name
/// stands waits for it.
#[test]
fn tasks_that_reach_the_same_files_by_name_are_not_begun_at_once() {
    const NAMED: &str = "# Mission: g\n## M1: shapes\n### T1.1: `area` takes a scale\n- [ ] S1.1.1: it is so\n### T1.2: reports are shorter\n- [ ] S1.2.1: it is so | file:src/report.rs\n### T1.3: a longer heading\n- [ ] S1.3.1: it is so | file:src/table.rs\n";
    let log = Arc::<Mutex<Vec<(String, usize)>>>::default();
    let shared = log.clone();
    let provider = Provider::answering(move |asked| {
        let task = ["T1.1", "T1.2", "T1.3"]
            .into_iter()
            .find(|id| asked.brief.contains(&format!("task {id}:")));
        if let (Role::Worker, Some(task)) = (asked.role, task) {
            shared.lock().unwrap().push((task.to_owned(), asked.turns));
        }
        match (asked.role, task, asked.turns) {
            (Role::Commander, ..) => Reply::Call("triage", json!({"decision": "plan"})),
            (Role::Planner, ..) => Reply::Call("plan", json!({ "todo": NAMED })),
            (Role::Reviewer, ..) => {
                Reply::Call("verdict", json!({"pass": true, "evidence": ["read"]}))
            }
            // The first one takes its time: whoever may run beside it has come long before it ends.
            (_, Some("T1.1"), 0) => {
                let end = std::time::Instant::now() + DEADLINE;
                while !shared
                    .lock()
                    .unwrap()
                    .iter()
                    .any(|(task, turns)| task == "T1.3" && *turns == 1)
                {
                    assert!(std::time::Instant::now() < end, "T1.3 does not run beside T1.1");
                    std::thread::sleep(std::time::Duration::from_millis(5));
                }
                let change = [
                    edit(
                        "src/area.rs",
                        "pub fn area(side: u32) -> u32 {\n    side * side",
                        "pub fn area(side: u32, scale: u32) -> u32 {\n    side * side * scale",
                    ),
                    edit("src/report.rs", "area(side))", "area(side, 1))"),
                ];
                Reply::Call("propose", json!({"changes": change}))
            }
            (_, Some("T1.2"), 0) => Reply::Call(
                "propose",
                json!({"changes": [edit("src/report.rs", "{} units", "{}")]}),
            ),
            (_, Some("T1.3"), 0) => Reply::Call(
                "propose",
                json!({"changes": [edit("src/table.rs", "\"area\"", "\"the area\"")]}),
            ),
            _ => Reply::Call("done", json!({"summary": "it is done"})),
        }
    });
    let (_folder, path) = path_without_servers();
    let project = provider.serving(Project::empty()).with("PATH", path);
    FILES.iter().for_each(|(name, text)| project.write(name, text));
    let said = project.run(&["task", "three things", "--json"]);
    assert_eq!(said.code, 0, "{said:?}");
    assert!(said.out.contains("waits for T1.1: both touch src/report.rs"), "{}", said.out);
    let log = log.lock().unwrap();
    let at = |task: &str, turns: usize| {
        log.iter().position(|seen| *seen == (task.to_owned(), turns)).unwrap()
    };
    assert!(
        at("T1.3", 0) < at("T1.1", 1),
        "what reaches nothing of the others runs beside them: {log:?}"
    );
    assert!(at("T1.1", 1) < at("T1.2", 0), "who uses the name waits: {log:?}");
}

/// Two things are called `new`. Where a language server says which uses are whose, only the tasks of one of them wait for
/// each other.
#[test]
fn things_of_one_name_are_told_apart_by_their_references() {
    const NAMED: &str = "# Mission: g\n## M1: shapes\n### T1.1: `new` of a circle says more\n- [ ] S1.1.1: it is so | file:src/circle.rs\n### T1.2: `new` of a square says more\n- [ ] S1.2.1: it is so | file:src/square.rs\n### T1.3: the drawing says more\n- [ ] S1.3.1: it is so | file:src/drawing.rs\n";
    let kind = |name: &str| {
        format!(
            "//! One.\n\n/// It.\npub struct {name}(pub u32);\n\nimpl {name} {{\n    /// Of a size.\n    pub fn new(size: u32) -> {name} {{\n        {name}(size)\n    }}\n}}\n"
        )
    };
    // Who works now, by the number of the task, and who came.
    let desk = Arc::<(Mutex<Vec<String>>, Condvar)>::default();
    let came = desk.clone();
    let provider = Provider::answering(move |asked| match asked.role {
        Role::Commander => Reply::Call("triage", json!({"decision": "plan"})),
        Role::Planner => Reply::Call("plan", json!({ "todo": NAMED })),
        Role::Reviewer => Reply::Call("verdict", json!({"pass": true, "evidence": ["read"]})),
        Role::Worker if asked.turns == 0 => {
            let at = asked.brief.find("task T1.").expect("a Worker has a task");
            let task = asked.brief[at + 5..at + 9].to_owned();
            let (name, old, new) = match task.as_str() {
                "T1.1" => ("src/circle.rs", "Of a size.", "Of a radius."),
                "T1.2" => ("src/square.rs", "Of a size.", "Of a side."),
                _ => ("src/drawing.rs", "Both.", "Both of them."),
            };
            let mut seen = came.0.lock().unwrap();
            seen.push(task.clone());
            came.1.notify_all();
            // The first one stays until the second one has come as well.
            let is_alone = |seen: &mut Vec<String>| !seen.iter().any(|task| task == "T1.2");
            if task == "T1.1" {
                let waited = came.1.wait_timeout_while(seen, DEADLINE, is_alone).unwrap();
                assert!(!waited.1.timed_out(), "T1.2 does not run beside T1.1");
            }
            Reply::Call("propose", json!({"changes": [edit(name, old, new)]}))
        }
        Role::Worker => Reply::Call("done", json!({"summary": "it is done"})),
    });
    let mut path = vec![tools::rust_analyzer().parent().unwrap().to_owned()];
    path.extend(std::env::split_paths(&std::env::var_os("PATH").unwrap()));
    let project = provider
        .serving(Project::empty())
        .with("PATH", std::env::join_paths(path).unwrap().to_str().unwrap());
    project.write("Cargo.toml", FILES[0].1);
    project
        .write("src/lib.rs", "//! Shapes.\n\npub mod circle;\npub mod drawing;\npub mod square;\n");
    project.write("src/circle.rs", kind("Circle"));
    project.write("src/square.rs", kind("Square"));
    project.write(
        "src/drawing.rs",
        "//! A drawing.\n\nuse crate::circle::Circle;\n\n/// Both.\npub fn drawing() -> u32 {\n    Circle::new(1).0\n}\n",
    );
    let said = project.run(&["task", "three things", "--json"]);
    assert_eq!(said.code, 0, "{said:?}");
    assert!(said.out.contains("waits for T1.1: both touch src/drawing.rs"), "{}", said.out);
    assert!(!said.out.contains("both touch src/square.rs"), "{}", said.out);
    assert_eq!(*desk.0.lock().unwrap(), ["T1.1", "T1.2", "T1.3"]);
}
