//! What a plugin asks to be allowed: a block at the head of its file, which is read, and shown, before anything of it runs.
//!
//! ```js
//! /* @manifest { "read": ["docs/**"], "fetch": ["api.example.com"] } */
//! ```

use std::ops::Range;

use globset::{Glob, GlobSet, GlobSetBuilder};
use jsonc_parser::ast::Value;
use jsonc_parser::common::Ranged as _;
use jsonc_parser::{CollectOptions, ParseOptions, parse_to_ast};

use crate::extensions::described::Problem;

/// The word that makes a comment the manifest.
pub(super) const WORD: &str = "@manifest";

/// The fields, and what each is for.
pub(super) const FIELDS: [(&str, &str); 2] = [
    ("read", "Patterns of the workspace's files that the plugin may read."),
    ("fetch", "Hosts that the plugin may ask; `*.example.com` for those below one."),
];

/// What a plugin may do beyond its own arguments.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Manifest {
    /// Patterns of files, from the workspace's root.
    pub read: Vec<String>,
    /// Hosts, in lower case.
    pub fetch: Vec<String>,
}

impl Manifest {
    /// In words, for whoever is to trust it; empty where it asks for nothing.
    pub fn in_words(&self) -> String {
        let of = |what: &str, all: &[String]| {
            (!all.is_empty()).then(|| format!("{what} {}", all.join(", ")))
        };
        let all = [of("reads", &self.read), of("asks", &self.fetch)];
        all.into_iter().flatten().collect::<Vec<_>>().join("; ")
    }

    /// Whether that host may be asked.
    pub(super) fn may_ask(&self, host: &str) -> bool {
        let host = host.to_lowercase();
        self.fetch.iter().any(|known| match known.strip_prefix("*.") {
            Some(below) => host.strip_suffix(below).is_some_and(|rest| rest.ends_with('.')),
            None => *known == host,
        })
    }

    /// The patterns of files, ready to be matched; a wrong one matches nothing, and was said when it was read.
    pub(super) fn files(&self) -> GlobSet {
        let mut set = GlobSetBuilder::new();
        for glob in self.read.iter().filter_map(|pattern| glob(pattern).ok()) {
            set.add(glob);
        }
        set.build().unwrap_or_else(|_| GlobSet::empty())
    }
}

fn glob(pattern: &str) -> Result<Glob, globset::Error> {
    globset::GlobBuilder::new(pattern).literal_separator(true).build()
}

/// The bytes of the manifest's JSON in a file, where it has one.
pub(super) fn place(text: &str) -> Option<Range<usize>> {
    let open = text.find("/*")?;
    // Only what begins the file is a head: a comment within the code speaks of the code.
    let before = text.get(..open)?;
    if !before.lines().all(|line| line.trim().is_empty() || line.trim_start().starts_with("//")) {
        return None;
    }
    let close = open + text.get(open..)?.find("*/")?;
    let word = open + text.get(open..close)?.find(WORD)?;
    Some(word + WORD.len()..close)
}

/// Reads the manifest of a file: nothing is allowed where there is none, or a wrong one.
pub(super) fn read(text: &str) -> (Manifest, Vec<Problem>) {
    let Some(place) = place(text) else {
        return Default::default();
    };
    let mut found = Reader { from: place.start, ..Reader::default() };
    let json = text.get(place.clone()).unwrap_or_default();
    match parse_to_ast(json, &CollectOptions::default(), &ParseOptions::default()) {
        Ok(parsed) => match parsed.value {
            Some(Value::Object(all)) => all.properties.iter().for_each(|prop| found.take(prop)),
            _ => found.error(0..json.len(), "a manifest is an object".to_owned()),
        },
        Err(error) => {
            let range = error.range();
            found.error(range.start..range.end, format!("the manifest: {}", error.kind()));
        }
    }
    let is_wrong = found.problems.iter().any(|problem| problem.is_error);
    (if is_wrong { Manifest::default() } else { found.manifest }, found.problems)
}

