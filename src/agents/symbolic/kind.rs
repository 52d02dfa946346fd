//! What is wrong, as far as the choice of a remedy goes: the codes of the compilers sorted into kinds, and which of a
//! server's quick fixes suit which kind.
//!
//! It must not know of files or change-sets.

use serde::{Deserialize, Serialize};

use crate::gate::diagnostic::Diagnostic;

/// A kind of diagnostic, in the order in which compilers find them: names, types, borrows, lints.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// A name that is nearly another.
    Spelling,
    /// A name that has to be imported.
    MissingImport,
    /// Members that a trait, interface or base class demands.
    MissingMember,
    /// Fields that a literal lacks.
    MissingField,
    /// Variants that a match forgets.
    MissingArm,
    /// A word that a declaration lacks: `async`, `override`.
    Modifier,
    /// A value of another type than is expected.
    Type,
    /// Something is changed that was not declared `mut`, or borrowed wrongly.
    Borrow,
    /// An import that nobody uses.
    UnusedImport,
    /// A `mut` that nobody needs.
    UnusedMut,
    /// A variable, parameter or other name that nobody uses.
    Unused,
    /// Parentheses, semicolons and the like.
    Style,
    /// Anything else; only what the compiler itself suggests is tried.
    Other,
}

impl Kind {
    /// The kind of a diagnostic.
    pub fn of(diagnostic: &Diagnostic) -> Kind {
        let code = diagnostic.code.as_deref().unwrap_or_default();
        match code {
            "E0405" | "E0412" | "E0422" | "E0425" | "E0432" | "E0433" | "E0559" | "E0560"
            | "E0574" | "E0599" | "E0609" => by_suggestion(code, diagnostic),
            "TS2551" | "TS2552" | "TS2561" | "TS2724" => Kind::Spelling,
            "TS2304" | "TS2503" | "TS2686" | "TS2693" | "TS18004" => Kind::MissingImport,
            "E0046" | "TS2420" | "TS2515" | "TS2654" | "TS2655" | "TS2656" | "TS18052" => {
                Kind::MissingMember
            }
            "E0063" | "TS2739" | "TS2740" | "TS2741" => Kind::MissingField,
            "E0004" | "E0005" => Kind::MissingArm,
            "TS1308" | "TS4114" | "TS4113" => Kind::Modifier,
            "E0308" | "E0277" | "E0369" | "E0614" | "TS2322" | "TS2345" => Kind::Type,
            "E0382" | "E0384" | "E0499" | "E0502" | "E0505" | "E0506" | "E0507" | "E0594"
            | "E0596" | "E0597" => Kind::Borrow,
            "unused_imports" | "TS6192" => Kind::UnusedImport,
            "unused_mut" => Kind::UnusedMut,
            "unused_variables" | "TS6133" | "TS6138" | "TS6196" | "TS6198" | "TS6199"
            | "TS6205" => Kind::Unused,
            "unused_parens"
            | "unused_braces"
            | "redundant_semicolons"
            | "unused_must_use"
            | "TS7027" => Kind::Style,
            _ => Kind::Other,
        }
    }

    /// What a cluster of `count` such diagnostics is about, as the beginning of a title.
    pub fn title(self, count: usize) -> String {
        let (verb, one, many) = match self {
            Kind::Spelling => ("Correct", "misspelt name", "misspelt names"),
            Kind::MissingImport => ("Add imports for", "unknown name", "unknown names"),
            Kind::MissingMember => ("Add missing members for", "type", "types"),
            Kind::MissingField => ("Add missing fields to", "literal", "literals"),
            Kind::MissingArm => ("Add missing arms to", "match", "matches"),
            Kind::Modifier => ("Add", "missing modifier", "missing modifiers"),
            Kind::Type => ("Resolve", "type mismatch", "type mismatches"),
            Kind::Borrow => ("Resolve", "borrow error", "borrow errors"),
            Kind::UnusedImport => ("Remove", "unused import", "unused imports"),
            Kind::UnusedMut => ("Remove", "unneeded `mut`", "unneeded `mut`s"),
            Kind::Unused => ("Remove", "unused name", "unused names"),
            Kind::Style => ("Tidy", "redundant piece of syntax", "redundant pieces of syntax"),
            Kind::Other => ("Resolve", "other diagnostic", "other diagnostics"),
        };
        format!("{verb} {count} {}", if count == 1 { one } else { many })
    }

    /// Whether a server's quick fix for this knows more than the compiler's suggestion, which has placeholders.
    pub fn is_servers_own(self) -> bool {
        matches!(self, Kind::MissingMember | Kind::MissingField | Kind::MissingArm)
    }

    /// Whether its remedies fill in values that somebody must decide.
    pub fn fills_in(self) -> bool {
        self.is_servers_own()
    }

    /// How well a server's quick fix suits, 0 best; `None` when it is not for this or does more than it should.
    pub fn suits(self, title: &str) -> Option<usize> {
        let beginnings: &[&str] = match self {
            Kind::Spelling => &["Change spelling to", "Did you mean"],
            Kind::MissingImport => &["Update import from", "Add import from", "Import "],
            Kind::MissingMember => {
                &["Implement missing members", "Implement interface", "Implement inherited"]
            }
            Kind::MissingField => &["Fill struct fields", "Add missing properties"],
            Kind::MissingArm => &["Fill match arms"],
            Kind::Modifier => &[
                "Add 'override' modifier",
                "Add override modifier",
                "Add async modifier",
                "Remove 'override'",
            ],
            Kind::Type => &[
                "Add reference here",
                "Add 'await'",
                "Add missing 'await'",
                "Wrap in",
                "Wrap with",
            ],
            Kind::Borrow => &["Change it to be mutable"],
            Kind::UnusedImport => &["Remove import", "Remove unused", "Remove all unused imports"],
            Kind::UnusedMut => &["Remove unnecessary `mut`"],
            // A parameter is part of what callers see; a local is not, and has no such fix.
            Kind::Unused => {
                &["Prefix ", "Rename unused ", "Remove import", "Remove unused", "Remove variable"]
            }
            Kind::Style => &["Remove unreachable code", "Remove unnecessary", "Remove redundant"],
            Kind::Other => &[],
        };
        // The ones for a whole file would reach beyond the cluster.
        let too_much = title.contains(" all ") && self != Kind::UnusedImport;
        let suits = beginnings.iter().position(|beginning| title.starts_with(beginning));
        suits.filter(|_| !too_much)
    }
}

/// Unknown names: what they lack shows in what the compiler proposes.
fn by_suggestion(code: &str, diagnostic: &Diagnostic) -> Kind {
    let says = |text: &str| {
        diagnostic.message.contains(text)
            || diagnostic.remedies.iter().any(|remedy| remedy.title.contains(text))
    };
    if says("import") || says("use ") && says("in scope") {
        Kind::MissingImport
    } else if says("similar") {
        Kind::Spelling
    } else if matches!(code, "E0405" | "E0412" | "E0422" | "E0425" | "E0433" | "E0574") {
        Kind::MissingImport
    } else {
        Kind::Other
    }
}
