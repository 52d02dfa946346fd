//! The command line: exit codes, bad input, several processes in one workspace, verification.

use orchestrator_lsp::mission::conversation::Role;
use serde_json::{Value, json};

use crate::support::ended::{ended, finished};
use crate::support::model::{Asked, LocalModel};
use crate::support::project::Project;

#[test]
fn a_goal_that_needs_a_model_names_the_settings() {
    let project = Project::copy_of("demo");
    let said = project.run(&["task", "write a poem about sailors"]);
    assert_eq!(said.code, 3, "{said:?}");
    for piece in [
        "ORCHESTRATOR_MODEL",
        "ORCHESTRATOR_API_KEY",
        "ORCHESTRATOR_BASE_URL",
        "fix all diagnostics",
    ] {
        assert!(said.out.contains(piece), "{piece}: {said:?}");
    }
}

#[test]
fn an_empty_goal_and_one_of_a_million_characters_are_refused_and_leave_nothing() {
    let project = Project::copy_of("demo");
    let said = project.run(&["task", "  "]);
    assert_eq!(said.code, 2);
    assert!(said.err.contains("the goal is empty"), "{said:?}");
    // One argument may be 128 KiB on Linux; the words are joined.
    let word = "x".repeat(100_000);
    let mut arguments = vec!["task"];
    arguments.extend([word.as_str(); 10]);
    let said = project.run(&arguments);
    assert_eq!(said.code, 2);
    assert!(said.err.contains("100000 is the most"), "{said:?}");
    assert_eq!(project.run(&["status", "--json"]).last(), json!([]));
}

#[test]
fn a_goal_of_many_lines_with_quotes_and_unicode_arrives_whole() {
    let goal = "fix \"all\"\n'everything'\n— naïvely, 𝄞 \\ and `$(touch x)`";
    let model = LocalModel::calling(|asked| {
        let needs = format!("seen: {}", asked.brief);
        ("triage", json!({"decision": "decline", "needs": needs}))
    });
    let project = model.serving(Project::copy_of("demo"));
    let said = project.run(&["task", goal, "--json"]);
    assert_eq!(said.code, 3, "{said:?}");
    let end = &said.last()["end"];
    assert_eq!(end["goal"], goal);
    assert!(end["end"]["needs"].as_str().unwrap().contains(goal));
}

#[test]
fn a_workspace_that_cannot_be_written_is_a_clear_error() {
    let project = Project::copy_of("demo");
    project.write(".opencode", "a file where the folder should be");
    let said = project.run(&["task", "fix all diagnostics"]);
    assert_eq!(said.code, 1, "{said:?}");
    assert!(said.err.contains("failed to open the journal"), "{said:?}");
    assert_eq!(project.read(".opencode"), "a file where the folder should be");
}

#[test]
fn a_setting_that_is_wrong_is_named() {
    let project = Project::copy_of("demo");
    project.write("config.toml", "[limits]\ncals = 3\n");
    let config = project.root().join("config.toml");
    let said = project.with("ORCHESTRATOR_CONFIG", config).run(&["task", "fix all errors"]);
    assert_eq!(said.code, 1);
    assert!(said.err.contains("cals"), "{said:?}");
}

#[test]
fn unknown_missions_and_workspaces_are_said_so() {
    let project = Project::copy_of("demo");
    for (arguments, code, piece) in [
        (vec!["cancel"], 2, "no open mission"),
        (vec!["resume", "m1"], 2, "no mission m1"),
        (vec!["verify"], 2, "no journal"),
        (vec!["--root", "/nowhere/at/all", "status"], 2, "failed to open the workspace"),
        (vec!["frobnicate"], 2, "frobnicate"),
    ] {
        let said = project.run(&arguments);
        assert_eq!(said.code, code, "{arguments:?}: {said:?}");
        assert!(said.err.contains(piece), "{arguments:?}: {said:?}");
    }
}

const PLAN: &str = "# Mission: g\n## M1: notes\n### T1.1: write a note\n- [ ] S1.1.1: the note is there | file:note.md\n";

