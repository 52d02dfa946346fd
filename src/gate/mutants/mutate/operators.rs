//! The slips themselves: operators for Rust, TypeScript, TSX and JavaScript, by the kinds of their grammars' nodes.

use std::collections::BTreeSet;
use std::ops;

use tree_sitter::{Node, Tree};

use super::Worth;
use super::scope::is_closed;
use crate::gate::diagnostic::Range;
use crate::gate::prepare::syntax::{Grammar, range_of};

/// A slip in one text.
pub(in crate::gate) struct Slip {
    pub(in crate::gate) bytes: ops::Range<usize>,
    pub(in crate::gate) range: Range,
    pub(in crate::gate) new: String,
    pub(in crate::gate) what: String,
    pub(in crate::gate) worth: Worth,
}

/// Every slip whose first line is one of `lines` (0-based).
pub(in crate::gate) fn slips(
    grammar: Grammar,
    tree: &Tree,
    text: &str,
    lines: &BTreeSet<u32>,
) -> Vec<Slip> {
    if matches!(grammar, Grammar::Python | Grammar::Go) {
        return Vec::new();
    }
    let mut maker = Maker { rust: grammar == Grammar::Rust, text, lines, slips: Vec::new() };
    let mut waiting = vec![(tree.root_node(), false)];
    while let Some((node, in_macro)) = waiting.pop() {
        if is_closed(node, text) {
            continue;
        }
        maker.visit(node, in_macro);
        let in_macro = in_macro || node.kind() == "token_tree";
        let mut cursor = node.walk();
        waiting.extend(node.children(&mut cursor).map(|child| (child, in_macro)));
    }
    maker.slips
}

struct Maker<'a> {
    rust: bool,
    text: &'a str,
    lines: &'a BTreeSet<u32>,
    slips: Vec<Slip>,
}

