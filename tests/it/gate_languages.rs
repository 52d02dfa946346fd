//! JavaScript, Python, Go, Rust's lints, and a language that only configuration knows: proved by real servers and tools.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use orchestrator_lsp::gate::servers::Servers;
use orchestrator_lsp::gate::{
    Baseline, Checked, Gate, Settings, Severity, Stage, StageVerdict, Verdict,
};
use orchestrator_lsp::workspace::{Change, ChangeSet, Edit, OpenTexts, RelPath};

use crate::support::tools;

/// A project with a gate that has servers, and finds programs in `programs` before PATH.
struct Project {
    _folder: tempfile::TempDir,
    root: PathBuf,
    settings: Settings,
}

impl Project {
    fn new(files: &[(&str, &str)], programs: &[PathBuf]) -> Project {
        let path = std::env::var_os("PATH").unwrap_or_default();
        let path = programs.iter().cloned().chain(std::env::split_paths(&path));
        Project::with_path(files, std::env::join_paths(path).unwrap())
    }

    fn with_path(files: &[(&str, &str)], path: OsString) -> Project {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("project");
        for (file, text) in files {
            let place = root.join(file);
            fs::create_dir_all(place.parent().unwrap()).unwrap();
            fs::write(place, text).unwrap();
        }
        let (project, own) = (root.clone(), path.clone());
        let open = move |shadow: &Path| -> Arc<dyn orchestrator_lsp::gate::ServerStage> {
            Arc::new(Servers::new(shadow.to_owned(), project.clone()).with_path(own.clone()))
        };
        let settings = Settings {
            cache_dir: Some(folder.path().join("cache")),
            path: Some(path),
            servers: Some(Arc::new(open)),
            ..Settings::default()
        };
        Project { _folder: folder, root, settings }
    }

    fn gate(&self) -> Gate {
        Gate::open(&self.root, self.settings.clone()).unwrap()
    }
}

async fn check(gate: &Gate, changes: Vec<Change>) -> Checked {
    gate.check(&ChangeSet { changes }, &OpenTexts::new()).await.unwrap()
}

fn path(text: &str) -> RelPath {
    RelPath::new(text).unwrap()
}

fn edit(file: &str, old: &str, new: &str) -> Change {
    let edits = vec![Edit::Text { old: old.to_owned(), new: new.to_owned() }];
    Change::Edit { path: path(file), edits }
}

fn delete(file: &str) -> Change {
    Change::Delete { path: path(file) }
}

/// It was refused by one of the stages that ask others, for an error at `file:line` (1-based).
#[track_caller]
fn refused_at(checked: &Checked, file: &str, line: u32) {
    assert_eq!(checked.report.verdict, Verdict::Refused, "{:#?}", checked.report);
    let is_there = |problem: &orchestrator_lsp::gate::report::Problem| {
        matches!(problem.stage, Stage::Servers | Stage::Tools)
            && problem.diagnostic.severity == Severity::Error
            && problem.diagnostic.path.as_str() == file
            && problem.diagnostic.range.start.line + 1 == line
    };
    assert!(checked.report.problems.iter().any(is_there), "{:#?}", checked.report.problems);
}

/// It was refused because of `file`, where what is gone is used; the rules may see that before anybody is asked.
#[track_caller]
fn refused_for(checked: &Checked, file: &str) {
    assert_eq!(checked.report.verdict, Verdict::Refused, "{:#?}", checked.report);
    let names_it = |problem: &orchestrator_lsp::gate::report::Problem| {
        problem.diagnostic.path.as_str() == file || problem.diagnostic.message.contains(file)
    };
    assert!(checked.report.problems.iter().any(names_it), "{:#?}", checked.report.problems);
}

#[track_caller]
fn accepted(checked: &Checked) {
    assert_eq!(checked.report.verdict, Verdict::Accepted, "{:#?}", checked.report);
    assert!(!checked.contents.is_empty());
}

#[track_caller]
fn unverified(checked: &Checked, why: &str) {
    assert_eq!(checked.report.verdict, Verdict::Unverified, "{:#?}", checked.report);
    assert!(checked.contents.is_empty());
    let said = checked.report.stages.iter().any(|stage| stage.detail.contains(why));
    assert!(said, "{why}: {:#?}", checked.report.stages);
}

