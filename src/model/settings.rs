//! Which model serves which role: what stands in the configuration file, after the environment was laid over it.
//!
//! Every field is optional so that a role can override the default field by field. Whether the result can be used is
//! decided when a client is built from it, not here.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::pool::SlotSettings;
use super::secret::Secret;
use crate::mission::conversation::{Role, Usage};

/// Which wire format an endpoint speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Provider {
    /// OpenAI chat completions, and every server compatible with them.
    OpenAi,
    /// Anthropic messages.
    Anthropic,
    /// A scripted conversation, served over loopback. No model is asked.
    Replay,
}

impl Provider {
    /// Its name in settings.
    pub fn name(self) -> &'static str {
        match self {
            Provider::OpenAi => "openai",
            Provider::Anthropic => "anthropic",
            Provider::Replay => "replay",
        }
    }

    /// The vendor's own base URL; a replay has none.
    pub fn default_base_url(self) -> Option<&'static str> {
        match self {
            Provider::OpenAi => Some("https://api.openai.com/v1"),
            Provider::Anthropic => Some("https://api.anthropic.com"),
            Provider::Replay => None,
        }
    }
}

impl std::str::FromStr for Provider {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        [Provider::OpenAi, Provider::Anthropic, Provider::Replay]
            .into_iter()
            .find(|provider| provider.name() == name)
            .ok_or_else(|| format!("`{name}` is none of openai, anthropic, replay"))
    }
}

/// US dollars per million tokens, which is the same number as millionths of a dollar per token.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Price {
    /// For input tokens that did not come from the provider's cache.
    #[serde(default)]
    pub input: f64,
    /// For output tokens.
    #[serde(default)]
    pub output: f64,
    /// For input tokens from the cache; the price of input where it is not given.
    #[serde(default)]
    pub cached: Option<f64>,
}

impl Price {
    /// What `usage` costs, in millionths of a US dollar.
    pub fn micro_usd(&self, usage: &Usage) -> u64 {
        let fresh = usage.input.saturating_sub(usage.cached) as f64 * self.input;
        let cached = usage.cached as f64 * self.cached.unwrap_or(self.input);
        // The cast saturates and takes a negative or undefined price for nothing.
        (fresh + cached + usage.output as f64 * self.output).round() as u64
    }
}

/// How one model is reached. A field left out is inherited from the default, or has the default named here.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ModelSettings {
    /// The wire format. Without it: `replay` for a model named `replay:…`, `anthropic` for Anthropic's own base URL or
    /// a model named `claude…` without a base URL, else `openai`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub provider: Option<Provider>,
    /// Where the endpoint is, without `/chat/completions` or `/v1/messages`. Without it: the vendor's own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub base_url: Option<String>,
    /// The model's name, or `replay:path/to/script.json`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// The key. Local servers need none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub api_key: Option<Secret>,
    /// Upper bound of an answer in tokens. Anthropic demands one: 16384 there, the server's own elsewhere.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_output_tokens: Option<u32>,
    /// Sampling temperature; not sent when left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub temperature: Option<f64>,
    /// How long connecting may take, in milliseconds. Default 10000.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub connect_timeout_ms: Option<u64>,
    /// No byte for that long, in milliseconds, and the answer counts as stalled. Default 180000.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub idle_timeout_ms: Option<u64>,
    /// Nothing of an answer for that long, only signs of life, and it counts as stalled. Default 600000.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub quiet_timeout_ms: Option<u64>,
    /// An answer must end within that many milliseconds, however busy it looks. Default 1800000.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub answer_timeout_ms: Option<u64>,
    /// An answer may have at most that many bytes on the wire. Default 64 MiB.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_answer_bytes: Option<u64>,
    /// For how long a model that fails again and again is not asked, at first, in milliseconds. Default 15000.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cool_down_ms: Option<u64>,
    /// The most requests to this model that are under way at once. Default: `[slots] model`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub slots: Option<u32>,
    /// Extra headers; their values are treated as secrets.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, Secret>,
    /// What tokens cost; without it turns are counted as free.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub price: Option<Price>,
    /// Who is asked while this model is out of order. What it leaves open is taken from this model, but for the price,
    /// and for the key and the headers unless it lives at the same address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fallback: Option<Box<ModelSettings>>,
}

