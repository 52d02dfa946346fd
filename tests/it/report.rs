//! `orchestrator report`: a mission told from its goal to its end, whatever words stand in it.

use std::collections::BTreeMap;

use orchestrator_lsp::mission::conversation::Role;
use serde_json::json;

use crate::support::model::{LocalModel, turn};
use crate::support::project::{Project, Said, path_without_servers};

/// The text with what differs from run to run made the same: times, counts, hashes, ids, places in a drawing, and the order
/// of what happened side by side.
fn settled(text: &str) -> String {
    let is_drawn = |line: &str| line.starts_with("<rect") || line.starts_with("<text");
    let mut lines: Vec<String> = text.lines().filter(|l| !is_drawn(l)).map(settled_line).collect();
    let is_row = |line: &String| line.starts_with("| N |") || line.starts_with("<tr><td>N</td>");
    lines.chunk_by_mut(|a, b| is_row(a) && is_row(b)).for_each(<[String]>::sort);
    lines.join("\n")
}

fn settled_line(line: &str) -> String {
    const ENDS: [char; 5] = [' ', '>', '<', '`', '|'];
    let words = line.split_inclusive(ENDS).map(|word| {
        let body = word.trim_end_matches(ENDS);
        let end = &word[body.len()..];
        let has_digit = body.chars().any(|c| c.is_ascii_digit());
        let is_id = body.len() > 9 && has_digit && !body.contains('/');
        let is_number = has_digit && body.chars().all(|c| "0123456789.:,()".contains(c));
        let is_unit = ["ms", "s", "min", "h"].contains(&body);
        match (is_id, is_number || is_unit) {
            (true, _) => format!("ID{end}"),
            (_, true) => format!("N{end}"),
            _ => word.to_owned(),
        }
    });
    let mut said: String = words.collect();
    while said.contains("N N") {
        said = said.replace("N N", "N");
    }
    said
}

/// The demo's project after the demo's mission.
fn demo() -> (Project, Said) {
    let script = std::fs::read_to_string(
        crate::support::tools::checkout().join("tests/fixtures/demo/replay.json"),
    )
    .unwrap();
    let (_kept, path) = path_without_servers();
    let project = Project::copy_of("demo").replaying(&script).with("PATH", path);
    let config = project.root().join("../config.toml");
    std::fs::write(&config, "[seal]\nmutants = 0\n").unwrap();
    let project = project.with("ORCHESTRATOR_CONFIG", config);
    let goal = "Add --ignore-case, and sort words of equal count by name";
    let said = project.run(&["task", goal, "--json"]);
    assert_eq!(said.code, 0, "{said:?}");
    (project, said)
}

#[test]
#[cfg(unix)]
fn the_demos_mission_is_told_from_its_goal_to_its_end() {
    let (project, mission) = demo();
    let report = project.run(&["report"]);
    assert_eq!(report.code, 0, "{report:?}");
    insta::assert_snapshot!("demo_as_markdown", settled(&report.out));
    let named = project.run(&["report", mission.last()["mission"].as_str().unwrap()]);
    assert_eq!(named.out, report.out);

    let file = project.root().join("../report.html");
    let said = project.run(&["report", "--html", "--out", file.to_str().unwrap()]);
    assert_eq!(said.code, 0, "{said:?}");
    let page = std::fs::read_to_string(file).unwrap();
    is_whole(&page);
    for chart in ["Time", "Tokens", "Verdicts by stage", "When tasks were worked on"] {
        assert!(page.contains(&format!("aria-label=\"{chart}\"")), "{chart}");
    }
    let body = page.split_once("<body>").unwrap().1;
    insta::assert_snapshot!("demo_as_html", settled(body));

    // Archived, it says the same.
    let config = project.root().join("../keep.toml");
    std::fs::write(&config, "[journal]\nkeep_missions = 0\n[seal]\nmutants = 0\n").unwrap();
    let project = project.with("ORCHESTRATOR_CONFIG", config);
    let id = mission.last()["mission"].as_str().unwrap().to_owned();
    let archive = project.root().join(format!(".opencode/archive/{id}.json"));
    assert_eq!(project.run(&["plan", "look at nothing"]).code, 0);
    let cancelled = project.run(&["cancel"]);
    assert!(archive.exists(), "{cancelled:?}");
    let again = project.run(&["report", &id]);
    assert_eq!(again.code, 0, "{again:?}");
    assert_eq!(again.out, report.out);
    assert_eq!(project.run(&["report", "no-such"]).code, 2);
}

