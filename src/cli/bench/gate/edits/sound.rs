//! Edits that change nothing of what a program does. Where one does after all, the compiler says so and it is set aside.

use tree_sitter::Node;

use super::super::random::Random;
use super::source::{BLOCKS, FUNCTIONS, NAMES, Project, Source, ancestor, statements};
use super::{Patch, Proposal, Row};

pub(super) const OPERATORS: &[Row] = &[
    ("comment", comment),
    ("rename-local", rename_local),
    ("rename-function", rename_function),
    ("reorder", reorder),
    ("compound-assignment", compound_assignment),
    ("negate-if", negate_if),
    ("extract", extract),
    ("parentheses", parentheses),
    ("add-item", add_item),
];

fn comment(_: &Project, source: &Source, random: &mut Random) -> Option<Proposal> {
    let mut places = statements(source.tree.root_node());
    places.extend(source.of(BLOCKS).into_iter().flat_map(statements));
    places.retain(|node| source.begins_line(*node));
    let node = random.pick(&places)?;
    let (start, indent) = source.line_of(node.start_byte());
    let words = [
        "The order matters to the reader only.",
        "Kept as it was.",
        "See the notes of the design.",
    ];
    let text = format!("{indent}// {}\n", random.pick(&words)?);
    Some(Proposal::insert(source, start, text))
}

/// A variable of a function and all its uses in there.
fn rename_local(_: &Project, source: &Source, random: &mut Random) -> Option<Proposal> {
    let is_local = |node: &Node<'_>| {
        let name = node.child_by_field_name(if source.is_rust { "pattern" } else { "name" });
        name.is_some_and(|name| name.kind() == "identifier") && ancestor(*node, FUNCTIONS).is_some()
    };
    let mut variables = source.of(&["let_declaration", "variable_declarator"]);
    variables.retain(is_local);
    let variable = random.pick(&variables)?;
    let name = variable.child_by_field_name(if source.is_rust { "pattern" } else { "name" })?;
    let word = source.text_of(name);
    let mut function = ancestor(*variable, FUNCTIONS)?;
    while let Some(outer) = ancestor(function, FUNCTIONS) {
        function = outer;
    }
    let in_string = format!("{{{word}");
    let body = source.text_of(function);
    if body.contains(&in_string) && source.is_rust {
        return None;
    }
    let inside = function.byte_range();
    let mut uses = source.of(NAMES);
    uses.retain(|node| inside.contains(&node.start_byte()) && source.text_of(*node) == word);
    let is_plain = |node: &Node<'_>| {
        let parent = node.parent().map_or("", |parent| parent.kind());
        !node.kind().contains("shorthand") && !parent.contains("shorthand")
    };
    if !uses.iter().all(is_plain) {
        return None;
    }
    let patches = uses
        .iter()
        .filter(|node| node.kind() == "identifier")
        .map(|node| Patch::new(source, node.byte_range(), format!("{word}_renamed")));
    Some(Proposal::of(patches.collect()))
}

/// A function whose name is defined once, and its callers in all files.
fn rename_function(project: &Project, source: &Source, random: &mut Random) -> Option<Proposal> {
    let word = unique_function(project, source, random)?;
    let patches = project.mentions(&word).iter().filter_map(|mention| {
        let source = project.sources.get(mention.file)?;
        Some(Patch::new(source, mention.range.clone(), format!("{word}_renamed")))
    });
    Some(Proposal::of(patches.collect()))
}

/// The name of a free function that is defined once and never stands for a property.
pub(super) fn unique_function(
    project: &Project,
    source: &Source,
    random: &mut Random,
) -> Option<String> {
    let functions = source.of(&["function_item", "function_declaration"]);
    let words: Vec<&str> = functions
        .iter()
        .filter_map(|function| function.child_by_field_name("name"))
        .map(|name| source.text_of(name))
        .filter(|word| word.len() >= 3 && *word != "main" && project.is_unique(word))
        .filter(|word| {
            let mentions = project.mentions(word);
            mentions.len() > 1 && mentions.iter().all(|mention| mention.is_plain)
        })
        .collect();
    random.pick(&words).map(|word| (*word).to_owned())
}

/// Two functions that stand side by side change places, each with the comments and attributes before it.
fn reorder(_: &Project, source: &Source, random: &mut Random) -> Option<Proposal> {
    let root = source.tree.root_node();
    let mut cursor = root.walk();
    let mut items = Vec::new();
    let mut start = None;
    for node in root.named_children(&mut cursor) {
        let leads = node.kind().contains("comment") || node.kind() == "attribute_item";
        let is_inner = source.text_of(node).starts_with("//!");
        if leads && !is_inner {
            start = start.or(Some(node.start_byte()));
            continue;
        }
        let is_function = node.kind() == "function_item"
            || node.kind() == "function_declaration"
            || node.child_by_field_name("declaration").is_some_and(|declared| {
                node.kind() == "export_statement" && declared.kind() == "function_declaration"
            });
        items.push((is_function, start.take().unwrap_or(node.start_byte())..node.end_byte()));
    }
    let pairs: Vec<_> = items.windows(2).filter(|pair| pair[0].0 && pair[1].0).collect();
    let pair = random.pick(&pairs)?;
    let (first, second) = (pair[0].1.clone(), pair[1].1.clone());
    let text = |range: &std::ops::Range<usize>| source.text[range.clone()].to_owned();
    // Overloads belong together.
    if text(&first).contains("overload") || same_name(&text(&first), &text(&second)) {
        return None;
    }
    Some(Proposal::of(vec![
        Patch::new(source, first.clone(), text(&second)),
        Patch::new(source, second, text(&first)),
    ]))
}

