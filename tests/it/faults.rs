//! The faults of providers, one by one, over real local HTTP: the built binary runs a mission against a server that does
//! something wrong, and either gets its turn or ends with a reason. The rows are those of `docs/providers.md`.
//!
//! A mission here is as short as a mission can be: the Commander declines the goal, and the mission is blocked with the
//! words of its answer. A fault that was survived shows in those words, one that was not in others.

mod answer;
#[cfg(target_os = "linux")]
mod clock;
mod connection;
mod fallback;
mod page;
mod status;
mod stream;

use std::sync::Arc;

use serde_json::{Value, json};

use crate::support::project::{Project, Said};
use crate::support::wire::*;

/// What the Commander says when it is heard.
const HEARD: &str = "the answer was heard";

/// The answer that a mission waits for.
fn good(format: Format) -> Vec<Act> {
    calling(format, "triage", &json!({"decision": "decline", "needs": HEARD}))
}

/// These answers first, one each, then good ones.
fn then_good(format: Format, bad: Vec<Vec<Act>>) -> Plan {
    Arc::new(move |at, _| bad.get(at).cloned().unwrap_or_else(|| good(format)))
}

/// How a mission ended.
#[derive(Debug)]
struct Ended {
    view: Value,
    /// What the server was asked.
    requests: Vec<String>,
}

impl Ended {
    fn state(&self) -> &str {
        self.view["state"].as_str().unwrap()
    }

    /// Why it ended.
    fn reason(&self) -> String {
        let end = &self.view["end"];
        ["needs", "limit", "reason"].iter().filter_map(|key| end[key].as_str()).collect()
    }

    fn is_heard(&self) -> bool {
        self.state() == "blocked" && self.reason() == HEARD
    }

    fn calls(&self) -> u64 {
        self.view["spent"]["calls"].as_u64().unwrap()
    }

    /// The story's texts.
    fn lines(&self) -> Vec<&str> {
        self.view["story"].as_array().unwrap().iter().filter_map(|l| l["text"].as_str()).collect()
    }

    fn says(&self, part: &str) -> bool {
        self.lines().iter().any(|line| line.contains(part))
    }

    /// Requests, turns got, those after faults, turns that never came; over all providers.
    fn counts(&self) -> [u64; 4] {
        let of = |name: &str| {
            let tallies = self.view["providers"].as_object().unwrap().values();
            tallies.map(|tally| tally[name].as_u64().unwrap()).sum()
        };
        ["requests", "turns", "recovered", "failed"].map(of)
    }

    fn body(&self, at: usize) -> &str {
        self.requests[at].split_once("\r\n\r\n").unwrap().1
    }
}

/// The lines of a configuration file that point to a server.
fn model(format: Format, url: &str) -> String {
    let provider = format.provider();
    format!(
        "provider = \"{provider}\"\nbase_url = \"{url}\"\nmodel = \"m-1\"\napi_key = \"{KEY}\"\n"
    )
}

/// A project whose user has this configuration file.
fn project(config: &str) -> Project {
    let project = Project::empty();
    let path = project.root().parent().unwrap().join("user.toml");
    std::fs::write(&path, config).unwrap();
    // A proxy of the machine's would answer in place of what is tested.
    project.with("ORCHESTRATOR_CONFIG", path).with("NO_PROXY", "*").with("no_proxy", "*")
}

/// Runs a mission to its end, off the threads that serve the model.
async fn task(project: Project) -> (Value, Project) {
    let run = move || {
        let said: Said = project.run(&["task", "--json", "do it"]);
        let view = said.last()["end"].clone();
        assert!(view.is_object(), "{said:?}");
        assert!(!said.out.contains(KEY) && !said.err.contains(KEY), "the key is shown: {said:?}");
        (view, project)
    };
    tokio::task::spawn_blocking(run).await.unwrap()
}

/// A mission against that server, with three tries and further lines of the model's configuration.
async fn mission_with(format: Format, more: &str, plan: Plan) -> Ended {
    let server = RawServer::start(plan).await;
    let config = format!("[limits]\nfaults = 2\n[model]\n{}{more}\n", model(format, &server.url));
    let (view, _) = task(project(&config)).await;
    let requests = server.requests.lock().unwrap().clone();
    Ended { view, requests }
}

async fn mission(format: Format, plan: Plan) -> Ended {
    mission_with(format, "", plan).await
}

/// A mission whose first answer is this, and whose second is good. It must recover with its second request.
async fn recovers(format: Format, bad: Vec<Act>) -> Ended {
    let ended = mission(format, then_good(format, vec![bad])).await;
    assert!(ended.is_heard(), "{ended:#?}");
    assert_eq!((ended.requests.len(), ended.calls()), (2, 2), "{ended:#?}");
    ended
}

/// A mission whose every answer is this. It must end blocked by a reason that says so, after so many requests.
async fn is_stated(format: Format, bad: Vec<Act>, requests: usize, reason: &str) -> Ended {
    let ended = mission(format, always(bad)).await;
    assert_eq!(ended.state(), "blocked", "{ended:#?}");
    assert!(ended.reason().contains(reason), "{reason}: {ended:#?}");
    assert_eq!((ended.requests.len(), ended.calls()), (requests, requests as u64), "{ended:#?}");
    assert_eq!(ended.counts(), [requests as u64, 0, 0, 1], "{ended:#?}");
    ended
}
