//! Settings that were checked and completed: everything that is the same for all requests of a role.

use std::time::Duration;

use reqwest::Url;
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue};

use super::anthropic;
use super::events::Bounds;
use super::fault::{Fault, ModelError};
use super::request::Request;
use super::secret::Secret;
use super::settings::{ModelSettings, Price, Provider, REPLAY_PREFIX};
use crate::mission::conversation::Role;

const CONNECT_TIMEOUT_MS: u64 = 10_000;
const IDLE_TIMEOUT_MS: u64 = 180_000;
const ANSWER_TIMEOUT_MS: u64 = 1_800_000;
const QUIET_TIMEOUT_MS: u64 = 600_000;
const COOL_DOWN_MS: u64 = 15_000;
const MAX_ANSWER_BYTES: u64 = 64 << 20;

/// Where and how a role's requests go.
#[derive(Debug, Clone)]
pub(crate) struct Endpoint {
    pub(crate) provider: Provider,
    /// The full address of the request.
    pub(crate) url: Url,
    pub(crate) model: String,
    /// Whether it is the vendor's own server, not a compatible one.
    pub(crate) at_vendor: bool,
    pub(crate) headers: HeaderMap,
    /// All that must never appear in a fault.
    secrets: Vec<Secret>,
    pub(crate) max_output_tokens: Option<u32>,
    pub(crate) temperature: Option<f64>,
    pub(crate) connect_timeout: Duration,
    pub(crate) answer_timeout: Duration,
    /// How long nothing of an answer may come while signs of life do.
    pub(crate) quiet: Duration,
    /// For how long its breaker opens at first.
    pub(crate) cool_down: Duration,
    /// The most requests to the model at once, where that is set.
    pub(crate) slots: Option<u32>,
    pub(crate) bounds: Bounds,
    pub(crate) price: Price,
}

impl Endpoint {
    /// Checks and completes the settings of `role`. A replay must have the `base_url` of its server by now.
    pub(crate) fn resolve(role: Role, settings: &ModelSettings) -> Result<Endpoint, ModelError> {
        let provider = settings.effective_provider();
        let model = match (&settings.model, provider) {
            (Some(model), _) => model.clone(),
            (None, Provider::Replay) => REPLAY_PREFIX.to_owned(),
            (None, _) => return Err(missing(role, "model", "no model is named")),
        };
        let at_vendor = settings.is_at_vendor();
        if at_vendor && settings.api_key.is_none() {
            let reason = format!("{} needs a key", provider.name());
            return Err(missing(role, "api_key", &reason));
        }
        let millis = |value: Option<u64>, default| Duration::from_millis(value.unwrap_or(default));
        Ok(Endpoint {
            provider,
            url: request_url(role, provider, settings)?,
            model,
            at_vendor,
            headers: headers(role, provider, settings)?,
            secrets: settings.api_key.iter().chain(settings.headers.values()).cloned().collect(),
            max_output_tokens: settings.max_output_tokens,
            temperature: settings.temperature,
            connect_timeout: millis(settings.connect_timeout_ms, CONNECT_TIMEOUT_MS),
            answer_timeout: millis(settings.answer_timeout_ms, ANSWER_TIMEOUT_MS),
            quiet: millis(settings.quiet_timeout_ms, QUIET_TIMEOUT_MS),
            cool_down: millis(settings.cool_down_ms, COOL_DOWN_MS),
            slots: settings.slots,
            bounds: Bounds {
                idle: millis(settings.idle_timeout_ms, IDLE_TIMEOUT_MS),
                bytes: settings.max_answer_bytes.unwrap_or(MAX_ANSWER_BYTES),
            },
            price: settings.price.unwrap_or_default(),
        })
    }