/// A model that does what it is asked, with a file for each goal.
fn honest(asked: &Asked) -> (&'static str, Value) {
    let goal = asked
        .brief
        .split("<goal>")
        .nth(1)
        .and_then(|t| t.split("</goal>").next())
        .unwrap_or("")
        .trim();
    match (asked.role, asked.turns) {
        (Role::Commander, _) => ("triage", json!({"decision": "plan"})),
        (Role::Planner, _) => {
            ("plan", json!({"todo": PLAN.replace("note.md", &format!("{goal}.md"))}))
        }
        (Role::Worker, 0) => {
            let path = format!("{goal}.md");
            ("propose", json!({"changes": [{"op": "write", "path": path, "content": "A note.\n"}]}))
        }
        (Role::Worker, _) => ("done", json!({"summary": "written"})),
        (Role::Reviewer, _) => ("verdict", json!({"pass": true, "evidence": ["read it"]})),
    }
}

#[test]
fn a_plan_waits_for_resume_and_a_todo_of_somebody_else_is_kept() {
    let model = LocalModel::calling(honest);
    let project = model.serving(Project::empty());
    project.write(".opencode/todo.md", b"my own \xff notes");
    let planned = project.run(&["plan", "alpha", "--json"]);
    assert_eq!(planned.code, 0, "{planned:?}");
    assert_eq!(planned.last()["end"]["state"], "planned");
    assert!(
        project
            .read(".opencode/todo.md")
            .contains("- [ ] S1.1.1: the note is there | file:alpha.md")
    );
    let kept: Vec<_> =
        std::fs::read_dir(project.root().join(".opencode/archive")).unwrap().collect();
    assert_eq!(std::fs::read(kept[0].as_ref().unwrap().path()).unwrap(), b"my own \xff notes");
    assert!(!project.root().join("alpha.md").exists());
    let resumed = project.run(&["resume", "--json"]);
    assert_eq!(resumed.code, 0, "{resumed:?}");
    assert_eq!(project.read("alpha.md"), "A note.\n");
    let loop_file: Value =
        serde_json::from_str(&project.read(".opencode/mission_loop.json")).unwrap();
    assert_eq!((&loop_file["active"], &loop_file["state"]), (&json!(false), &json!("sealed")));
}

#[test]
fn a_plan_with_a_cycle_or_an_unknown_id_goes_back_to_the_planner() {
    let model = LocalModel::calling(|asked| match (asked.role, asked.turns) {
        (Role::Planner, 0) => (
            "plan",
            json!({"todo": "## M1: a\n### T1.1: b | depends:T1.2\n- [ ] S1.1.1: c\n### T1.2: d | depends:T1.1\n- [ ] S1.2.1: e\n"}),
        ),
        (Role::Planner, 1) => {
            assert!(
                asked.last.contains("T1.1, T1.2 wait for each other")
                    || asked.last.contains("a cycle"),
                "{}",
                asked.last
            );
            ("plan", json!({"todo": "## M1: a\n### T1.1: b | depends:T7.7\n- [ ] S1.1.1: c\n"}))
        }
        (Role::Planner, _) => {
            assert!(asked.last.contains("T7.7, which is not in the plan"), "{}", asked.last);
            ("give_up", json!({"reason": "enough was seen"}))
        }
        _ => honest(asked),
    });
    let said = model.serving(Project::empty()).run(&["task", "alpha", "--json"]);
    assert_eq!(said.code, 3, "{said:?}");
    assert_eq!(said.last()["end"]["end"]["needs"], "enough was seen");
}

#[test]
fn two_commands_share_a_workspace_and_both_missions_are_sealed() {
    let model = LocalModel::calling(honest);
    let project = model.serving(Project::empty());
    let goals = ["alpha", "beta", "gamma"];
    let children: Vec<_> = goals
        .iter()
        .map(|goal| {
            let mut command = project.command(&["task", goal, "--json"]);
            command
                .stdout(std::process::Stdio::piped())
                .stderr(std::process::Stdio::piped())
                .spawn()
                .unwrap()
        })
        .collect();
    for (child, goal) in children.into_iter().zip(goals) {
        let said = crate::support::project::Said::from(finished(child));
        assert_eq!(said.code, 0, "{goal}: {said:?}");
        assert_eq!(said.last()["end"]["state"], "sealed");
        assert_eq!(project.read(&format!("{goal}.md")), "A note.\n");
    }
    let views = project.run(&["status", "--json"]).last();
    assert_eq!(views.as_array().unwrap().len(), 3);
    assert_eq!(project.run(&["verify"]).code, 0);
}

