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

/// A workspace of each language, with a file of it.
fn both() -> [((TempDir, Servers, Language), &'static str); 2] {
    [(rust(), "src/lib.rs"), (typescript(true), "src/a.ts")]
}

#[tokio::test]
async fn a_server_that_is_killed_leaves_no_verdict_and_is_started_again() {
    for ((_shadow, servers, language), file) in both() {
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

#[tokio::test]
async fn a_server_that_was_only_slow_is_kept() {
    for ((_shadow, servers, language), file) in both() {
        assert_eq!(codes(&ask(&servers, &language, &[], &[file]).await), Vec::<&str>::new());
        let group = servers.running().await[0].process;
        signal("-STOP", group);
        let soon = Duration::from_millis(300);
        let files = [rel(file)];
        let answer = servers.diagnose(&language, &overlay(&[(file, "!")]), &files, soon).await;
        assert!(reason(&answer).contains("did not answer within 300ms"), "{answer:?}");
        signal("-CONT", group);
        assert_eq!(codes(&ask(&servers, &language, &[], &[file]).await), Vec::<&str>::new());
        assert_eq!(servers.running().await[0].process, group);
    }
}

#[tokio::test]
async fn a_deletion_that_is_cut_short_is_undone() {
    for kill in [false, true] {
        let (shadow, servers, language) = typescript(true);
        let place = shadow.path().join("src/a.ts");
        assert_eq!(codes(&ask(&servers, &language, &[], &["src/b.ts"]).await), Vec::<&str>::new());
        let group = servers.running().await[0].process;
        let deleted: Overlay = [(rel("src/a.ts"), None)].into();
        let files = [rel("src/b.ts")];
        // It is stopped as soon as the file is off the disk.
        let watch = async {
            while place.exists() {
                tokio::task::yield_now().await;
            }
            signal(if kill { "-KILL" } else { "-STOP" }, group);
        };
        let soon = Duration::from_secs(if kill { 120 } else { 5 });
        let (answer, ()) = tokio::join!(servers.diagnose(&language, &deleted, &files, soon), watch);
        // It may have answered before the signal came; it has never said that all is well.
        if let Answer::Diagnosed { .. } = &answer {
            assert_eq!(codes(&answer), ["TS2307"]);
        }
        assert_eq!(std::fs::read_to_string(&place).unwrap(), A);
        let text =
            [("src/b.ts", "import { a } from \"./a.js\";\nexport const b: string = a(1);\n")];
        assert_eq!(codes(&ask(&servers, &language, &text, &["src/b.ts"]).await), ["TS2322"]);
    }
}

/// What no real server can be made to do at will. It says of a text what `return words(text)` says; by its mode it is
/// blind, or blind at first, or loses its project, announced, after a few answers.
const STAND_IN: &str = r#"
const mode = process.argv[2];
let buffer = Buffer.alloc(0), texts = {}, pulls = 0, lost = false;
const send = m => {
  const body = JSON.stringify({ jsonrpc: "2.0", ...m });
  process.stdout.write(`Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`);
};
const status = quiescent => send({ method: "experimental/serverStatus", params: { quiescent, health: "ok" } });
const errors = text => text.split("\n").flatMap((line, at) => line.includes("WRONG") ? [{
  range: { start: { line: at, character: 0 }, end: { line: at, character: 1 } },
  severity: 1, code: "wrong", message: line }] : []);
function answer(uri) {
  pulls += 1;
  if (mode === "loses" && pulls === 2) { lost = true; status(false); status(true); }
  if (mode === "garbles" && pulls === 2) process.stdout.write("no header at all\r\n\r\n");
  if (mode === "stale") return { kind: "unchanged", resultId: "1" };
  const blind = lost || mode === "blind" || (mode === "late" && pulls < 5);
  return { kind: "full", items: blind ? [] : errors(texts[uri] ?? "") };
}
function handle(m) {
  const p = m.params ?? {};
  if (m.method === "initialize") { send({ id: m.id, result: { capabilities: {} } }); status(true); }
  else if (m.method === "textDocument/didOpen") texts[p.textDocument.uri] = p.textDocument.text;
  else if (m.method === "textDocument/didChange") texts[p.textDocument.uri] = p.contentChanges[0].text;
  else if (m.method === "textDocument/diagnostic") send({ id: m.id, result: answer(p.textDocument.uri) });
  else if (m.id !== undefined && m.method) send({ id: m.id, result: null });
}
process.stdin.on("data", data => {
  buffer = Buffer.concat([buffer, data]);
  for (;;) {
    const head = buffer.indexOf("\r\n\r\n");
    if (head < 0) return;
    const length = Number(/Content-Length: (\d+)/i.exec(buffer.subarray(0, head).toString())[1]);
    if (buffer.length < head + 4 + length) return;
    const body = buffer.subarray(head + 4, head + 4 + length).toString();
    buffer = buffer.subarray(head + 4 + length);
    handle(JSON.parse(body));
  }
});
process.stdin.on("end", () => process.exit(0));
"#;

fn stand_in(mode: &str) -> (TempDir, Servers, Language) {
    let shadow = files(&[("a.txt", "fine\n"), ("stand-in.js", STAND_IN)]);
    let script = shadow.path().join("stand-in.js");
    let language = format!(
        r#"
        name = "words"
        extensions = ["txt"]
        roots = []
        [[servers]]
        name = "stand-in"
        command = ["node", '{}', "{mode}"]
        diagnostics = "pull"
        announces-readiness = true
        canary = {{ text = "WRONG canary", code = "wrong" }}
        install = "it is here"
        "#,
        script.display()
    );
    let servers = alone(Servers::new(shadow.path().to_owned(), shadow.path().to_owned()));
    (shadow, servers, toml::from_str(&language).unwrap())
}

#[tokio::test]
async fn a_server_that_is_blind_says_nothing_that_counts() {
    let (_shadow, servers, language) = stand_in("blind");
    let answer = ask(&servers, &language, &[("a.txt", "WRONG\n")], &["a.txt"]).await;
    assert!(reason(&answer).contains("stand-in does not look at a.txt"), "{answer:?}");
    let (_shadow, servers, language) = stand_in("stale");
    let answer = ask(&servers, &language, &[], &["a.txt"]).await;
    assert!(reason(&answer).contains("gave no full report"), "{answer:?}");
}

#[tokio::test]
async fn a_server_that_answers_before_it_has_loaded_is_waited_for() {
    let (_shadow, servers, language) = stand_in("late");
    let answer = ask(&servers, &language, &[("a.txt", "WRONG\n")], &["a.txt"]).await;
    assert_eq!(codes(&answer), ["wrong"]);
    assert_eq!(codes(&ask(&servers, &language, &[], &["a.txt"]).await), Vec::<&str>::new());
}

#[tokio::test]
async fn a_server_that_loses_its_project_is_not_believed() {
    let (_shadow, servers, language) = stand_in("loses");
    // The first pull saw the canary; with the second the project is lost, and nothing is wrong any more.
    let answer = ask(&servers, &language, &[("a.txt", "WRONG\n")], &["a.txt"]).await;
    assert!(reason(&answer).contains("does not look at a.txt"), "{answer:?}");
}

#[tokio::test]
async fn a_server_that_cannot_be_understood_leaves_no_verdict() {
    let (_shadow, servers, language) = stand_in("garbles");
    let texts = overlay(&[("a.txt", "fine\nWRONG\n")]);
    let soon = Duration::from_secs(20);
    let answer = servers.diagnose(&language, &texts, &[rel("a.txt")], soon).await;
    if let Answer::Diagnosed { .. } = &answer {
        assert_eq!(codes(&answer), ["wrong"], "what could be read of it is right");
    }
}