impl ModelSettings {
    /// These settings, with `base` for what they leave open. The key and the headers of `base` are inherited only
    /// while the requests go to the same place: a role with an endpoint of its own needs a key of its own.
    fn over(&self, base: &ModelSettings) -> ModelSettings {
        let own = self.clone();
        // Another wire format lives at another address: the default's is of no use to it.
        let same_format = !self.is_replay()
            && self.provider.is_none_or(|provider| provider == base.effective_provider());
        let mut merged = ModelSettings {
            provider: own.provider.or(base.provider),
            base_url: own.base_url.or_else(|| base.base_url.clone().filter(|_| same_format)),
            model: own.model.or_else(|| base.model.clone()),
            api_key: own.api_key,
            max_output_tokens: own.max_output_tokens.or(base.max_output_tokens),
            temperature: own.temperature.or(base.temperature),
            connect_timeout_ms: own.connect_timeout_ms.or(base.connect_timeout_ms),
            idle_timeout_ms: own.idle_timeout_ms.or(base.idle_timeout_ms),
            quiet_timeout_ms: own.quiet_timeout_ms.or(base.quiet_timeout_ms),
            answer_timeout_ms: own.answer_timeout_ms.or(base.answer_timeout_ms),
            max_answer_bytes: own.max_answer_bytes.or(base.max_answer_bytes),
            cool_down_ms: own.cool_down_ms.or(base.cool_down_ms),
            slots: own.slots.or(base.slots),
            headers: own.headers,
            price: own.price.or(base.price),
            fallback: own.fallback,
        };
        if merged.place() == base.place() {
            merged.api_key = merged.api_key.or_else(|| base.api_key.clone());
            for (name, value) in &base.headers {
                merged.headers.entry(name.clone()).or_insert_with(|| value.clone());
            }
        }
        merged
    }

    /// The settings of the fallback, completed by these.
    fn own_fallback(&self) -> Option<ModelSettings> {
        let own = self.fallback.as_deref()?;
        Some(ModelSettings { price: own.price, ..own.over(self) })
    }

    /// Where requests go: the wire format and the address.
    fn place(&self) -> (Provider, Option<&str>) {
        let provider = self.effective_provider();
        let url = self.base_url.as_deref().or(provider.default_base_url());
        (provider, url.map(|url| url.trim_end_matches('/')))
    }

    /// Whether requests go to the address of the vendor of the wire format.
    pub(crate) fn is_at_vendor(&self) -> bool {
        let (provider, url) = self.place();
        url.is_some() && url == provider.default_base_url()
    }

    fn is_replay(&self) -> bool {
        self.model.as_deref().is_some_and(|model| model.starts_with(REPLAY_PREFIX))
    }

    /// The wire format, inferred where it is not set.
    pub fn effective_provider(&self) -> Provider {
        if self.is_replay() {
            return Provider::Replay;
        }
        if let Some(provider) = self.provider {
            return provider;
        }
        let at_anthropic = match &self.base_url {
            Some(url) => url.contains("//api.anthropic.com"),
            None => self.model.as_deref().is_some_and(|model| model.starts_with("claude")),
        };
        if at_anthropic { Provider::Anthropic } else { Provider::OpenAi }
    }
}

/// What a model's name begins with when it is a script to be played.
pub(crate) const REPLAY_PREFIX: &str = "replay:";

/// The settings of all roles.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// For every role that has nothing of its own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub default: Option<ModelSettings>,
    /// What is special to a role.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub roles: BTreeMap<Role, ModelSettings>,
    /// How many requests may be under way at once.
    pub slots: SlotSettings,
}

impl Settings {
    /// The settings of a role: its own, field by field over the default's. `None` when there are neither.
    pub fn for_role(&self, role: Role) -> Option<ModelSettings> {
        match (self.roles.get(&role), &self.default) {
            (Some(own), Some(base)) => Some(own.over(base)),
            (Some(own), None) => Some(own.clone()),
            (None, base) => base.clone(),
        }
    }

