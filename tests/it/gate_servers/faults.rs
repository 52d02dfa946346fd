//! Servers that are missing, stopped, killed, slow or still loading: never a verdict, always a reason, and the next question is
//! answered.

use super::*;

#[tokio::test]
async fn a_missing_server_is_named_with_the_way_to_get_it() {
    let (shadow, _, language) = typescript(true);
    let nowhere = tempfile::tempdir().unwrap();
    let servers = Servers::new(shadow.path().to_owned(), nowhere.path().to_owned())
        .with_path(nowhere.path().into());
    let answer = ask(&servers, &language, &[], &["src/a.ts"]).await;
    let reason = reason(&answer);
    assert!(reason.contains("`tsc` is not in node_modules/.bin nor on PATH"), "{reason}");
    assert!(
        reason.contains("npm install --save-dev typescript-language-server@5 typescript@6"),
        "{reason}"
    );
}

#[tokio::test]
async fn a_program_that_is_no_server_is_passed_over() {
    let (_shadow, servers, mut language) = typescript(true);
    let mut imposter = language.servers[0].clone();
    imposter.name = "imposter".into();
    imposter.command = vec!["tsc".into(), "--nonsense".into()];
    language.servers.insert(0, imposter);
    assert_eq!(codes(&ask(&servers, &language, &[], &["src/a.ts"]).await), Vec::<&str>::new());
    language.servers.truncate(1);
    let answer = ask(&servers, &language, &[], &["src/a.ts"]).await;
    assert!(reason(&answer).starts_with("failed to start imposter"), "{answer:?}");
}

#[tokio::test]
async fn a_server_that_is_killed_leaves_no_verdict_and_is_started_again() {
    for (_shadow, servers, language, file) in [
        {
            let (shadow, servers, language) = rust();
            (shadow, servers, language, "src/lib.rs")
        },
        {
            let (shadow, servers, language) = typescript(true);
            (shadow, servers, language, "src/a.ts")
        },
    ] {
        assert_eq!(codes(&ask(&servers, &language, &[], &[file]).await), Vec::<&str>::new());
        let group = servers.running().await[0].process;
        // Stopped first, so that the question is certainly under way when it dies.
        signal("-STOP", group);
        let files = [file];
        let (answer, ()) = tokio::join!(ask(&servers, &language, &[], &files), async {
            tokio::task::yield_now().await;
            signal("-KILL", group);
        });
        assert!(reason(&answer).contains("ended"), "{answer:?}");
        assert_eq!(codes(&ask(&servers, &language, &[], &[file]).await), Vec::<&str>::new());
        assert_ne!(servers.running().await[0].process, group);
    }
}

#[tokio::test]
async fn a_server_that_hangs_leaves_no_verdict_and_is_replaced() {
    let (_shadow, servers, language) = typescript(true);
    assert_eq!(codes(&ask(&servers, &language, &[], &["src/a.ts"]).await), Vec::<&str>::new());
    let group = servers.running().await[0].process;
    signal("-STOP", group);
    let files = [rel("src/a.ts")];
    let answer =
        servers.diagnose(&language, &Overlay::new(), &files, Duration::from_millis(500)).await;
    assert_eq!(reason(&answer), "typescript did not answer within 500ms");
    assert_eq!(codes(&ask(&servers, &language, &[], &["src/a.ts"]).await), Vec::<&str>::new());
    assert_ne!(servers.running().await[0].process, group);
}

#[tokio::test]
async fn a_server_that_keeps_dying_is_given_up() {
    let (_shadow, servers, language) = typescript(true);
    for _ in 0..4 {
        assert_eq!(codes(&ask(&servers, &language, &[], &["src/a.ts"]).await), Vec::<&str>::new());
        let group = servers.running().await[0].process;
        signal("-KILL", group);
        while !servers.running().await.is_empty() {
            tokio::task::yield_now().await;
        }
    }
    let answer = ask(&servers, &language, &[], &["src/a.ts"]).await;
    assert!(
        reason(&answer).contains("typescript is off: it ended 4 times within 3 minutes"),
        "{answer:?}"
    );
}
