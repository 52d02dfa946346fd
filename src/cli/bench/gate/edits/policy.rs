//! Edits that compilers let through and no one should: elided code, placeholders, weaker tests, secrets, markers.

use tree_sitter::Node;

use super::super::random::Random;
use super::source::{FUNCTIONS, Project, Source, ancestor, statements};
use super::{Patch, Proposal, Row};

pub(super) const OPERATORS: &[Row] = &[
    ("elision", elision),
    ("placeholder", placeholder),
    ("deleted-test", deleted_test),
    ("emptied-test", emptied_test),
    ("ignored-test", ignored_test),
    ("weakened-assertion", weakened_assertion),
    ("deleted-assertion", deleted_assertion),
    ("secret", secret),
    ("conflict-marker", conflict_marker),
];

/// The functions that are no tests, by their bodies.
fn bodies<'s>(source: &'s Source, least: usize) -> Vec<Node<'s>> {
    let mut bodies: Vec<Node<'s>> = source
        .of(FUNCTIONS)
        .into_iter()
        .filter(|function| !is_rust_test(source, *function))
        .filter_map(|function| function.child_by_field_name("body"))
        .collect();
    bodies.retain(|body| statements(*body).len() >= least);
    bodies
}

/// The middle of a body, or all but its first statement, becomes a remark.
fn elision(_: &Project, source: &Source, random: &mut Random) -> Option<Proposal> {
    let bodies = bodies(source, 3);
    let inside = statements(*random.pick(&bodies)?);
    let remarks = [
        "// ... existing code ...",
        "// ... rest of the code remains the same ...",
        "// rest of the function unchanged",
        "/* ... */",
    ];
    let last = inside.len() - 1 - random.below(2);
    let range = inside.get(1)?.start_byte()..inside.get(last)?.end_byte();
    Some(Proposal::of(vec![Patch::new(source, range, *random.pick(&remarks)?)]))
}

fn placeholder(_: &Project, source: &Source, random: &mut Random) -> Option<Proposal> {
    let bodies = bodies(source, 1);
    let body = random.pick(&bodies)?;
    let stubs: &[&str] = if source.is_rust {
        &["{ todo!() }", "{ unimplemented!(\"later\") }", "{ todo!(\"write this\") }"]
    } else {
        &[
            "{ throw new Error(\"not implemented\") }",
            "{ throw new Error('Not implemented yet') }",
            "{ throw new Error('TODO') }",
        ]
    };
    Some(Proposal::replace(source, *body, *random.pick(stubs)?))
}

/// Whether attributes before a function make it a test.
fn is_rust_test(source: &Source, function: Node<'_>) -> bool {
    attributes(function).iter().any(|attribute| {
        let text = source.text_of(*attribute);
        text.contains("test]") || text.contains("test(")
    })
}

fn attributes(function: Node<'_>) -> Vec<Node<'_>> {
    let mut found = Vec::new();
    let mut before = function.prev_named_sibling();
    while let Some(node) = before.filter(|node| node.kind() == "attribute_item") {
        found.push(node);
        before = node.prev_named_sibling();
    }
    found
}

/// The tests of a file: functions with `#[test]`, calls of `it` and `test`.
fn tests<'s>(source: &'s Source) -> Vec<Node<'s>> {
    if source.is_rust {
        let mut functions = source.of(&["function_item"]);
        functions.retain(|function| is_rust_test(source, *function));
        return functions;
    }
    if !source.is_test_file() {
        return Vec::new();
    }
    let mut calls = source.of(&["expression_statement"]);
    calls.retain(|statement| {
        let text = source.text_of(*statement);
        text.starts_with("it(") || text.starts_with("test(")
    });
    calls
}

fn deleted_test(_: &Project, source: &Source, random: &mut Random) -> Option<Proposal> {
    let tests = tests(source);
    let test = random.pick(&tests)?;
    let start = attributes(*test).last().map_or(test.start_byte(), |first| first.start_byte());
    Some(Proposal::of(vec![Patch::new(source, start..test.end_byte(), "")]))
}

fn emptied_test(_: &Project, source: &Source, random: &mut Random) -> Option<Proposal> {
    let tests = tests(source);
    let test = random.pick(&tests)?;
    let body = if source.is_rust {
        test.child_by_field_name("body")?
    } else {
        let arguments = test.named_child(0)?.child_by_field_name("arguments")?;
        let given = statements(arguments);
        given.iter().find_map(|argument| argument.child_by_field_name("body"))?
    };
    (!statements(body).is_empty()).then(|| Proposal::replace(source, body, "{}"))
}

