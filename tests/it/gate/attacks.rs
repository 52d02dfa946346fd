//! Ways to get a wrong change past the gate, or a right one refused; each was open once.

use super::*;

#[cfg(unix)]
#[tokio::test]
async fn a_link_is_never_taken_for_the_file_behind_it() -> Outcome {
    use std::os::unix::fs::symlink;
    let project = Project::tiny()?;
    fs::create_dir_all(project.root.join(".git/hooks"))?;
    symlink("shapes.rs", project.root.join("src/forms.rs"))?;
    symlink(".git/hooks", project.root.join("hooks"))?;
    for change in [
        Change::Delete { path: path("src/forms.rs") },
        Change::Rename { path: path("src/forms.rs"), to: path("src/more.rs") },
        edit("src/forms.rs", "side * side", "side + side"),
        write("hooks/pre-commit", "#!/bin/sh\n"),
    ] {
        refused_by(&project.check(vec![change]).await?, Stage::Apply);
    }
    // A module behind a link is the file that it leads to, before the change and after it.
    let project = Project::tiny()?;
    fs::create_dir(project.root.join("shared"))?;
    fs::write(project.root.join("shared/deep.rs"), "pub fn one() -> u32 {\n    1\n}\n")?;
    symlink("../shared", project.root.join("src/shared"))?;
    let lib = format!("#[path = \"shared/deep.rs\"]\npub mod deep;\n{LIB}");
    fs::write(project.root.join("src/lib.rs"), lib)?;
    let wrong = edit("shared/deep.rs", "    1\n", "    \"1\"\n");
    refused_by(&project.check(vec![wrong]).await?, Stage::Tools);
    Ok(())
}

#[tokio::test]
async fn what_the_change_breaks_behind_a_mended_error_is_new() -> Outcome {
    let lib = format!("mod bad;\n{LIB}");
    let project = Project::new(&[
        ("Cargo.toml", MANIFEST),
        ("src/lib.rs", &lib),
        ("src/shapes.rs", SHAPES),
        ("src/bad.rs", "fn bad( {}\n"),
    ])?;
    let mend = edit("src/bad.rs", "fn bad( {}", "pub fn bad() {}");
    let signature = edit("src/shapes.rs", "side: u32)", "side: u32, height: u32)");
    refused_by(&project.check(vec![mend.clone(), signature]).await?, Stage::Tools);
    let delete = Change::Delete { path: path("src/shapes.rs") };
    refused_by(&project.check(vec![mend.clone(), delete]).await?, Stage::Tools);
    accepted(&project.check(vec![mend]).await?);
    // The same behind a manifest that cannot be read.
    let broken = MANIFEST.replace("\"0.1.0\"", "");
    let project =
        Project::new(&[("Cargo.toml", &broken), ("src/lib.rs", LIB), ("src/shapes.rs", SHAPES)])?;
    let mend = edit("Cargo.toml", "version = ", "version = \"0.2.0\"");
    let signature = edit("src/shapes.rs", "side: u32)", "side: u32, height: u32)");
    refused_by(&project.check(vec![mend, signature]).await?, Stage::Tools);
    Ok(())
}

#[tokio::test]
async fn a_dependency_file_of_a_run_before_proves_nothing() -> Outcome {
    let project = Project::tiny()?;
    let gate = project.gate()?;
    let none = OpenTexts::new();
    let linked = ChangeSet {
        changes: vec![
            write("src/more.rs", "pub fn more() -> u32 {\n    1\n}\n"),
            edit("src/lib.rs", "mod shapes;", "pub mod more;\nmod shapes;"),
        ],
    };
    accepted(&gate.check(&linked, &none).await?);
    // Meanwhile the user's tree is broken so that the compiler stops early; the module is linked no more.
    fs::write(project.root.join("src/lib.rs"), format!("include!(\"gone.rs\");\n{LIB}"))?;
    let orphan =
        ChangeSet { changes: vec![write("src/more.rs", "pub fn more() -> u32 {\n    \"1\"\n}\n")] };
    let checked = gate.check(&orphan, &none).await?;
    assert_eq!(checked.report.verdict, Verdict::Unverified, "{:#?}", checked.report);
    let wrong = ChangeSet { changes: vec![edit("src/lib.rs", "a + b", "a + \"b\"")] };
    let checked = gate.check(&wrong, &none).await?;
    assert_eq!(checked.report.verdict, Verdict::Unverified, "{:#?}", checked.report);
    // An error without a code that stops nothing keeps nobody from anything.
    fs::write(project.root.join("src/lib.rs"), format!("compile_error!(\"later\");\n{LIB}"))?;
    accepted(
        &gate
            .check(&ChangeSet { changes: vec![edit("src/lib.rs", "a + b", "b + a")] }, &none)
            .await?,
    );
    refused_by(&gate.check(&wrong, &none).await?, Stage::Tools);
    Ok(())
}