#[test]
fn a_mission_is_cancelled_from_another_process() {
    let model = LocalModel::calling(|asked| match asked.role {
        // Reads for ever, each time something else.
        Role::Worker => ("read", json!({"path": "a.txt", "from": asked.turns + 1})),
        _ => honest(asked),
    });
    let project = model.serving(Project::empty());
    project.write("a.txt", "text\n");
    let mut command = project.command(&["task", "alpha", "--json"]);
    let mut child = command.stdout(std::process::Stdio::piped()).spawn().unwrap();
    let out = std::io::BufReader::new(child.stdout.take().unwrap());
    let mut lines = std::io::BufRead::lines(out);
    let began = lines.by_ref().any(|line| line.is_ok_and(|l| l.contains("write a note")));
    assert!(began);
    let cancelled = project.run(&["cancel"]);
    assert_eq!(cancelled.code, 0, "{cancelled:?}");
    let rest: Vec<String> = lines.map_while(Result::ok).collect();
    assert_eq!(child.wait().unwrap().code(), Some(5), "{rest:?}");
    let asked = model.arrivals().len();
    assert_eq!(project.run(&["resume"]).code, 2, "a cancelled mission does not go on");
    assert_eq!(model.arrivals().len(), asked, "nothing is asked afterwards");
}

#[test]
fn a_receipt_that_was_changed_is_found() {
    let model = LocalModel::calling(honest);
    let project = model.serving(Project::empty());
    assert_eq!(project.run(&["task", "alpha"]).code, 0);
    assert_eq!(project.run(&["verify"]).code, 0);
    project.write("alpha.md", "Another note.\n");
    let changed = project.run(&["verify", "--json"]).last();
    assert_eq!(changed["changedSince"], json!(["alpha.md"]));
    assert_eq!(changed["treeAsSealed"], false);
    let journal = rusqlite::Connection::open(project.root().join(".opencode/journal.db")).unwrap();
    journal
        .execute("UPDATE receipts SET body = replace(body, 'alpha.md', 'omega.md')", [])
        .unwrap();
    drop(journal);
    let said = project.run(&["verify"]);
    assert_eq!(said.code, 7, "{said:?}");
    assert!(said.out.contains("does not hold"), "{said:?}");
}

/// The requests of a session only ever grow: each begins with the one before it.
#[test]
fn the_prefix_of_a_session_is_byte_identical_from_turn_to_turn() {
    let bodies = std::sync::Arc::new(std::sync::Mutex::new(Vec::<(Role, String)>::new()));
    let seen = bodies.clone();
    let model = LocalModel::answering(move |asked| {
        seen.lock().unwrap().push((asked.role, asked.body.clone()));
        let (name, arguments) = match (asked.role, asked.turns) {
            (Role::Worker, n @ 0..=4) => ("list", json!({"glob": format!("*.{n}")})),
            _ => {
                let turns = asked.turns.saturating_sub(5);
                honest(&Asked { turns, ..asked.clone() })
            }
        };
        crate::support::model::turn(&[(name, arguments)])
    });
    assert_eq!(model.serving(Project::empty()).run(&["task", "alpha"]).code, 0);
    let bodies = bodies.lock().unwrap();
    let worker: Vec<&String> =
        bodies.iter().filter(|(role, _)| *role == Role::Worker).map(|(_, b)| b).collect();
    assert_eq!(worker.len(), 7);
    for pair in worker.windows(2) {
        let end = pair[0].rfind("]").unwrap();
        let messages = pair[0][..end].to_owned();
        assert!(pair[1].starts_with(&messages), "{}\n{}", pair[0], pair[1]);
    }
}

