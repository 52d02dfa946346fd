//! Where a name stands in a text, so that nobody has to count columns. It must not know what asks.

use tree_sitter::Tree;

use super::line_at;
use super::outline::{find, outline, with_line};
use crate::gate::prepare::syntax::Grammar;
use crate::workspace::path::RelPath;

/// How many lines an answer lists.
const LISTED: usize = 12;

/// The byte offsets of a name: where the item of that name is declared, or everywhere in the given 1-based line, or, for a
/// name that the file only uses, everywhere.
///
/// # Errors
/// When it stands nowhere there, or names several items; in words, with the lines.
pub fn spots(
    path: &RelPath,
    text: &str,
    symbol: &str,
    line: Option<usize>,
) -> Result<Vec<usize>, String> {
    let (bare, in_name) = with_line(symbol);
    let line = line.or(in_name);
    let name = bare.rsplit(|c: char| !is_part(c)).next().unwrap_or_default();
    if let Some(line) = line {
        let everywhere = words(path, text, name);
        let there: Vec<usize> =
            everywhere.iter().copied().filter(|at| line_at(text, *at) == line).collect();
        if there.is_empty() {
            return Err(format!(
                "`{name}` does not stand in line {line} of {path}{}",
                lines(text, &everywhere)
            ));
        }
        return Ok(there);
    }
    let symbols = outline(path, text).unwrap_or_default();
    let why = match find(&symbols, bare, text) {
        Ok(found) => return Ok(vec![found.name.start]),
        Err(why) => why,
    };
    let everywhere = words(path, text, name);
    // What is declared several times is ambiguous; what is only used is not.
    let is_declared = symbols.iter().any(|s| s.path.last().is_some_and(|last| last == name));
    match everywhere.is_empty() || is_declared {
        true => Err(format!("{path}: {why}")),
        false => Ok(everywhere),
    }
}

fn lines(text: &str, everywhere: &[usize]) -> String {
    let mut lines: Vec<usize> = everywhere.iter().map(|at| line_at(text, *at)).collect();
    lines.dedup();
    let shown: Vec<String> = lines.iter().take(LISTED).map(ToString::to_string).collect();
    if shown.is_empty() {
        ", nor in another".to_owned()
    } else {
        format!("; it does in {}", shown.join(", "))
    }
}

fn is_part(c: char) -> bool {
    c.is_alphanumeric() || c == '_' || c == '$'
}

/// Every place of a name as a whole word, outside of comments and strings where there is a grammar.
fn words(path: &RelPath, text: &str, name: &str) -> Vec<usize> {
    if name.is_empty() {
        return Vec::new();
    }
    let tree = Grammar::for_path(path).and_then(|grammar| grammar.parse(text));
    let is_word = |at: &usize| {
        !text[..*at].ends_with(is_part)
            && !text[at + name.len()..].starts_with(is_part)
            && tree.as_ref().is_none_or(|tree| is_name(tree, *at, name.len()))
    };
    text.match_indices(name).map(|(at, _)| at).filter(is_word).collect()
}

/// Whether just these bytes are a node of the tree: in a comment or a string they are a part of one.
fn is_name(tree: &Tree, at: usize, length: usize) -> bool {
    let node = tree.root_node().descendant_for_byte_range(at, at + length);
    node.is_some_and(|node| {
        let is_text = node.kind().contains("string") || node.kind().contains("comment");
        node.byte_range() == (at..at + length) && !is_text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "// run\nfn run() {\n    let run = \"run\";\n    used(run, run);\n}\nmod a { fn g() {} }\nmod b { fn g() {} }\n";

    fn at(symbol: &str, line: Option<usize>) -> Result<Vec<usize>, String> {
        let found = spots(&RelPath::new("a.rs").unwrap(), TEXT, symbol, line)?;
        Ok(found.into_iter().map(|at| line_at(TEXT, at)).collect())
    }

    #[test]
    fn a_declaration_is_found_before_its_uses() {
        assert_eq!(at("run", None).unwrap(), [2]);
        assert_eq!(at("run", Some(3)).unwrap(), [3], "not in the string");
        assert_eq!(at("run", Some(4)).unwrap(), [4, 4]);
        assert_eq!(at("used", None).unwrap(), [4]);
        assert_eq!(at("a::g", None).unwrap(), [6]);
        assert_eq!(at("g", Some(7)).unwrap(), [7]);
    }

    #[test]
    fn what_is_not_there_is_told_with_where_it_is() {
        assert!(at("run", Some(1)).unwrap_err().contains("it does in 2, 3, 4"));
        assert!(at("g", None).unwrap_err().contains("a::g in line 6, b::g in line 7"));
        assert!(at("nothing", None).unwrap_err().contains("there is no `nothing`"));
        assert!(at("", None).is_err());
        assert!(at("ru", None).is_err());
    }
}