    /// The model and its host, for people. The script's name is enough of a replay; its folder is nobody's concern.
    pub(crate) fn label(&self) -> String {
        if self.provider == Provider::Replay {
            let name = self.model.rsplit(['/', '\\', ':']).next().unwrap_or_default();
            return format!("a replay of {name}");
        }
        let host = self.url.host_str().unwrap_or_default();
        match self.url.port() {
            Some(port) => format!("{} at {host}:{port}", self.model),
            None => format!("{} at {host}", self.model),
        }
    }

    /// Whether requests never leave this machine.
    pub(crate) fn is_loopback(&self) -> bool {
        is_loopback(&self.url)
    }

    /// The body of a request.
    pub(crate) fn encode(&self, request: &Request<'_>) -> serde_json::Result<Vec<u8>> {
        match self.provider {
            Provider::Anthropic => anthropic::encode(self, request),
            Provider::OpenAi | Provider::Replay => super::openai::encode(self, request),
        }
    }

    /// The fault as it may leave this module.
    pub(crate) fn seal(&self, fault: Fault) -> Fault {
        fault.sealed(&self.secrets)
    }
}

fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
    host == "localhost" || host.parse().is_ok_and(|ip: std::net::IpAddr| ip.is_loopback())
}

/// An error that names the setting, as the file and as the environment call it.
fn missing(role: Role, field: &str, reason: &str) -> ModelError {
    let variable = field.to_uppercase();
    ModelError::Setting {
        setting: format!(
            "{field} (ORCHESTRATOR_{variable}, or ORCHESTRATOR_{}_{variable} for this role)",
            role.name().to_uppercase()
        ),
        reason: format!("{reason} for the {role}"),
    }
}

