//! Wrong changes that were taken for right ones, and the reverse, because somebody was not asked; each was open once.

use super::*;

/// A TypeScript project whose server is the compiler, so that the compiler is not run once more.
fn with_compiler_server(files: &[(&str, &str)]) -> Result<Project, Box<dyn std::error::Error>> {
    let mut all = vec![("tsconfig.json", TSCONFIG)];
    all.retain(|(name, _)| files.iter().all(|(own, _)| own != name));
    all.extend_from_slice(files);
    let mut project = Project::new(&all)?;
    project.settings.path = Some(path_with_typescript()?);
    project.settings.repair_rounds = 0;
    Ok(with_servers(project, Some(path_with_typescript()?)))
}

#[tokio::test]
async fn code_that_is_commented_out_is_seen_by_those_who_use_it() -> Outcome {
    let shape = "export interface Shape {\n  width: number;\n  height: number;\n}\n";
    let area = "import type { Shape } from \"./shape\";\n\nexport const area = (s: Shape): number => s.width * s.height;\n";
    let project = with_compiler_server(&[("src/shape.ts", shape), ("src/area.ts", area)])?;
    let hidden = shape.replace("  height: number;\n", "/*\n  height: number;\n*/\n");
    refused_by(&project.check(vec![write("src/shape.ts", &hidden)]).await?, Stage::Servers);
    Ok(())
}

#[tokio::test]
async fn scripts_with_namespaces_reach_all() -> Outcome {
    let app = "namespace App {\n  export const width: number = 1;\n}\n";
    let project = with_compiler_server(&[
        ("src/app.ts", app),
        ("src/main.ts", "const double: number = App.width * 2;\n"),
    ])?;
    let wrong = edit("src/app.ts", "width: number = 1", "width: string = \"1\"");
    refused_by(&project.check(vec![wrong]).await?, Stage::Servers);
    Ok(())
}

#[tokio::test]
async fn a_file_of_no_language_beside_a_source_reaches_those_who_import_it() -> Outcome {
    let config = TSCONFIG
        .replace("\"strict\"", "\"resolveJsonModule\": true, \"module\": \"preserve\", \"strict\"");
    let project = with_compiler_server(&[
        ("tsconfig.json", &config),
        ("src/data.json", "{ \"width\": 1 }\n"),
        (
            "src/use.ts",
            "import data from \"./data.json\";\n\nexport const width: number = data.width;\n",
        ),
        ("src/other.ts", "export const other = 1;\n"),
    ])?;
    let wrong = vec![
        edit("src/data.json", "width", "height"),
        edit("src/other.ts", "other = 1", "other = 2"),
    ];
    let checked = project.check(wrong).await?;
    assert_eq!(checked.report.verdict, Verdict::Refused, "{:#?}", checked.report);
    Ok(())
}

#[tokio::test]
async fn what_an_import_brings_for_all_is_gone_for_all_with_it() -> Outcome {
    let config =
        TSCONFIG.replace("\"include\": [\"src\"]", "\"files\": [\"src/main.ts\", \"src/use.ts\"]");
    let main = "import \"./globals\";\n\nexport const main = 1;\n";
    let project = with_compiler_server(&[
        ("tsconfig.json", &config),
        ("src/globals.ts", "declare global {\n  const VERSION: string;\n}\n\nexport {};\n"),
        ("src/main.ts", main),
        ("src/use.ts", "export const shout: string = VERSION.toUpperCase();\n"),
    ])?;
    let wrong = edit("src/main.ts", "import \"./globals\";\n\n", "");
    let checked = project.check(vec![wrong]).await?;
    assert_eq!(checked.report.verdict, Verdict::Refused, "{:#?}", checked.report);
    let reference =
        main.replace("import \"./globals\";", "/// <reference path=\"./globals.ts\" />");
    fs::write(project.root.join("src/main.ts"), &reference)?;
    let wrong = edit("src/main.ts", "/// <reference path=\"./globals.ts\" />\n", "");
    let checked = project.check(vec![wrong]).await?;
    assert_eq!(checked.report.verdict, Verdict::Refused, "{:#?}", checked.report);
    Ok(())
}