#[track_caller]
fn servers_answered(checked: &Checked) {
    let servers = checked.report.stages.iter().find(|stage| stage.stage == Stage::Servers);
    let verdict = servers.map(|stage| stage.verdict);
    assert_eq!(verdict, Some(StageVerdict::Passed), "{:#?}", checked.report.stages);
}

/// A search path on which only the given programs are.
fn only(folder: &Path, programs: &[PathBuf]) -> OsString {
    let bin = folder.join("bin");
    fs::create_dir_all(&bin).unwrap();
    std::env::join_paths(std::iter::once(bin).chain(programs.iter().cloned())).unwrap()
}

const PRICES: &str = "def price(name: str) -> int:\n    return len(name)\n";
const BASKET: &str = "from shop.prices import price\n\n\ndef total(names: list[str]) -> int:\n    return sum(price(name) for name in names)\n";
const OLD: &str =
    "limit: int = \"ten\"\n\n\ndef double(value: int) -> int:\n    return value * 2\n";

fn python_files() -> Vec<(&'static str, &'static str)> {
    vec![
        ("pyproject.toml", "[project]\nname = \"shop\"\nversion = \"1.0\"\n"),
        ("shop/__init__.py", ""),
        ("shop/prices.py", PRICES),
        ("shop/basket.py", BASKET),
        ("shop/old.py", OLD),
    ]
}

fn pyright() -> PathBuf {
    tools::pyright().join("node_modules/.bin")
}

#[tokio::test]
async fn python_is_proved_by_pyright() {
    let project = Project::new(&python_files(), &[pyright(), tools::python()]);
    let gate = project.gate();
    let good = check(&gate, vec![edit("shop/prices.py", "len(name)", "len(name) + 1")]).await;
    accepted(&good);
    servers_answered(&good);
    let undefined = check(&gate, vec![edit("shop/prices.py", "len(name)", "length(name)")]).await;
    refused_at(&undefined, "shop/prices.py", 2);
    let types = check(&gate, vec![edit("shop/prices.py", "len(name)", "name")]).await;
    refused_at(&types, "shop/prices.py", 2);
    let signature =
        check(&gate, vec![edit("shop/prices.py", "(name: str)", "(name: str, tax: int)")]).await;
    refused_at(&signature, "shop/basket.py", 5);
    let beside = check(&gate, vec![edit("shop/old.py", "value * 2", "value + value")]).await;
    accepted(&beside);
    let deleted = check(&gate, vec![delete("shop/prices.py")]).await;
    refused_for(&deleted, "shop/basket.py");
    let described = check(&gate, vec![edit("pyproject.toml", "1.0", "1.1")]).await;
    accepted(&described);
}

#[tokio::test]
async fn python_that_pyright_does_not_look_at_is_not_proved() {
    let mut files = python_files();
    files[0].1 = "[tool.pyright]\nexclude = [\"shop/old.py\"]\n";
    let project = Project::new(&files, &[pyright(), tools::python()]);
    let gate = project.gate();
    let left_out = check(&gate, vec![edit("shop/old.py", "value * 2", "value + value")]).await;
    unverified(&left_out, "shop/old.py");
}

#[tokio::test]
async fn ruff_and_pytest_are_asked_where_the_project_uses_them() {
    let mut files = python_files();
    files.push(("ruff.toml", "lint.select = [\"F\"]\n"));
    files.push(("tests/test_prices.py", "from shop.prices import price\n\n\ndef test_price() -> None:\n    assert price(\"ab\") == 2\n"));
    let project = Project::new(&files, &[pyright(), tools::python()]);
    let gate = project.gate();
    let lint =
        check(&gate, vec![edit("shop/prices.py", "def price", "import os\n\n\ndef price")]).await;
    refused_at(&lint, "shop/prices.py", 1);
    assert_eq!(lint.report.problems[0].diagnostic.code.as_deref(), Some("F401"));
    accepted(&check(&gate, vec![edit("shop/prices.py", "len(name)", "len(name) + 1")]).await);

    let tests = |stages: Vec<orchestrator_lsp::gate::StageReport>| {
        let tests = stages.into_iter().find(|stage| stage.stage == Stage::Tests);
        tests.map(|stage| (stage.verdict, stage.detail)).unwrap()
    };
    let (verdict, detail) =
        tests(gate.whole(&OpenTexts::new(), &Baseline::default()).await.unwrap());
    assert_eq!(verdict, StageVerdict::Passed, "{detail}");
    fs::write(project.root.join("shop/prices.py"), PRICES.replace("len(name)", "3")).unwrap();
    let (verdict, detail) =
        tests(gate.whole(&OpenTexts::new(), &Baseline::default()).await.unwrap());
    assert_eq!(verdict, StageVerdict::Refused, "{detail}");
    assert!(detail.contains("test_price"), "{detail}");
}

