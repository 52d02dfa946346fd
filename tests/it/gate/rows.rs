//! What other tools miss, row by row (docs/benchmarks.md has the comparison): each a test, in Rust and in TypeScript, with
//! the real servers and compilers.

use super::*;

/// A project in one of the two languages, with the same shape: `sum` is defined in one file, used in two others, and a
/// fourth has had an error for ever.
struct Row {
    project: Project,
    definition: &'static str,
    text: &'static str,
    first: &'static str,
    second: &'static str,
    flawed: &'static str,
}

const RUST_SUM: &str = "pub fn sum(a: u32, b: u32) -> u32 {\n    a + b\n}\n";
const TS_SUM: &str = "export function sum(a: number, b: number): number {\n  return a + b;\n}\n";

fn rust() -> Result<Row, Box<dyn std::error::Error>> {
    tools::rust_analyzer();
    let use_sum = "pub fn three() -> u32 {\n    crate::sum::sum(1, 2)\n}\n";
    let project = Project::new(&[
        ("Cargo.toml", MANIFEST),
        ("src/lib.rs", "pub mod first;\npub mod flawed;\npub mod second;\npub mod sum;\n"),
        ("src/sum.rs", RUST_SUM),
        ("src/first.rs", use_sum),
        ("src/second.rs", use_sum),
        (
            "src/flawed.rs",
            "pub fn old() -> u32 {\n    \"one\"\n}\n\npub fn other() -> u32 {\n    2\n}\n",
        ),
    ])?;
    Ok(Row {
        project: with_servers(project, None),
        definition: "src/sum.rs",
        text: RUST_SUM,
        first: "src/first.rs",
        second: "src/second.rs",
        flawed: "src/flawed.rs",
    })
}

fn ts() -> Result<Row, Box<dyn std::error::Error>> {
    let use_sum = "import { sum } from \"./sum\";\n\nexport const three = sum(1, 2);\n";
    let mut project = Project::new(&[
        ("tsconfig.json", TSCONFIG),
        ("src/sum.ts", TS_SUM),
        ("src/first.ts", use_sum),
        ("src/second.ts", use_sum),
        (
            "src/flawed.ts",
            "export const old: number = \"one\";\n\nexport const other: number = 2;\n",
        ),
    ])?;
    project.settings.path = Some(path_with_typescript()?);
    Ok(Row {
        project: with_servers(project, Some(path_with_typescript()?)),
        definition: "src/sum.ts",
        text: TS_SUM,
        first: "src/first.ts",
        second: "src/second.ts",
        flawed: "src/flawed.ts",
    })
}

fn rows() -> Result<[Row; 2], Box<dyn std::error::Error>> {
    let mut rows = [rust()?, ts()?];
    // What is wrong is to be refused, not mended.
    rows.iter_mut().for_each(|row| row.project.settings.repair_rounds = 0);
    Ok(rows)
}

impl Row {
    /// The definition with a part of it replaced.
    fn define(&self, old: &str, new: &str) -> Change {
        assert!(self.text.contains(old), "{old}");
        write(self.definition, &self.text.replace(old, new))
    }

    fn is_rust(&self) -> bool {
        self.definition.ends_with("rs")
    }

    async fn check_all(&self, rows: Vec<(Vec<Change>, Verdict)>) -> Outcome {
        let gate = self.project.gate()?;
        for (changes, verdict) in rows {
            let said = format!("{changes:#?}");
            let checked = gate.check(&ChangeSet { changes }, &OpenTexts::new()).await?;
            assert_eq!(checked.report.verdict, verdict, "{said}\n{:#?}", checked.report);
        }
        Ok(())
    }
}

#[tokio::test]
async fn a_warm_verdict_is_right_for_bad_and_good_edits() -> Outcome {
    for row in rows()? {
        let good = vec![row.define("a + b", "b + a")];
        let bad = vec![row.define("a + b", "\"a\"")];
        row.check_all(vec![
            (good.clone(), Verdict::Accepted),
            (bad.clone(), Verdict::Refused),
            (good, Verdict::Accepted),
            (bad, Verdict::Refused),
        ])
        .await?;
    }
    Ok(())
}

#[tokio::test]
async fn a_signature_that_changes_under_its_callers_is_refused() -> Outcome {
    for row in rows()? {
        let parameter = if row.is_rust() { "b: u32, _c: u32)" } else { "b: number, c: number)" };
        let old = if row.is_rust() { "b: u32)" } else { "b: number)" };
        row.check_all(vec![(vec![row.define(old, parameter)], Verdict::Refused)]).await?;
    }
    Ok(())
}

/// The caller exists in the editor only.
#[tokio::test]
async fn a_caller_in_unsaved_text_counts() -> Outcome {
    for row in rows()? {
        let gate = row.project.gate()?;
        for caller in [row.first, row.second] {
            fs::write(row.project.root.join(caller), "\n")?;
        }
        let change = ChangeSet { changes: vec![row.define("sum(", "add(")] };
        accepted(&gate.check(&change, &OpenTexts::new()).await?);
        let text = if row.is_rust() {
            "pub fn six() -> u32 {\n    crate::sum::sum(2, 4)\n}\n"
        } else {
            "import { sum } from \"./sum\";\nexport const six = sum(2, 4);\n"
        };
        let open = OpenText { version: 7, text: text.to_owned() };
        let open = OpenTexts::from([(path(row.first), open)]);
        let checked = gate.check(&change, &open).await?;
        assert_eq!(checked.report.verdict, Verdict::Refused, "{:#?}", checked.report);
        let problem = &checked.report.problems[0].diagnostic;
        let named = problem.path.as_str() == row.first || problem.message.contains(row.first);
        assert!(named, "{problem:#?}");
    }
    Ok(())
}

