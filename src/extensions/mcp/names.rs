//! By which names the tools of servers are called: `mcp__<server>__<tool>`, of letters, digits, `_` and `-`, at most 64 of
//! them. A name is made of its server's and its tool's alone, so that it is the same whichever others are there.

use std::fmt::Write as _;

use crate::workspace::hash::sha256;

/// What every name begins with.
pub const PREFIX: &str = "mcp__";
/// The longest name.
const LONGEST: usize = 64;
/// Digits that tell names apart which would be the same.
const MARK: usize = 8;

/// The name of a tool of a server.
pub fn name(server: &str, tool: &str) -> String {
    let plain = format!("{PREFIX}{}__{}", cleaned(server), cleaned(tool));
    // The first `__` behind the prefix ends the server's name; where it would not, others could have the same one.
    let is_exact = cleaned(server) == server && cleaned(tool) == tool;
    let ends_well = !server.contains("__") && !server.ends_with('_');
    if is_exact && ends_well && plain.len() <= LONGEST && !tool.is_empty() {
        return plain;
    }
    let mark: String = sha256(format!("{server}\n{tool}").as_bytes()).chars().take(MARK).collect();
    let mut name: String = plain.chars().take(LONGEST - MARK - 1).collect();
    // Writing to a String cannot fail.
    let _ = write!(name, "_{mark}");
    name
}

fn cleaned(text: &str) -> String {
    let fits = |c: char| c.is_ascii_alphanumeric() || "_-".contains(c);
    text.chars().map(|c| if fits(c) { c } else { '_' }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_readable_where_they_can_be_and_never_the_same() {
        assert_eq!(name("time", "get-current_time"), "mcp__time__get-current_time");
        let pairs = [
            ("a", "b__c"),
            ("a__b", "c"),
            ("a_", "c"),
            ("a", "_c"),
            ("a b", "c"),
            ("a.b", "c"),
            ("a_b", "c"),
            ("ü", ""),
            ("", "ü"),
        ];
        let names: std::collections::BTreeSet<_> = pairs.iter().map(|(s, t)| name(s, t)).collect();
        assert_eq!(names.len(), pairs.len(), "{names:?}");
    }

    proptest::proptest! {
        #[test]
        fn every_name_can_be_said_to_a_model(server in ".{0,90}", tool in ".{0,90}") {
            let name = name(&server, &tool);
            proptest::prop_assert!(name.len() <= LONGEST && cleaned(&name) == name, "{name}");
        }
    }
}
