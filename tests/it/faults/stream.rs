//! A status 200 and no answer behind it.

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_without_its_end_recovers_or_is_stated() {
    for format in Format::BOTH {
        let bad = stream(&[&format.text("I will")]);
        assert_eq!(recovers(format, bad.clone()).await.counts(), [2, 1, 1, 0]);
        is_stated(format, bad, 3, "ended before its terminal marker").await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_malformed_stream_recovers_or_is_stated() {
    for format in Format::BOTH {
        let broken = b"data: {\"choices\": [\n\n".as_slice();
        for bytes in [broken, b"data: \xff\xfe\n\n"] {
            recovers(format, stream(&[&format.text("I"), bytes])).await;
        }
        is_stated(format, stream(&[broken]), 3, "not JSON").await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_error_within_a_stream_recovers() {
    for format in Format::BOTH {
        let error = format.error("overloaded_error", "Overloaded");
        let event = format!("event: error\ndata: {error}\n\n");
        let ended = recovers(format, stream(&[&format.text("I"), event.as_bytes()])).await;
        assert!(ended.says("Overloaded"), "{ended:#?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_web_page_with_status_200_is_stated() {
    let page = "<!doctype html><html><title>Sign in to the network</title></html>";
    let head = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: text/html; charset=utf-8\r\ncontent-length: {}\r\n\r\n{page}",
        page.len()
    );
    let bad = vec![Act::Write(head.into())];
    for format in Format::BOTH {
        recovers(format, bad.clone()).await;
        let ended = is_stated(format, bad.clone(), 3, "Sign in to the network").await;
        assert!(ended.reason().contains("base_url"), "{ended:#?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redirect_is_not_followed_and_the_key_stays() {
    for format in Format::BOTH {
        for code in [301, 302, 303, 307, 308] {
            let elsewhere = RawServer::start(always(good(format))).await;
            let header =
                format!("location: {}\r\n", elsewhere.url.replace("127.0.0.1", "localhost"));
            let ended = is_stated(format, status(code, &header, ""), 1, "base_url").await;
            assert!(ended.reason().contains(&code.to_string()), "{ended:#?}");
            assert!(elsewhere.requests.lock().unwrap().is_empty(), "nothing goes elsewhere");
        }
    }
}