#[tokio::test]
async fn without_its_tools_nothing_is_accepted() {
    let folder = tempfile::tempdir().unwrap();
    let python = Project::with_path(&python_files(), only(folder.path(), &[]));
    let edited = edit("shop/prices.py", "len(name)", "len(name) + 1");
    unverified(&check(&python.gate(), vec![edited]).await, "pip install pyright");
    let go = Project::with_path(&go_files(), only(folder.path(), &[]));
    let edited = edit("prices/prices.go", "len(name)", "len(name) + 1");
    unverified(&check(&go.gate(), vec![edited]).await, "go.dev");
    let js = Project::with_path(&js_files(), only(folder.path(), &[]));
    let edited = edit("src/prices.js", "name.length", "name.length + 1");
    unverified(&check(&js.gate(), vec![edited]).await, "install");
}

fn go_files() -> Vec<(&'static str, &'static str)> {
    vec![
        ("go.mod", "module example.com/shop\n\ngo 1.22\n"),
        (
            "prices/prices.go",
            "package prices\n\nfunc Price(name string) int {\n\treturn len(name)\n}\n",
        ),
        (
            "basket/basket.go",
            "package basket\n\nimport \"example.com/shop/prices\"\n\nfunc Total(name string) int {\n\treturn prices.Price(name)\n}\n",
        ),
        (
            "basket/basket_test.go",
            "package basket\n\nimport \"testing\"\n\nfunc TestTotal(t *testing.T) {\n\tif Total(\"ab\") != 2 {\n\t\tt.Fatal(\"no\")\n\t}\n}\n",
        ),
        (
            "old/old.go",
            "package old\n\nvar limit int = \"ten\"\n\nfunc Double(value int) int {\n\treturn value * 2\n}\n",
        ),
        ("tags/tags_plan9.go", "package tags\n\nconst Name = \"plan9\"\n"),
        ("tags/tags.go", "package tags\n\nconst Other = 1\n"),
    ]
}

fn go() -> Vec<PathBuf> {
    vec![tools::go(), tools::gopls().parent().unwrap().to_owned()]
}

#[tokio::test]
async fn go_is_proved_by_its_compiler() {
    let project = Project::new(&go_files(), &go());
    let gate = project.gate();
    let good = check(&gate, vec![edit("prices/prices.go", "len(name)", "len(name) + 1")]).await;
    accepted(&good);
    servers_answered(&good);
    let undefined = check(&gate, vec![edit("prices/prices.go", "len(name)", "size(name)")]).await;
    refused_at(&undefined, "prices/prices.go", 4);
    let signature =
        check(&gate, vec![edit("prices/prices.go", "(name string)", "(name string, tax int)")])
            .await;
    refused_at(&signature, "basket/basket.go", 6);
    let in_a_test = check(&gate, vec![edit("basket/basket.go", "func Total(", "func Sum(")]).await;
    refused_at(&in_a_test, "basket/basket_test.go", 6);
    let beside = check(&gate, vec![edit("old/old.go", "value * 2", "value + value")]).await;
    accepted(&beside);
    let another = check(&gate, vec![edit("old/old.go", "value * 2", "value + \"\"")]).await;
    refused_at(&another, "old/old.go", 6);
    let deleted = check(&gate, vec![delete("prices/prices.go")]).await;
    refused_at(&deleted, "basket/basket.go", 3);
    let vet = edit(
        "prices/prices.go",
        "package prices\n\nfunc Price(name string) int {\n",
        "package prices\n\nimport \"fmt\"\n\nfunc Price(name string) int {\n\tfmt.Printf(\"%d\\n\", name)\n",
    );
    refused_at(&check(&gate, vec![vet]).await, "prices/prices.go", 6);
    let elsewhere = check(&gate, vec![edit("tags/tags_plan9.go", "plan9", "Plan 9")]).await;
    unverified(&elsewhere, "tags/tags_plan9.go");
}

const JSCONFIG: &str = r#"{ "compilerOptions": { "checkJs": true, "strict": true, "module": "nodenext", "target": "es2022", "types": [] }, "include": ["src"] }"#;
const PACKAGE: &str = r#"{ "name": "shop", "private": true, "type": "module" }"#;
const PRICES_JS: &str =
    "/** @param {string} name */\nexport function price(name) {\n  return name.length;\n}\n";
