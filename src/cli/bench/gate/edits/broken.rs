//! Edits that are meant to break the build. The compiler says which of them do.

use std::collections::BTreeSet;

use tree_sitter::Node;

use super::super::random::Random;
use super::sound::unique_function;
use super::source::{FUNCTIONS, NAMES, Project, Source, defines};
use super::{Patch, Proposal, Row};

pub(super) const OPERATORS: &[Row] = &[
    ("drop-brace", drop_brace),
    ("wrong-type", wrong_type),
    ("add-parameter", add_parameter),
    ("remove-import", remove_import),
    ("rename-definition", rename_definition),
    ("rename-forgotten", rename_forgotten),
    ("delete-file", delete_file),
    ("empty-file", empty_file),
    ("two-files", two_files),
    ("return-type", return_type),
    ("typo", typo),
    ("drop-mut", drop_mut),
    ("drop-ref", drop_ref),
    ("drop-clone", drop_clone),
    ("drop-await", drop_await),
];

fn drop_brace(_: &Project, source: &Source, random: &mut Random) -> Option<Proposal> {
    let found = source.of(&["{", "}", "(", ")"]);
    Some(Proposal::replace(source, *random.pick(&found)?, ""))
}

/// A literal of another type.
fn wrong_type(_: &Project, source: &Source, random: &mut Random) -> Option<Proposal> {
    let kinds = [
        "string_literal",
        "string",
        "integer_literal",
        "number",
        "boolean_literal",
        "true",
        "false",
    ];
    let mut found = source.of(&kinds);
    found.retain(|node| node.parent().is_some_and(|above| !above.kind().contains("import")));
    let node = random.pick(&found)?;
    let new = match node.kind() {
        "string_literal" | "string" => "42",
        _ => "\"forty-two\"",
    };
    Some(Proposal::replace(source, *node, new))
}

/// A required parameter that no caller gives; functions with callers in other files only.
fn add_parameter(project: &Project, source: &Source, random: &mut Random) -> Option<Proposal> {
    let here = project.sources.iter().position(|other| other.path == source.path)?;
    let is_used_elsewhere = |function: &Node<'_>| {
        let name = function.child_by_field_name("name").map(|name| source.text_of(name));
        name.is_some_and(|name| {
            let mut mentions = project.mentions(name).iter();
            project.is_unique(name) && mentions.any(|mention| mention.file != here)
        })
    };
    let mut functions = source.of(FUNCTIONS);
    functions.retain(is_used_elsewhere);
    let function = random.pick(&functions)?;
    let parameters = function.child_by_field_name("parameters")?;
    let text = source.text_of(parameters);
    let inner = text.strip_prefix('(')?.strip_suffix(')')?;
    let new = match (inner.trim().is_empty(), source.is_rust) {
        (true, true) => "(extra: u64)".to_owned(),
        (true, false) => "(extra: string)".to_owned(),
        (false, true) => format!("({}, extra: u64)", inner.trim_end().trim_end_matches(',')),
        (false, false) => format!("(extra: string, {inner})"),
    };
    Some(Proposal::replace(source, parameters, new))
}

fn remove_import(_: &Project, source: &Source, random: &mut Random) -> Option<Proposal> {
    let found = source.of(&["use_declaration", "import_statement"]);
    Some(Proposal::replace(source, *random.pick(&found)?, ""))
}

/// A name is changed where it is defined, and nowhere else.
fn rename_definition(project: &Project, source: &Source, random: &mut Random) -> Option<Proposal> {
    let mut names: Vec<Node<'_>> = source
        .nodes()
        .into_iter()
        .filter(|node| defines(*node) && !node.kind().contains("variable"))
        .filter_map(|node| node.child_by_field_name("name"))
        .collect();
    names.retain(|name| {
        NAMES.contains(&name.kind()) && project.mentions(source.text_of(*name)).len() > 1
    });
    let name = random.pick(&names)?;
    Some(Proposal::replace(source, *name, format!("{}Moved", source.text_of(*name))))
}

