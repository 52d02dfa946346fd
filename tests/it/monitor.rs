//! The dashboard in a real terminal: what it shows at three sizes, what its keys do, and that nothing of it touches the
//! missions that it shows.

use std::process::{Child, Stdio};
use std::sync::{Arc, Mutex};

use orchestrator_lsp::journal::Journal;
use orchestrator_lsp::mission::conversation::Role;
use orchestrator_lsp::workspace::lock::OwnerLock;
use serde_json::{Value, json};

use crate::rehydrate::editor;
use crate::support::client::Client;
use crate::support::ended::finished;
use crate::support::project::{Project, Said};
use crate::support::provider::{Provider, Reply, Request};
use crate::support::stage::{FILE, Place, Stage, honest};
use crate::support::tmux::Terminal;

/// The sizes at which it is read.
const SIZES: [(u16, u16); 3] = [(80, 24), (120, 40), (200, 60)];

/// An honest team whose Reviewer finds something at first, and that stops in the middle of the answer of `held`.
fn team(held: Arc<Mutex<Option<Place>>>) -> Provider {
    let verdicts = Mutex::new(0);
    Provider::answering(move |asked: &Request| {
        if *held.lock().unwrap() == Some((asked.role, asked.turns)) {
            return Reply::Half;
        }
        match asked.role {
            Role::Reviewer => {
                let mut verdicts = verdicts.lock().unwrap();
                *verdicts += 1;
                let finding =
                    json!({"file": FILE, "line": 1, "severity": "error", "message": "too short"});
                match *verdicts {
                    1 => Reply::Call("verdict", json!({"pass": false, "findings": [finding]})),
                    _ => honest(asked),
                }
            }
            _ => honest(asked),
        }
    })
}