/// No script, nothing from elsewhere, and every tag that is opened is closed.
fn is_whole(page: &str) {
    for bad in ["<script", "<img", "<link", "<iframe", "javascript:", "http://", "https://"] {
        let found = page.to_lowercase().find(bad);
        assert!(
            found.is_none(),
            "{bad}: {}",
            &page[found.unwrap()..page.len().min(found.unwrap() + 99)]
        );
    }
    assert!(page.contains("Content-Security-Policy"));
    let mut open: BTreeMap<String, i32> = BTreeMap::new();
    for tag in page.split('<').skip(1).filter(|tag| !tag.starts_with('!')) {
        let (inner, _) = tag.split_once('>').unwrap();
        let name = inner.trim_start_matches('/').split([' ', '/']).next().unwrap();
        if name == "meta" || inner.ends_with('/') {
            continue;
        }
        *open.entry(name.to_owned()).or_default() += if inner.starts_with('/') { -1 } else { 1 };
    }
    assert!(open.values().all(|count| *count == 0), "{open:?}");
}

#[test]
#[cfg(unix)]
fn hostile_words_are_words() {
    let evil = "<script>alert(1)</script> & \"quoted\" </pre><img src=x onerror=alert(1)> [a](javascript:x) `code` |cell| \u{1b}[31mred \u{202e}back\n```\n# heading";
    let model = LocalModel::answering(move |asked| match (asked.role, asked.turns) {
        (Role::Commander, _) => turn(&[("triage", json!({"decision": "direct"}))]),
        (Role::Worker, 0) => {
            let edit = json!({"op": "create", "path": "x.rs", "text": "fn main( {"});
            turn(&[("propose", json!({"changes": [edit]}))])
        }
        (Role::Worker, _) => turn(&[("give_up", json!({"reason": evil}))]),
        _ => turn(&[("verdict", json!({"pass": true, "evidence": [evil]}))]),
    });
    let project = Project::empty();
    project.write("Cargo.toml", "[package]\nname = \"x\"\nversion = \"0.1.0\"\n");
    project.write("src/main.rs", "fn main() {}\n");
    let (_kept, path) = path_without_servers();
    let project = model.serving(project).with("PATH", path);
    project.run(&["task", evil, "--json"]);
    let markdown = project.run(&["report"]);
    assert_eq!(markdown.code, 0, "{markdown:?}");
    let text = &markdown.out;
    assert!(!text.contains(['\u{1b}', '\u{202e}']));
    // Outside of fences no tag begins, and the goal begins no heading.
    let mut fence = None;
    for line in text.lines() {
        match &fence {
            Some(end) if line == end => fence = None,
            Some(_) => {}
            None if line.starts_with("```") => {
                fence = Some(line.trim_end_matches("text").to_owned())
            }
            None => {
                assert!(!line.replace("\\<", "").contains('<'), "{line}");
                assert!(!line.starts_with("# heading"), "{line}");
            }
        }
    }
    assert!(fence.is_none(), "{text}");
    assert!(text.contains("What fell short"), "{text}");
    let page = project.run(&["report", "--html"]);
    assert_eq!(page.code, 0, "{page:?}");
    let shown = page.out.replace("(javascript:x)", "").replace("javascript:x", "");
    is_whole(&shown);
    assert!(page.out.contains("&lt;script&gt;"));
    assert!(!page.out.contains(['\u{1b}', '\u{202e}']));
}