impl Maker<'_> {
    fn visit(&mut self, node: Node<'_>, in_macro: bool) {
        match node.kind() {
            "true" | "false" => self.boolean(node),
            "boolean_literal" => self.boolean(node),
            "integer_literal" | "number" => self.integer(node),
            _ if in_macro => {}
            "binary_expression"
            | "compound_assignment_expr"
            | "augmented_assignment_expression" => self.operator(node),
            "if_expression" | "while_expression" | "if_statement" | "while_statement"
            | "ternary_expression" => self.condition(node),
            "unary_expression" => self.negation(node),
            "match_pattern" => self.guard(node),
            "expression_statement" => self.statement(node),
            "return_expression" | "return_statement" => self.returned(node.named_child(0)),
            "function_item" => self.returned(tail(node)),
            "arrow_function" => self.returned(expression_body(node)),
            "string_literal" | "string" => self.string(node),
            "await_expression" if !self.rust => {
                let inner = node.named_child(0);
                self.keep_only(node, inner, "`await` were left out", Worth::Deed);
            }
            _ => {}
        }
    }

    fn piece(&self, node: Node<'_>) -> &str {
        &self.text[node.byte_range()]
    }

    fn put(&mut self, node: Node<'_>, new: String, what: String, worth: Worth) {
        let range = range_of(node);
        if self.lines.contains(&range.start.line) {
            self.slips.push(Slip { bytes: node.byte_range(), range, new, what, worth });
        }
    }

    fn swap(&mut self, node: Node<'_>, new: &str, worth: Worth) {
        let what = format!("`{}` were `{}`", short(self.piece(node)), short(new));
        self.put(node, new.to_owned(), what, worth);
    }

    fn keep_only(&mut self, node: Node<'_>, inner: Option<Node<'_>>, what: &str, worth: Worth) {
        if let Some(inner) = inner {
            self.put(node, self.piece(inner).to_owned(), what.to_owned(), worth);
        }
    }

    fn boolean(&mut self, node: Node<'_>) {
        // A literal of the Rust grammar holds the word once more as a token of its own.
        if self.rust && node.kind() != "boolean_literal" {
            return;
        }
        let other = if self.piece(node) == "true" { "false" } else { "true" };
        self.swap(node, other, Worth::Value);
    }

    fn integer(&mut self, node: Node<'_>) {
        let text = self.piece(node);
        let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let (number, rest) = text.split_at(digits);
        let is_suffix = rest.is_empty() || rest.starts_with(['u', 'i']);
        if let (Ok(value), true) = (number.parse::<u64>(), is_suffix) {
            let next = format!("{}{rest}", u128::from(value) + 1);
            self.swap(node, &next, Worth::Value);
        }
    }

    fn operator(&mut self, node: Node<'_>) {
        let Some(operator) = node.child_by_field_name("operator") else {
            return;
        };
        if let Some((new, worth)) = other_operator(self.piece(operator)) {
            self.swap(operator, new, worth);
        }
    }

    /// The condition turned round; an equality turned round is a slip of its operator already.
    fn condition(&mut self, node: Node<'_>) {
        let Some(mut condition) = node.child_by_field_name("condition") else {
            return;
        };
        if condition.kind() == "parenthesized_expression" {
            condition = condition.named_child(0).unwrap_or(condition);
        }
        let operator = condition.child_by_field_name("operator").map(|node| self.piece(node));
        let is_other = matches!(condition.kind(), "let_condition" | "let_chain");
        if is_other || matches!(operator, Some("==" | "!=" | "===" | "!==" | "!")) {
            return;
        }
        let text = self.piece(condition);
        let what = format!("the condition `{}` were negated", short(text));
        self.put(condition, format!("!({text})"), what, Worth::Decision);
    }

    fn negation(&mut self, node: Node<'_>) {
        let sign = node.child(0).map(|sign| self.piece(sign).to_owned());
        let what = match sign.as_deref() {
            Some("!") => "`!` were left out",
            Some("-") => "`-` were left out",
            _ => return,
        };
        let worth = if sign.as_deref() == Some("!") { Worth::Decision } else { Worth::Value };
        self.keep_only(node, node.named_child(0), what, worth);
    }

    fn guard(&mut self, pattern: Node<'_>) {
        if let Some(guard) = pattern.child_by_field_name("condition")
            && !matches!(guard.kind(), "let_condition" | "let_chain")
        {
            let what = format!("the guard `if {}` were left out", short(self.piece(guard)));
            self.put(guard, "true".to_owned(), what, Worth::Decision);
        }
    }

    /// A statement that does something, left out; `?` and `.await` of one, left out.
    fn statement(&mut self, node: Node<'_>) {
        let Some(inner) = node.named_child(0).filter(|_| self.ends_the_statement(node)) else {
            return;
        };
        let kind = inner.kind();
        let does = matches!(
            kind,
            "call_expression"
                | "assignment_expression"
                | "compound_assignment_expr"
                | "augmented_assignment_expression"
                | "update_expression"
                | "await_expression"
                | "try_expression"
        );
        if !does {
            return;
        }
        let what = format!("`{}` were left out", short(self.piece(node)));
        let nothing = if self.rust { "" } else { ";" };
        self.put(node, nothing.to_owned(), what, Worth::Deed);
        if self.rust && matches!(kind, "try_expression" | "await_expression") {
            let what = if kind == "try_expression" { "`?`" } else { "`.await`" };
            let what = format!("{what} were left out");
            self.keep_only(inner, inner.named_child(0), &what, Worth::Deed);
        }
    }

    /// In Rust an expression without a semicolon may be the block's value.
    fn ends_the_statement(&self, node: Node<'_>) -> bool {
        !self.rust || self.piece(node).ends_with(';')
    }

    /// A returned value that is a default one instead.
    fn returned(&mut self, value: Option<Node<'_>>) {
        let Some(value) = value.filter(|value| !value.kind().ends_with("comment")) else {
            return;
        };
        let Some(new) = self.default_for(value) else {
            return;
        };
        let what = format!("`{}` were returned instead of `{}`", new, short(self.piece(value)));
        let trivial = ["0", "1", "\"\"", "true", "false", "None", "undefined", "null", "()"];
        if !trivial.contains(&self.piece(value)) {
            self.put(value, new, what, Worth::Value);
        }
    }

    /// The default of the function's return type, as far as its text says it.
    fn default_for(&self, value: Node<'_>) -> Option<String> {
        let function = std::iter::successors(Some(value), |node| node.parent())
            .find(|node| node.child_by_field_name("parameters").is_some() || is_arrow(*node))?;
        let of_type = function.child_by_field_name("return_type").map(|node| self.piece(node));
        let name = of_type.map(|text| text.trim_start_matches(':').trim());
        if self.rust {
            // A function without a type returns nothing; a closure's value is anything.
            let closure = function.kind() == "closure_expression";
            return match name {
                None if closure => Some("Default::default()".to_owned()),
                None => None,
                Some("!" | "Self" | "&Self" | "&mut Self" | "()") => None,
                Some(name) if name.contains("impl ") => None,
                Some(name) if name.split('<').next().is_some_and(|n| n.ends_with("Result")) => {
                    Some("Ok(Default::default())".to_owned())
                }
                Some("bool") => Some("false".to_owned()),
                Some(name) if name.starts_with("Option<") => Some("None".to_owned()),
                Some(_) => Some("Default::default()".to_owned()),
            };
        }
        let new = match name {
            Some("number") => "0",
            Some("string") => "\"\"",
            Some("boolean") => "false",
            Some("void" | "never") => return None,
            Some(name) if name.ends_with("[]") => "[]",
            _ => "undefined",
        };
        Some(new.to_owned())
    }

    fn string(&mut self, node: Node<'_>) {
        let parent = node.parent().map_or("", |parent| parent.kind());
        let is_name = matches!(parent, "pair" | "export_statement" | "expression_statement")
            && node.parent().and_then(|parent| parent.child_by_field_name("value")) != Some(node);
        if !is_name && self.piece(node).len() > 2 && self.piece(node).starts_with(['"', '\'']) {
            let what = format!("{} were an empty text", short(self.piece(node)));
            self.put(node, "\"\"".to_owned(), what, Worth::Text);
        }
    }
}