#[tokio::test]
async fn a_build_script_that_fails_beside_an_old_error_is_seen() -> Outcome {
    let member = |name: &str| {
        format!("[package]\nname = \"{name}\"\nversion = \"0.1.0\"\nedition = \"2021\"\n")
    };
    let project = Project::new(&[
        ("Cargo.toml", "[workspace]\nmembers = [\"old\", \"scripted\"]\nresolver = \"2\"\n"),
        ("old/Cargo.toml", &member("old")),
        ("old/src/lib.rs", "pub fn old() -> u32 {\n    \"\"\n}\n"),
        ("scripted/Cargo.toml", &member("scripted")),
        ("scripted/src/lib.rs", "pub fn new() {}\n"),
        ("scripted/build.rs", "fn main() {\n    let n = 1;\n    println!(\"{n}\");\n}\n"),
    ])?;
    let fails = edit("scripted/build.rs", "let n = 1;", "let n = std::env::var(\"NO\").unwrap();");
    refused_by(&project.check(vec![fails]).await?, Stage::Tools);
    accepted(&project.check(vec![edit("scripted/build.rs", "let n = 1;", "let n = 2;")]).await?);
    Ok(())
}

#[tokio::test]
async fn projects_inside_of_projects_are_asked_too() -> Outcome {
    let excluding = format!("{MANIFEST}\n[workspace]\nexclude = [\"fuzz\", \"broken\"]\n");
    let fuzz = "[package]\nname = \"fuzz\"\nversion = \"0.1.0\"\nedition = \"2021\"\n[dependencies]\ntiny = { path = \"..\" }\n[workspace]\n";
    let project = Project::new(&[
        ("Cargo.toml", &excluding),
        ("src/lib.rs", LIB),
        ("src/shapes.rs", SHAPES),
        ("fuzz/Cargo.toml", fuzz),
        ("fuzz/src/lib.rs", "pub fn fuzz() -> u32 {\n    tiny::total(1, 2)\n}\n"),
        // A fixture that is broken on purpose; nobody is to be kept from anything by it.
        ("broken/Cargo.toml", "[package]\nname = \"..\"\n"),
    ])?;
    let gate = project.gate()?;
    let none = OpenTexts::new();
    let cases = [
        (edit("src/lib.rs", "a + b", "b + a"), true),
        (edit("fuzz/src/lib.rs", "(1, 2)", "(2, 1)"), true),
        (edit("fuzz/src/lib.rs", "(1, 2)", "(1, \"2\")"), false),
        (edit("fuzz/Cargo.toml", "path = \"..\"", "path = \"../gone\""), false),
        // Only the excluded project calls it with two arguments.
        (
            edit(
                "src/lib.rs",
                "total(a: u32, b: u32) -> u32 {\n    a + b",
                "total(a: u32) -> u32 {\n    a",
            ),
            false,
        ),
    ];
    for (change, sound) in cases {
        let checked = gate.check(&ChangeSet { changes: vec![change] }, &none).await?;
        match sound {
            true => accepted(&checked),
            false => refused_by(&checked, Stage::Tools),
        }
    }
    let mut project = Project::new(&[
        ("tsconfig.json", "{ \"extends\": \"./base.json\", \"include\": [\"scripts\"] }\n"),
        ("scripts/run.ts", "export const run = 1;\n"),
        ("base.json", TSCONFIG),
        ("a/tsconfig.json", "{ \"extends\": \"../base.json\", \"include\": [\".\"] }\n"),
        ("a/sum.ts", "export const sum = (a: number): number => a;\n"),
        ("b/tsconfig.json", "{ \"extends\": \"../base.json\", \"include\": [\".\"] }\n"),
        ("b/use.ts", "import { sum } from \"../a/sum\";\nexport const one = sum(1);\n"),
    ])?;
    project.settings.path = Some(path_with_typescript()?);
    accepted(&project.check(vec![edit("a/sum.ts", "=> a", "=> a + 1")]).await?);
    refused_by(
        &project.check(vec![edit("a/sum.ts", "(a: number)", "(a: string)")]).await?,
        Stage::Tools,
    );
    refused_by(&project.check(vec![edit("b/use.ts", "sum(1)", "sum(\"1\")")]).await?, Stage::Tools);
    Ok(())
}

