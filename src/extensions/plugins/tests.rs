//! Plugins of every kind, run for real.

use super::*;

/// A workspace with plugins, all of them trusted.
struct Place {
    root: tempfile::TempDir,
    own: tempfile::TempDir,
    remarks: Arc<Mutex<Vec<String>>>,
}

impl Place {
    fn with(plugins: &[(&str, &str)]) -> Place {
        let place = Place {
            root: tempfile::tempdir().unwrap(),
            own: tempfile::tempdir().unwrap(),
            remarks: Arc::default(),
        };
        std::fs::create_dir_all(place.root.path().join(FOLDER)).unwrap();
        plugins.iter().for_each(|(name, code)| place.put(name, code));
        place
    }

    fn trust(&self) -> Trust {
        Trust::new(Some(self.own.path()), self.root.path())
    }

    /// Writes a plugin and trusts it as it is.
    fn put(&self, name: &str, code: &str) {
        let path = format!("{FOLDER}/{name}");
        std::fs::write(self.root.path().join(&path), code).unwrap();
        self.trust().give(&path, code.as_bytes()).unwrap();
    }

    async fn plugins(&self) -> Plugins {
        let own = Some(self.own.path().join("plugins"));
        let mut plugins =
            Plugins::new(self.root.path(), own, self.trust(), None, vec!["read", "run"]);
        // What hangs is not waited for as long as in earnest.
        let second = Duration::from_secs(1);
        plugins.bounds = Bounds { loading: 2 * second, tool: second, hook: second };
        plugins.refresh().await;
        plugins
    }

    fn said(&self) -> String {
        locked(&self.remarks).join("\n")
    }
}

fn who() -> Who {
    Who { session: "m/1".into(), agent: "worker".into() }
}

fn object(value: Value) -> Map<String, Value> {
    value.as_object().cloned().unwrap()
}

async fn call(place: &Place, plugins: &Plugins, tool: &str, args: Value) -> Result<String, String> {
    let remarks = place.remarks.clone();
    let remark = move |text| locked(&remarks).push(text);
    plugins.call(tool, &object(args), &who(), &remark).await.expect("no such tool")
}

async fn before(place: &Place, plugins: &Plugins, args: Value) -> Result<Value, String> {
    let remarks = place.remarks.clone();
    let remark = move |text| locked(&remarks).push(text);
    let arguments = plugins.before("read", Arc::new(object(args)), &who(), &remark).await?;
    Ok(Value::Object((*arguments).clone()))
}

