//! Refusals: what each status means, and how long is waited.

use orchestrator_lsp::model::{FaultKind, Reaction};

use super::*;

/// A conversation that was too long: refusals as servers word them. The statuses are theirs, too.
fn overflows(format: Format) -> Vec<Vec<Act>> {
    let bodies: Vec<(u16, String)> = match format {
        Format::OpenAi => [
            // OpenAI
            (400, json!({"error": {"message": "This model's maximum context length is 8 tokens.", "type": "invalid_request_error", "param": "messages", "code": "context_length_exceeded"}})),
            // llama.cpp
            (400, json!({"error": {"code": 400, "message": "the request exceeds the available context size, try increasing it", "type": "exceed_context_size_error", "n_prompt_tokens": 9, "n_ctx": 8}})),
            // vLLM
            (400, json!({"object": "error", "message": "This model's maximum context length is 8 tokens. However, you requested 9 tokens", "type": "BadRequestError", "param": null, "code": 400})),
            // OpenRouter
            (400, json!({"error": {"message": "This endpoint's maximum context length is 8 tokens.", "code": 400}})),
            (413, json!({})),
        ]
        .map(|(code, body)| (code, body.to_string()))
        .to_vec(),
        Format::Anthropic => vec![
            (400, format.error("invalid_request_error", "prompt is too long: 9 tokens > 8 maximum")),
            (400, format.error("invalid_request_error", "input length and `max_tokens` exceed context limit: 1 + 8 > 8")),
            (413, format.error("request_too_large", "Request exceeds the maximum allowed number of bytes.")),
        ],
    };
    bodies.into_iter().map(|(code, body)| status(code, "", &body)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_context_overflow_shortens_the_conversation_and_goes_on() {
    for format in Format::BOTH {
        for overflow in overflows(format) {
            let plan: Plan = Arc::new(move |at, _| match at {
                0 => calling(format, "read", &json!({"path": "long.txt"})),
                1 => overflow.clone(),
                2 => calling(format, "list", &json!({})),
                _ => good(format),
            });
            let server = RawServer::start(plan).await;
            let project = project(&format!("[model]\n{}", model(format, &server.url)));
            project.write("long.txt", "a line of a long file\n".repeat(200));
            let (view, _) = task(project).await;
            let ended = Ended { view, requests: server.requests.lock().unwrap().clone() };
            assert!(ended.is_heard(), "{ended:#?}");
            assert!(ended.body(1).contains("a line of a long file"));
            assert!(!ended.body(2).contains("a line of a long file"));
            assert!(ended.body(2).contains("are left out here") && ended.body(2).contains("do it"));
            assert_stable_prefix(&[ended.body(2).to_owned(), ended.body(3).to_owned()]);
            assert!(ended.says("too long for the model: 1 old pieces"), "{ended:#?}");
            assert_eq!(ended.counts(), [4, 3, 1, 0]);
        }
    }
}

/// A process that is killed after the cut: the next one sends the same bytes.
#[tokio::test(flavor = "multi_thread")]
async fn a_restart_sends_the_shortened_conversation_byte_for_byte() {
    let format = Format::Anthropic;
    let overflow = overflows(format).remove(0);
    let plan: Plan = Arc::new(move |at, _| match at {
        0 => calling(format, "read", &json!({"path": "long.txt"})),
        1 => overflow.clone(),
        2 => vec![Act::Hold],
        _ => good(format),
    });
    let mut server = RawServer::start(plan).await;
    let project = project(&format!("[model]\n{}", model(format, &server.url)));
    project.write("long.txt", "a line of a long file\n".repeat(200));
    let mut child =
        project.command(&["task", "do it"]).stdout(std::process::Stdio::null()).spawn().unwrap();
    while server.requests.lock().unwrap().len() < 3 {
        tokio::task::yield_now().await;
    }
    child.kill().unwrap();
    child.wait().unwrap();
    server.closed.recv().await.expect("the killed process has let go");
    let resume = move || project.run(&["resume", "--json"]);
    let said = tokio::task::spawn_blocking(resume).await.unwrap();
    assert!(said.out.contains(HEARD), "{said:?}");
    let body = |at| server.body(at);
    assert!(body(2).contains("are left out here"));
    assert_eq!(body(2), body(3));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_conversation_that_cannot_be_shortened_is_stated() {
    for format in Format::BOTH {
        let overflow = overflows(format).remove(0);
        let ended = mission(format, always(overflow)).await;
        assert_eq!(ended.state(), "failed", "{ended:#?}");
        assert!(
            ended.reason().contains("too long for the model, in its shortest form"),
            "{ended:#?}"
        );
        // The Commander once, the Planner three times.
        assert_eq!(ended.counts(), [4, 0, 0, 4]);
    }
}

/// One request, and a person is told what to mend.
async fn needs_a_person(code: u16, kind: &str, reason: &str) {
    for format in Format::BOTH {
        let body = format.error(kind, &format!("the provider's words, with {KEY}"));
        let ended = is_stated(format, status(code, "", &body), 1, reason).await;
        assert!(ended.reason().contains("the provider's words, with [redacted]"), "{ended:#?}");
        assert!(ended.reason().contains(&code.to_string()), "{ended:#?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_key_names_the_setting() {
    needs_a_person(401, "authentication_error", "check api_key (ORCHESTRATOR_API_KEY)").await;
    needs_a_person(403, "permission_error", "check api_key (ORCHESTRATOR_API_KEY)").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_model_names_the_setting() {
    needs_a_person(404, "not_found_error", "check model (ORCHESTRATOR_MODEL)").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rejected_request_and_an_empty_account_are_stated() {
    needs_a_person(400, "invalid_request_error", "the provider answered HTTP 400").await;
    needs_a_person(422, "invalid_request_error", "the provider answered HTTP 422").await;
    needs_a_person(402, "billing_error", "add credit").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failure_of_the_server_recovers_or_is_stated() {
    for format in Format::BOTH {
        for code in [408, 409, 500, 503, 529] {
            let ended = recovers(format, status(code, "", "<html>oops</html>")).await;
            assert_eq!(ended.counts(), [2, 1, 1, 0]);
        }
        is_stated(format, status(502, "", "oops"), 3, "no answer in 3 tries").await;
    }
}

#[tokio::test]
async fn every_status_from_500_to_529_is_tried_again() {
    for format in Format::BOTH {
        for code in 500..=529 {
            let fault = once(format.provider(), json!({}), status(code, "", "")).await.unwrap_err();
            let expected = match code {
                503 | 529 => FaultKind::Overloaded,
                _ => FaultKind::Server,
            };
            assert_eq!((fault.kind, fault.reaction()), (expected, Reaction::Retry), "{fault}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wish_to_wait_is_kept_in_whatever_form() {
    let dated =
        "date: Sun, 06 Nov 1994 08:49:37 GMT\r\nretry-after: Sun, 06 Nov 1994 08:49:38 GMT\r\n";
    let anthropic = "date: Sun, 06 Nov 1994 08:49:37 GMT\r\nanthropic-ratelimit-tokens-remaining: 0\r\nanthropic-ratelimit-tokens-reset: 1994-11-06T08:49:38Z\r\n";
    for (header, shown) in [
        ("retry-after: 1\r\n", "1.0 s"),
        ("retry-after: 9\r\nretry-after-ms: 700\r\n", "0.7 s"),
        ("x-ratelimit-remaining-requests: 0\r\nx-ratelimit-reset-requests: 800ms\r\n", "0.8 s"),
        (anthropic, "1.0 s"),
        (dated, "1.0 s"),
    ] {
        for format in Format::BOTH {
            let body = format.error("rate_limit_error", "slow down");
            let ended = recovers(format, status(429, header, &body)).await;
            assert!(ended.says(&format!("asking again in {shown}")), "{header}: {ended:#?}");
        }
    }
}

/// Without a wish, the wait is drawn between the half and the whole of half a second.
#[tokio::test(flavor = "multi_thread")]
async fn a_limit_without_a_wish_is_waited_for_a_while() {
    let ended = recovers(Format::OpenAi, status(429, "", "{}")).await;
    let line = ended.lines().into_iter().find(|line| line.contains("asking again")).unwrap();
    let wait = line.rsplit("asking again in ").next().unwrap();
    assert!(["0.3 s", "0.4 s", "0.5 s"].contains(&wait), "{line}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_storm_of_limits_ends() {
    for format in Format::BOTH {
        let body = format.error("rate_limit_error", "slow down");
        is_stated(format, status(429, "retry-after: 0\r\n", &body), 3, "no answer in 3 tries")
            .await;
        let ended =
            is_stated(format, status(429, "retry-after: 3600\r\n", &body), 1, "3600 s").await;
        assert!(ended.reason().contains("limits.wait_ms"), "{ended:#?}");
    }
}