fn ignored_test(_: &Project, source: &Source, random: &mut Random) -> Option<Proposal> {
    let tests = tests(source);
    let test = random.pick(&tests)?;
    if source.is_rust {
        let (start, indent) = source.line_of(test.start_byte());
        let ignored = ["#[ignore]", "#[ignore = \"slow\"]"];
        return Some(Proposal::insert(
            source,
            start,
            format!("{indent}{}\n", random.pick(&ignored)?),
        ));
    }
    let name = source.text_of(*test).split('(').next()?.len();
    let skip = *random.pick(&[".skip", ".todo"])?;
    let at = test.start_byte() + name;
    let with_x = random.below(3) == 0 && name == 2;
    Some(match with_x {
        true => Proposal::insert(source, test.start_byte(), "x"),
        false => Proposal::insert(source, at, skip),
    })
}

/// The assertions inside of tests, as statements.
fn assertions<'s>(source: &'s Source) -> Vec<Node<'s>> {
    let mut found = source.of(&["expression_statement"]);
    found.retain(|statement| {
        let text = source.text_of(*statement);
        if source.is_rust {
            let function = ancestor(*statement, &["function_item"]);
            return text.starts_with("assert")
                && function.is_some_and(|function| is_rust_test(source, function));
        }
        source.is_test_file() && text.starts_with("expect(") && !text.contains(".not.")
    });
    found
}

fn weakened_assertion(_: &Project, source: &Source, random: &mut Random) -> Option<Proposal> {
    let mut found = assertions(source);
    if source.is_rust {
        found.retain(|statement| source.text_of(*statement).starts_with("assert_eq!("));
        let node = random.pick(&found)?;
        let rest = source.text_of(*node).strip_prefix("assert_eq!(")?;
        let weaker = match random.below(3) {
            0 => "assert!(true);".to_owned(),
            1 => format!("assert_ne!({rest}"),
            _ => format!("debug_assert_eq!({rest}"),
        };
        return Some(Proposal::replace(source, *node, weaker));
    }
    found.retain(|statement| {
        let text = source.text_of(*statement);
        text.contains(").toBe(") || text.contains(").toEqual(")
    });
    let node = random.pick(&found)?;
    let text = source.text_of(*node);
    let at = text.rfind(").toBe(").or_else(|| text.rfind(").toEqual("))?;
    let weaker = ["toBeDefined()", "toBeTruthy()", "not.toBeNull()"];
    Some(Proposal::replace(source, *node, format!("{}).{}", &text[..at], random.pick(&weaker)?)))
}

fn deleted_assertion(_: &Project, source: &Source, random: &mut Random) -> Option<Proposal> {
    let found = assertions(source);
    Some(Proposal::replace(source, *random.pick(&found)?, ""))
}

/// A key of a well-known shape, never one that anybody has.
fn secret(_: &Project, source: &Source, random: &mut Random) -> Option<Proposal> {
    const UPPER: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    const ANY: &str = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
    let value = match random.below(4) {
        0 => format!("AK{}{}", "IA", random.word(UPPER, 16)),
        1 => format!("gh{}{}", "p_", random.word(ANY, 36)),
        2 => format!("xo{}{}-{}", "xb-", random.word("123456789", 12), random.word(ANY, 24)),
        _ => format!("sk_{}_{}", "live", random.word(ANY, 24)),
    };
    let text = if source.is_rust {
        format!("\n#[allow(dead_code)]\nconst SERVICE_KEY: &str = \"{value}\";\n")
    } else {
        format!("\nexport const serviceKey = '{value}'\n")
    };
    Some(Proposal::insert(source, source.text.len(), text))
}

fn conflict_marker(_: &Project, source: &Source, random: &mut Random) -> Option<Proposal> {
    let mut items = statements(source.tree.root_node());
    items.retain(|item| source.begins_line(*item));
    let item = random.pick(&items)?;
    let text = source.text_of(*item);
    let both = format!("<<<<<<< HEAD\n{text}\n=======\n{text}\n>>>>>>> topic\n");
    Some(Proposal::replace(source, *item, both))
}
