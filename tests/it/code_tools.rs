//! The tools for code, used by a scripted model in whole missions: with the real compilers and language servers.

use std::sync::{Arc, Mutex};

use orchestrator_lsp::mission::conversation::Role;
use serde_json::{Value, json};

use crate::support::model::{Asked, LocalModel};
use crate::support::project::{Project, Said, path_with};
use crate::support::tools;

#[cfg(unix)]
mod long;
mod proposals;

/// What a Worker calls, given all results so far.
type Step = Box<dyn Fn(&[String]) -> (&'static str, Value) + Send + Sync>;

fn step(name: &'static str, arguments: Value) -> Step {
    Box::new(move |_| (name, arguments.clone()))
}

fn propose(changes: Value) -> Step {
    step("propose", json!({ "changes": changes }))
}

/// Runs a mission whose one Worker takes these steps; what each of them was answered.
fn mission(project: Project, steps: Vec<Step>) -> (Project, Said, Vec<String>) {
    let answers: Arc<Mutex<Vec<String>>> = Arc::default();
    let heard = answers.clone();
    let model = LocalModel::calling(move |asked: &Asked| match asked.role {
        Role::Commander => ("triage", json!({"decision": "direct"})),
        Role::Worker => {
            let mut heard = heard.lock().unwrap();
            if asked.turns > 0 && heard.len() < asked.turns {
                heard.push(asked.last.clone());
            }
            match steps.get(asked.turns) {
                Some(step) => step(&heard),
                None => ("done", json!({"summary": "it is done"})),
            }
        }
        _ => ("verdict", json!({"pass": true, "evidence": ["it was read"]})),
    });
    let project = model.serving(project);
    let said = project.run(&["task", "change the code", "--json"]);
    let answers = answers.lock().unwrap().clone();
    (project, said, answers)
}

fn code(op: &str, path: &str, symbol: &str) -> Step {
    step("code", json!({"op": op, "path": path, "symbol": symbol}))
}

/// That the answers hold these pieces, one after the other.
fn hold(answers: &[String], pieces: &[(usize, &[&str])]) {
    for (index, pieces) in pieces {
        for piece in *pieces {
            assert!(answers[*index].contains(piece), "{index}: {piece} in {answers:#?}");
        }
    }
}

fn rust() -> Project {
    let server = tools::rust_analyzer();
    let path = path_with(&[server.parent().unwrap().to_owned()]);
    let project = Project::empty().with("PATH", path);
    let manifest = "[package]\nname = \"shapes\"\nversion = \"0.1.0\"\nedition = \"2021\"\n";
    project.write("Cargo.toml", manifest);
    project.write("src/lib.rs", "pub mod area;\npub mod shape;\n");
    project.write(
        "src/shape.rs",
        "/// A square.\npub struct Square {\n    /// Its side.\n    pub side: u32,\n}\n\nimpl Square {\n    /// How large it is.\n    pub fn size(&self) -> u32 {\n        self.side * self.side\n    }\n}\n\n/// Not a method.\npub fn size() -> u32 {\n    0\n}\n",
    );
    project.write(
        "src/area.rs",
        "use crate::shape::{size, Square};\n\n/// The sum.\npub fn sum(squares: &[Square]) -> u32 {\n    let ü = \"ß\"; let all: u32 = squares.iter().map(|s| s.size()).sum();\n    let _ = ü;\n    all + size()\n}\n",
    );
    project
}

#[test]
fn rust_is_looked_up_and_renamed_through_rust_analyzer() {
    let rename = |line: Value| {
        propose(json!([
            {"op": "rename_symbol", "path": "src/shape.rs", "symbol": "Square::size", "to": "area", "line": line},
            {"op": "edit", "path": "src/area.rs", "edits": [{"symbol": "sum", "at": "after", "new": "/// One.\npub fn one() -> u32 {\n    1\n}"}]},
        ]))
    };
    let (project, said, answers) = mission(
        rust(),
        vec![
            code("outline", "src/shape.rs", ""),
            step(
                "code",
                json!({"op": "definition", "path": "src/area.rs", "symbol": "size", "line": 5}),
            ),
            code("references", "src/shape.rs", "Square::size"),
            code("hover", "src/shape.rs", "Square::size"),
            code("references", "src/shape.rs", "nothing_such"),
            step("read", json!({"path": "src/shape.rs", "symbol": "Square::size"})),
            step("code", json!({"op": "symbols", "symbol": "Square::size"})),
            rename(Value::Null),
        ],
    );
    assert_eq!(said.code, 0, "{said:?} {answers:#?}");
    hold(
        &answers,
        &[
            (
                0,
                &[
                    "1-5 pub struct Square",
                    "8-11   pub fn size(&self) -> u32",
                    "14-17 pub fn size() -> u32",
                ],
            ),
            (1, &["src/shape.rs:9: pub fn size(&self) -> u32"]),
            (2, &["src/area.rs:5: let ü", "src/shape.rs:9: "]),
            (3, &["pub fn size(&self) -> u32", "How large it is."]),
            (4, &["there is no `nothing_such`", "Square::size in line 9"]),
            (5, &["[lines 8 to 11 of 17]\n    /// How large it is.\n    pub fn size"]),
            (6, &["src/shape.rs:9: pub fn size(&self) -> u32 { (Square::size)"]),
            (7, &["accepted", "rename_symbol Square::size to area: 2 places in 2 files"]),
        ],
    );
    assert!(
        !answers[2].contains("src/area.rs:7") && !answers[2].contains("src/shape.rs:15"),
        "{answers:#?}"
    );
    let area = project.read("src/area.rs");
    assert!(area.contains("s.area()).sum()") && area.contains("all + size()"), "{area}");
    assert!(area.ends_with("}\n\n/// One.\npub fn one() -> u32 {\n    1\n}\n"), "{area}");
    let shape = project.read("src/shape.rs");
    assert!(
        shape.contains("pub fn area(&self)") && shape.contains("pub fn size() -> u32"),
        "{shape}"
    );
    assert_eq!(project.run(&["verify"]).code, 0);
}

#[test]
fn typescript_is_looked_up_and_renamed_through_its_own_server() {
    let bin = tools::typescript7().join("node_modules/.bin");
    let project = Project::empty().with("PATH", path_with(&[bin]));
    project.write(
        "tsconfig.json",
        r#"{"compilerOptions": {"strict": true, "noEmit": true, "types": []}, "include": ["src"]}"#,
    );
    project.write("src/money.ts", "/** In cents. */\nexport interface Price {\n  cents: number;\n}\n\nexport function total(prices: Price[]): number {\n  return prices.reduce((sum, p) => sum + p.cents, 0);\n}\n");
    project.write("src/basket.ts", "import { type Price, total } from \"./money\";\n\nexport const price: Price = { cents: 5 };\nexport const all = total([price]);\n");
    let (project, said, answers) = mission(
        project,
        vec![
            code("definition", "src/basket.ts", "total"),
            code("references", "src/money.ts", "Price::cents"),
            code("hover", "src/money.ts", "total"),
            // The new name is taken: the gate proves it wrong, and nothing is changed.
            propose(
                json!([{"op": "rename_symbol", "path": "src/basket.ts", "symbol": "all", "to": "price"}]),
            ),
            propose(
                json!([{"op": "rename_symbol", "path": "src/basket.ts", "symbol": "total", "line": 4, "to": "sumOf"}]),
            ),
            propose(
                json!([{"op": "rename_symbol", "path": "src/money.ts", "symbol": "Price.cents", "to": "amount"}]),
            ),
        ],
    );
    assert_eq!(said.code, 0, "{said:?} {answers:#?}");
    hold(
        &answers,
        &[
            (0, &["src/money.ts:6: export function total"]),
            (1, &["src/basket.ts:3: ", "src/money.ts:3: ", "src/money.ts:7: "]),
            (2, &["function total(prices: Price[]): number"]),
            (3, &["refused", "rename_symbol all to price"]),
            (4, &["accepted", "rename_symbol total to sumOf: 3 places in 2 files"]),
            (5, &["accepted", "rename_symbol Price.cents to amount: 3 places in 2 files"]),
        ],
    );
    let (money, basket) = (project.read("src/money.ts"), project.read("src/basket.ts"));
    assert!(money.contains("function sumOf(") && money.contains("sum + p.amount"), "{money}");
    assert!(basket.contains("sumOf([price])") && basket.contains("{ amount: 5 }"), "{basket}");
    assert!(basket.contains("export const all"), "{basket}");
}
