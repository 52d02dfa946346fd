//! The bounds of the farm: how many servers, in how much memory, for how long, and none left behind.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::sync::Arc;

use super::*;

const ROOMY: Limits = Limits { servers: 4, memory: u64::MAX, idle: PATIENCE };

/// Two workspaces, each with a TypeScript server, in one farm.
fn two(limits: Limits) -> [(TempDir, Servers, Language); 2] {
    let farm = Farm::new(limits);
    [(); 2].map(|()| {
        let (shadow, servers, language) = typescript(true);
        (shadow, servers.with_farm(Arc::clone(&farm)), language)
    })
}

async fn clean(place: &(TempDir, Servers, Language)) {
    let (_, servers, language) = place;
    assert_eq!(codes(&ask(servers, language, &[], &["src/b.ts"]).await), Vec::<&str>::new());
}

#[tokio::test]
async fn no_more_servers_run_than_there_are_seats() {
    let [one, two] = two(Limits { servers: 1, ..ROOMY });
    for _ in 0..2 {
        clean(&one).await;
        assert!(two.1.running().await.is_empty());
        clean(&two).await;
        assert!(one.1.running().await.is_empty());
        assert_eq!(two.1.running().await.len(), 1);
    }
}

#[tokio::test]
async fn a_server_that_is_being_asked_is_waited_for() {
    let [one, two] = two(Limits { servers: 1, ..ROOMY });
    clean(&one).await;
    let group = one.1.running().await[0].process;
    signal("-STOP", group);
    // The first question is under way before the second needs its seat.
    tokio::join!(clean(&one), clean(&two), async { signal("-CONT", group) });
    assert_eq!(two.1.running().await.len(), 1);
}

#[tokio::test]
async fn servers_keep_to_the_memory_together() {
    let [one, two] = two(Limits { memory: 1, ..ROOMY });
    clean(&one).await;
    assert!(one.1.running().await[0].memory > Some(1 << 20), "the last one is kept");
    clean(&two).await;
    assert!(one.1.running().await.is_empty());
    assert_eq!(two.1.running().await.len(), 1);
}

#[tokio::test]
async fn a_server_that_nobody_asks_is_ended() {
    let [one, _] = two(Limits { idle: Duration::from_millis(20), ..ROOMY });
    clean(&one).await;
    while !one.1.running().await.is_empty() {
        tokio::task::yield_now().await;
    }
    clean(&one).await;
}

#[tokio::test]
async fn workers_of_one_workspace_share_a_server() {
    let [one, two] = two(ROOMY);
    let broken = |code: &str| overlay(&[("src/b.ts", code)]);
    let files = [rel("src/b.ts")];
    let (good, bad) = (broken("export const b = 1;\n"), broken("export const b: string = 1;\n"));
    let (good, bad) = tokio::join!(
        one.1.diagnose(&one.2, &good, &files, PATIENCE),
        one.1.diagnose(&one.2, &bad, &files, PATIENCE)
    );
    assert_eq!((codes(&good), codes(&bad)), (vec![], vec!["TS2322"]), "none sees the other's");
    assert_eq!(one.1.running().await.len(), 1);
    assert!(two.1.running().await.is_empty());
}

const HOLD: &str = "ORCHESTRATOR_TEST_HOLDS_SERVERS";

/// Not a test of its own: the process that [`a_process_that_is_killed_leaves_no_server`] kills.
#[tokio::test]
#[ignore = "it is run by another test"]
async fn holds_servers() {
    if std::env::var_os(HOLD).is_none() {
        return;
    }
    let (shadow, seven, language) = typescript(true);
    ask(&seven, &language, &[], &["src/b.ts"]).await;
    let (other_shadow, six, language) = typescript(false);
    ask(&six, &language, &[], &["src/b.ts"]).await;
    let (third_shadow, analyzer, language) = rust();
    ask(&analyzer, &language, &[], &["src/lib.rs"]).await;
    // Nobody will be there to remove them in the end.
    drop((shadow, other_shadow, third_shadow));
    for servers in [&seven, &six, &analyzer] {
        println!("\ngroup {}", servers.running().await[0].process);
    }
    std::future::pending().await
}

#[test]
fn a_process_that_is_killed_leaves_no_server() {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", "gate_servers::farm::holds_servers", "--nocapture"])
        .env(HOLD, "1")
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
    let groups = lines.filter_map(|line| line.strip_prefix("group ").map(str::to_owned));
    let groups: Vec<String> = groups.take(3).collect();
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(groups.len(), 3, "all of them ran");
    let lives = |group: &String| {
        let asked = Command::new("kill").args(["-0", "--", &format!("-{group}")]).output();
        asked.unwrap().status.success()
    };
    for group in &groups {
        while lives(group) {
            std::thread::yield_now();
        }
    }
}
