//! Mends raw parameters before they are parsed into protocol types.
//!
//! The typed parser refuses a whole message over one value that it does not know: an enum of a newer protocol, a URI
//! with a raw space. A client that sends such a thing is served all the same.

use std::fmt::Write as _;

use serde_json::{Value, json};

/// What `method` gets for its parameters.
pub fn mend(method: &str, params: Option<Value>) -> Option<Value> {
    // `shutdown` has no parameters, but some clients send an empty object.
    let mut params = params.filter(|_| method != "shutdown")?;
    mend_uris(&mut params, 0);
    Some(if method == "initialize" { wrap_initialize(params) } else { params })
}

/// `initialize` is the one message full of enums that this server never reads. It goes through the typed parser empty,
/// with all that the client said as its `initializationOptions`; [`super::client::Client`] reads it from there.
fn wrap_initialize(params: Value) -> Value {
    json!({ "capabilities": {}, "initializationOptions": params })
}

/// Deeper than any URI of the protocol, shallower than any stack.
const MAX_DEPTH: usize = 16;

fn mend_uris(value: &mut Value, depth: usize) {
    match value {
        _ if depth > MAX_DEPTH => {}
        Value::Array(items) => items.iter_mut().for_each(|item| mend_uris(item, depth + 1)),
        Value::Object(members) => {
            for (name, member) in members {
                match member {
                    Value::String(uri) if name == "uri" || name.ends_with("Uri") => mend_uri(uri),
                    _ => mend_uris(member, depth + 1),
                }
            }
        }
        _ => {}
    }
}

fn mend_uri(uri: &mut String) {
    let bytes = uri.as_bytes();
    let legal = |at: usize| match bytes[at] {
        b'%' => bytes.get(at + 1..at + 3).is_some_and(|hex| hex.iter().all(u8::is_ascii_hexdigit)),
        byte => byte.is_ascii_alphanumeric() || b"-._~:/?#[]@!$&'()*+,;=".contains(&byte),
    };
    if (0..bytes.len()).all(legal) {
        return;
    }
    let mut mended = String::with_capacity(bytes.len() + 8);
    for (at, byte) in bytes.iter().enumerate() {
        if legal(at) {
            mended.push(char::from(*byte));
        } else {
            // Writing to a String cannot fail.
            let _ = write!(mended, "%{byte:02X}");
        }
    }
    *uri = mended;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uris_are_mended_wherever_they_stand() {
        let params = json!({
            "textDocument": {"uri": "file:///a b/ü%20%zz.rs", "text": "a b"},
            "folders": [{"uri": "file:///ok%20.rs"}], "newUri": "x y", "rootUri": null,
        });
        let mended = mend("textDocument/didOpen", Some(params)).unwrap();
        assert_eq!(mended["textDocument"]["uri"], "file:///a%20b/%C3%BC%20%25zz.rs");
        assert_eq!(mended["textDocument"]["text"], "a b");
        assert_eq!(mended["folders"][0]["uri"], "file:///ok%20.rs");
        assert_eq!(mended["newUri"], "x%20y");
    }

    #[test]
    fn nothing_in_initialize_can_fail_to_parse() {
        let odd = json!({"trace": "compact", "processId": "seven", "capabilities": {"workspace": {"workspaceEdit": {
            "resourceOperations": ["teleport"], "failureHandling": "hope"}}}});
        let mended = mend("initialize", Some(odd.clone())).unwrap();
        let typed: tower_lsp::lsp_types::InitializeParams = serde_json::from_value(mended).unwrap();
        assert_eq!(typed.initialization_options, Some(odd));
    }
}