#[tokio::test]
async fn what_falls_out_of_the_project_with_an_import_is_told() -> Outcome {
    let config = TSCONFIG.replace("\"include\": [\"src\"]", "\"files\": [\"src/main.ts\"]");
    let project = with_compiler_server(&[
        ("tsconfig.json", &config),
        ("src/part.ts", "export const part: number = 1;\n"),
        ("src/main.ts", "import { part } from \"./part\";\n\nexport const main = part;\n"),
    ])?;
    let narrowed = edit(
        "src/main.ts",
        "import { part } from \"./part\";\n\nexport const main = part;",
        "export const main = 1;",
    );
    let checked = project.check(vec![narrowed]).await?;
    assert_eq!(checked.report.verdict, Verdict::Refused, "{:#?}", checked.report);
    Ok(())
}

#[tokio::test]
async fn the_compiler_is_asked_afresh_where_it_remembers_wrongly() -> Outcome {
    let globals = "declare const VERSION: string;\n";
    let project = Project::new(&[
        ("tsconfig.json", TSCONFIG),
        ("src/globals.ts", globals),
        ("src/use.ts", "export const shout: string = VERSION.toUpperCase();\n"),
    ])?;
    let settings = Settings { path: Some(path_with_typescript()?), ..project.settings.clone() };
    let gate = Gate::open(&project.root, settings)?;
    let check = async |text: &str| {
        let change = ChangeSet { changes: vec![write("src/globals.ts", text)] };
        gate.check(&change, &OpenTexts::new()).await
    };
    refused_by(&check("declare const VERSION: number;\n").await?, Stage::Tools);
    refused_by(&check("declare const OTHER: number;\n").await?, Stage::Tools);
    accepted(&check(&format!("// The version.\n{globals}")).await?);
    Ok(())
}

#[tokio::test]
async fn an_extended_description_may_hold_aliases() -> Outcome {
    let config = "{ \"extends\": \"./shared/base.json\", \"include\": [\"src\"] }\n";
    let base = "{ \"compilerOptions\": { \"strict\": true, \"noEmit\": true, \"types\": [], \"module\": \"preserve\", \"paths\": { \"sum\": [\"../src/add.ts\"] } } }\n";
    let project = with_compiler_server(&[
        ("tsconfig.json", config),
        ("shared/base.json", base),
        ("src/add.ts", TS_ADD),
        ("src/use.ts", "import { add } from \"sum\";\n\nexport const three: number = add(1, 2);\n"),
    ])?;
    let wrong = edit("src/add.ts", "b: number", "b: string");
    let checked = project.check(vec![wrong]).await?;
    assert_eq!(checked.report.verdict, Verdict::Refused, "{:#?}", checked.report);
    Ok(())
}

const TS_ADD: &str =
    "export function add(a: number, b: number): number {\n  return a + Number(b);\n}\n";

/// A program in place of cargo that fails while a file stands beside it, and is cargo else.
#[cfg(unix)]
fn moody_cargo(project: &mut Project) -> Result<PathBuf, Box<dyn std::error::Error>> {
    use std::os::unix::fs::PermissionsExt;
    let folder = project.root.parent().ok_or("below a folder")?.join("bin");
    fs::create_dir_all(&folder)?;
    let own = std::env::var_os("PATH").unwrap_or_default();
    let real = std::env::split_paths(&own).map(|dir| dir.join("cargo")).find(|file| file.is_file());
    let (place, moody) = (folder.join("cargo"), folder.join("moody"));
    let real = real.ok_or("cargo")?;
    let script = format!(
        "#!/bin/sh\nif [ \"$1\" = check ] && [ -e '{moody}' ]; then echo 'error: out of sorts' >&2; exit 101; fi\nexec '{real}' \"$@\"\n",
        moody = moody.display(),
        real = real.display()
    );
    fs::write(&place, script)?;
    fs::set_permissions(&place, fs::Permissions::from_mode(0o755))?;
    let path = std::iter::once(folder).chain(std::env::split_paths(&own));
    project.settings.path = Some(std::env::join_paths(path)?);
    Ok(moody)
}