fn same_name(first: &str, second: &str) -> bool {
    let name = |text: &str| text.split('(').next().unwrap_or_default().to_owned();
    name(first) == name(second)
}

/// `x += 1` and `x = x + 1`.
fn compound_assignment(_: &Project, source: &Source, random: &mut Random) -> Option<Proposal> {
    let found = source.of(&["compound_assignment_expr", "augmented_assignment_expression"]);
    let node = random.pick(&found)?;
    let left = node.child_by_field_name("left")?;
    let right = source.text_of(node.child_by_field_name("right")?);
    let operator = source.text_of(node.child_by_field_name("operator")?).strip_suffix('=')?;
    let plain = ["+", "-", "*", "|", "&"].contains(&operator);
    let name = source.text_of(left);
    (plain && left.kind() == "identifier")
        .then(|| Proposal::replace(source, *node, format!("{name} = {name} {operator} ({right})")))
}

/// `if c { a } else { b }` and `if !(c) { b } else { a }`.
fn negate_if(_: &Project, source: &Source, random: &mut Random) -> Option<Proposal> {
    let found = source.of(&["if_expression", "if_statement"]);
    let node = random.pick(&found)?;
    let condition = node.child_by_field_name("condition")?;
    let then = node.child_by_field_name("consequence")?;
    let other = node.child_by_field_name("alternative")?;
    let other =
        other.named_child(u32::try_from(other.named_child_count()).ok()?.checked_sub(1)?)?;
    if !BLOCKS.contains(&then.kind()) || !BLOCKS.contains(&other.kind()) {
        return None;
    }
    let words = source.text_of(condition);
    if words.contains("let ") {
        return None;
    }
    let words = words.strip_prefix('(').and_then(|w| w.strip_suffix(')')).unwrap_or(words);
    let negated = if source.is_rust && condition.kind() != "parenthesized_expression" {
        format!("!({})", source.text_of(condition))
    } else if source.is_rust {
        format!("!({words})")
    } else {
        format!("(!({words}))")
    };
    Some(Proposal::of(vec![
        Patch::new(source, condition.byte_range(), negated),
        Patch::new(source, then.byte_range(), source.text_of(other)),
        Patch::new(source, other.byte_range(), source.text_of(then)),
    ]))
}

/// Nodes through which a literal may be taken out of its statement without moving it past anything that acts.
const STILL: &[&str] = &[
    "arguments",
    "call_expression",
    "expression_statement",
    "let_declaration",
    "lexical_declaration",
    "variable_declarator",
    "return_expression",
    "return_statement",
    "try_expression",
    "reference_expression",
    "field_expression",
    "member_expression",
    "await_expression",
];

/// A literal argument gets a name of its own.
fn extract(_: &Project, source: &Source, random: &mut Random) -> Option<Proposal> {
    let mut literals = source.of(&["string_literal", "integer_literal", "string", "number"]);
    literals.retain(|node| node.parent().is_some_and(|parent| parent.kind() == "arguments"));
    let literal = random.pick(&literals)?;
    let mut statement = *literal;
    loop {
        let parent = statement.parent()?;
        if BLOCKS.contains(&parent.kind()) {
            break;
        }
        if !STILL.contains(&parent.kind()) {
            return None;
        }
        statement = parent;
    }
    if !source.begins_line(statement) {
        return None;
    }
    let (start, indent) = source.line_of(statement.start_byte());
    let (keyword, value) = (if source.is_rust { "let" } else { "const" }, source.text_of(*literal));
    let end = if source.is_rust { ";" } else { "" };
    Some(Proposal::of(vec![
        Patch::new(
            source,
            start..start,
            format!("{indent}{keyword} extracted_value = {value}{end}\n"),
        ),
        Patch::new(source, literal.byte_range(), "extracted_value"),
    ]))
}

fn parentheses(_: &Project, source: &Source, random: &mut Random) -> Option<Proposal> {
    let mut found = source.of(&["binary_expression"]);
    found.retain(|node| !source.text_of(*node).contains("let "));
    let node = random.pick(&found)?;
    Some(Proposal::replace(source, *node, format!("({})", source.text_of(*node))))
}

fn add_item(_: &Project, source: &Source, random: &mut Random) -> Option<Proposal> {
    let name = random.word("abcdefghij", 6);
    let text = if source.is_rust {
        format!("\n#[allow(dead_code)]\nfn added_{name}(n: usize) -> usize {{\n    n + 1\n}}\n")
    } else {
        format!("\nexport function added_{name}(n: number): number {{\n  return n + 1\n}}\n")
    };
    Some(Proposal::insert(source, source.text.len(), text))
}