const BASKET_JS: &str = "import { price } from \"./prices.js\";\n\n/** @param {string[]} names */\nexport function total(names) {\n  return names.map((name) => price(name));\n}\n";

fn js_files() -> Vec<(&'static str, &'static str)> {
    vec![
        ("package.json", PACKAGE),
        ("jsconfig.json", JSCONFIG),
        ("src/prices.js", PRICES_JS),
        ("src/basket.js", BASKET_JS),
        (
            "src/old.js",
            "/** @type {number} */\nexport const limit = \"ten\";\n\nexport const double = (/** @type {number} */ value) => value * 2;\n",
        ),
    ]
}

fn typescript() -> PathBuf {
    tools::typescript7().join("node_modules/.bin")
}

#[tokio::test]
async fn checked_javascript_is_proved_by_the_compiler() {
    let project = Project::new(&js_files(), &[typescript()]);
    let gate = project.gate();
    let good = check(&gate, vec![edit("src/prices.js", "name.length", "name.length + 1")]).await;
    accepted(&good);
    servers_answered(&good);
    let undefined = check(&gate, vec![edit("src/prices.js", "name.length", "nam.length")]).await;
    refused_at(&undefined, "src/prices.js", 3);
    let signature = edit(
        "src/prices.js",
        "} name */\nexport function price(name)",
        "} name\n * @param {number} tax */\nexport function price(name, tax)",
    );
    refused_at(&check(&gate, vec![signature]).await, "src/basket.js", 5);
    let renamed =
        check(&gate, vec![edit("src/prices.js", "function price", "function cost")]).await;
    refused_for(&renamed, "src/basket.js");
    accepted(&check(&gate, vec![edit("src/old.js", "value * 2", "value + value")]).await);
    refused_for(&check(&gate, vec![delete("src/prices.js")]).await, "src/basket.js");
}

#[tokio::test]
async fn plain_javascript_is_parsed_by_node_and_linted_where_configured() {
    let rules =
        "export default [{ rules: { \"no-undef\": \"error\", \"prefer-const\": \"error\" } }];\n";
    let files = [
        ("package.json", PACKAGE),
        ("src/prices.js", PRICES_JS),
        ("src/basket.js", BASKET_JS),
        ("src/old.js", "let limit = 10;\n\nexport const double = (value) => value * limit;\n"),
        ("tool.cjs", "const fs = require(\"node:fs\");\nmodule.exports = fs;\n"),
        ("view.jsx", "export const View = () => <p>hi</p>;\n"),
        ("setup.js", "globalThis.ready = true;\n"),
        ("start.js", "import \"./setup.js\";\n"),
        ("eslint.config.js", rules),
    ];
    let eslint = tools::eslint().join("node_modules/.bin");
    let project = Project::new(&files, &[typescript(), eslint]);
    let gate = project.gate();
    accepted(&check(&gate, vec![edit("src/prices.js", "name.length", "name.length + 1")]).await);
    let new = check(&gate, vec![edit("src/prices.js", "name.length", "nam.length")]).await;
    refused_at(&new, "src/prices.js", 3);
    accepted(&check(&gate, vec![edit("src/old.js", "value * limit", "limit * value")]).await);
    let brace = check(&gate, vec![edit("src/prices.js", "length;\n}", "length;\n")]).await;
    assert_eq!(brace.report.verdict, Verdict::Refused, "{:#?}", brace.report);

    let unlinted = Project::new(&files[..8], &[typescript()]);
    let gate = unlinted.gate();
    accepted(
        &check(&gate, vec![edit("tool.cjs", "module.exports = fs;", "module.exports = { fs };")])
            .await,
    );
    let module =
        check(&gate, vec![edit("tool.cjs", "module.exports = fs;", "export default fs;")]).await;
    refused_at(&module, "tool.cjs", 2);
    unverified(&check(&gate, vec![edit("view.jsx", "hi", "ho")]).await, "view.jsx");
    refused_for(&check(&gate, vec![delete("src/prices.js")]).await, "src/basket.js");
    refused_at(&check(&gate, vec![delete("setup.js")]).await, "start.js", 1);
}

const MANIFEST: &str = "[package]\nname = \"tiny\"\nversion = \"0.1.0\"\nedition = \"2021\"\n\n[lints.clippy]\nunwrap_used = \"deny\"\n";