#[derive(Default)]
struct Reader {
    from: usize,
    manifest: Manifest,
    problems: Vec<Problem>,
}

impl Reader {
    fn error(&mut self, range: Range<usize>, message: String) {
        let range = self.from + range.start..self.from + range.end;
        self.problems.push(Problem { range, is_error: true, message });
    }

    fn take(&mut self, prop: &jsonc_parser::ast::ObjectProp<'_>) {
        let (name, at) = (prop.name.as_str(), prop.name.range());
        if !FIELDS.iter().any(|(field, _)| *field == name) {
            let message = format!("a manifest has no field `{name}`; it has read and fetch");
            return self.error(at.start..at.end, message);
        }
        let range = prop.value.range();
        let Value::Array(all) = &prop.value else {
            return self.error(range.start..range.end, format!("`{name}` is a list of texts"));
        };
        for one in &all.elements {
            let range = one.range();
            match one {
                Value::StringLit(text) => {
                    if let Err(why) = self.allow(name, &text.value) {
                        self.error(range.start..range.end, why);
                    }
                }
                _ => self.error(range.start..range.end, format!("`{name}` is a list of texts")),
            }
        }
    }

    fn allow(&mut self, name: &str, text: &str) -> Result<(), String> {
        if name == "read" {
            glob(text).map_err(|error| format!("`{text}` is no pattern: {error}"))?;
            let leaves = text.starts_with('/') || text.split('/').any(|part| part == "..");
            if leaves {
                return Err(format!("`{text}` leaves the workspace"));
            }
            self.manifest.read.push(text.to_owned());
            return Ok(());
        }
        let host = text.strip_prefix("*.").unwrap_or(text);
        let fits = !host.is_empty()
            && host.chars().all(|c| c.is_ascii_alphanumeric() || ".-:[]".contains(c));
        if !fits {
            return Err(format!("`{text}` is no host: a name or address, without scheme and path"));
        }
        self.manifest.fetch.push(text.to_lowercase());
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_read_from_the_head_and_from_nowhere_else() {
        let text = "// x\n/* @manifest {\"read\": [\"docs/**\"], \"fetch\": [\"*.A.example\", \"b.example\"],} */\nexport default {}";
        let (manifest, problems) = read(text);
        assert_eq!(problems, []);
        assert_eq!(manifest.in_words(), "reads docs/**; asks *.a.example, b.example");
        assert!(manifest.may_ask("x.a.example") && manifest.may_ask("B.example"));
        assert!(!manifest.may_ask("a.example") && !manifest.may_ask("xa.example"));
        let files = manifest.files();
        assert!(files.is_match("docs/a/b.md") && !files.is_match("src/a.md"));
        assert_eq!(
            read("const a = 1; /* @manifest {\"read\": [\"**\"]} */").0,
            Manifest::default()
        );
    }

    #[test]
    fn what_is_wrong_is_named_with_its_place_and_allows_nothing() {
        for (json, part, why) in [
            ("{\"read\": [\"docs/**\"], \"write\": [\"x\"]}", "\"write\"", "no field `write`"),
            ("{\"read\": \"docs\"}", "\"docs\"", "list of texts"),
            ("{\"read\": [\"a\", \"../x\"]}", "\"../x\"", "leaves the workspace"),
            ("{\"read\": [\"a[\"]}", "\"a[\"", "no pattern"),
            ("{\"fetch\": [\"https://a.example\"]}", "\"https://a.example\"", "no host"),
        ] {
            let text = format!("/* @manifest {json} */");
            let (manifest, problems) = read(&text);
            assert_eq!(manifest, Manifest::default(), "{json}");
            let problem = problems.iter().find(|p| p.message.contains(why)).expect(json);
            assert_eq!(&text[problem.range.clone()], part);
        }
        assert_eq!(read("/* @manifest {\"read\": [ */").1.len(), 1);
    }
}
