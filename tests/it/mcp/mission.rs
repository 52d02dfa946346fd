//! A real server's tools in a mission of the built program, once a person has trusted it.

use orchestrator_lsp::mission::conversation::Role;
use serde_json::json;

use super::servers::{name, script};
use crate::support::project::Project;
use crate::support::provider::{Provider, Reply};

#[test]
fn a_worker_calls_a_real_server_once_it_is_trusted() {
    let write = json!({ "changes": [{ "op": "write", "path": "page.md", "content": "page\n" }] });
    let provider = Provider::answering(move |asked| match (asked.role, asked.turns) {
        (Role::Commander, _) => {
            Reply::Call("triage", json!({ "decision": "direct", "task": "write the page" }))
        }
        (Role::Planner, _) => Reply::Call("give_up", json!({ "reason": "not asked" })),
        (Role::Worker, 0) => Reply::Call("mcp__every__echo", json!({ "message": "ahoy" })),
        (Role::Worker, 1) => Reply::Call("propose", write.clone()),
        (Role::Worker, _) => Reply::Call("done", json!({ "summary": "written" })),
        (Role::Reviewer, _) => Reply::Call("verdict", json!({ "pass": true, "evidence": ["e"] })),
    });
    let project = provider.serving(Project::empty());
    let dead = json!({ "command": "node", "args": ["-e", "process.exit(3)"] });
    let every = json!({ "command": "node", "args": [script("server-everything")] });
    name(&project, json!({ "every": every, "dead": dead }));
    let ignored = project.run(&["task", "write the page", "--json"]);
    assert_eq!(ignored.code, 0, "{ignored:?}");
    let refused = provider.requests().pop().unwrap().body;
    assert!(
        !refused.contains("mcp__every__echo\",\"description"),
        "nothing runs before it is trusted"
    );

    let listed = project.run(&["trust"]);
    assert!(listed.out.contains("not trusted  .mcp.json"), "{listed:?}");
    assert!(listed.out.contains("dead: starts `node -e process.exit(3)`"), "{listed:?}");
    assert_eq!(project.run(&["trust", "--yes"]).code, 0);
    let before = provider.requests().len();
    let said = project.run(&["task", "write the page again", "--json"]);
    assert_eq!(said.code, 0, "{said:?}");
    let requests = provider.requests().split_off(before);
    let workers: Vec<_> = requests.iter().filter(|asked| asked.role == Role::Worker).collect();
    assert!(workers[0].body.contains("mcp__every__echo"), "{}", workers[0].body);
    assert!(workers[1].body.contains("Echo: ahoy"), "{}", workers[1].body);
    let remarks = said.last()["end"]["remarks"].to_string();
    assert!(remarks.contains("server `dead` (.mcp.json) is not in force"), "{remarks}");
}