#[tokio::test]
async fn a_symbol_renamed_at_its_definition_only_is_refused() -> Outcome {
    for row in rows()? {
        let renamed = row.define("sum(", "add(");
        let callers = |files: &[&str]| {
            let call = |file: &&str| {
                let text = fs::read_to_string(row.project.root.join(file)).unwrap_or_default();
                write(
                    file,
                    &text
                        .replace("::sum(", "::add(")
                        .replace("{ sum }", "{ add }")
                        .replace("= sum(", "= add("),
                )
            };
            files.iter().map(call).collect::<Vec<_>>()
        };
        let alone = vec![renamed.clone()];
        let mut one_forgotten = vec![renamed.clone()];
        one_forgotten.extend(callers(&[row.first]));
        let mut whole = vec![renamed];
        whole.extend(callers(&[row.first, row.second]));
        row.check_all(vec![
            (alone, Verdict::Refused),
            (one_forgotten, Verdict::Refused),
            (whole, Verdict::Accepted),
        ])
        .await?;
    }
    Ok(())
}

#[tokio::test]
async fn a_file_that_is_emptied_or_deleted_while_used_is_refused() -> Outcome {
    for row in rows()? {
        row.check_all(vec![
            (vec![write(row.definition, "\n")], Verdict::Refused),
            (vec![Change::Delete { path: path(row.definition) }], Verdict::Refused),
        ])
        .await?;
    }
    Ok(())
}

#[tokio::test]
async fn a_new_file_is_judged_and_one_that_nobody_compiles_is_not_proved() -> Outcome {
    let ts = ts()?;
    ts.check_all(vec![
        (vec![write("src/new.ts", "export const one: number = 1;\n")], Verdict::Accepted),
        (vec![write("src/new.ts", "export const one: number = \"1\";\n")], Verdict::Refused),
    ])
    .await?;
    let rust = rust()?;
    let gate = rust.project.gate()?;
    let unlinked =
        ChangeSet { changes: vec![write("src/new.rs", "pub fn one() -> u32 {\n    \"1\"\n}\n")] };
    let checked = gate.check(&unlinked, &OpenTexts::new()).await?;
    assert_eq!(checked.report.verdict, Verdict::Unverified, "{:#?}", checked.report);
    let tools = checked.report.stages.iter().find(|stage| stage.stage == Stage::Tools);
    assert!(tools.is_some_and(|stage| stage.detail.contains("make it part of the project")));
    Ok(())
}

#[tokio::test]
async fn one_error_mended_does_not_pay_for_another() -> Outcome {
    for row in rows()? {
        let text = fs::read_to_string(row.project.root.join(row.flawed))?;
        let swapped = if row.is_rust() {
            text.replace("\"one\"", "1").replace("    2", "    \"two\"")
        } else {
            text.replace("\"one\"", "1").replace("= 2", "= \"two\"")
        };
        assert_ne!(swapped, text);
        row.check_all(vec![(vec![write(row.flawed, &swapped)], Verdict::Refused)]).await?;
    }
    Ok(())
}

#[tokio::test]
async fn a_harmless_edit_beside_an_old_error_is_accepted() -> Outcome {
    for row in rows()? {
        let text = fs::read_to_string(row.project.root.join(row.flawed))?;
        let harmless = format!(
            "// An old flaw stands below.\n\n{}",
            text.replace("    2\n", "    3\n").replace("= 2", "= 3")
        );
        row.check_all(vec![(vec![write(row.flawed, &harmless)], Verdict::Accepted)]).await?;
    }
    Ok(())
}

/// Two change-sets were proved on one base: the second does not land on what the first has made of it.
#[tokio::test]
async fn two_sessions_on_one_file_cannot_overwrite_each_other() -> Outcome {
    for row in rows()? {
        let gate = row.project.gate()?;
        let none = OpenTexts::new();
        let one =
            gate.check(&ChangeSet { changes: vec![row.define("a + b", "b + a")] }, &none).await?;
        let two =
            gate.check(&ChangeSet { changes: vec![row.define("a + b", "a * b")] }, &none).await?;
        accepted(&one);
        accepted(&two);
        apply(&row.project.root, &one.contents)?;
        assert!(apply(&row.project.root, &two.contents).is_err());
        assert!(fs::read_to_string(row.project.root.join(row.definition))?.contains("b + a"));
    }
    Ok(())
}

/// A module that exists with a feature only is compiled with all of them.
#[tokio::test]
async fn a_module_behind_a_feature_is_compiled_all_the_same() -> Outcome {
    let manifest = format!("{MANIFEST}\n[features]\nextra = []\n");
    let project = Project::new(&[
        ("Cargo.toml", &manifest),
        ("src/lib.rs", "#[cfg(feature = \"extra\")]\nmod extra;\n"),
        ("src/extra.rs", "pub fn one() -> u32 {\n    1\n}\n"),
    ])?;
    accepted(&project.check(vec![edit("src/extra.rs", "    1", "    2")]).await?);
    refused_by(
        &project.check(vec![edit("src/extra.rs", "    1", "    \"1\"")]).await?,
        Stage::Tools,
    );
    Ok(())
}
