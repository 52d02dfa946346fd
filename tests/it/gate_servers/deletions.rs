//! Files that a candidate deletes or moves, as servers see them.

use super::*;

/// A language's files, and what their tests expect.
struct Case {
    shadow: TempDir,
    servers: Servers,
    language: Language,
    /// Used by `user`.
    used: &'static str,
    user: &'static str,
    /// Where it can be moved so that nobody needs to change.
    folder: &'static str,
    /// Where it can be moved when its users follow.
    moved: &'static str,
    follow: fn(&str) -> String,
    code: &'static str,
}

fn cases() -> Vec<Case> {
    let typescript = || {
        let (shadow, servers, language) = typescript(true);
        let follow = |text: &str| text.replace("./a.js", "./deep/moved.js");
        Case {
            shadow,
            servers,
            language,
            used: "src/a.ts",
            user: "src/b.ts",
            folder: "src/a/index.ts",
            moved: "src/deep/moved.ts",
            follow,
            code: "TS2307",
        }
    };
    let (shadow, servers, language) = rust();
    let follow = |text: &str| text.replace("greet", "moved");
    let rust = Case {
        shadow,
        servers,
        language,
        used: "src/greet.rs",
        user: "src/lib.rs",
        folder: "src/greet/mod.rs",
        moved: "src/moved.rs",
        follow,
        code: "E0583",
    };
    vec![typescript(), rust]
}

impl Case {
    fn read(&self, path: &str) -> String {
        std::fs::read_to_string(self.shadow.path().join(path)).unwrap()
    }

    async fn ask(&self, overlay: &[(&str, Option<String>)]) -> Answer {
        let overlay: Overlay =
            overlay.iter().map(|(path, text)| (rel(path), text.clone())).collect();
        let mut files = vec![rel(self.user)];
        files.extend(overlay.keys().filter(|path| path.as_str() != self.user).cloned());
        self.servers.diagnose(&self.language, &overlay, &files, PATIENCE).await
    }

    fn is_typescript(&self) -> bool {
        self.code.starts_with("TS")
    }
}

#[tokio::test]
async fn a_file_that_is_deleted_is_missed_by_its_users_and_comes_back() {
    for case in cases() {
        let before = case.read(case.used);
        let deleted = case.ask(&[(case.used, None)]).await;
        assert!(codes(&deleted).contains(&case.code), "{deleted:?}");
        assert_eq!(case.read(case.used), before);
        assert_eq!(codes(&case.ask(&[]).await), Vec::<&str>::new());
        // And it is looked at like before.
        let broken = format!("{before}\nconst X: u8 = \"\";\n");
        let broken = case.ask(&[(case.used, Some(broken))]).await;
        assert_ne!(codes(&broken), Vec::<&str>::new());
        let process = case.servers.running().await[0].process;
        assert_ne!(codes(&case.ask(&[(case.used, None)]).await), Vec::<&str>::new());
        assert_eq!(case.servers.running().await[0].process, process, "it is the same server");
        case.servers.shutdown().await;
    }
}

#[tokio::test]
async fn a_file_that_is_moved_with_its_users_is_clean() {
    for case in cases() {
        let (used, user) = (case.read(case.used), case.read(case.user));
        let moved = [
            (case.used, None),
            (case.moved, Some(used.clone())),
            (case.user, Some((case.follow)(&user))),
        ];
        let moved = case.ask(&moved).await;
        assert_eq!(codes(&moved), Vec::<&str>::new(), "{:?}", case.moved);
        let forgotten = case.ask(&[(case.used, None), (case.moved, Some(used.clone()))]).await;
        if case.is_typescript() {
            assert_eq!(codes(&forgotten), [case.code]);
        } else {
            // Nobody names the module at its new place: that is no clean answer either.
            assert!(reason(&forgotten).contains("does not look at src/moved.rs"), "{forgotten:?}");
        }
        assert_eq!(codes(&case.ask(&[]).await), Vec::<&str>::new());
        case.servers.shutdown().await;
    }
}

#[tokio::test]
async fn a_file_that_becomes_a_folder_is_still_found() {
    for case in cases() {
        let used = case.read(case.used);
        let user = case.read(case.user).replace("./a.js", "./a/index.js");
        let moved = [(case.used, None), (case.folder, Some(used)), (case.user, Some(user))];
        assert_eq!(codes(&case.ask(&moved).await), Vec::<&str>::new(), "{}", case.folder);
        assert_eq!(codes(&case.ask(&[]).await), Vec::<&str>::new());
        case.servers.shutdown().await;
    }
}

#[tokio::test]
async fn a_server_that_does_not_see_deletions_is_not_asked() {
    let (shadow, servers, language) = typescript(false);
    let deleted: Overlay = [(rel("src/a.ts"), None)].into();
    let answer = servers.diagnose(&language, &deleted, &[rel("src/b.ts")], PATIENCE).await;
    assert!(
        reason(&answer).starts_with("src/a.ts is deleted, which typescript-language"),
        "{answer:?}"
    );
    assert!(shadow.path().join("src/a.ts").exists());
}
