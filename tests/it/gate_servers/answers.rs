//! What servers say of candidates, and when they are not believed.

use super::*;

#[tokio::test]
async fn rust_analyzer_tells_clean_from_broken() {
    let (_shadow, servers, language) = rust();
    let clean = ask(&servers, &language, &[], &["src/lib.rs", "src/greet.rs"]).await;
    assert_eq!(errors(&clean), Vec::<&Diagnostic>::new());
    let Answer::Diagnosed { server, .. } = &clean else { unreachable!() };
    assert!(server.starts_with("rust-analyzer "), "{server}");

    let broken = LIB.replace("\"é\"", "\"é\", 1");
    let broken = ask(&servers, &language, &[("src/lib.rs", &broken)], &["src/lib.rs"]).await;
    assert_eq!(codes(&broken), ["E0107"]);
    // Columns are bytes: `é` is two.
    assert_eq!(errors(&broken)[0].range.start.column, 23);

    // A caller that is not edited, and a module that is new.
    let other = [(
        "src/greet.rs",
        "pub fn hello(name: &str, loud: bool) -> String { format!(\"{name}{loud}\") }\n",
    )];
    let caller = ask(&servers, &language, &other, &["src/greet.rs", "src/lib.rs"]).await;
    assert_eq!(
        errors(&caller).iter().map(|error| error.path.as_str()).collect::<Vec<_>>(),
        ["src/lib.rs"]
    );
    let linked = format!("pub mod new;\n{LIB}");
    let new = "pub fn n() -> u8 {\n    \"\"\n}\n";
    let both = ask(
        &servers,
        &language,
        &[("src/lib.rs", &linked), ("src/new.rs", new)],
        &["src/lib.rs", "src/new.rs"],
    )
    .await;
    assert_eq!(codes(&both), ["E0308"]);

    // All of it is put back.
    let clean = ask(&servers, &language, &[], &["src/lib.rs", "src/greet.rs"]).await;
    assert_eq!(errors(&clean), Vec::<&Diagnostic>::new());
    let forgotten = ask(&servers, &language, &[("src/lib.rs", &linked)], &["src/lib.rs"]).await;
    assert_eq!(codes(&forgotten), ["E0583"], "the new file of the last candidate is gone");
    servers.shutdown().await;
    assert!(servers.running().await.is_empty());
}

#[tokio::test]
async fn rust_analyzer_is_not_believed_where_it_does_not_look() {
    let (_shadow, servers, language) = rust();
    let unlinked =
        ask(&servers, &language, &[("src/new.rs", "pub fn n() {}\n")], &["src/new.rs"]).await;
    assert!(reason(&unlinked).contains("does not look at src/new.rs"), "{unlinked:?}");
    // A file that was proved, and that the candidate itself takes out of the project.
    assert_eq!(
        codes(&ask(&servers, &language, &[("src/greet.rs", "!")], &["src/greet.rs"]).await).len(),
        1
    );
    let out = [
        ("src/lib.rs", "pub fn main_text() {}\n"),
        ("src/greet.rs", "fn g() -> u8 {\n    \"\"\n}\n"),
    ];
    let out = ask(&servers, &language, &out, &["src/greet.rs"]).await;
    assert!(reason(&out).contains("does not look at src/greet.rs"), "{out:?}");
    let manifest =
        ask(&servers, &language, &[("Cargo.toml", MANIFEST), ("src/lib.rs", LIB)], &["src/lib.rs"])
            .await;
    assert!(reason(&manifest).contains("Cargo.toml changes"), "{manifest:?}");
}

#[tokio::test]
async fn before_it_has_loaded_nothing_is_clean() {
    let (_shadow, servers, language) = rust();
    let files = [rel("src/lib.rs")];
    let mut early = 0;
    // From the very first moment on, until it is awake: never an empty answer to a broken text.
    let texts = overlay(&[("src/lib.rs", "pub fn n() -> u8 {\n    \"\"\n}\n")]);
    loop {
        match servers.diagnose(&language, &texts, &files, Duration::from_millis(300)).await {
            Answer::Diagnosed { diagnostics, .. } => {
                assert_eq!(diagnostics[0].code.as_deref(), Some("E0308"));
                break;
            }
            Answer::Unverified { reason } => {
                assert!(reason.contains("rust-analyzer did not answer within 300ms"), "{reason}");
                early += 1;
            }
        }
    }
    assert!(early > 0, "a load takes longer than that");
}