    /// The settings of a role's fallback: its own, or the default's, which keeps the default's address and key.
    pub fn fallback_for(&self, role: Role) -> Option<ModelSettings> {
        let own = self.roles.get(&role).filter(|own| own.fallback.is_some());
        match own {
            Some(_) => self.for_role(role)?.own_fallback(),
            None => self.default.as_ref()?.own_fallback(),
        }
    }

    /// Whether no model is configured at all, for any role.
    pub fn is_empty(&self) -> bool {
        Role::ALL.iter().all(|role| self.for_role(*role).is_none())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn model(json: serde_json::Value) -> ModelSettings {
        serde_json::from_value(json).unwrap()
    }

    fn settings(default: serde_json::Value, worker: serde_json::Value) -> ModelSettings {
        let settings = Settings {
            default: Some(model(default)),
            roles: BTreeMap::from([(Role::Worker, model(worker))]),
            ..Settings::default()
        };
        settings.for_role(Role::Worker).unwrap()
    }

    #[test]
    fn a_role_overrides_field_by_field() {
        let worker = settings(
            serde_json::json!({"model": "big", "api_key": "k123", "temperature": 0.5, "base_url": "http://a/v1"}),
            serde_json::json!({"model": "small", "idle_timeout_ms": 5}),
        );
        assert_eq!(worker.model.as_deref(), Some("small"));
        assert_eq!(worker.temperature, Some(0.5));
        assert_eq!(worker.idle_timeout_ms, Some(5));
        assert_eq!(worker.api_key.unwrap().expose(), "k123");
    }

    #[test]
    fn settings_are_read_from_a_configuration_file() {
        let text = "[default]\nmodel = \"big\"\nprice = { input = 3, output = 15.5 }\n[roles.worker]\nmodel = \"small\"\n";
        let settings: Settings = toml::from_str(text).unwrap();
        let model = |role| settings.for_role(role).unwrap().model.unwrap();
        assert_eq!((model(Role::Planner), model(Role::Worker)), ("big".into(), "small".into()));
        assert!(toml::from_str::<Settings>("[roles.boss]\nmodel = \"x\"\n").is_err());
    }

    #[test]
    fn a_key_never_follows_a_role_to_another_place() {
        let default = serde_json::json!({"model": "m", "api_key": "k123", "headers": {"x-a": "b"}});
        for worker in [
            serde_json::json!({"base_url": "http://elsewhere/v1"}),
            serde_json::json!({"provider": "anthropic"}),
            serde_json::json!({"model": "replay:x.json"}),
            serde_json::json!({"model": "claude-x"}),
        ] {
            let worker = settings(default.clone(), worker);
            assert_eq!(worker.api_key, None, "{worker:?}");
            assert!(worker.headers.is_empty());
        }
    }

    #[test]
    fn the_provider_is_inferred() {
        let provider = |json| model(json).effective_provider();
        assert_eq!(provider(serde_json::json!({"model": "gpt"})), Provider::OpenAi);
        assert_eq!(provider(serde_json::json!({"model": "claude-x"})), Provider::Anthropic);
        assert_eq!(
            provider(serde_json::json!({"model": "claude-x", "base_url": "http://l/v1"})),
            Provider::OpenAi
        );
        assert_eq!(
            provider(serde_json::json!({"model": "replay:a.json", "provider": "openai"})),
            Provider::Replay
        );
    }

    #[test]
    fn prices_are_in_millionths() {
        let price = Price { input: 3.0, output: 15.0, cached: Some(0.3) };
        let usage = Usage { input: 1000, output: 100, cached: 800, ..Usage::default() };
        assert_eq!(price.micro_usd(&usage), 600 + 240 + 1500);
    }

    #[test]
    fn an_unknown_field_is_an_error_and_a_key_is_never_written() {
        assert!(serde_json::from_str::<ModelSettings>(r#"{"modle": "x"}"#).is_err());
        let text = serde_json::to_string(&model(
            serde_json::json!({"api_key": "sk-secret", "headers": {"a": "hush"}}),
        ))
        .unwrap();
        assert_eq!(text, r#"{"api_key":"[redacted]","headers":{"a":"[redacted]"}}"#);
    }
}