fn begin(stage: &Stage) -> Child {
    let mut command = stage.project.command(&["task", "alpha", "--json"]);
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

fn state(stage: &Stage) -> String {
    let views = stage.project.run(&["status", "--json"]).last();
    views[0]["state"].as_str().unwrap().to_owned()
}

/// How many events stand in the journal.
fn events(project: &Project) -> u64 {
    let journal = Journal::open_existing(&project.root()).unwrap().unwrap();
    let rows = journal.missions().unwrap();
    rows.iter().map(|row| journal.count(&row.id).unwrap()).sum()
}

/// A screen without what differs from run to run; nothing of it changes its width.
fn settled(screen: &str) -> String {
    let replaced = |text: String, pattern: &str, by: &str| {
        regex::Regex::new(pattern).unwrap().replace_all(&text, by).into_owned()
    };
    let text = replaced(screen.to_owned(), r"orchestrator +\S+ +", "orchestrator  ROOT  ");
    let text = replaced(text, r"process \d+", "process N");
    let text = replaced(text, r"m[0-9a-z]{8}-[0-9a-z]{3,8}.*", "MISSION");
    let text = replaced(text, r"sealed [0-9a-f]{12}", "sealed HASH");
    let text = replaced(text, r"[ \d]{2}\d ms|[ \d]\d\.\d s|\d\d min", "  TIME");
    replaced(text, "[▁▂▃▄▅▆▇]", "▁")
}

/// A mission that was carried to its seal, at three sizes, as nobody runs it any more.
#[test]
fn a_sealed_mission_is_read_at_three_sizes() {
    let provider = team(Arc::default());
    let stage = Stage::new(&provider);
    assert_eq!(Said::from(finished(begin(&stage))).code, 0);
    for (width, height) in SIZES {
        let terminal = Terminal::running(&stage.project, &["monitor"], (width, height));
        // The footer is written last.
        let screen = terminal.until_shows(&["sealed", "no process runs the missions", "q quit"]);
        insta::assert_snapshot!(format!("sealed_{width}x{height}"), settled(&screen));
    }
}

/// A mission whose change-set is at the gate, live.
#[test]
fn a_mission_at_the_gate_is_read_at_three_sizes() {
    let provider = team(Arc::default());
    let stage = Stage::new(&provider);
    stage.hold("gate");
    let owner = begin(&stage);
    stage.until_held();
    for (width, height) in SIZES {
        let terminal = Terminal::running(&stage.project, &["monitor"], (width, height));
        let screen = terminal.until_shows(&["at the gate", "runs the missions", "q quit"]);
        insta::assert_snapshot!(format!("gate_{width}x{height}"), settled(&screen));
        // On a small screen the gate shares its place with the log.
        terminal.press(&["4"]);
        terminal.until_shows(&["is proved"]);
    }
    stage.release("gate");
    assert_eq!(Said::from(finished(owner)).code, 0);
}

/// The server of an editor, which goes on when its mission is paused, with a mission.
fn editor_with_a_mission(stage: &Stage) -> Client {
    let mut client = editor(stage, json!({}), json!({}));
    let begun = client.command("orchestrator.task", json!(["alpha"]));
    assert!(begun["result"]["mission"].is_string(), "{begun}");
    client
}

/// Pause, resume and cancel act on the process that runs the mission.
#[test]
fn its_keys_pause_resume_and_cancel() {
    let held = Arc::new(Mutex::new(Some((Role::Worker, 1))));
    let provider = team(held.clone());
    let stage = Stage::new(&provider);
    let mut owner = editor_with_a_mission(&stage);
    provider.until_asked(|all| all.iter().any(|r| (r.role, r.turns) == (Role::Worker, 1)));
    let terminal = Terminal::running(&stage.project, &["monitor"], (120, 40));
    terminal.until_shows(&["working", "thinking", "1 live"]);
    terminal.press(&["p"]);
    terminal.until_shows(&["paused"]);
    assert_eq!(state(&stage), "paused");
    terminal.press(&["p"]);
    terminal.until_shows(&["the mission is paused already"]);
    terminal.press(&["r"]);
    terminal.until_shows(&["working", "goes on"]);
    assert_eq!(state(&stage), "working");
    // A cancel is asked about, and any key but one is no.
    terminal.press(&["c"]);
    terminal.until_shows(&["for good? y: yes"]);
    terminal.press(&["n"]);
    terminal.until_shows(&["not cancelled"]);
    assert_eq!(state(&stage), "working");
    terminal.press(&["c", "y"]);
    terminal.until_shows(&["= ", "cancelled", "none: the mission has ended"]);
    assert_eq!(state(&stage), "cancelled");
    terminal.press(&["r"]);
    terminal.until_shows(&["the mission is cancelled"]);
    assert_eq!(owner.leave(), 0);
}

/// The dashboard is closed and killed while a mission is under way, which goes on to its end.
#[test]
fn closed_or_killed_it_leaves_the_mission_to_its_end() {
    let provider = team(Arc::default());
    let stage = Stage::new(&provider);
    stage.hold("gate");
    let owner = begin(&stage);
    stage.until_held();
    let run = || Terminal::running(&stage.project, &["monitor"], (80, 24));
    let (closed, killed, ended) = (run(), run(), run());
    for terminal in [&closed, &killed, &ended] {
        terminal.until_shows(&["at the gate"]);
        assert!(terminal.is_on_other_screen());
    }
    let before = events(&stage.project);
    closed.press(&["q"]);
    assert_eq!(closed.until_ended(), 0);
    assert!(!closed.is_on_other_screen(), "the terminal is given back");
    let signal = |terminal: &Terminal, signal| {
        nix::sys::signal::kill(nix::unistd::Pid::from_raw(terminal.process()), signal).unwrap();
        terminal.until_ended()
    };
    assert_eq!(signal(&ended, nix::sys::signal::Signal::SIGTERM), 0);
    assert!(!ended.is_on_other_screen());
    assert_eq!(signal(&killed, nix::sys::signal::Signal::SIGKILL), 128 + 9);
    assert_eq!(events(&stage.project), before, "nothing was said to the mission");
    stage.release("gate");
    let said = Said::from(finished(owner));
    assert_eq!((said.code, said.last()["end"]["state"].as_str()), (0, Some("sealed")));
}

/// A mission that nobody runs stands still, and the dashboard leaves it so: it neither owns the workspace nor wakes anybody.
/// What it is told there is kept for the next owner.
#[test]
fn without_an_owner_it_shows_what_stands_and_keeps_what_is_said() {
    let held = Arc::new(Mutex::new(Some((Role::Worker, 1))));
    let provider = team(held.clone());
    let stage = Stage::new(&provider);
    let mut owner = begin(&stage);
    provider.until_asked(|all| all.iter().any(|r| (r.role, r.turns) == (Role::Worker, 1)));
    let terminal = Terminal::running(&stage.project, &["monitor"], (80, 24));
    terminal.until_shows(&[&format!("process {} runs the missions", owner.id()), "thinking"]);
    owner.kill().unwrap();
    owner.wait().unwrap();
    terminal.until_shows(&["no process runs the missions", "working"]);
    let (before, asked) = (events(&stage.project), provider.requests().len());
    drop(OwnerLock::take(&stage.project.root()).expect("nobody holds the lock"));
    terminal.press(&["p"]);
    terminal.until_shows(&["1 said, kept until a process runs the missions"]);
    assert_eq!(state(&stage), "working");
    assert_eq!((events(&stage.project), provider.requests().len()), (before, asked));
    drop(OwnerLock::take(&stage.project.root()).expect("nobody holds the lock"));
    // Who owns the workspace next hears first what was said before.
    *held.lock().unwrap() = None;
    assert_eq!(stage.project.run(&["resume"]).code, 0);
    terminal.until_shows(&["sealed"]);
    let view = stage.project.run(&["status", "--json"]).last()[0].clone();
    assert_eq!(view["state"], "sealed");
    let told = view["story"].as_array().unwrap().iter().map(|line| line["text"].as_str().unwrap());
    let words: Vec<&str> = told.filter(|text| ["paused", "goes on"].contains(text)).collect();
    assert_eq!(words, ["paused", "goes on"]);
}

/// The file of a finding is opened at its line in the person's editor; without an editor its place is said.
#[test]
fn the_file_of_a_finding_is_opened() {
    let provider = team(Arc::default());
    let stage = Stage::new(&provider);
    assert_eq!(Said::from(finished(begin(&stage))).code, 0);
    let folder = tempfile::tempdir().unwrap();
    let (editor, opened) = (folder.path().join("vi"), folder.path().join("opened"));
    std::fs::write(&editor, format!("#!/bin/sh\necho \"$@\" > '{}'\n", opened.display())).unwrap();
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(&editor, mode).unwrap();
    let without = Terminal::running(&stage.project, &["monitor"], (80, 24));
    without.until_shows(&["sealed"]);
    without.press(&["6", "o"]);
    without.until_shows(&["alpha.st:1 (set $VISUAL or $EDITOR to have it opened)"]);
    let root = stage.project.root();
    let Stage { project, .. } = stage;
    let project = project.with("EDITOR", format!("{} -R", editor.display()));
    let terminal = Terminal::running(&project, &["monitor"], (80, 24));
    terminal.until_shows(&["sealed"]);
    terminal.press(&["6", "o"]);
    terminal.until_shows(&["alpha.st:1 was opened"]);
    let said = std::fs::read_to_string(&opened).unwrap();
    assert_eq!(said.trim(), format!("-R +1 {}", root.join(FILE).display()));
    terminal.press(&["3", "G", "o"]);
    terminal.until_shows(&["alpha.st was opened"]);
    assert!(terminal.is_on_other_screen());
}

/// One frame for a pipe: no escapes, no line too long, and nothing but ASCII where the locale knows no more.
#[test]
fn one_frame_is_plain_text() {
    let provider = team(Arc::default());
    let stage = Stage::new(&provider);
    assert_eq!(Said::from(finished(begin(&stage))).code, 0);
    let run = |locale: &str, arguments: &[&str]| {
        let mut command = stage.project.command(arguments);
        command.env("LC_ALL", locale).env("NO_COLOR", "1");
        Said::from(crate::support::ended::ended(&mut command))
    };
    for locale in ["C", "C.UTF-8"] {
        let said = run(locale, &["monitor", "--once", "--size", "80x24"]);
        assert_eq!((said.code, said.out.lines().count()), (0, 24), "{said:?}");
        assert!(said.out.lines().all(|line| line.chars().count() <= 80), "{}", said.out);
        assert!(!said.out.contains('\u{1b}') && said.out.is_ascii() == (locale == "C"));
        for word in ["sealed", "T1.1", "[x]", "1/1", "missions", "sessions", "plan", "log"] {
            assert!(said.out.contains(word), "no {word} in\n{}", said.out);
        }
    }
    for (width, height) in [(1, 1), (7, 3), (20, 5), (1000, 2), (40, 200)] {
        let said = run("C.UTF-8", &["monitor", "--once", "--size", &format!("{width}x{height}")]);
        assert_eq!(said.code, 0, "{said:?}");
    }
    // Where there is no terminal, it says what to do instead.
    let said = run("C.UTF-8", &["monitor"]);
    assert!(said.code == 2 && said.err.contains("--once"), "{said:?}");
    let said = run("C.UTF-8", &["monitor", "--once", "no-such"]);
    assert!(said.code == 2 && said.err.contains("no-such"), "{said:?}");
}

/// No colour where none is wanted, and some where nothing is said of it.
#[test]
fn a_terminal_gets_colours_unless_they_are_not_wanted() {
    let provider = team(Arc::default());
    let stage = Stage::new(&provider);
    assert_eq!(Said::from(finished(begin(&stage))).code, 0);
    let colours = regex::Regex::new("\u{1b}\\[[0-9;]*(3[0-8]|4[0-8])[;m]").unwrap();
    let styled = |project: &Project| {
        let terminal = Terminal::running(project, &["monitor"], (80, 24));
        terminal.until_shows(&["sealed", "q quit"]);
        terminal.styled()
    };
    let with = styled(&stage.project);
    assert!(colours.is_match(&with), "{with:?}");
    let Stage { project, .. } = stage;
    let without = styled(&project.with("NO_COLOR", "1"));
    assert!(!colours.is_match(&without), "{without:?}");
}

/// The same as one value, with the figures that no view has.
#[test]
fn one_value_says_it_all() {
    let provider = team(Arc::default());
    let stage = Stage::new(&provider);
    let none = stage.project.run(&["monitor", "--json"]);
    assert_eq!((none.code, none.last()["missions"].clone()), (0, json!([])), "{none:?}");
    assert!(!stage.project.root().join(".opencode").exists(), "looking makes nothing");
    assert_eq!(Said::from(finished(begin(&stage))).code, 0);
    let value = stage.project.run(&["monitor", "--json"]).last();
    assert_eq!((&value["owner"], &value["lettersWaiting"]), (&json!("nobody"), &json!(0)));
    let mission = &value["missions"][0];
    assert_eq!(mission["view"]["state"], "sealed");
    let kinds: Vec<&Value> =
        mission["proofs"].as_array().unwrap().iter().map(|proof| &proof["kind"]).collect();
    assert_eq!(kinds.first(), Some(&&json!("baseline")));
    assert_eq!(kinds.last(), Some(&&json!("seal")));
    assert!(kinds.contains(&&json!("change")) && kinds.contains(&&json!("tests")));
    let gate = |verdict: &str| mission["gate"][verdict].as_u64().unwrap();
    let changes = kinds.iter().filter(|kind| **kind == "change").count() as u64;
    assert_eq!((gate("accepted"), gate("accepted") + gate("refused")), (1, changes));
    assert!(mission["gate"]["p95_ms"].as_u64() >= mission["gate"]["p50_ms"].as_u64());
    let turns = mission["view"]["account"]["turns"].as_u64().unwrap();
    let beats = mission["turns"].as_object().unwrap().values();
    let beats: usize = beats.map(|all| all.as_array().unwrap().len()).sum();
    assert!(beats > 0 && beats as u64 <= turns, "{beats} of {turns}");
}

/// The bench runs, and prints each figure beside another.
#[test]
fn its_bench_runs() {
    let arguments = ["bench", "monitor", "--sessions", "3", "--requests", "3", "--latency", "20"];
    let said = Project::empty().run(&[&arguments[..], &["--rounds", "1", "--json"]].concat());
    assert_eq!(said.code, 0, "{said:?}");
    let figures = said.last();
    let turns = figures.as_array().unwrap().iter().find(|f| f["what"] == "turns a second");
    let turns = turns.unwrap();
    assert!(turns["alone"].as_f64() > Some(0.0) && turns["attached"].as_f64() > Some(0.0));
    assert!(figures.to_string().contains("share of a core"), "{figures}");
}
