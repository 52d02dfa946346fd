//! Real code in the place of placeholders: `todo!()` and `throw new Error("Method not implemented.")` become default
//! values of the type that is asked for. Where no default is known there is no completion.
//!
//! Pure. It must not know which change the text is for.

/// What quick fixes of TypeScript's servers put into a body.
const NOT_IMPLEMENTED: &str = "throw new Error(\"Method not implemented.\");";

/// `text` without placeholders; `None` when one of them has no honest replacement.
pub fn complete(text: &str) -> Option<String> {
    let text = rust(text)?;
    typescript(&text)
}

fn rust(text: &str) -> Option<String> {
    let mut done = String::new();
    let mut rest = text;
    while let Some((at, mark)) = ["todo!()", "unimplemented!()"]
        .iter()
        .filter_map(|mark| Some((rest.find(mark)?, mark)))
        .min()
    {
        done.push_str(&rest[..at]);
        rest = &rest[at + mark.len()..];
        let value = match return_type(&done) {
            Returns::Unit => "",
            Returns::Type(name) => rust_default(&name),
            Returns::Unknown => "Default::default()",
        };
        if value.is_empty() {
            // An empty body: `{` and `}` move together, whatever line end stands between them.
            done.truncate(done.trim_end().len());
            rest = rest.trim_start();
        }
        done.push_str(value);
    }
    done.push_str(rest);
    // An associated type or constant is left open by the server; nobody but a person can fill it in.
    let open = |line: &str| {
        line.trim_start().starts_with("type ")
            && line.trim_end().ends_with(';')
            && !line.contains('=')
    };
    (!done.lines().any(open) || done.contains(": ")).then_some(done)
}

enum Returns {
    Unit,
    Type(String),
    Unknown,
}

/// What the function whose body ends `before` returns; unknown in a match arm.
fn return_type(before: &str) -> Returns {
    let body = before.trim_end();
    let Some(signature) = body.strip_suffix('{') else {
        return Returns::Unknown;
    };
    let Some(at) = signature.rfind("fn ") else {
        return Returns::Unknown;
    };
    let signature = &signature[at..];
    match signature.rsplit_once("->") {
        // `->` inside of the parameters belongs to a closure's type.
        Some((head, name)) if head.matches('(').count() == head.matches(')').count() => {
            let name = name.split(" where ").next().unwrap_or(name);
            Returns::Type(name.trim().to_owned())
        }
        _ => Returns::Unit,
    }
}

fn rust_default(name: &str) -> &'static str {
    let generic = name.split('<').next().unwrap_or(name);
    match generic {
        "bool" => "false",
        "String" => "String::new()",
        "&str" | "&'static str" => "\"\"",
        "f32" | "f64" => "0.0",
        "u8" | "u16" | "u32" | "u64" | "u128" | "usize" | "i8" | "i16" | "i32" | "i64" | "i128"
        | "isize" => "0",
        "Option" => "None",
        "Vec" => "Vec::new()",
        "Result" | "fmt::Result" | "std::fmt::Result" => "Ok(Default::default())",
        "()" => "",
        _ => "Default::default()",
    }
}

fn typescript(text: &str) -> Option<String> {
    let mut done = String::new();
    let mut rest = text;
    while let Some(at) = rest.find(NOT_IMPLEMENTED) {
        done.push_str(&rest[..at]);
        rest = &rest[at + NOT_IMPLEMENTED.len()..];
        let signature = done.trim_end().strip_suffix('{')?.trim_end();
        // `name(a: A): B`; a getter has no parameters but the parentheses.
        let name = signature.rsplit_once("): ").map(|(_, name)| name)?;
        match typescript_default(name)?.as_str() {
            "undefined" => {
                done.truncate(done.trim_end().len());
                rest = rest.trim_start();
            }
            value => done.push_str(&format!("return {value};")),
        }
    }
    done.push_str(rest);
    let lines: Option<Vec<String>> = done.split('\n').map(property).collect();
    lines.map(|lines| lines.join("\n"))
}