#[tokio::test]
async fn a_lint_that_the_manifest_denies_refuses_only_when_it_is_new() {
    let text = "pub fn first(list: &[u8]) -> u8 {\n    *list.first().unwrap()\n}\n\npub fn second(list: &[u8]) -> u8 {\n    list.get(1).copied().unwrap_or_default()\n}\n";
    let project = Project::new(&[("Cargo.toml", MANIFEST), ("src/lib.rs", text)], &[]);
    let settings = Settings { servers: None, ..project.settings.clone() };
    let gate = Gate::open(&project.root, settings).unwrap();
    let old = ".copied().unwrap_or_default()";
    let new = check(&gate, vec![edit("src/lib.rs", old, ".copied().unwrap()")]).await;
    refused_at(&new, "src/lib.rs", 6);
    accepted(&check(&gate, vec![edit("src/lib.rs", old, ".copied().unwrap_or(0)")]).await);
}

/// A language that nobody knows, said in TOML alone: its server is ruff's, which takes it for Python.
const RECIPES: &str = r#"
[[languages]]
name = "recipes"
extensions = ["recipe"]
anywhere = true
servers-prove = true

[[languages.servers]]
name = "ruff"
command = ["ruff", "server"]
diagnostics = "pull"
language-id = "python"
canary = { text = "def", code = "invalid-syntax" }
"#;

/// The same, without a server: a command of the project's own configuration proves it.
const RECIPES_BY_TOOL: &str = r#"
[[languages]]
name = "recipes"
extensions = ["recipe"]
anywhere = true

[[languages.tools]]
name = "recipe check"
command = ["ruff", "check", "--no-cache", "--quiet", "--output-format", "concise", "--extension", "recipe:python", "."]
output = "gnu"
purpose = "check"
covers = "everything"
"#;

const PIE: &str = "def bake(minutes):\n    return minutes * 60\n";

#[tokio::test]
async fn a_language_is_proved_by_configuration_alone() {
    for configuration in [RECIPES, RECIPES_BY_TOOL] {
        let files = [("pie.recipe", PIE), ("ruff.toml", "extend-include = [\"*.recipe\"]\n")];
        let mut project = Project::new(&files, &[tools::python()]);
        let change = || vec![edit("pie.recipe", "minutes * 60", "60 * minutes")];
        let unknown = check(&project.gate(), change()).await;
        assert!(unknown.report.stages.iter().all(|stage| stage.tools.is_empty()));

        project.settings.additions = toml::from_str(configuration).unwrap();
        let gate = project.gate();
        let good = check(&gate, change()).await;
        accepted(&good);
        let asked = good.report.stages.iter().flat_map(|stage| &stage.tools);
        assert!(asked.into_iter().any(|tool| tool.starts_with("ruff")), "{:#?}", good.report);
        let undefined = edit("pie.recipe", "minutes * 60", "minute * 60");
        refused_at(&check(&gate, vec![undefined]).await, "pie.recipe", 2);
        let broken = edit("pie.recipe", "minutes * 60", "minutes *");
        refused_at(&check(&gate, vec![broken]).await, "pie.recipe", 2);
    }
}

#[tokio::test]
#[cfg(unix)]
async fn a_project_command_is_asked_where_its_sign_stands() {
    let configuration = r#"
[[languages]]
name = "rust"
[[languages.tools]]
name = "no tabs"
command = ["./tools/no-tabs"]
output = "gnu"
purpose = "check"
covers = "nothing"
when = [{ file = "no-tabs.txt" }]
"#;
    let script = "#!/bin/sh\ngrep -n '\t' src/*.rs /dev/null | sed 's/^\\([^:]*:[0-9]*\\):.*/\\1: error: a tab/'\n";
    let manifest = MANIFEST.split("[lints").next().unwrap();
    let files = [
        ("Cargo.toml", manifest),
        ("src/lib.rs", "pub fn one() -> u8 {\n    1\n}\n"),
        ("tools/no-tabs", script),
        ("no-tabs.txt", ""),
    ];
    let mut project = Project::new(&files, &[]);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let place = project.root.join("tools/no-tabs");
        fs::set_permissions(place, fs::Permissions::from_mode(0o755)).unwrap();
    }
    project.settings.servers = None;
    project.settings.additions = toml::from_str(configuration).unwrap();
    let gate = project.gate();
    accepted(&check(&gate, vec![edit("src/lib.rs", "    1", "    2")]).await);
    refused_at(&check(&gate, vec![edit("src/lib.rs", "    1", "\t2")]).await, "src/lib.rs", 2);
}

