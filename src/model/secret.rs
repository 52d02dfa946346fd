//! A string that is never shown: API keys and the values of extra headers.
//!
//! It can be read from configuration and handed to the HTTP layer, nothing else: `Debug`, `Display` and `Serialize` all
//! give the same placeholder, so a key cannot reach a log, a journal or an error by accident.

use std::fmt;

use serde::{Deserialize, Serialize, Serializer};

/// What is shown in a secret's place.
pub(crate) const PLACEHOLDER: &str = "[redacted]";

/// Below this length (bytes) a secret is not searched for in texts: it would hit ordinary words.
const SHORTEST_SEARCHED: usize = 4;

/// A secret string. Serialising it yields the placeholder: settings that were written out must get their keys anew.
#[derive(Clone, PartialEq, Eq, Deserialize, schemars::JsonSchema)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    /// Wraps a secret.
    pub fn new(value: impl Into<String>) -> Self {
        Secret(value.into())
    }

    /// The secret itself; only for the header it belongs in.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Replaces every occurrence of the secret in `text` by the placeholder.
    pub fn redact(&self, text: &mut String) {
        if self.0.len() >= SHORTEST_SEARCHED && text.contains(&self.0) {
            *text = text.replace(&self.0, PLACEHOLDER);
        }
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(PLACEHOLDER)
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(PLACEHOLDER)
    }
}

impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(PLACEHOLDER)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_shows_itself_nowhere() {
        let secret = Secret::new("sk-very-secret");
        let shown = format!("{secret:?} {secret} {}", serde_json::to_string(&secret).unwrap());
        assert!(!shown.contains("very"));
        let mut text = "the key sk-very-secret is wrong".to_owned();
        secret.redact(&mut text);
        assert_eq!(text, "the key [redacted] is wrong");
    }
}
