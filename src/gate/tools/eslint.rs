//! The output of `eslint --format json`: every file that was linted, with its messages.

use std::collections::BTreeSet;
use std::path::Path;

use serde::Deserialize;

use super::place::{Columns, word};
use super::process::Ended;
use super::{Answered, Found, rel_path};
use crate::gate::diagnostic::{Diagnostic, Severity};

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Linted {
    file_path: String,
    messages: Vec<Message>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Message {
    /// `None` for what does not parse.
    rule_id: Option<String>,
    /// 2 is an error.
    severity: u8,
    message: String,
    /// 1-based; `None` for what is said of the whole file.
    line: Option<u32>,
    /// 1-based, in UTF-16 units.
    column: Option<u32>,
    #[serde(default)]
    fatal: bool,
}

/// Reads what eslint said.
///
/// # Errors
/// The reason, for people, when it gave up.
pub fn read(root: &Path, folder: &str, ended: &Ended) -> Result<Answered, String> {
    let linted: Vec<Linted> =
        serde_json::from_str(ended.stdout.trim()).map_err(|_| ended.last_words())?;
    let mut answered = Answered { units: BTreeSet::from([String::new()]), ..Answered::default() };
    for file in linted {
        let Some(path) = rel_path(root, folder, &file.file_path) else {
            continue;
        };
        if !file.messages.iter().any(|message| message.fatal) {
            answered.covered.insert(path.clone());
        }
        for message in file.messages {
            let place = (message.line.unwrap_or(1), message.column.unwrap_or(1));
            let diagnostic = Diagnostic {
                range: word(root, &path, place, Columns::Utf16),
                path: path.clone(),
                severity: if message.severity == 2 { Severity::Error } else { Severity::Warning },
                code: message.rule_id,
                message: message.message,
                source: "eslint".to_owned(),
                remedies: Vec::new(),
            };
            answered.found.push(Found { diagnostic, unit: String::new() });
        }
    }
    Ok(answered)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn recorded_output_is_read() {
        let output = r#"[{"filePath":"/shadow/a.js","messages":[{"ruleId":"no-undef","severity":2,"message":"'x' is not defined.","line":1,"column":3},
            {"ruleId":"eqeqeq","severity":1,"message":"Expected '==='.","line":1,"column":1}],"errorCount":1},
            {"filePath":"/shadow/b.js","messages":[{"ruleId":null,"fatal":true,"severity":2,"message":"Parsing error","line":2,"column":1}]},
            {"filePath":"/elsewhere/c.js","messages":[]}]"#;
        let ended = |stdout: &str| Ended {
            success: false,
            status: "exit status: 1".to_owned(),
            stdout: stdout.to_owned(),
            stderr: "Oops! Something went wrong!".to_owned(),
            began: std::time::UNIX_EPOCH,
        };
        let answered = read(Path::new("/shadow"), "", &ended(output)).expect("an answer");
        let errors = answered.found.iter().filter(|f| f.diagnostic.severity == Severity::Error);
        assert_eq!((errors.count(), answered.found.len(), answered.covered.len()), (2, 3, 1));
        assert_eq!(answered.found[0].diagnostic.code.as_deref(), Some("no-undef"));
        assert!(read(Path::new("/"), "", &ended("")).expect_err("a crash").contains("Oops"));
    }
}