fn is_arrow(node: Node<'_>) -> bool {
    node.kind() == "arrow_function"
}

/// The value of a Rust function's body.
fn tail(function: Node<'_>) -> Option<Node<'_>> {
    let body = function.child_by_field_name("body")?;
    let last = (0..body.named_child_count()).rev().find_map(|at| {
        let child = body.named_child(u32::try_from(at).ok()?)?;
        (!child.kind().ends_with("comment")).then_some(child)
    })?;
    match last.kind() {
        "expression_statement" => {
            last.named_child(0).filter(|inner| last.end_byte() == inner.end_byte())
        }
        kind if kind.ends_with("_item") || kind.ends_with("_declaration") => None,
        "empty_statement" => None,
        _ => Some(last),
    }
}

/// The value of an arrow function that has no block.
fn expression_body(function: Node<'_>) -> Option<Node<'_>> {
    function.child_by_field_name("body").filter(|body| body.kind() != "statement_block")
}

fn other_operator(operator: &str) -> Option<(&'static str, Worth)> {
    let (other, worth) = match operator {
        "<" => ("<=", Worth::Decision),
        "<=" => ("<", Worth::Decision),
        ">" => (">=", Worth::Decision),
        ">=" => (">", Worth::Decision),
        "==" => ("!=", Worth::Decision),
        "!=" => ("==", Worth::Decision),
        "===" => ("!==", Worth::Decision),
        "!==" => ("===", Worth::Decision),
        "&&" => ("||", Worth::Decision),
        "||" => ("&&", Worth::Decision),
        "+" => ("-", Worth::Value),
        "-" => ("+", Worth::Value),
        "*" => ("/", Worth::Value),
        "/" => ("*", Worth::Value),
        "%" => ("*", Worth::Value),
        "&" => ("|", Worth::Value),
        "|" => ("&", Worth::Value),
        "^" => ("|", Worth::Value),
        "<<" => (">>", Worth::Value),
        ">>" => ("<<", Worth::Value),
        "+=" => ("-=", Worth::Value),
        "-=" => ("+=", Worth::Value),
        "*=" => ("/=", Worth::Value),
        "/=" => ("*=", Worth::Value),
        "|=" => ("&=", Worth::Value),
        "&=" => ("|=", Worth::Value),
        _ => return None,
    };
    Some((other, worth))
}

/// One line of at most 40 characters.
fn short(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(40) {
        Some((at, _)) => format!("{}…", &line[..at]),
        None => line,
    }
}
