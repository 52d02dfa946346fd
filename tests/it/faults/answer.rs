//! Answers that arrive and are of no use: the model is told, a bounded number of times.

use orchestrator_lsp::model::FaultKind;

use super::*;

/// The first answer is this; the model is told, and the second is good. What it was told.
async fn is_told(format: Format, bad: Vec<Act>) -> String {
    let ended = recovers(format, bad).await;
    let body: Value = serde_json::from_str(ended.body(1)).unwrap();
    body["messages"].as_array().unwrap().last().unwrap()["content"].to_string()
}

/// Every answer is this: the Commander and each attempt at a plan are given up after a bounded number of reminders.
async fn is_given_up(format: Format, bad: Vec<Act>) -> Ended {
    let ended = mission(format, always(bad)).await;
    assert_eq!(ended.state(), "failed", "{ended:#?}");
    assert!(ended.reason().contains("no valid plan after 3 attempts"), "{ended:#?}");
    assert!(ended.reason().contains("3 reminders did not help"), "{ended:#?}");
    assert_eq!(ended.requests.len(), 4 * 4, "four sessions, each with four answers");
    ended
}

#[tokio::test(flavor = "multi_thread")]
async fn malformed_arguments_are_told_to_the_model() {
    for format in Format::BOTH {
        for arguments in ["{\"decision\": \"decl", "[1]", "{\"decision\": decline}"] {
            let bad = stream(&[&format.call("triage", arguments), &format.end("tool_calls")]);
            let told = is_told(format, bad).await;
            assert!(told.contains("the arguments of the call of `triage` are not"), "{told}");
        }
        let ended = recovers(format, calling(format, "triage", &json!({"decision": 7}))).await;
        assert!(ended.body(1).contains("the arguments of `triage` do not fit"), "{ended:#?}");
        is_given_up(format, stream(&[&format.call("triage", "{"), &format.end("stop")])).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_tool_is_told_to_the_model() {
    for format in Format::BOTH {
        let ended = recovers(format, calling(format, "launch_rocket", &json!({}))).await;
        assert!(ended.body(1).contains("has no tool `launch_rocket`"), "{}", ended.body(1));
        let ended = mission(format, always(calling(format, "launch_rocket", &json!({})))).await;
        assert_eq!(ended.state(), "failed", "{ended:#?}");
        assert!(ended.reason().contains("the same call"), "{ended:#?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_empty_answer_is_told_to_the_model() {
    for format in Format::BOTH {
        let bad = stream(&[&format.text(""), &format.end("stop")]);
        let told = is_told(format, bad.clone()).await;
        assert!(told.contains("the answer is empty"), "{told}");
        is_given_up(format, bad).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn prose_in_place_of_a_call_is_told_to_the_model() {
    for format in Format::BOTH {
        for prose in [
            "Certainly! I shall decline.",
            "我会先看看这个项目。",
            "<tool_call>{\"name\": \"triage\"}",
        ] {
            let bad = stream(&[&format.text(prose), &format.end("stop")]);
            let told = is_told(format, bad).await;
            assert!(told.contains("called no tool") && told.contains("`triage`"), "{told}");
        }
        is_given_up(format, stream(&[&format.text("好的。"), &format.end("stop")])).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cut_or_declined_answer_is_told_to_the_model() {
    for format in Format::BOTH {
        for (reason, words) in [("length", "output-token limit"), ("content_filter", "declined")] {
            let bad = stream(&[&format.text("I"), &format.end(reason)]);
            let told = is_told(format, bad).await;
            assert!(told.contains(words), "{told}");
        }
    }
}

/// Each is bounded by another setting, and its connection is dropped, not read on.
#[tokio::test]
async fn an_endless_answer_is_cut_off() {
    for format in Format::BOTH {
        let text = (0..100).map(|n| format!("word {n} ")).collect::<String>();
        let silent = b": nothing at all\n\n".repeat(100);
        for (endless, more, setting) in [
            (format.more_text(&text), json!({"max_output_tokens": 50_000}), "max_output_tokens"),
            (silent, json!({"max_answer_bytes": 3_000_000}), "max_answer_bytes"),
            (format.more_text("x"), json!({"answer_timeout_ms": 400}), "answer_timeout_ms"),
        ] {
            let flood = match setting {
                "answer_timeout_ms" => Act::Drip(endless),
                _ => Act::Flood(numbered(format, endless)),
            };
            let acts = vec![Act::Write(EVENTS.into()), Act::Chunk(format.text("I")), flood];
            let mut server = RawServer::start(always(acts)).await;
            let client = client(format.provider(), &server.url, more);
            let fault = ask(&client, &[user("go")], &[]).await.unwrap_err();
            assert_eq!(fault.kind, FaultKind::Unbounded, "{fault}");
            assert!(fault.message.contains(setting), "{fault}");
            server.closed.recv().await.expect("the connection is dropped");
        }
    }
}

/// A piece that is long enough not to be taken for a loop when it comes again and again.
fn numbered(format: Format, piece: Vec<u8>) -> Vec<u8> {
    match piece.starts_with(b":") {
        true => piece,
        false => (0..40).flat_map(|n| format.more_text(&format!("{n} ").repeat(200))).collect(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_endless_answer_is_told_to_the_model() {
    for format in Format::BOTH {
        let endless = Act::Flood(numbered(format, Vec::new()));
        let bad = vec![Act::Write(EVENTS.into()), Act::Chunk(format.text("I")), endless];
        let more = "max_output_tokens = 20_000\n";
        let ended = mission_with(format, more, then_good(format, vec![bad])).await;
        assert!(
            ended.is_heard() && ended.body(1).contains("answer in smaller steps"),
            "{ended:#?}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_text_that_repeats_itself_is_cut_off() {
    for format in Format::BOTH {
        let piece = "I will look at the file. ";
        let looping = Act::Flood(format.more_text(piece));
        let bad = vec![Act::Write(EVENTS.into()), Act::Chunk(format.text(piece)), looping];
        let told = is_told(format, bad.clone()).await;
        assert!(told.contains("repeated the same 25 bytes over and over"), "{told}");
        let mut server = RawServer::start(always(bad)).await;
        let client = client(format.provider(), &server.url, json!({}));
        let fault = ask(&client, &[user("go")], &[]).await.unwrap_err();
        assert_eq!(fault.kind, FaultKind::Repeated);
        server.closed.recv().await.expect("the connection is dropped");
        let blank =
            stream(&[&format.call("triage", &format!("{{\"decision\":{}", " ".repeat(40_000)))]);
        let told = is_told(format, blank).await;
        assert!(told.contains("repeated the same 1 bytes"), "{told}");
    }
}