#[cfg(unix)]
#[tokio::test]
async fn a_tool_that_failed_for_reasons_of_its_own_hides_nothing() -> Outcome {
    let mut project = Project::tiny()?;
    let moody = moody_cargo(&mut project)?;
    let gate = project.gate()?;
    let check = async |old: &str, new: &str| {
        let change = ChangeSet { changes: vec![edit("src/shapes.rs", old, new)] };
        gate.check(&change, &OpenTexts::new()).await
    };
    fs::write(&moody, "")?;
    let checked = check("side * side", "side * side * 1").await?;
    assert_eq!(checked.report.verdict, Verdict::Unverified, "{:#?}", checked.report);
    fs::remove_file(&moody)?;
    // The caller of what changes is in another file.
    refused_by(&check("side: u32)", "side: u32, height: u32)").await?, Stage::Tools);
    accepted(&check("side * side", "side * side * 1").await?);
    Ok(())
}

#[tokio::test]
async fn a_tool_that_is_cut_short_accepts_nothing_that_it_compiles() -> Outcome {
    let mut project = Project::new(&[
        ("Cargo.toml", MANIFEST),
        ("src/lib.rs", "include!(\"more.inc\");\n"),
        ("src/more.inc", "pub fn more() -> u32 {\n    1\n}\n"),
    ])?;
    let wrong = || vec![edit("src/more.inc", "    1\n", "    \"1\"\n")];
    refused_by(&project.check(wrong()).await?, Stage::Tools);
    project.settings.tool_deadline = Duration::from_millis(1);
    let checked = project.check(wrong()).await?;
    assert_eq!(checked.report.verdict, Verdict::Unverified, "{:#?}", checked.report);
    Ok(())
}

#[tokio::test]
async fn a_test_that_fails_for_ever_excuses_no_other() -> Outcome {
    let tests = |body: &str| format!("#[test]\nfn works() {{\n    {body}\n}}\n");
    let project = Project::new(&[
        ("Cargo.toml", MANIFEST),
        ("src/lib.rs", ""),
        ("tests/a.rs", &tests("assert_eq!(1, 2);")),
        ("tests/b.rs", &tests("assert_eq!(1, 1);")),
    ])?;
    let gate = project.gate()?;
    let none = OpenTexts::new();
    let baseline = gate.baseline(&none).await?;
    let is = async || gate.tests(&none, &baseline).await.map(|stage| stage.verdict);
    assert_eq!(is().await?, StageVerdict::Passed);
    // One of the same name.
    fs::write(project.root.join("tests/b.rs"), tests("assert_eq!(1, 3);"))?;
    assert_eq!(is().await?, StageVerdict::Refused);
    // One that takes the others of its binary along.
    fs::write(project.root.join("tests/b.rs"), tests("std::process::abort();"))?;
    assert_eq!(is().await?, StageVerdict::Refused);
    Ok(())
}

#[tokio::test]
async fn tests_that_are_not_run_any_more_do_not_pass() -> Outcome {
    let package = "{ \"type\": \"module\", \"scripts\": { \"test\": \"node --test\" } }\n";
    let test = "import { test } from \"node:test\";\n\ntest(\"works\", () => {});\n";
    let project = Project::new(&[("package.json", package), ("a.test.js", test)])?;
    let gate = project.gate()?;
    let none = OpenTexts::new();
    let baseline = gate.baseline(&none).await?;
    let is = async || gate.tests(&none, &baseline).await.map(|stage| stage.verdict);
    assert_eq!(is().await?, StageVerdict::Passed);
    for script in [package.replace("node --test", "node --version"), "{}\n".to_owned()] {
        fs::write(project.root.join("package.json"), script)?;
        assert_eq!(is().await?, StageVerdict::Unverified);
    }
    Ok(())
}

#[tokio::test]
async fn what_was_said_with_other_packages_installed_is_forgotten() -> Outcome {
    let kit = "node_modules/kit/index.d.ts";
    let project = with_compiler_server(&[
        ("package.json", "{}\n"),
        (kit, "export const width: number;\n"),
        ("src/a.ts", "import { width } from \"kit\";\n\nexport const a: number = width;\n"),
    ])?;
    let gate = project.gate()?;
    let check = async |name: &str| {
        let text =
            format!("import {{ {name} }} from \"kit\";\n\nexport const b: number = {name};\n");
        let change = ChangeSet { changes: vec![write("src/a.ts", &text)] };
        gate.check(&change, &OpenTexts::new()).await
    };
    accepted(&check("width").await?);
    refused_by(&check("height").await?, Stage::Servers);
    fs::write(project.root.join(kit), "export const height: number;\n")?;
    fs::write(project.root.join("node_modules/.package-lock.json"), "{}\n")?;
    accepted(&check("height").await?);
    Ok(())
}