fn tool(body: &str) -> String {
    format!(
        "export default {{ name: 'p', tools: {{ t: {{ description: 'd', args: {{}}, async execute(args, context) {{ {body} }} }} }} }}"
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn tools_are_offered_and_called_with_checked_arguments() {
    let place = Place::with(&[(
        "a.mjs",
        r#"import { tool } from "@opencode-ai/plugin";
import { z } from "zod";
let made = "";
export default { name: "a", version: "1.2.0", description: "greets",
  async init({ directory }) { made = typeof directory; },
  tools: {
    greet: tool({ description: "Greets somebody.", args: {
        who: tool.schema.string().min(1).describe("Whom"),
        times: z.number().int().max(3).optional(),
        how: tool.schema.enum(["loud", "soft"]).default("soft") },
      async execute(args, context) {
        await new Promise((done) => setTimeout(done, 5));
        return `${args.how} hello ${args.who} x${args.times ?? 1} from ${context.agent} ${made} ${context.abort.aborted}`;
      } }),
    plain: { description: "p", args: { type: "object", properties: { n: { type: "integer" } }, required: ["n"] }, execute: ({ n }) => ({ twice: n * 2 }) },
    read: { description: "shadows", execute: () => "no" },
  } };"#,
    )]);
    let plugins = place.plugins().await;
    let offers = plugins.offers();
    let names: Vec<&str> = offers.iter().map(|offer| offer.name.as_str()).collect();
    assert_eq!(names, ["greet", "plain"]);
    let schema = &offers[0].schema;
    assert_eq!(schema["required"], json!(["who"]));
    assert_eq!(
        schema["properties"]["who"],
        json!({"type": "string", "minLength": 1, "description": "Whom"})
    );
    assert_eq!(schema["properties"]["times"], json!({"type": "integer", "maximum": 3}));
    assert_eq!(schema["properties"]["how"]["default"], "soft");

    let greeted = call(&place, &plugins, "greet", json!({"who": "Ada", "times": 2})).await;
    assert_eq!(greeted.unwrap(), "soft hello Ada x2 from worker string false");
    assert_eq!(call(&place, &plugins, "plain", json!({"n": 4})).await.unwrap(), "{\"twice\":8}");
    for (args, why) in [
        (json!({}), "an object with `who`"),
        (json!({"who": 1}), "of the type string"),
        (json!({"who": "x", "times": 4}), "smaller"),
        (json!({"who": "x", "how": "mute"}), "one of \"loud\", \"soft\""),
    ] {
        let refused = call(&place, &plugins, "greet", args).await.unwrap_err();
        assert!(refused.contains(why), "{refused}");
    }
    let state = &plugins.states()[0];
    assert_eq!((state.name.as_str(), state.about.as_str()), ("a", "1.2.0, greets"));
    assert_eq!(state.standing, Standing::Up);
    assert_eq!(state.wrong[0].at, "tools.read");
    assert!(state.wrong[0].message.contains("is a tool of the product"));
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_a_tool_does_costs_its_own_call() {
    for (body, why) in [
        ("for (;;) {}", "not done within"),
        ("try { for (;;) {} } finally { return 'caught' }", "not done within"),
        ("const all = []; for (;;) all.push(new Array(100000).fill(0))", "memory"),
        ("return 'x'.repeat(2 ** 29)", "memory"),
        ("const f = () => f() + 1; return f()", "stack"),
        ("await new Promise(() => {})", "never comes"),
        ("for (;;) await null", "not done within"),
        ("await new Promise((done) => setTimeout(done, 3600000))", "not done within"),
        ("throw new TypeError('broken')", "TypeError: broken"),
        ("throw null", "null"),
        ("return require('fs').readFileSync('/etc/passwd', 'utf8')", "there is no require here"),
        ("return (await import('fs')).readFileSync('/etc/passwd', 'utf8')", "fs"),
        ("return process.env.HOME", "process is not defined"),
        ("return Deno.readTextFileSync('/etc/passwd')", "Deno is not defined"),
        ("return await workspace.read('secret.txt')", "may not read secret.txt"),
        ("return await workspace.read('../secret.txt')", "secret.txt"),
        ("return await workspace.read('/etc/passwd')", "passwd"),
        ("return await workspace.list('')", "may not list files"),
        ("return (await fetch('http://127.0.0.1:1/')).status", "no network"),
        ("return /^(a+)+$/.test('a'.repeat(40) + 'b')", "not done within"),
        (
            "const deep = []; let at = deep; for (let n = 0; n < 200000; n++) { const one = []; at.push(one); at = one; } return deep",
            "",
        ),
    ] {
        let place = Place::with(&[
            ("p.js", &tool(body)),
            ("q.js", "export default { name: 'q', tools: { fine: { execute: () => 'fine' } } }"),
        ]);
        std::fs::write(place.root.path().join("secret.txt"), "s").unwrap();
        let plugins = place.plugins().await;
        let failed = call(&place, &plugins, "t", json!({})).await.expect_err(body);
        assert!(failed.contains(why), "{body}: {failed}");
        assert!(
            place.said().starts_with("plugin `p` (.opencode/plugins/p.js): its tool `t` failed: "),
            "{}",
            place.said()
        );
        assert_eq!(call(&place, &plugins, "fine", json!({})).await.unwrap(), "fine", "{body}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn after_deep_failures_in_a_row_a_plugin_is_off_until_its_file_changes() {
    let place = Place::with(&[("p.js", &tool("if (args.now) for (;;) {}; return 'ok'"))]);
    let plugins = place.plugins().await;
    for _ in 0..2 {
        call(&place, &plugins, "t", json!({"now": true})).await.unwrap_err();
    }
    assert_eq!(call(&place, &plugins, "t", json!({})).await.unwrap(), "ok", "a good call forgives");
    for _ in 0..STRIKES {
        call(&place, &plugins, "t", json!({"now": true})).await.unwrap_err();
    }
    assert!(matches!(plugins.states()[0].standing, Standing::Off(_)));
    assert_eq!(plugins.offers(), []);
    place.put("p.js", &tool("return 'mended'"));
    plugins.refresh().await;
    assert_eq!(call(&place, &plugins, "t", json!({})).await.unwrap(), "mended");
}

#[tokio::test(flavor = "multi_thread")]
async fn files_are_read_as_the_manifest_says_and_no_link_leads_out() {
    let place = Place::with(&[(
        "p.js",
        &format!(
            "/* @manifest {{\"read\": [\"docs/**\", \".opencode/**\", \"out/*\"]}} */\n{}",
            tool(
                "return args.list ? JSON.stringify(await workspace.list(args.list)) : await workspace.read(args.path)"
            )
        ),
    )]);
    let root = place.root.path();
    for folder in ["docs/deep", "src"] {
        std::fs::create_dir_all(root.join(folder)).unwrap();
    }
    std::fs::write(root.join("docs/deep/a.md"), "ä").unwrap();
    std::fs::write(root.join("docs/b.md"), "b").unwrap();
    std::fs::write(root.join("src/main.rs"), "fn main() {}").unwrap();
    let outside = tempfile::tempdir().unwrap();
    std::fs::write(outside.path().join("a"), "secret").unwrap();
    let plugins = place.plugins().await;
    let read = async |path: &str| call(&place, &plugins, "t", json!({"path": path})).await;
    assert_eq!(read("docs/deep/a.md").await.unwrap(), "ä");
    for path in ["src/main.rs", ".opencode/plugins/p.js", "docs/../src/main.rs", "docs"] {
        read(path).await.unwrap_err();
    }
    #[cfg(unix)]
    {
        std::os::unix::fs::symlink(outside.path(), root.join("out")).unwrap();
        std::os::unix::fs::symlink(root.join("src/main.rs"), root.join("docs/link.md")).unwrap();
        assert!(read("out/a").await.unwrap_err().contains("leads out of the workspace"));
        assert!(read("docs/link.md").await.unwrap_err().contains("may not read src/main.rs"));
        std::fs::remove_file(root.join("docs/link.md")).unwrap();
    }
    let listed = call(&place, &plugins, "t", json!({"list": "docs"})).await.unwrap();
    assert_eq!(listed, "[\"docs/b.md\",\"docs/deep/\"]");
}

#[tokio::test(flavor = "multi_thread")]
async fn hooks_allow_block_and_modify_in_their_order() {
    let place = Place::with(&[
        (
            "one.js",
            "export default { name: 'one', hooks: { preTool: { priority: 90, execute: async (context, tool, args) => ({ action: 'modify', modifiedArgs: { ...args, seen: [...(args.seen ?? []), 'one'] } }) } } }",
        ),
        (
            "two.js",
            "export default { name: 'two', hooks: { preTool: { priority: 10, execute: async (context, tool, args) => args.path === 'no' ? { action: 'block', reason: 'not that' } : { action: 'modify', modifiedArgs: { ...args, seen: [tool, context.sessionID] } } } } }",
        ),
        (
            "bad.js",
            "export default { name: 'bad', hooks: { preTool() { throw new Error('oh') }, postTool: () => 7, chat: () => ({ action: 'shout' }), done() { for (;;) {} } } }",
        ),
    ]);
    let plugins = place.plugins().await;
    let changed = before(&place, &plugins, json!({"path": "a"})).await.unwrap();
    assert_eq!(changed, json!({"path": "a", "seen": ["read", "m/1", "one"]}));
    let refused = before(&place, &plugins, json!({"path": "no"})).await.unwrap_err();
    assert_eq!(refused, "not called: the project's plugin `two` refuses it: not that");
    let remarks = place.remarks.clone();
    let remark = move |text| locked(&remarks).push(text);
    assert_eq!(plugins.goal("g", &who(), &remark).await.unwrap(), None);
    assert_eq!(plugins.done("t", &who(), &remark).await.unwrap(), Vec::<String>::new());
    let said = place.said();
    for what in [
        "hook preTool failed: Error: oh",
        "hook chat failed: TypeError: the answer's action is \"shout\"",
        "hook done failed: it was stopped",
    ] {
        assert!(said.contains(what), "{what}: {said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_agent_is_told_of_a_call_goes_through_the_hooks() {
    let place = Place::with(&[(
        "p.js",
        "export default { name: 'p', hooks: { postTool: async (context, tool, input, output) => ({ output: output.output.replace('secret', '***') }), chat: (context, message) => message === 'take' ? { action: 'intercept', reason: 'mine' } : { action: 'process', modifiedMessage: message + ', politely' }, done: (context, text) => text === 'stop' ? { action: 'stop' } : { action: 'inject', prompts: ['mind the docs', ''] } } }",
    )]);
    let plugins = place.plugins().await;
    let remark = |text: String| panic!("{text}");
    let told = plugins.after("read", &Map::new(), "a secret".into(), &who(), &remark).await;
    assert_eq!(told, "a ***");
    let goal = plugins.goal("g", &who(), &remark).await.unwrap();
    assert_eq!(goal.as_deref(), Some("g, politely"));
    let taken = plugins.goal("take", &who(), &remark).await.unwrap_err();
    assert_eq!(taken, "the plugin `p` has taken the goal over: mine");
    let prompts = plugins.done("t", &who(), &remark).await.unwrap();
    assert_eq!(prompts, ["[the plugin `p` of the project]\nmind the docs"]);
    assert_eq!(plugins.done("stop", &who(), &remark).await.unwrap_err(), "the plugin `p` stops it");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_failing_hook_means_is_its_own_word() {
    let hook = |handling: &str| {
        format!(
            "let calls = 0; export default {{ name: '{handling}', hooks: {{ preTool: {{ errorHandling: '{handling}', execute: async (c, t, args) => {{ if (++calls === 1) throw new Error('first'); return {{ action: 'modify', modifiedArgs: {{ calls }} }}; }} }} }} }}"
        )
    };
    let place = Place::with(&[("p.js", &hook("retry"))]);
    let plugins = place.plugins().await;
    assert_eq!(before(&place, &plugins, json!({})).await.unwrap(), json!({"calls": 2}));
    assert_eq!(place.said(), "");
    place.put("p.js", &hook("stop"));
    plugins.refresh().await;
    let stopped = before(&place, &plugins, json!({})).await.unwrap_err();
    assert!(stopped.contains("nothing goes on then: Error: first"), "{stopped}");
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_runs_that_is_not_trusted_as_it_is() {
    let place = Place::with(&[]);
    let path = place.root.path().join(FOLDER).join("p.js");
    std::fs::write(&path, tool("return 'one'")).unwrap();
    let plugins = place.plugins().await;
    assert_eq!(plugins.states()[0].standing, Standing::NotTrusted);
    assert_eq!(plugins.offers(), []);
    place.trust().give(".opencode/plugins/p.js", tool("return 'one'").as_bytes()).unwrap();
    plugins.refresh().await;
    assert_eq!(call(&place, &plugins, "t", json!({})).await.unwrap(), "one");
    // Somebody, an agent perhaps, writes it anew.
    std::fs::write(&path, tool("return 'two, longer'")).unwrap();
    plugins.refresh().await;
    assert_eq!(plugins.states()[0].standing, Standing::NotTrusted);
    assert_eq!(plugins.offers(), []);
    // The user's own folder needs no word.
    std::fs::create_dir_all(place.own.path().join("plugins")).unwrap();
    std::fs::write(place.own.path().join("plugins/own.js"), tool("return 'own'")).unwrap();
    plugins.refresh().await;
    assert_eq!(call(&place, &plugins, "t", json!({})).await.unwrap(), "own");
}

#[tokio::test(flavor = "multi_thread")]
async fn broken_plugins_are_told_and_left_aside() {
    for (code, why) in [
        ("export default {", "SyntaxError"),
        ("export default 7", "default export is no object"),
        ("export default { tools: {} }", "no `name`"),
        ("throw new Error('at once'); export default { name: 'x' }", "at once"),
        ("for (;;) {}; export default { name: 'x' }", "not done within"),
        ("import fs from 'fs'; export default { name: 'x' }", "fs"),
        ("export default { name: 'x', init() { throw new Error('in init') } }", "in init"),
        ("/* @manifest {\"write\": []} */ export default { name: 'x' }", "no field `write`"),
        ("const a: string = ''; export default { name: 'x' }", "SyntaxError"),
    ] {
        let place = Place::with(&[("p.js", code), ("q.js", &tool("return 'fine'"))]);
        let plugins = place.plugins().await;
        let state = plugins.states().into_iter().find(|state| state.path.ends_with("p.js"));
        let Standing::Off(said) = state.unwrap().standing else { panic!("{code} is up") };
        assert!(said.contains(why), "{code}: {said}");
        assert_eq!(call(&place, &plugins, "t", json!({})).await.unwrap(), "fine");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn it_cleans_up_when_it_goes() {
    let place = Place::with(&[(
        "p.js",
        "/* @manifest {\"fetch\": [\"a.example\"]} */ export default { name: 'p', async cleanup() { await fetch('http://a.example/bye') } }",
    )]);
    struct Heard(Mutex<Vec<String>>);
    impl Net for Heard {
        fn ask(&self, asked: Asked) -> futures_util::future::BoxFuture<'_, Result<Answer, String>> {
            locked(&self.0).push(asked.url.clone());
            let answer = match asked.url.ends_with("/bye") {
                true => Answer {
                    url: asked.url,
                    status: 302,
                    headers: vec![("location".into(), "http://b.example/".into())],
                    body: String::new(),
                },
                false => panic!("a host that the manifest does not name was asked"),
            };
            Box::pin(async { Ok(answer) })
        }
    }
    let net = Arc::new(Heard(Mutex::default()));
    let plugins =
        Plugins::new(place.root.path(), None, place.trust(), Some(net.clone()), Vec::new());
    plugins.refresh().await;
    std::fs::remove_file(place.root.path().join(FOLDER).join("p.js")).unwrap();
    plugins.refresh().await;
    assert_eq!(*locked(&net.0), ["http://a.example/bye"]);
    assert!(plugins.states().is_empty());
}

/// What the page shows is what the engine loads, and its types are those of the program.
#[tokio::test(flavor = "multi_thread")]
async fn the_examples_of_the_page_load() {
    let page =
        std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/plugins.md"))
            .unwrap();
    let root = tempfile::tempdir().unwrap();
    let mut hooks = Vec::new();
    for code in page.split("```js\n").skip(1).filter_map(|rest| rest.split("```").next()) {
        assert_eq!(read(code, &[]).reading.problems, [], "{code}");
        assert_eq!(examine(root.path(), "p.js", code, vec!["read"]).await, [], "{code}");
        let parts = read(code, &[]).reading.entries.into_iter().map(|entry| entry.name);
        hooks.extend(parts.filter_map(|name| name.strip_prefix("hooks.").map(str::to_owned)));
    }
    hooks.sort();
    assert_eq!(hooks, ["chat", "done", "postTool", "preTool"]);
    for (name, _) in FIELDS.iter().chain(&HOOKS) {
        assert!(TYPES.contains(&format!("  {name}")), "{name}");
    }
}