fn request_url(
    role: Role,
    provider: Provider,
    settings: &ModelSettings,
) -> Result<Url, ModelError> {
    let base = settings.base_url.as_deref().or(provider.default_base_url());
    let base = base.ok_or_else(|| missing(role, "base_url", "no address is given"))?;
    let base = base.trim_end_matches('/');
    let text = match provider {
        Provider::Anthropic if base.ends_with("/v1") => format!("{base}/messages"),
        Provider::Anthropic => format!("{base}/v1/messages"),
        Provider::OpenAi | Provider::Replay => format!("{base}/chat/completions"),
    };
    let wrong = |reason: &str| missing(role, "base_url", reason);
    let url =
        Url::parse(&text).map_err(|error| wrong(&format!("base_url is no address ({error})")))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(wrong("base_url begins neither with http:// nor with https://"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(wrong(
            "base_url holds a user name or password; use api_key or headers instead",
        ));
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(wrong("base_url holds a query or a fragment, which no endpoint has"));
    }
    if provider == Provider::Replay && !is_loopback(&url) {
        return Err(wrong("a replay is served on this machine only, and base_url is elsewhere"));
    }
    Ok(url)
}

fn headers(
    role: Role,
    provider: Provider,
    settings: &ModelSettings,
) -> Result<HeaderMap, ModelError> {
    let mut headers = HeaderMap::new();
    if provider == Provider::Anthropic {
        headers.insert("anthropic-version", HeaderValue::from_static(anthropic::VERSION));
    }
    if let Some(key) = &settings.api_key {
        let (name, text) = match provider {
            Provider::Anthropic => (HeaderName::from_static("x-api-key"), key.expose().to_owned()),
            Provider::OpenAi | Provider::Replay => {
                (AUTHORIZATION, format!("Bearer {}", key.expose()))
            }
        };
        headers.insert(
            name,
            sensitive(&text).ok_or_else(|| {
                missing(role, "api_key", "api_key holds characters that no header can carry")
            })?,
        );
    }
    for (name, value) in &settings.headers {
        let entry = HeaderName::try_from(name).ok().zip(sensitive(value.expose()));
        let (name, value) = entry.ok_or_else(|| ModelError::Setting {
            setting: format!("headers.{name}"),
            reason: format!("`{name}` or its value cannot stand in a header"),
        })?;
        headers.insert(name, value);
    }
    Ok(headers)
}

/// A header value that the HTTP layers below show in no log.
fn sensitive(text: &str) -> Option<HeaderValue> {
    let mut value = HeaderValue::try_from(text).ok()?;
    value.set_sensitive(true);
    Some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolve(json: serde_json::Value) -> Result<Endpoint, String> {
        let settings: ModelSettings = serde_json::from_value(json).unwrap();
        Endpoint::resolve(Role::Worker, &settings).map_err(|error| error.to_string())
    }

    #[test]
    fn addresses() {
        let url = |json| resolve(json).unwrap().url.to_string();
        assert_eq!(
            url(serde_json::json!({"model": "m", "base_url": "http://h:1/v1/"})),
            "http://h:1/v1/chat/completions"
        );
        for base in ["http://h", "http://h/v1"] {
            let json = serde_json::json!({"model": "m", "provider": "anthropic", "base_url": base});
            assert_eq!(url(json), "http://h/v1/messages");
        }
        assert_eq!(
            url(serde_json::json!({"model": "claude-m", "api_key": "k"})),
            "https://api.anthropic.com/v1/messages"
        );
    }

    #[test]
    fn errors_name_the_setting() {
        for (json, setting) in [
            (serde_json::json!({}), "ORCHESTRATOR_WORKER_MODEL"),
            (serde_json::json!({"model": "m"}), "ORCHESTRATOR_API_KEY"),
            (serde_json::json!({"model": "m", "base_url": "h"}), "ORCHESTRATOR_BASE_URL"),
            (serde_json::json!({"model": "m", "base_url": "ftp://h"}), "ORCHESTRATOR_BASE_URL"),
            (serde_json::json!({"model": "m", "base_url": "http://h/v1?key=k"}), "a query"),
            (serde_json::json!({"model": "m", "base_url": "http://u:p@h"}), "api_key"),
            (
                serde_json::json!({"model": "m", "base_url": "http://h", "api_key": "a\nb"}),
                "api_key",
            ),
            (
                serde_json::json!({"model": "m", "base_url": "http://h", "headers": {"a b": "c"}}),
                "headers.a b",
            ),
            (
                serde_json::json!({"provider": "replay", "base_url": "http://example.org"}),
                "this machine only",
            ),
        ] {
            let error = resolve(json).unwrap_err();
            assert!(error.contains(setting), "{error}");
        }
    }

    #[test]
    fn some_fields_are_for_the_vendor_itself() {
        let body = |json| -> serde_json::Value {
            let endpoint = resolve(json).unwrap();
            let request = Request {
                role: Role::Worker,
                blocks: 0,
                session: "s",
                system: "",
                tools: &[],
                pinned: 0,
                messages: &[],
                held: None,
            };
            serde_json::from_slice(&endpoint.encode(&request).unwrap()).unwrap()
        };
        let openai =
            body(serde_json::json!({"model": "m", "api_key": "k", "max_output_tokens": 9}));
        assert_eq!(openai["max_completion_tokens"], 9);
        assert_eq!(openai.get("max_tokens"), None);
        assert_eq!(openai["prompt_cache_key"].as_str().map(str::len), Some(32));
        let other = body(serde_json::json!({"model": "m", "base_url": "http://l/v1"}));
        assert_eq!(other.get("prompt_cache_key"), None, "a compatible server may not know it");
        let anthropic = body(serde_json::json!({"model": "claude-m", "api_key": "k"}));
        assert_eq!(anthropic["cache_control"]["type"], "ephemeral");
    }

    #[test]
    fn nothing_shows_the_key() {
        let endpoint = resolve(serde_json::json!({"model": "m", "base_url": "http://h", "api_key": "sk-hush", "headers": {"x-a": "whisper"}})).unwrap();
        let shown = format!("{endpoint:?}");
        assert!(!shown.contains("hush") && !shown.contains("whisper"), "{shown}");
    }
}
