//! Pages of the web, from a local server: reduced, kept, bounded, and never from where they must not come.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use super::{mission, notes, scripted, worker_of};

/// A server of a few pages; the paths that it was asked for.
fn site() -> (String, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let asked = Arc::<Mutex<Vec<String>>>::default();
    let log = asked.clone();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().map_while(Result::ok) {
            let mut head = Vec::new();
            let mut byte = [0];
            while !head.ends_with(b"\r\n\r\n") && stream.read_exact(&mut byte).is_ok() {
                head.push(byte[0]);
            }
            let head = String::from_utf8_lossy(&head).into_owned();
            let path = head.split(' ').nth(1).unwrap_or_default().to_owned();
            log.lock().unwrap().push(path.clone());
            let (status, headers, body) = page(&path, address.port());
            let answer = format!(
                "HTTP/1.1 {status} X\r\n{headers}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
                body.len()
            );
            let _ = stream.write_all(answer.as_bytes());
        }
    });
    (format!("http://{address}"), asked)
}

fn page(path: &str, port: u16) -> (u16, String, String) {
    let html = "content-type: text/html; charset=utf-8".to_owned();
    match path {
        "/docs" => {
            let long = "<p>filler</p>".repeat(3000);
            let body = format!(
                "<html><head><title>t</title></head><body><h1>The docs</h1>{long}<p>The needle is here.</p><script>x</script></body></html>"
            );
            (200, html, body)
        }
        "/moved" => (302, "location: /docs".to_owned(), String::new()),
        "/inside" => (302, format!("location: http://localhost:{port}/docs"), String::new()),
        "/loop" => (302, "location: /loop".to_owned(), String::new()),
        "/binary" => (200, "content-type: image/png".to_owned(), "x".to_owned()),
        _ => (404, html, "nothing".to_owned()),
    }
}

fn fetch(url: String, find: Option<&str>) -> Vec<(&'static str, Value)> {
    vec![("fetch", json!({"url": url, "find": find}))]
}

#[test]
fn a_page_is_read_once_and_never_from_inside() {
    let (site, asked) = site();
    let at = |path: &str| format!("{site}{path}");
    let (seen, worker) = worker_of(vec![
        fetch(at("/docs"), None),
        fetch(at("/docs#part"), Some("NEEDLE")),
        fetch(at("/moved"), Some("needle")),
        fetch(at("/inside"), None),
        fetch(at("/loop"), None),
        fetch(at("/binary"), None),
        fetch(at("/none"), None),
        fetch("http://localhost:1/".to_owned(), None),
    ]);
    let (_, said, project) = mission(&scripted(worker), notes());
    let seen = seen.lock().unwrap();
    assert_eq!(seen.len(), 9, "{said:?}");
    assert!(seen[1].contains("read just now") && seen[1].contains("# The docs"), "{}", seen[1]);
    assert!(seen[1].len() < 16_000 && seen[1].contains("narrow it down"), "{}", seen[1].len());
    assert!(seen[2].contains("from the cache, 0 min old"), "{}", seen[2]);
    assert!(seen[2].contains("The needle is here.") && seen[2].len() < 400, "{}", seen[2]);
    assert!(seen[3].contains("The needle is here."), "{}", seen[3]);
    for (at, expected) in [
        (4, "no public address"),
        (5, "more than 5 times"),
        (6, "not text"),
        (7, "404"),
        (8, "no public address"),
    ] {
        assert!(seen[at].contains(expected), "{at}: {}", seen[at]);
    }
    let asked = asked.lock().unwrap();
    assert_eq!(asked.iter().filter(|path| *path == "/docs").count(), 2, "{asked:?}");
    let kept = std::fs::read_dir(project.root().join(".opencode/docs")).unwrap().count();
    assert_eq!(kept, 2, "one for each address that was asked for");
}
