//! From a provider's refusal (a status, an error object) to a [`Fault`].
//!
//! The documented error shapes are `{"error": {"message", "type", "code"}}` (OpenAI) and `{"type": "error", "error":
//! {"type", "message"}}` (Anthropic); compatible servers also send a bare string, a numeric `code`, `{"message"}`,
//! `{"detail"}` or no JSON at all. OpenRouter's `code` is the status, within a stream too.
//!
//! A conversation that is too long is told in many ways: `context_length_exceeded` (OpenAI), "prompt is too long" or 413
//! `request_too_large` (Anthropic), `exceed_context_size_error` with a `code` of 400, of 500 in older versions, whatever
//! the status (llama.cpp), "maximum context length" with the type `BadRequestError` (vLLM, OpenRouter). Ollama says
//! nothing: it leaves the beginning of the conversation out, unless its `num_ctx` is raised. 529 is Anthropic's
//! `overloaded_error`.
//!
//! Sources: <https://platform.openai.com/docs/guides/error-codes>, <https://platform.claude.com/docs/en/api/errors>,
//! <https://openrouter.ai/docs/api/reference/errors-and-debugging>, <https://github.com/ggml-org/llama.cpp/pull/15780>,
//! <https://github.com/vllm-project/vllm/issues/20409>, <https://github.com/ollama/ollama/issues/7661>.

use serde_json::Value;

use super::{Fault, FaultKind};

/// A provider's error, however it was shaped.
struct ProviderError {
    message: String,
    /// `type` and `code`, lower-case, separated by a space.
    labels: String,
    /// A numeric `code` that is an HTTP status.
    status: Option<u16>,
}

impl ProviderError {
    fn from_body(body: &[u8]) -> Self {
        match serde_json::from_slice::<Value>(body) {
            Ok(value) => {
                let inner = value.get("error").filter(|error| !error.is_null());
                Self::from_value(inner.unwrap_or(&value))
            }
            Err(_) => Self {
                message: String::from_utf8_lossy(body).trim().to_owned(),
                labels: String::new(),
                status: None,
            },
        }
    }

    fn from_value(error: &Value) -> Self {
        let text = |key: &str| error.get(key).and_then(Value::as_str).unwrap_or_default();
        let message = [text("message"), text("detail"), text("error")]
            .into_iter()
            .chain(error.as_str())
            .find(|text| !text.is_empty())
            .map_or_else(|| error.to_string(), str::to_owned);
        let status = error
            .get("code")
            .and_then(Value::as_u64)
            .and_then(|code| u16::try_from(code).ok())
            .filter(|code| (400..600).contains(code));
        Self {
            message,
            labels: format!("{} {}", text("type"), text("code")).to_lowercase(),
            status,
        }
    }

    fn kind(&self, status: Option<u16>) -> FaultKind {
        let status = status.or(self.status);
        if status != Some(429) && self.says_context_overflow() {
            return FaultKind::ContextOverflow;
        }
        if status == Some(402) || self.says_out_of_credit() {
            return FaultKind::Quota;
        }
        status.map_or_else(|| self.kind_by_label(), kind_by_status)
    }

    fn says_context_overflow(&self) -> bool {
        const LABELS: [&str; 3] =
            ["context_length_exceeded", "exceed_context_size", "request_too_large"];
        const PHRASES: [&str; 6] = [
            "maximum context length",
            "prompt is too long",
            "exceed context limit",
            "context window",
            "context size",
            "context length",
        ];
        let message = self.message.to_lowercase();
        LABELS.iter().any(|label| self.labels.contains(label))
            || PHRASES.iter().any(|phrase| message.contains(phrase))
    }

    fn says_out_of_credit(&self) -> bool {
        const LABELS: [&str; 5] =
            ["insufficient_quota", "billing", "credit_balance", "spend_limit", "usage_limit"];
        LABELS.iter().any(|label| self.labels.contains(label))
            || ["credit balance is too low", "API usage limits"]
                .iter()
                .any(|phrase| self.message.contains(phrase))
    }

    /// For errors inside a stream, where the status was 200.
    fn kind_by_label(&self) -> FaultKind {
        const TABLE: [(&str, FaultKind); 9] = [
            ("overloaded", FaultKind::Overloaded),
            ("rate_limit", FaultKind::RateLimited),
            ("authentication_error", FaultKind::Auth),
            ("invalid_api_key", FaultKind::Auth),
            ("permission_error", FaultKind::Auth),
            ("model_not_found", FaultKind::NotFound),
            ("not_found_error", FaultKind::NotFound),
            ("invalid_request", FaultKind::BadRequest),
            ("content_filter", FaultKind::Refused),
        ];
        TABLE
            .iter()
            .find(|(label, _)| self.labels.contains(label))
            .map_or(FaultKind::Server, |(_, kind)| *kind)
    }
}

