//! A model that stands in for another, the breaker that decides when, and what is counted.

use orchestrator_lsp::model::{FaultKind, Reaction};

use super::*;

const OTHER_KEY: &str = "sk-other-9876543210";

fn fallback(format: Format, url: &str) -> String {
    let provider = format.provider();
    format!(
        "[model.fallback]\nprovider = \"{provider}\"\nbase_url = \"{url}\"\nmodel = \"spare\"\napi_key = \"{OTHER_KEY}\"\nprice = {{ input = 1000000.0 }}\n"
    )
}

/// The first model never answers like that; the fallback, of the other format, does.
async fn falls_back(format: Format, bad: Vec<Act>, requests: usize) {
    let other = if format == Format::OpenAi { Format::Anthropic } else { Format::OpenAi };
    let (first, spare) =
        (RawServer::start(always(bad)).await, RawServer::start(always(good(other))).await);
    let config = format!(
        "[limits]\nfaults = 3\n[model]\n{}{}",
        model(format, &first.url),
        fallback(other, &spare.url)
    );
    let (view, project) = task(project(&config)).await;
    let ended = Ended { view, requests: first.requests.lock().unwrap().clone() };
    assert!(ended.is_heard(), "{ended:#?}");
    assert_eq!(ended.requests.len(), requests, "{ended:#?}");
    assert_eq!(ended.calls(), requests as u64 + 1, "each request is a call: {ended:#?}");
    let host = spare.url.trim_start_matches("http://").trim_end_matches("/v1");
    assert!(ended.says(&format!("asking the fallback model spare at {host}")), "{ended:#?}");
    assert!(ended.says(&format!("answered by the fallback model spare at {host}")), "{ended:#?}");
    let tally = &ended.view["providers"][format!("spare at {host}")];
    let counts = ["requests", "turns", "recovered", "failed"].map(|name| tally[name].as_u64());
    assert_eq!(counts, [Some(1), Some(1), Some(1), Some(0)]);
    assert_eq!(ended.counts(), [requests as u64 + 1, 1, 1, 0]);
    assert_eq!(ended.view["spent"]["usage"]["micro_usd"], 9_000_000, "its price counts");
    let asked = spare.requests.lock().unwrap().clone();
    assert!(asked[0].contains(OTHER_KEY) && !asked[0].contains(KEY), "each key to its own place");
    assert!(ended.requests.iter().all(|request| !request.contains(OTHER_KEY)));
    let said = tokio::task::spawn_blocking(move || project.run(&["status"])).await.unwrap();
    let line = format!("spare at {host}: 1 requests, 1 turns (1 recovered), 0 failed");
    assert!(said.out.contains(&line), "{said:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fallback_answers_while_the_first_fails() {
    for format in Format::BOTH {
        falls_back(format, status(500, "", "oops"), 2).await;
        falls_back(format, status(429, "retry-after-ms: 1\r\n", "{}"), 2).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fallback_answers_at_once_where_the_first_cannot() {
    for format in Format::BOTH {
        for code in [401, 402, 404, 307] {
            falls_back(format, status(code, "", "no"), 1).await;
        }
        falls_back(format, status(429, "retry-after: 3600\r\n", "{}"), 1).await;
    }
}

/// The fallback is slower than the first model's breaker is open, so that the next turn is the first model's again.
#[tokio::test(flavor = "multi_thread")]
async fn a_first_model_that_is_back_answers_again() {
    for format in Format::BOTH {
        let first = then_good(format, vec![status(500, "", "oops"), status(500, "", "oops")]);
        let slow = Act::Pause(std::time::Duration::from_millis(800));
        let other = [vec![slow], calling(format, "list", &json!({}))].concat();
        let (first, spare) = (RawServer::start(first).await, RawServer::start(always(other)).await);
        let config = format!(
            "[limits]\nfaults = 3\n[model]\ncool_down_ms = 400\n{}{}",
            model(format, &first.url),
            fallback(format, &spare.url)
        );
        let (view, _) = task(project(&config)).await;
        let ended = Ended { view, requests: first.requests.lock().unwrap().clone() };
        assert!(ended.is_heard(), "{ended:#?}");
        assert_eq!((ended.requests.len(), ended.calls()), (3, 4), "{ended:#?}");
        assert_eq!(ended.counts(), [4, 2, 1, 0]);
        assert!(ended.says("answered by the fallback model spare at"), "{ended:#?}");
        assert!(ended.says("answered by m-1 at") && ended.says(" again"), "{ended:#?}");
    }
}

/// A workspace can bring any file: none of them names a model.
#[tokio::test(flavor = "multi_thread")]
async fn a_workspace_names_no_fallback() {
    let (first, spare) = (
        RawServer::start(always(status(401, "", "no"))).await,
        RawServer::start(always(good(Format::OpenAi))).await,
    );
    let own = format!("[model]\n{}", model(Format::OpenAi, &first.url));
    let project = project(&own);
    let theirs = format!("[model]\nmodel = \"m-1\"\n{}", fallback(Format::OpenAi, &spare.url));
    for place in [
        "config.toml",
        "orchestrator/config.toml",
        ".opencode/config.toml",
        ".config/orchestrator/config.toml",
    ] {
        project.write(place, &theirs);
    }
    let (view, _) = task(project).await;
    assert_eq!(view["state"], "blocked");
    assert!(spare.requests.lock().unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_open_breaker_spends_no_call_and_says_so() {
    let server = RawServer::start(always(status(500, "", "oops"))).await;
    // Five failures open it, for so long that no probe comes before the tries are over.
    let config = format!(
        "[limits]\nfaults = 5\nwait_ms = 100\n[model]\ncool_down_ms = 60_000\n{}",
        model(Format::OpenAi, &server.url)
    );
    let (view, _) = task(project(&config)).await;
    let ended = Ended { view, requests: server.requests.lock().unwrap().clone() };
    assert_eq!(ended.state(), "blocked");
    assert!(ended.reason().contains("is not asked for 5"), "{ended:#?}");
    assert!(
        ended
            .reason()
            .contains("after 5 failures in a row; the last: the provider answered HTTP 500"),
        "{ended:#?}"
    );
    assert_eq!((ended.requests.len(), ended.calls()), (5, 5), "the sixth was not sent");
    assert_eq!(ended.counts(), [5, 0, 0, 1]);
}

#[tokio::test]
async fn a_breaker_opens_probes_and_closes() {
    for format in Format::BOTH {
        let answer = stream(&[&format.text("hello"), &format.end("stop")]);
        let plan: Plan = Arc::new(move |at, _| match at {
            0..6 => status(503, "", "busy"),
            _ => answer.clone(),
        });
        let server = RawServer::start(plan).await;
        let client = client(format.provider(), &server.url, json!({"cool_down_ms": 100}));
        for _ in 0..5 {
            let fault = ask(&client, &[user("go")], &[]).await.unwrap_err();
            assert_eq!(fault.kind, FaultKind::Overloaded);
        }
        let mut probes = 0;
        loop {
            match ask(&client, &[user("go")], &[]).await {
                Ok(turn) => break assert_eq!(turn.text, "hello"),
                Err(fault) if fault.kind == FaultKind::Held => {
                    assert_eq!(fault.reaction(), Reaction::Retry);
                    assert!(fault.unsent && fault.usage.is_none());
                    let wait = fault.retry_after_ms.unwrap();
                    tokio::time::sleep(std::time::Duration::from_millis(wait)).await;
                }
                Err(fault) => {
                    assert_eq!(fault.kind, FaultKind::Overloaded, "the probe");
                    probes += 1;
                }
            }
        }
        assert_eq!((probes, server.requests.lock().unwrap().len()), (1, 7));
        ask(&client, &[user("go")], &[]).await.unwrap();
    }
}