/// A function is renamed with its callers, those of one other file forgotten.
fn rename_forgotten(project: &Project, source: &Source, random: &mut Random) -> Option<Proposal> {
    let here = project.sources.iter().position(|other| other.path == source.path)?;
    let word = unique_function(project, source, random)?;
    let mentions = project.mentions(&word);
    let others: BTreeSet<usize> =
        mentions.iter().map(|mention| mention.file).filter(|file| *file != here).collect();
    let others: Vec<usize> = others.into_iter().collect();
    let forgotten = *random.pick(&others)?;
    let patches =
        mentions.iter().filter(|mention| mention.file != forgotten).filter_map(|mention| {
            let source = project.sources.get(mention.file)?;
            Some(Patch::new(source, mention.range.clone(), format!("{word}_moved")))
        });
    Some(Proposal::of(patches.collect()))
}

fn delete_file(_: &Project, source: &Source, _: &mut Random) -> Option<Proposal> {
    Some(Proposal { patches: Vec::new(), deleted: vec![source.path.clone()] })
}

fn empty_file(_: &Project, source: &Source, _: &mut Random) -> Option<Proposal> {
    Some(Proposal::of(vec![Patch::new(source, 0..source.text.len(), "")]))
}

/// A definition renamed here, and a name misspelt in another file.
fn two_files(project: &Project, source: &Source, random: &mut Random) -> Option<Proposal> {
    let other = random.pick(&project.sources)?;
    if other.path == source.path {
        return None;
    }
    let mut both = rename_definition(project, source, random)?;
    both.patches.extend(typo(project, other, random)?.patches);
    Some(both)
}

fn return_type(_: &Project, source: &Source, random: &mut Random) -> Option<Proposal> {
    let functions = source.of(FUNCTIONS);
    let mut types: Vec<Node<'_>> = functions
        .iter()
        .filter_map(|function| function.child_by_field_name("return_type"))
        .collect();
    types.retain(|node| !["u8", ": symbol"].contains(&source.text_of(*node)));
    let node = random.pick(&types)?;
    Some(Proposal::replace(source, *node, if source.is_rust { "u8" } else { ": symbol" }))
}

/// A letter of a used name stands twice.
fn typo(_: &Project, source: &Source, random: &mut Random) -> Option<Proposal> {
    let kinds = ["identifier", "field_identifier", "property_identifier", "type_identifier"];
    let mut found = source.of(&kinds);
    found.retain(|node| {
        let is_name = node.parent().is_some_and(|parent| {
            parent.child_by_field_name("name") == Some(*node) && defines(parent)
        });
        source.text_of(*node).len() >= 4 && !is_name
    });
    let node = random.pick(&found)?;
    let word = source.text_of(*node);
    let at = 1 + random.below(word.len() - 1);
    let (head, tail) = word.split_at_checked(at)?;
    Some(Proposal::replace(source, *node, format!("{head}{}{tail}", head.chars().last()?)))
}

fn drop_mut(_: &Project, source: &Source, random: &mut Random) -> Option<Proposal> {
    let found = source.of(&["mutable_specifier"]);
    let node = random.pick(&found)?;
    let blank = usize::from(source.text[node.end_byte()..].starts_with(' '));
    let range = node.start_byte()..node.end_byte() + blank;
    Some(Proposal::of(vec![Patch::new(source, range, "")]))
}

fn drop_ref(_: &Project, source: &Source, random: &mut Random) -> Option<Proposal> {
    let found = source.of(&["reference_expression"]);
    let node = random.pick(&found)?;
    let value = node.child_by_field_name("value")?;
    Some(Proposal::replace(source, *node, source.text_of(value)))
}

fn drop_clone(_: &Project, source: &Source, random: &mut Random) -> Option<Proposal> {
    let mut found = source.of(&["call_expression"]);
    found.retain(|node| source.is_rust && source.text_of(*node).ends_with(".clone()"));
    let node = random.pick(&found)?;
    Some(Proposal::replace(source, *node, source.text_of(*node).strip_suffix(".clone()")?))
}

fn drop_await(_: &Project, source: &Source, random: &mut Random) -> Option<Proposal> {
    let mut found = source.of(&["await_expression"]);
    found.retain(|_| !source.is_rust);
    let node = random.pick(&found)?;
    let rest = source.text_of(*node).strip_prefix("await")?.trim_start();
    Some(Proposal::replace(source, *node, rest))
}