#[tokio::test]
async fn a_new_base_on_the_disk_is_seen() {
    for (shadow, servers, language, file, old, new, code) in [
        {
            let (shadow, servers, language) = rust();
            (
                shadow,
                servers,
                language,
                "src/greet.rs",
                "src/lib.rs",
                "pub fn hello() {}\n",
                "E0107",
            )
        },
        {
            let (shadow, servers, language) = typescript(true);
            (
                shadow,
                servers,
                language,
                "src/a.ts",
                "src/b.ts",
                "export function a(): number {\n  return 1;\n}\n",
                "TS2554",
            )
        },
        {
            let (shadow, servers, language) = typescript(false);
            (
                shadow,
                servers,
                language,
                "src/a.ts",
                "src/b.ts",
                "export function a(): number {\n  return 1;\n}\n",
                "TS2554",
            )
        },
    ] {
        let before = std::fs::read_to_string(shadow.path().join(file)).unwrap();
        assert_eq!(codes(&ask(&servers, &language, &[], &[old]).await), Vec::<&str>::new());
        for (text, expected) in [(new, true), (before.as_str(), false)] {
            std::fs::write(shadow.path().join(file), text).unwrap();
            servers.disk_changed(&[rel(file)]).await;
            let found = ask(&servers, &language, &[], &[old]).await;
            assert_eq!(codes(&found).contains(&code), expected, "{found:?}");
        }
        // A file that vanishes takes its names with it.
        std::fs::remove_file(shadow.path().join(file)).unwrap();
        servers.disk_changed(&[rel(file)]).await;
        assert_ne!(codes(&ask(&servers, &language, &[], &[old]).await), Vec::<&str>::new());
    }
}

async fn typescript_tells_clean_from_broken(seven: bool) {
    let (_shadow, servers, language) = typescript(seven);
    let both = ["src/a.ts", "src/b.ts"];
    let clean = ask(&servers, &language, &[], &both).await;
    assert_eq!(errors(&clean), Vec::<&Diagnostic>::new());

    let broken = "export const é = \"𝄞\"; export const b: number = é;\nconst dead = 1;\n";
    let broken = ask(&servers, &language, &[("src/b.ts", broken)], &["src/b.ts"]).await;
    assert_eq!(codes(&broken), ["TS2322", "TS6133"]);
    assert_eq!(errors(&broken)[0].range.start.column, 39, "bytes, whatever the server counts");

    // A caller in a file that is not edited, and a new file.
    let other = [("src/a.ts", "export function a(x: string): string {\n  return x;\n}\n")];
    let caller = ask(&servers, &language, &other, &both).await;
    assert!(errors(&caller).iter().all(|error| error.path.as_str() == "src/b.ts"));
    assert_eq!(codes(&caller), ["TS2322", "TS2345"]);
    let new = [("src/c.ts", "import { b } from \"./b.js\";\nexport const c: string = b;\n")];
    assert_eq!(codes(&ask(&servers, &language, &new, &["src/c.ts"]).await), ["TS2322"]);

    // All of it is put back.
    let clean = ask(&servers, &language, &[], &both).await;
    assert_eq!(errors(&clean), Vec::<&Diagnostic>::new());
    let forgotten = [("src/b.ts", "import { c } from \"./c.js\";\nexport const b: string = c;\n")];
    assert_eq!(codes(&ask(&servers, &language, &forgotten, &["src/b.ts"]).await), ["TS2307"]);
    servers.shutdown().await;
}

#[tokio::test]
async fn typescript_7_tells_clean_from_broken() {
    typescript_tells_clean_from_broken(true).await;
}

#[tokio::test]
async fn typescript_language_server_tells_clean_from_broken() {
    typescript_tells_clean_from_broken(false).await;
}

#[tokio::test]
async fn a_new_file_in_a_new_folder_is_found_and_nothing_is_left_of_it() {
    let user = "import { n } from \"./deep/er/new.js\";\nexport const b: number = n;\n";
    let new = "export const n: string = \"\";\n";
    for seven in [true, false] {
        let (shadow, servers, language) = typescript(seven);
        let texts = [("src/b.ts", user), ("src/deep/er/new.ts", new)];
        let found = ask(&servers, &language, &texts, &["src/b.ts", "src/deep/er/new.ts"]).await;
        assert_eq!(codes(&found), ["TS2322"], "seven: {seven}");
        assert_eq!(codes(&ask(&servers, &language, &[], &["src/b.ts"]).await), Vec::<&str>::new());
        assert!(!shadow.path().join("src/deep").exists());
    }
    let (shadow, servers, language) = rust();
    let lib = format!("{LIB}pub mod deep {{\n    pub mod new;\n}}\n");
    let texts = [("src/lib.rs", lib.as_str()), ("src/deep/new.rs", "pub const N: u8 = \"\";\n")];
    let found = ask(&servers, &language, &texts, &["src/lib.rs", "src/deep/new.rs"]).await;
    assert_eq!(codes(&found), ["E0308"]);
    assert_eq!(codes(&ask(&servers, &language, &[], &["src/lib.rs"]).await), Vec::<&str>::new());
    assert!(!shadow.path().join("src/deep").exists());
}

#[tokio::test]
async fn callers_are_found_by_name_and_refused_early() {
    let (_shadow, servers, language) = rust();
    let all = ["src/greet.rs", "src/lib.rs"].map(rel);
    let texts = overlay(&[("src/greet.rs", &GREET.replace("name: &str", "name: &str, n: u8"))]);
    let found = servers.dependents(&language, &texts, &all).await;
    assert_eq!((found.files.as_slice(), found.left_out), ([rel("src/lib.rs")].as_slice(), 0));
    let own = servers.diagnose(&language, &texts, &all[..1], PATIENCE).await;
    assert_eq!(codes(&own), Vec::<&str>::new());
    // The second question about one overlay sends no text.
    let callers = servers.diagnose(&language, &texts, &found.files, PATIENCE).await;
    assert_eq!(codes(&callers), ["E0107"]);
    servers.shutdown().await;
}
