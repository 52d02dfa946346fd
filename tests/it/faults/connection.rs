//! No connection, one that breaks, one that goes silent.

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_connection_is_tried_again_and_stated() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/v1", listener.local_addr().unwrap());
    drop(listener);
    let config = format!("[limits]\nfaults = 2\n[model]\n{}", model(Format::OpenAi, &url));
    let (view, _) = task(project(&config)).await;
    let ended = Ended { view, requests: Vec::new() };
    assert_eq!(ended.state(), "blocked");
    let reason = ended.reason();
    assert!(
        reason.starts_with("the model gave no answer in 3 tries: failed to reach 127.0.0.1"),
        "{reason}"
    );
    assert_eq!(ended.calls(), 3);
    assert_eq!(ended.lines().iter().filter(|line| line.contains("asking again in")).count(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_that_does_not_resolve_is_stated() {
    // RFC 2606 keeps this name from ever existing.
    let config = format!(
        "[limits]\nfaults = 1\n[model]\n{}",
        model(Format::Anthropic, "http://model.invalid")
    );
    let (view, _) = task(project(&config)).await;
    let ended = Ended { view, requests: Vec::new() };
    assert!(ended.reason().contains("failed to reach model.invalid"), "{ended:#?}");
    assert_eq!((ended.state(), ended.calls()), ("blocked", 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reset_connection_recovers() {
    for format in Format::BOTH {
        let head = format.recorded().as_bytes()[..700].to_vec();
        for bad in [
            vec![Act::Reset],
            vec![Act::Close],
            vec![Act::Write(EVENTS.into()), Act::Chunk(head.clone()), Act::Reset],
        ] {
            let ended = recovers(format, bad).await;
            // The HTTP layer itself may send a request again that a closed connection never took.
            assert_eq!(ended.counts(), [2, 1, 1, 0]);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stalled_stream_recovers_or_is_stated() {
    let more = "idle_timeout_ms = 300\nquiet_timeout_ms = 600\n";
    for format in Format::BOTH {
        for stall in [Act::Hold, Act::Drip(format.ping())] {
            let bad = vec![Act::Write(EVENTS.into()), Act::Chunk(format.text("I")), stall];
            let ended = mission_with(format, more, then_good(format, vec![bad.clone()])).await;
            assert!(ended.is_heard() && ended.counts()[2] == 1, "{ended:#?}");
            let ended = mission_with(format, more, always(bad)).await;
            let reason = ended.reason();
            assert!(
                reason.contains("idle_timeout_ms") || reason.contains("quiet_timeout_ms"),
                "{reason}"
            );
            assert_eq!(ended.requests.len(), 3);
        }
    }
}