/// A disk that takes no more: the mission stops with the reason, and goes on once there is room, with nothing lost.
#[cfg(unix)]
#[test]
fn a_full_disk_stops_the_mission_and_loses_nothing() {
    let model = LocalModel::calling(|asked| match (asked.role, asked.turns) {
        (Role::Worker, n @ 0..=19) => ("read", json!({"path": "long.txt", "from": n + 1})),
        (_, n) => honest(&Asked { turns: n.saturating_sub(20), ..asked.clone() }),
    });
    let project = model.serving(Project::empty());
    project.write("long.txt", "A line of some length, to fill a journal with.\n".repeat(500));
    // The model knows its turn by the number of its answers: none of them is to be left out.
    let config = project.root().parent().unwrap().join("config.toml");
    std::fs::write(&config, "[memory]\nhigh = 1000000\n").unwrap();
    let project = project.with("ORCHESTRATOR_CONFIG", config);
    // No file may grow beyond 256 blocks; the signal is ignored, so that writes fail as they do on a full disk.
    let script = format!(
        "trap '' XFSZ; ulimit -f 256; exec '{}' task alpha",
        env!("CARGO_BIN_EXE_orchestrator")
    );
    let mut limited = std::process::Command::new("sh");
    limited.args(["-c", &script]).current_dir(project.root()).envs(project.environment());
    let said = crate::support::project::Said::from(ended(&mut limited));
    assert_eq!(said.code, 1, "{said:?}");
    assert!(said.err.contains("missions cannot go on") && said.err.contains("journal"), "{said:?}");
    let state = project.run(&["status", "--json"]).last()[0]["state"].clone();
    assert_eq!(state, "working", "what was acknowledged is there");
    let resumed = project.run(&["resume", "--json"]);
    assert_eq!(resumed.code, 0, "{resumed:?}");
    assert_eq!(project.read("alpha.md"), "A note.\n");
    assert_eq!(project.run(&["verify"]).code, 0);
}

/// The process is killed in the middle of a mission; the next one carries it on to its seal.
#[cfg(unix)]
#[test]
fn a_mission_survives_kill_9() {
    let model = LocalModel::calling(|asked| match (asked.role, asked.turns) {
        (Role::Worker, n @ 0..=9) => ("list", json!({"glob": format!("*.{n}")})),
        (Role::Worker, n) => honest(&Asked { turns: n - 10, ..asked.clone() }),
        _ => honest(asked),
    });
    let project = model.serving(Project::empty());
    for kill in 0..4 {
        let arguments =
            if kill == 0 { vec!["task", "alpha", "--json"] } else { vec!["resume", "--json"] };
        let mut command = project.command(&arguments);
        let mut child = command.stdout(std::process::Stdio::piped()).spawn().unwrap();
        let wanted = model.arrivals().len() + 3;
        while model.arrivals().len() < wanted && child.try_wait().unwrap().is_none() {
            std::thread::yield_now();
        }
        child.kill().unwrap();
        child.wait().unwrap();
    }
    let resumed = project.run(&["resume", "--json"]);
    assert_eq!(resumed.code, 0, "{resumed:?}");
    assert_eq!(resumed.last()["end"]["state"], "sealed");
    assert_eq!(project.read("alpha.md"), "A note.\n");
    let views = project.run(&["status", "--json"]).last();
    assert_eq!(views.as_array().unwrap().len(), 1, "one mission, however often it was taken up");
    assert_eq!(views[0]["receipts"].as_array().unwrap().len(), 1, "applied once");
    assert_eq!(project.run(&["verify"]).code, 0);
}

/// The bench runs everywhere; only what does not depend on the machine is judged.
#[test]
fn the_bench_prints_its_figures_and_a_first_request_is_small() {
    let said =
        Project::empty().run(&["bench", "turns", "--missions", "1", "--starts", "1", "--json"]);
    assert_eq!(said.code, 0, "{said:?}");
    let figures = said.last();
    let figure = |name: &str| {
        let rows = figures.as_array().unwrap();
        let row = rows.iter().find(|row| row["what"].as_str().unwrap().contains(name));
        row.unwrap_or_else(|| panic!("no {name}: {figures}"))["p50"].as_f64().unwrap()
    };
    assert!(figure("bytes of a worker's first request") < 10.0);
    for name in ["--version", "initialize", "first model request", "one turn", "baseline: the same"]
    {
        assert!(figure(name) > 0.0, "{name}");
    }
}