/// A declared property gets a value, which strict classes demand; other lines stay as they are.
fn property(line: &str) -> Option<String> {
    let declaration = line.trim_end_matches('\r').strip_suffix(';');
    let parts = declaration.and_then(|declaration| declaration.trim_start().split_once(": "));
    let is_name = |name: &str| {
        let name = name.rsplit(' ').next().unwrap_or(name);
        !name.is_empty()
            && name.chars().all(|char| char.is_alphanumeric() || char == '_' || char == '$')
    };
    let (Some(declaration), Some((name, kind))) = (declaration, parts) else {
        return Some(line.to_owned());
    };
    if !is_name(name) || kind.contains('=') || name.starts_with("return") || kind.contains('(') {
        return Some(line.to_owned());
    }
    let end = &line[declaration.len()..];
    Some(format!("{declaration} = {}{end}", typescript_default(kind)?))
}

fn typescript_default(name: &str) -> Option<String> {
    let name = name.trim().trim_start_matches("readonly ");
    if let Some(inner) = name.strip_prefix("Promise<").and_then(|inner| inner.strip_suffix('>')) {
        return Some(match typescript_default(inner)?.as_str() {
            "undefined" => "Promise.resolve(undefined)".to_owned(),
            value => format!("Promise.resolve({value})"),
        });
    }
    let alternatives: Vec<&str> = name.split(" | ").collect();
    for nothing in ["undefined", "void", "null"] {
        if alternatives.contains(&nothing) {
            return Some(if nothing == "null" { "null" } else { "undefined" }.to_owned());
        }
    }
    let first = alternatives.first().copied().unwrap_or_default();
    let literal = first.len() > 1 && (first.starts_with('"') && first.ends_with('"'));
    match first {
        "number" => Some("0".to_owned()),
        "bigint" => Some("0n".to_owned()),
        "string" => Some("\"\"".to_owned()),
        "boolean" | "false" => Some("false".to_owned()),
        "true" => Some("true".to_owned()),
        "any" | "unknown" => Some("undefined".to_owned()),
        _ if literal => Some(first.to_owned()),
        _ if name.ends_with("[]")
            || name.starts_with("Array<")
            || name.starts_with("ReadonlyArray<") =>
        {
            Some("[]".to_owned())
        }
        _ if name.starts_with("Map<") || name.starts_with("ReadonlyMap<") => {
            Some("new Map()".to_owned())
        }
        _ if name.starts_with("Set<") || name.starts_with("ReadonlySet<") => {
            Some("new Set()".to_owned())
        }
        _ if name.starts_with("Record<string,") => Some("{}".to_owned()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rust_bodies_get_default_values() {
        let filled = complete(
            "\n    fn a(&self) -> String {\n        todo!()\n    }\n\n    fn b(&mut self, f: fn(u8) -> u8) {\n        todo!()\n    }\n\
             \n    fn c() -> Foo {\n        unimplemented!()\n    }\n            X::Y => todo!(),",
        );
        let expected = "\n    fn a(&self) -> String {\n        String::new()\n    }\n\n    fn b(&mut self, f: fn(u8) -> u8) {}\n\
             \n    fn c() -> Foo {\n        Default::default()\n    }\n            X::Y => Default::default(),";
        assert_eq!(filled.as_deref(), Some(expected));
        assert_eq!(complete("\n    type Err;\n"), None);
        assert_eq!(complete("use std::fmt;\n").as_deref(), Some("use std::fmt;\n"));
    }

    #[test]
    fn typescript_bodies_and_properties_get_default_values() {
        let filled = complete(
            "\n    names(): string[] {\n        throw new Error(\"Method not implemented.\");\n    }\n    size: number;\n\
             \x20   go(x: number): void {\r\n        throw new Error(\"Method not implemented.\");\r\n    }\r\n    at: Date | null;\r\n",
        );
        let expected = "\n    names(): string[] {\n        return [];\n    }\n    size: number = 0;\n\
             \x20   go(x: number): void {}\r\n    at: Date | null = null;\r\n";
        assert_eq!(filled.as_deref(), Some(expected));
        assert_eq!(
            complete(
                "\n    when(): Date {\n        throw new Error(\"Method not implemented.\");\n    }\n"
            ),
            None
        );
        assert_eq!(complete("    owner: Person;\n"), None);
        assert_eq!(complete(", Money").as_deref(), Some(", Money"));
    }
}