const REFERENCED: &str = r#"{ "compilerOptions": { "composite": true, "strict": true, "outDir": "dist", "module": "nodenext", "target": "es2022", "types": [] }, "include": ["src"] "#;

/// A solution: the `tsconfig.json` at the root has no files and refers to two projects.
#[tokio::test]
async fn projects_that_a_tsconfig_refers_to_are_proved() {
    let one = format!("{REFERENCED}}}");
    let two =
        format!("{REFERENCED}, \"references\": [{{ \"path\": \"../one/tsconfig.lib.json\" }}] }}");
    let files = [
        ("package.json", PACKAGE),
        (
            "tsconfig.json",
            r#"{ "files": [], "references": [{ "path": "./one/tsconfig.lib.json" }, { "path": "./two" }] }"#,
        ),
        ("one/tsconfig.lib.json", one.as_str()),
        ("one/src/a.ts", "export function a(x: number): number {\n  return x;\n}\n"),
        ("two/tsconfig.json", two.as_str()),
        ("two/src/b.ts", "export const b: number = 1;\n"),
    ];
    let mut project = Project::new(&files, &[typescript()]);
    project.settings.servers = None;
    let gate = project.gate();
    accepted(&check(&gate, vec![edit("one/src/a.ts", "return x", "return x + 1")]).await);
    let wrong = check(&gate, vec![edit("one/src/a.ts", "return x", "return \"\"")]).await;
    refused_at(&wrong, "one/src/a.ts", 2);
    accepted(&check(&gate, vec![edit("two/src/b.ts", "= 1", "= 2")]).await);
    let config = check(&gate, vec![edit("one/tsconfig.lib.json", "\"src\"", "\"lost\"")]).await;
    assert_ne!(config.report.verdict, Verdict::Accepted, "{:#?}", config.report);
    // What a project takes from another one has no types as long as that one is not built.
    let import = "import { a } from \"../../one/src/a.js\";\nexport const b: number = a(1)";
    let across =
        check(&gate, vec![edit("two/src/b.ts", "export const b: number = 1", import)]).await;
    assert_ne!(across.report.verdict, Verdict::Accepted, "{:#?}", across.report);
}

#[tokio::test]
async fn packages_of_the_projects_own_python_are_found() {
    let project = Project::new(&python_files(), &[pyright(), tools::python()]);
    let python = tools::python().join(if cfg!(windows) { "python.exe" } else { "python" });
    let made = Command::new(python)
        .args(["-m", "venv", "--without-pip", ".venv"])
        .current_dir(&project.root)
        .status();
    assert!(made.unwrap().success());
    let packages = if cfg!(windows) {
        project.root.join(".venv/Lib/site-packages")
    } else {
        let versions = fs::read_dir(project.root.join(".venv/lib")).unwrap();
        versions.flatten().next().unwrap().path().join("site-packages")
    };
    fs::write(packages.join("taxes.py"), "def tax(price: int) -> int:\n    return price\n")
        .unwrap();
    fs::write(project.root.join(".gitignore"), ".venv\n").unwrap();
    let gate = project.gate();
    let taxed =
        "from taxes import tax\n\n\ndef price(name: str) -> int:\n    return tax(len(name))\n";
    let write =
        |text: &str| Change::Write { path: path("shop/prices.py"), content: text.to_owned() };
    let good = check(&gate, vec![write(taxed)]).await;
    accepted(&good);
    servers_answered(&good);
    let unknown = taxed.replace("from taxes", "from toxes");
    refused_at(&check(&gate, vec![write(&unknown)]).await, "shop/prices.py", 1);
}

#[test]
fn the_doctor_knows_every_language_and_those_of_the_configuration() {
    let folder = tempfile::tempdir().unwrap();
    let configuration = folder.path().join("config.toml");
    let text = RECIPES.replace("[[languages", "[[gate.languages");
    fs::write(&configuration, text).unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_orchestrator"))
        .arg("doctor")
        .current_dir(folder.path())
        .env("ORCHESTRATOR_CONFIG", configuration)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    for subject in ["go: gopls", "python: pyright", "javascript: node", "recipes: ruff"] {
        assert!(said.contains(subject), "{said}");
    }
}
