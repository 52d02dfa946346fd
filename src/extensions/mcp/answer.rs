//! What a tool answers, as text within bounds: a server's words are passed on, and never taken for anything else.

use rmcp::model::{CallToolResult, ContentBlock, ResourceContents};
use serde_json::Value;

/// The longest answer that is passed on, in bytes.
const LONGEST: usize = 256 * 1024;
/// The longest error, likewise.
const LONGEST_ERROR: usize = 8 * 1024;

/// The answer; as an error where the tool says that it is one.
pub fn text(result: &CallToolResult) -> Result<String, String> {
    let mut parts: Vec<String> = result.content.iter().map(block).collect();
    if let Some(structured) = &result.structured_content
        && !parts.iter().any(|part| is_the_same(part, structured))
    {
        parts.push(structured.to_string());
    }
    let said = parts.join("\n");
    if result.is_error == Some(true) {
        let said =
            if said.trim().is_empty() { "the tool failed and says no more".into() } else { said };
        return Err(cut(said, LONGEST_ERROR));
    }
    Ok(cut(said, LONGEST))
}

/// Servers repeat what is structured as a text.
fn is_the_same(text: &str, structured: &Value) -> bool {
    serde_json::from_str::<Value>(text).is_ok_and(|value| value == *structured)
}

fn block(block: &ContentBlock) -> String {
    match block {
        ContentBlock::Text(text) => text.text.clone(),
        ContentBlock::Image(image) => left_out("an image", &image.mime_type, image.data.len()),
        ContentBlock::Audio(audio) => left_out("a sound", &audio.mime_type, audio.data.len()),
        ContentBlock::Resource(embedded) => match &embedded.resource {
            ResourceContents::TextResourceContents { uri, text, .. } => {
                format!("[the resource {uri}]\n{text}")
            }
            ResourceContents::BlobResourceContents { uri, blob, .. } => {
                left_out(&format!("the resource {uri}"), "binary", blob.len())
            }
            _ => "[a resource of an unknown kind is left out]".to_owned(),
        },
        ContentBlock::ResourceLink(link) => format!("[the resource {}: {}]", link.uri, link.name),
        _ => "[content of an unknown kind is left out]".to_owned(),
    }
}

fn left_out(what: &str, kind: &str, base64: usize) -> String {
    format!("[{what} is left out: {kind}, about {} bytes]", base64 / 4 * 3)
}

/// At most `most` bytes of a text, and what is missing.
pub fn cut(mut text: String, most: usize) -> String {
    if text.len() <= most {
        return text;
    }
    let end = (0..=most).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
    let missing = text.len() - end;
    text.truncate(end);
    text + &format!("\n[{missing} more bytes are left out]")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn said(result: Value) -> Result<String, String> {
        text(&serde_json::from_value(result).unwrap())
    }

    #[test]
    fn every_kind_of_content_is_a_text_within_bounds() {
        let text = |text: &str| json!({ "type": "text", "text": text });
        let image = json!({ "type": "image", "data": "AAAA", "mimeType": "image/png" });
        let resource =
            json!({ "type": "resource", "resource": { "uri": "file:///a", "text": "held" } });
        let all = said(json!({ "content": [text("a"), image, resource] })).unwrap();
        assert_eq!(
            all,
            "a\n[an image is left out: image/png, about 3 bytes]\n[the resource file:///a]\nheld"
        );
        let structured = json!({ "n": 1 });
        let both = json!({ "content": [text("{ \"n\": 1 }")], "structuredContent": structured });
        assert_eq!(said(both).unwrap(), "{ \"n\": 1 }");
        let alone = json!({ "content": [], "structuredContent": structured });
        assert_eq!(said(alone).unwrap(), "{\"n\":1}");
        assert_eq!(said(json!({ "content": [text("no")], "isError": true })), Err("no".into()));
        assert!(said(json!({ "content": [], "isError": true })).unwrap_err().contains("failed"));
        let long = said(json!({ "content": [text(&"é".repeat(LONGEST))] })).unwrap();
        assert!(long.len() < LONGEST + 60 && long.ends_with("more bytes are left out]"));
    }
}
