//! Servers that behave badly: each costs itself only, within bounds.

use std::sync::Arc;
use std::time::Duration;

use orchestrator_lsp::extensions::mcp::{Limits, Servers};
use serde_json::{Value, json};

use super::servers::{call, name, names, played, project, trusted, until, words};
use crate::support::project::Project;

/// The workspace's servers, with other limits of a first answer and of a call.
fn limited(project: &Project, start: u64, call: u64) -> Servers {
    let limits = Limits {
        patience: Duration::from_millis(100),
        start: Duration::from_secs(start),
        call: Duration::from_secs(call),
    };
    Servers::with_limits(project.root(), Arc::new(|_, _| true), limits)
}

/// Where a server stands, in words.
fn of(servers: &Servers, name: &str) -> String {
    let states = words(servers);
    let found = states.iter().find(|(known, _)| known == name);
    found.unwrap_or_else(|| panic!("{name}: {states:?}")).1.clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn servers_that_do_not_answer_are_given_up_and_others_go_on() {
    let project = project(json!({
        "dies": played("dies"), "garbage": played("garbage"), "silent": played("silent"),
        "no such program": { "command": "no-such-program-here" },
    }));
    let servers = limited(&project, 1, 60);
    let is_off = |servers: &Servers| {
        words(servers).iter().filter(|(_, words)| words.starts_with("off: ")).count() == 4
    };
    until(&servers, "they are off", is_off).await;
    let dies = of(&servers, "dies");
    // Where the machine is busy, it did not come to dying.
    let is_late = dies.contains("did not answer");
    assert!(dies.contains("started 4 times"), "{dies}");
    assert!(is_late || dies.ends_with("(exit status: 7); it said: I will not"), "{dies}");
    for mode in ["garbage", "silent"] {
        let words = of(&servers, mode);
        assert!(words.contains("did not answer `initialize` within 1s"), "{words}");
    }
    let missing = of(&servers, "no such program");
    assert!(missing.contains("`no-such-program-here` cannot be started"), "{missing}");
    // Off stays off.
    servers.refresh().await;
    assert!(is_off(&servers), "{:?}", servers.states());
    servers.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn floods_are_cut_off_and_others_go_on() {
    let project = project(json!({
        "flood": played("flood"), "endless": played("endless line"), "sound": played("ok"),
    }));
    let servers = limited(&project, 60, 60);
    let came_to = |servers: &Servers, name: &str, what: &str| of(servers, name).contains(what);
    until(&servers, "they are cut off, and the other is up", |servers| {
        !servers.states().is_empty()
            && came_to(servers, "flood", "flooded its output")
            && came_to(servers, "endless", "more than 8 MiB")
            && came_to(servers, "sound", "up with 1 tool")
    })
    .await;
    assert_eq!(call(&servers, "mcp__sound__tool", json!({})).await.unwrap(), "said tool");
    servers.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_end_by_their_limits() {
    let project = project(json!({
        "hang": played("hang"), "huge": played("huge"), "dies": played("dies in a call"),
        "refuses": played("refuses"), "sound": played("ok"),
    }));
    let hurried = limited(&project, 60, 1);
    until(&hurried, "all are up", |s| names(s).len() == 5).await;
    let hang = call(&hurried, "mcp__hang__tool", json!({})).await.unwrap_err();
    assert!(hang.contains("did not answer within 1s"), "{hang}");
    hurried.close().await;

    let servers = limited(&project, 60, 60);
    until(&servers, "all are up", |s| names(s).len() == 5).await;
    let (huge, dies, refuses, sound) = tokio::join!(
        call(&servers, "mcp__huge__tool", json!({})),
        call(&servers, "mcp__dies__tool", json!({})),
        call(&servers, "mcp__refuses__tool", json!({})),
        call(&servers, "mcp__sound__tool", json!({})),
    );
    let (huge, dies) = (huge.unwrap_err(), dies.unwrap_err());
    assert!(huge.contains("is gone") && huge.contains("more than 8 MiB"), "{huge}");
    assert!(dies.contains("is gone") && dies.contains("no more"), "{dies}");
    assert_eq!(refuses, Err("said tool".to_owned()));
    assert_eq!(sound.unwrap(), "said tool");
    // What went is there again.
    until(&servers, "all are up again", |s| names(s).len() == 5).await;
    servers.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_server_says_of_its_tools_is_cut_to_bounds() {
    let project = project(json!({
        "names": played("names"), "many": played("many"), "large": played("large"),
        "odd name é": played("ok"), "a__b": played("ok"),
    }));
    let servers = trusted(&project);
    until(&servers, "all are up", |s| s.states().iter().filter(|s| s.is_up).count() == 5).await;
    let offers = servers.offers();
    let mut known = std::collections::BTreeSet::new();
    for offer in &offers {
        let fits = |c: char| c.is_ascii_alphanumeric() || "_-".contains(c);
        assert!(offer.name.len() <= 64 && offer.name.chars().all(fits), "{}", offer.name);
        assert!(known.insert(&offer.name), "{} is there twice", offer.name);
    }
    let of = |start: &str| offers.iter().filter(|offer| offer.name.starts_with(start)).count();
    assert_eq!((of("mcp__many__"), of("mcp__names__")), (64, 6));
    let states = words(&servers);
    let many = &states.iter().find(|(name, _)| name == "many").unwrap().1;
    assert_eq!(many, "up with 64 tools of 10000");
    let large = offers.iter().find(|offer| offer.name == "mcp__large__tool").unwrap();
    assert!(large.description.chars().count() < 1_100);
    assert!(large.description.ends_with("too large to be shown.)"));
    assert_eq!(large.schema, json!({ "type": "object" }));
    for offer in offers.iter().filter(|offer| !offer.name.contains("many")) {
        assert!(call(&servers, &offer.name, json!({})).await.unwrap().starts_with("said "));
    }
    servers.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_sees_what_it_needs_and_asks_nobody() {
    let mut env = played("env");
    env["env"] = json!({ "TOKEN": "t${HOME:-x}" });
    let project = project(json!({ "env": env, "asks": played("asks"), "grows": played("grows") }));
    let servers = trusted(&project);
    until(&servers, "all are up", |s| names(s).len() == 3).await;
    let seen = call(&servers, "mcp__env__tool", json!({})).await.unwrap();
    let seen: serde_json::Map<String, Value> = serde_json::from_str(&seen).unwrap();
    let home = std::env::var("HOME").unwrap_or("x".to_owned());
    assert_eq!(seen["TOKEN"], format!("t{home}"));
    // Of our own variables, which a shell between us may add to.
    let ours: Vec<String> = std::env::vars().map(|(name, _)| name).collect();
    let harmless = [
        "PATH",
        "HOME",
        "USER",
        "LOGNAME",
        "SHELL",
        "LANG",
        "LC_",
        "TZ",
        "TMP",
        "TEMP",
        "TERM",
        "SSL_CERT_",
        "XDG_",
        "NODE_EXTRA_CA_CERTS",
        "VIRTUAL_ENV",
        "PYENV_",
        "VOLTA_HOME",
        "PWD",
        "OLDPWD",
        "SHLVL",
        "_",
        "HTTP",
        "NO_PROXY",
        "http",
        "no_proxy",
    ];
    let is_harmless = |name: &&String| harmless.iter().any(|start| name.starts_with(start));
    let hidden: Vec<&String> = ours.iter().filter(|name| !is_harmless(name)).collect();
    assert!(hidden.iter().all(|name| !seen.contains_key(*name)), "{hidden:?}");

    let answers = call(&servers, "mcp__asks__tool", json!({})).await.unwrap();
    let answers: Value = serde_json::from_str(&answers).unwrap();
    assert!(answers[0]["error"]["code"].is_i64(), "{answers}");
    assert_eq!(answers[1]["result"]["action"], "decline", "{answers}");
    let root = format!("file://{}", project.root().display());
    assert_eq!(answers[2]["result"]["roots"][0]["uri"], root, "{answers}");

    call(&servers, "mcp__grows__tool", json!({})).await.unwrap();
    until(&servers, "its tools are others", |s| names(s).len() == 4).await;
    servers.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_that_a_server_started_outlives_it() {
    let alive = |pid: i64| {
        let pid = nix::unistd::Pid::from_raw(i32::try_from(pid).unwrap());
        nix::sys::signal::kill(pid, None).is_ok()
    };
    let started = async |servers: &Servers| -> Vec<i64> {
        until(servers, "it is up", |s| names(s).len() == 1).await;
        let said = call(servers, "mcp__orphan__tool", json!({})).await.unwrap();
        serde_json::from_str(&said).unwrap()
    };
    let gone = async |pids: &[i64]| {
        let deadline = std::time::Instant::now() + Duration::from_secs(60);
        while pids.iter().any(|pid| alive(*pid)) {
            assert!(std::time::Instant::now() < deadline, "{pids:?} live on");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    let project = project(json!({ "orphan": played("orphan") }));
    let servers = trusted(&project);
    let first = started(&servers).await;
    assert!(first.iter().all(|pid| alive(*pid)));
    // It is no longer named.
    name(&project, json!({}));
    servers.refresh().await;
    gone(&first).await;
    // They are closed.
    name(&project, json!({ "orphan": played("orphan") }));
    let second = started(&servers).await;
    servers.close().await;
    gone(&second).await;
    // They are let go.
    let servers = trusted(&project);
    let third = started(&servers).await;
    drop(servers);
    gone(&third).await;
}
