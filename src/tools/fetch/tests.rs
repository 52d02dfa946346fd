//! What is refused before anything is asked, and what is shown of a page. The rest is shown over real HTTP.

use super::*;

fn fetcher(settings: Settings) -> (tempfile::TempDir, Fetcher) {
    let root = tempfile::tempdir().unwrap();
    let fetcher = Fetcher::new(root.path(), settings);
    (root, fetcher)
}

async fn refused(fetcher: &Fetcher, url: &str) -> String {
    fetcher.fetch(&FetchArgs { url: url.to_owned(), find: None }).await.unwrap_err()
}

#[tokio::test]
async fn what_leads_inside_is_refused_however_it_is_spelt() {
    let (_root, fetcher) = fetcher(Settings::default());
    for url in [
        "http://127.0.0.1:9/",
        "http://127.1:9/",
        "http://2130706433:9/",
        "http://0x7f000001:9/",
        "http://[::1]:9/",
        "http://[::ffff:127.0.0.1]:9/",
        "http://localhost:9/",
        "http://169.254.169.254/latest/meta-data/",
    ] {
        let why = refused(&fetcher, url).await;
        assert!(why.contains("no public address"), "{url}: {why}");
    }
    for (url, expected) in [
        ("file:///etc/passwd", "only http"),
        ("ftp://example.org/", "only http"),
        ("http://user:secret@example.org/", "name or password"),
        ("nonsense", "no address"),
    ] {
        let why = refused(&fetcher, url).await;
        assert!(why.contains(expected), "{url}: {why}");
    }
}

#[tokio::test]
async fn it_can_be_turned_off() {
    let (_root, fetcher) = fetcher(Settings { enabled: false, ..Settings::default() });
    assert!(refused(&fetcher, "https://example.org/").await.contains("off"));
}

#[test]
fn what_is_found_is_shown_with_the_lines_around() {
    let lines: Vec<String> = (0..30).map(|n| format!("line {n}")).collect();
    let text = lines.join("\n");
    assert_eq!(
        found(&text, "LINE 9"),
        "line 6\nline 7\nline 8\nline 9\nline 10\nline 11\nline 12\n"
    );
    assert_eq!(found(&text, "e 2").matches('…').count(), 1);
    assert!(found(&text, "nowhere").contains("does not stand"));
    assert!(bounded("é".repeat(SHOWN)).ends_with("`find`]"));
}
