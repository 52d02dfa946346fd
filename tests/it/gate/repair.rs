//! What a compiler or a server vouches for is mended before a refusal, and the receipt says so.

use super::*;

/// `HashMap` is used and not imported; rust-analyzer is not asked, and cargo's suggestion is certain.
#[tokio::test]
async fn a_certain_suggestion_of_the_compiler_is_taken() -> Outcome {
    let project = Project::tiny()?;
    let gate = project.gate()?;
    let body = "a + b";
    // A missing `&`: rustc vouches for the borrow.
    let lib = LIB.replace(body, "let name = String::from(\"x\");\n    len(name) + a + b")
        + "\nfn len(name: &str) -> u32 {\n    u32::try_from(name.len()).unwrap_or(0)\n}\n";
    let change = ChangeSet { changes: vec![write("src/lib.rs", &lib)] };
    let checked = gate.check(&change, &OpenTexts::new()).await?;
    accepted(&checked);
    let repairs = &checked.report.repairs;
    assert_eq!(repairs.len(), 1, "{repairs:#?}");
    assert_eq!((repairs[0].round, repairs[0].code.as_deref()), (1, Some("E0308")));
    let landed = checked.contents[0].result.clone().ok_or("bytes")?;
    assert!(String::from_utf8(landed)?.contains("len(&name)"));
    Ok(())
}

#[tokio::test]
async fn a_forgotten_import_is_added_by_the_server() -> Outcome {
    let project = with_servers(typescript()?, Some(path_with_typescript()?));
    let gate = project.gate()?;
    let text = "export const four: number = sum(2, 2);\n";
    let change = ChangeSet { changes: vec![write("src/more.ts", text)] };
    let checked = gate.check(&change, &OpenTexts::new()).await?;
    accepted(&checked);
    assert_eq!(checked.report.repairs.len(), 1, "{:#?}", checked.report);
    let landed = String::from_utf8(checked.contents[0].result.clone().ok_or("bytes")?)?;
    assert!(landed.contains("import { sum } from"), "{landed}");
    Ok(())
}

/// A refusal speaks of what was proposed, and where repair is off nothing is mended.
#[tokio::test]
async fn what_cannot_be_mended_is_refused_as_it_was_proposed() -> Outcome {
    let mut project = Project::tiny()?;
    let lib = LIB
        .replace("a + b", "let name = String::from(\"x\");\n    len(name) + missing(a, b)")
        + "\nfn len(name: &str) -> u32 {\n    u32::try_from(name.len()).unwrap_or(0)\n}\n";
    let change = ChangeSet { changes: vec![write("src/lib.rs", &lib)] };
    let checked = project.gate()?.check(&change, &OpenTexts::new()).await?;
    refused_by(&checked, Stage::Tools);
    assert!(checked.report.repairs.is_empty());
    assert!(checked.report.problems.iter().all(|p| !p.frame.contains("&name")));
    project.settings.repair_rounds = 0;
    let lib = lib.replace("missing(a, b)", "a + b");
    let change = ChangeSet { changes: vec![write("src/lib.rs", &lib)] };
    refused_by(&project.gate()?.check(&change, &OpenTexts::new()).await?, Stage::Tools);
    Ok(())
}

/// A module that is dropped from the project and left lying there takes its errors and its tests along.
#[tokio::test]
async fn a_file_that_nobody_compiles_any_more_is_refused() -> Outcome {
    let project = Project::tiny()?;
    let alone = "pub fn total(a: u32, b: u32) -> u32 {\n    a + b\n}\n";
    let gate = project.gate()?;
    let narrowed = ChangeSet { changes: vec![write("src/lib.rs", alone)] };
    let checked = gate.check(&narrowed, &OpenTexts::new()).await?;
    refused_by(&checked, Stage::Tools);
    let problem = &checked.report.problems[0].diagnostic;
    assert_eq!(
        (problem.path.as_str(), problem.code.as_deref()),
        ("src/shapes.rs", Some("narrowed"))
    );
    let whole = ChangeSet {
        changes: vec![write("src/lib.rs", alone), Change::Delete { path: path("src/shapes.rs") }],
    };
    accepted(&gate.check(&whole, &OpenTexts::new()).await?);
    Ok(())
}
