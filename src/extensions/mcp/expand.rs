//! Variables in what a file says, as each form has them: `${NAME}` and `${NAME:-otherwise}` in `.mcp.json`, `{env:NAME}` in
//! OpenCode's. It is asked only for a file that is trusted: what is put in can be a secret.

use std::collections::BTreeMap;

use super::{Definition, Form, Transport};

/// The server with its variables put in.
///
/// # Errors
/// In words, where a variable is not set and nothing stands for it.
pub fn expanded(
    form: Form,
    definition: &Definition,
    lookup: &dyn Fn(&str) -> Option<String>,
) -> Result<Definition, String> {
    let one = |text: &String| expand(form, text, lookup);
    let all = |pairs: &BTreeMap<String, String>| -> Result<BTreeMap<_, _>, String> {
        pairs.iter().map(|(name, value)| Ok((name.clone(), one(value)?))).collect()
    };
    let transport = match &definition.transport {
        Transport::Program { command, environment, folder } => Transport::Program {
            command: command.iter().map(one).collect::<Result<_, _>>()?,
            environment: all(environment)?,
            folder: one(folder)?,
        },
        Transport::Address { url, headers } => {
            Transport::Address { url: one(url)?, headers: all(headers)? }
        }
    };
    Ok(Definition { transport, ..definition.clone() })
}

fn expand(
    form: Form,
    text: &str,
    lookup: &dyn Fn(&str) -> Option<String>,
) -> Result<String, String> {
    let open = match form {
        Form::Project => "${",
        Form::OpenCode => "{env:",
    };
    let (mut said, mut rest) = (String::new(), text);
    while let Some((before, after)) = rest.split_once(open) {
        said += before;
        let inner = after.split_once('}').map(|(inner, _)| inner);
        let found = inner.and_then(|inner| Some((inner, value(form, inner, lookup)?)));
        let Some((inner, value)) = found else {
            // It stands for itself.
            said += open;
            rest = after;
            continue;
        };
        said += &value?;
        rest = &after[inner.len() + 1..];
    }
    Ok(said + rest)
}

/// What stands for `inner`; `None` where it names no variable.
fn value(
    form: Form,
    inner: &str,
    lookup: &dyn Fn(&str) -> Option<String>,
) -> Option<Result<String, String>> {
    let (name, otherwise) = match (form, inner.split_once(":-")) {
        (Form::Project, Some((name, otherwise))) => (name, Some(otherwise)),
        // OpenCode takes nothing for what is not set.
        (Form::OpenCode, _) => (inner, Some("")),
        (Form::Project, None) => (inner, None),
    };
    let is_name = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    let value = lookup(name).or(otherwise.map(str::to_owned));
    is_name.then(|| value.ok_or_else(|| format!("the variable {name} is not set")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_are_put_in_as_each_form_has_them() {
        let lookup = |name: &str| (name == "SET").then(|| "value".to_owned());
        let project = |text: &str| expand(Form::Project, text, &lookup);
        for (text, said) in [
            ("a ${SET} b${SET}", "a value bvalue"),
            ("${UNSET:-x y}${SET:-z}${UNSET:-}", "x yvalue"),
            ("$SET ${1} ${} ${a b} ${SET", "$SET ${1} ${} ${a b} ${SET"),
            ("{env:SET}", "{env:SET}"),
            ("${é${SET}", "${évalue"),
        ] {
            assert_eq!(project(text).as_deref(), Ok(said), "{text}");
        }
        assert!(project("${UNSET}").is_err_and(|why| why.contains("UNSET is not set")));
        let open = |text: &str| expand(Form::OpenCode, text, &lookup);
        assert_eq!(open("{env:SET}/{env:UNSET}/${SET}").as_deref(), Ok("value//${SET}"));
    }
}