#[tokio::test]
async fn code_behind_a_condition_is_compiled_or_not_accepted() -> Outcome {
    let manifest = format!("{MANIFEST}[features]\nmore = []\n");
    let lib = "#[cfg(feature = \"more\")]\npub fn more() -> u32 {\n    1\n}\n\n#[cfg(not(feature = \"more\"))]\npub fn less() -> u32 {\n    5\n}\n\n#[cfg(target_os = \"none\")]\npub fn none() -> u32 {\n    2\n}\n\n#[cfg(test)]\nmod tests {\n    #[test]\n    fn three() {\n        assert_eq!(3, 3);\n    }\n}\n";
    let project = Project::new(&[("Cargo.toml", &manifest), ("src/lib.rs", lib)])?;
    let gate = project.gate()?;
    let none = OpenTexts::new();
    for (old, new, verdict) in [
        ("    1\n", "    4\n", Verdict::Accepted),
        ("    1\n", "    \"1\"\n", Verdict::Refused),
        ("    5\n", "    6\n", Verdict::Accepted),
        ("    5\n", "    \"5\"\n", Verdict::Refused),
        ("    2\n", "    \"2\"\n", Verdict::Unverified),
        ("(3, 3)", "(3, 4)", Verdict::Accepted),
        ("(3, 3)", "(3, \"3\")", Verdict::Refused),
    ] {
        let change = ChangeSet { changes: vec![edit("src/lib.rs", old, new)] };
        let checked = gate.check(&change, &none).await?;
        assert_eq!(checked.report.verdict, verdict, "{new}: {:#?}", checked.report);
    }
    Ok(())
}

#[tokio::test]
async fn what_lies_above_the_root_is_found_or_named() -> Outcome {
    let manifest = format!("{MANIFEST}[dependencies]\nother = {{ path = \"../other\" }}\n");
    let project =
        Project::new(&[("Cargo.toml", &manifest), ("src/lib.rs", LIB), ("src/shapes.rs", SHAPES)])?;
    let checked = project.check(vec![edit("src/lib.rs", "a + b", "b + a")]).await?;
    assert_eq!(checked.report.verdict, Verdict::Unverified, "{:#?}", checked.report);
    let tools =
        checked.report.stages.iter().find(|stage| stage.stage == Stage::Tools).ok_or("tools")?;
    assert!(tools.detail.contains("open the outer folder"), "{}", tools.detail);
    // Packages that are installed above the root are the project's too.
    let project = typescript()?;
    let installed = project.root.join("../node_modules/outer");
    fs::create_dir_all(&installed)?;
    fs::write(
        installed.join("package.json"),
        "{ \"name\": \"outer\", \"types\": \"index.d.ts\" }\n",
    )?;
    fs::write(installed.join("index.d.ts"), "export const outer: number;\n")?;
    let uses = |text: &str| {
        vec![write(
            "src/more.ts",
            &format!("import {{ outer }} from \"outer\";\nexport const more: {text} = outer;\n"),
        )]
    };
    accepted(&project.check(uses("number")).await?);
    let checked = project.check(uses("string")).await?;
    refused_by(&checked, Stage::Tools);
    assert_eq!(checked.report.problems[0].diagnostic.code.as_deref(), Some("TS2322"));
    Ok(())
}

#[tokio::test]
async fn a_manifest_that_turns_the_tests_off_is_refused() -> Outcome {
    let project = Project::tiny()?;
    let off = write("Cargo.toml", &format!("{MANIFEST}\n[lib]\ntest = false\n"));
    refused_by(&project.check(vec![off]).await?, Stage::Rules);
    let package =
        |test: &str| format!("{{\"name\": \"a\", \"scripts\": {{\"test\": \"{test}\"}}}}\n");
    let project = Project::new(&[("package.json", &package("node --test"))])?;
    let idle = write("package.json", &package("exit 0"));
    refused_by(&project.check(vec![idle]).await?, Stage::Rules);
    Ok(())
}