fn kind_by_status(status: u16) -> FaultKind {
    match status {
        401 | 403 => FaultKind::Auth,
        404 => FaultKind::NotFound,
        408 | 409 | 425 => FaultKind::Server,
        413 => FaultKind::ContextOverflow,
        429 => FaultKind::RateLimited,
        503 | 529 => FaultKind::Overloaded,
        500..=599 => FaultKind::Server,
        300..=399 => FaultKind::Configuration,
        _ => FaultKind::BadRequest,
    }
}

/// What a person can do about it, where something can be done.
fn advice(kind: FaultKind) -> &'static str {
    match kind {
        FaultKind::Auth => "; check api_key (ORCHESTRATOR_API_KEY) and that it belongs to base_url",
        FaultKind::Quota => "; add credit or raise the limit at the provider",
        FaultKind::NotFound => {
            "; check model (ORCHESTRATOR_MODEL) and base_url (ORCHESTRATOR_BASE_URL)"
        }
        FaultKind::Configuration => {
            "; set base_url (ORCHESTRATOR_BASE_URL) to the address it redirects to"
        }
        _ => "",
    }
}

/// The provider's words come last: they are what is cut when the message is too long.
fn fault(kind: FaultKind, what: &str, words: &str) -> Fault {
    let words = if words.is_empty() { "no explanation" } else { words };
    Fault::new(kind, format!("{what}{}: {words}", advice(kind)))
}

/// A fault from an answer with an unsuccessful status.
pub(crate) fn from_status(status: u16, body: &[u8]) -> Fault {
    let error = ProviderError::from_body(body);
    let kind = error.kind(Some(status));
    fault(kind, &format!("the provider answered HTTP {status}"), &error.message)
}

/// A fault from an error object inside a successful answer.
pub(crate) fn from_error_object(error: &Value) -> Fault {
    let error = ProviderError::from_value(error);
    let kind = error.kind(None);
    fault(kind, "the provider reported an error", &error.message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(status: u16, body: &str) -> FaultKind {
        from_status(status, body.as_bytes()).kind
    }

    #[test]
    fn statuses_and_documented_codes_become_kinds() {
        use FaultKind::*;
        for (status, body, expected) in [
            (401, "", Auth),
            (403, "{}", Auth),
            (404, r#"{"error":{"code":"model_not_found","message":"no"}}"#, NotFound),
            (408, "", Server),
            (409, "", Server),
            (
                413,
                r#"{"type":"error","error":{"type":"request_too_large","message":"big"}}"#,
                ContextOverflow,
            ),
            (
                429,
                r#"{"error":{"type":"tokens","code":"rate_limit_exceeded","message":"context length per min"}}"#,
                RateLimited,
            ),
            (429, r#"{"error":{"type":"insufficient_quota","message":"pay"}}"#, Quota),
            (402, "", Quota),
            (500, "<html>", Server),
            (502, "", Server),
            (503, "", Overloaded),
            (
                529,
                r#"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}"#,
                Overloaded,
            ),
            (400, r#"{"error":{"code":"context_length_exceeded","message":"x"}}"#, ContextOverflow),
            (
                400,
                r#"{"type":"error","error":{"type":"invalid_request_error","message":"prompt is too long: 207791 tokens > 200000 maximum"}}"#,
                ContextOverflow,
            ),
            (
                400,
                r#"{"error":{"message":"input length and `max_tokens` exceed context limit: 1 + 2 > 2"}}"#,
                ContextOverflow,
            ),
            (400, r#"{"error":{"message":"unknown parameter"}}"#, BadRequest),
            (422, r#"{"detail":"no"}"#, BadRequest),
            (307, "", Configuration),
        ] {
            assert_eq!(kind(status, body), expected, "{status} {body}");
        }
    }

    #[test]
    fn errors_inside_a_stream_are_told_apart_by_type_or_code() {
        let of = |text: &str| from_error_object(&serde_json::from_str(text).unwrap()).kind;
        assert_eq!(of(r#"{"type":"overloaded_error"}"#), FaultKind::Overloaded);
        assert_eq!(of(r#"{"code":429,"message":"x"}"#), FaultKind::RateLimited);
        assert_eq!(of(r#"{"code":"rate_limit_exceeded"}"#), FaultKind::RateLimited);
        assert_eq!(of(r#""boom""#), FaultKind::Server);
    }

    #[test]
    fn the_message_quotes_the_provider_and_names_the_setting() {
        let fault = from_status(404, br#"{"error":"model 'x' not found"}"#);
        assert_eq!(
            fault.message,
            "the provider answered HTTP 404; check model (ORCHESTRATOR_MODEL) and base_url (ORCHESTRATOR_BASE_URL): model 'x' not found"
        );
    }
}
