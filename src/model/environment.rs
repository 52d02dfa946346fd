//! Model settings from environment variables, laid over those of the configuration file.
//!
//! `ORCHESTRATOR_MODEL` sets the default's model, `ORCHESTRATOR_WORKER_MODEL` the worker's; the same for every other
//! field. Pure: the variables come in through a function.

use super::fault::ModelError;
use super::secret::Secret;
use super::settings::{ModelSettings, Provider, Settings};
use crate::mission::conversation::Role;

/// The vendors' own variables, which serve only for the vendors' own addresses.
const VENDOR_KEYS: [(Provider, &str); 2] =
    [(Provider::OpenAi, "OPENAI_API_KEY"), (Provider::Anthropic, "ANTHROPIC_API_KEY")];

impl Settings {
    /// `base` with the environment over it. `lookup` gives a variable's value; an empty value counts as unset.
    ///
    /// # Errors
    /// A variable that cannot be read as its field, by name.
    pub fn from_env(
        base: Settings,
        lookup: impl Fn(&str) -> Option<String>,
    ) -> Result<Settings, ModelError> {
        let lookup = |name: &str| lookup(name).filter(|value| !value.is_empty());
        let mut settings = base;
        settings.default = with_fallback(settings.default.take(), "ORCHESTRATOR", &lookup)?;
        for role in Role::ALL {
            let prefix = format!("ORCHESTRATOR_{}", role.name().to_uppercase());
            let own = settings.roles.remove(&role);
            if let Some(own) = with_fallback(own, &prefix, &lookup)? {
                settings.roles.insert(role, own);
            }
        }
        add_vendor_keys(&mut settings, &lookup);
        Ok(settings)
    }
}

/// The same as [`overlay`], with the variables of the fallback, which begin with `prefix` and `FALLBACK`.
fn with_fallback(
    base: Option<ModelSettings>,
    prefix: &str,
    lookup: &impl Fn(&str) -> Option<String>,
) -> Result<Option<ModelSettings>, ModelError> {
    let mut own = overlay(base, prefix, lookup)?;
    let before = own.as_mut().and_then(|own| own.fallback.take()).map(|fallback| *fallback);
    if let Some(fallback) = overlay(before, &format!("{prefix}_FALLBACK"), lookup)? {
        own.get_or_insert_default().fallback = Some(Box::new(fallback));
    }
    Ok(own)
}

/// Lays the variables that begin with `prefix` over `base`; `None` when there is neither.
fn overlay(
    base: Option<ModelSettings>,
    prefix: &str,
    lookup: &impl Fn(&str) -> Option<String>,
) -> Result<Option<ModelSettings>, ModelError> {
    let mut own = base.clone().unwrap_or_default();
    let text = |field: &str| lookup(&format!("{prefix}_{field}"));
    if let Some(url) = text("BASE_URL") {
        // The key of the file belongs to the address of the file.
        if own.base_url.as_ref() != Some(&url) {
            own.api_key = None;
            own.headers.clear();
        }
        own.base_url = Some(url);
    }
    own.model = text("MODEL").or(own.model);
    own.api_key = text("API_KEY").map(Secret::new).or(own.api_key);
    parsed(&mut own.provider, prefix, "PROVIDER", lookup)?;
    parsed(&mut own.max_output_tokens, prefix, "MAX_OUTPUT_TOKENS", lookup)?;
    parsed(&mut own.temperature, prefix, "TEMPERATURE", lookup)?;
    parsed(&mut own.connect_timeout_ms, prefix, "CONNECT_TIMEOUT_MS", lookup)?;
    parsed(&mut own.idle_timeout_ms, prefix, "IDLE_TIMEOUT_MS", lookup)?;
    parsed(&mut own.quiet_timeout_ms, prefix, "QUIET_TIMEOUT_MS", lookup)?;
    parsed(&mut own.cool_down_ms, prefix, "COOL_DOWN_MS", lookup)?;
    parsed(&mut own.slots, prefix, "SLOTS", lookup)?;
    parsed(&mut own.answer_timeout_ms, prefix, "ANSWER_TIMEOUT_MS", lookup)?;
    Ok((base.is_some() || own != ModelSettings::default()).then_some(own))
}

fn parsed<T: std::str::FromStr<Err: std::fmt::Display>>(
    field: &mut Option<T>,
    prefix: &str,
    name: &str,
    lookup: &impl Fn(&str) -> Option<String>,
) -> Result<(), ModelError> {
    let variable = format!("{prefix}_{name}");
    if let Some(value) = lookup(&variable) {
        let value = value.trim().parse().map_err(|error: T::Err| ModelError::Setting {
            setting: variable.clone(),
            reason: format!("{variable} cannot be read: {error}"),
        })?;
        *field = Some(value);
    }
    Ok(())
}

/// Gives every model that is asked at a vendor's own address, and has no key, the vendor's key. A vendor's key is never
/// sent to any other address, whatever wire format that speaks.
fn add_vendor_keys(settings: &mut Settings, lookup: &impl Fn(&str) -> Option<String>) {
    for role in Role::ALL {
        if let Some(key) = settings.for_role(role).and_then(|merged| vendor_key(&merged, lookup)) {
            settings.roles.entry(role).or_default().api_key = Some(key);
        }
        let Some(key) = settings.fallback_for(role).and_then(|merged| vendor_key(&merged, lookup))
        else {
            continue;
        };
        let own = settings.roles.get_mut(&role).and_then(|own| own.fallback.as_mut());
        let default = settings.default.as_mut().and_then(|default| default.fallback.as_mut());
        if let Some(fallback) = own.or(default) {
            fallback.api_key = Some(key);
        }
    }
}

fn vendor_key(merged: &ModelSettings, lookup: &impl Fn(&str) -> Option<String>) -> Option<Secret> {
    if merged.api_key.is_some() || merged.model.is_none() || !merged.is_at_vendor() {
        return None;
    }
    let provider = merged.effective_provider();
    let (_, variable) = VENDOR_KEYS.iter().find(|(vendor, _)| *vendor == provider)?;
    lookup(variable).map(Secret::new)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn from(pairs: &[(&str, &str)]) -> Result<Settings, ModelError> {
        let pairs: Vec<(String, String)> =
            pairs.iter().map(|(k, v)| (k.to_string(), v.to_string())).collect();
        Settings::from_env(Settings::default(), move |name| {
            pairs.iter().find(|(key, _)| key == name).map(|(_, value)| value.clone())
        })
    }

    fn key(settings: &Settings, role: Role) -> Option<String> {
        settings.for_role(role).and_then(|s| s.api_key).map(|key| key.expose().to_owned())
    }

    #[test]
    fn nothing_set_means_no_model() {
        assert!(from(&[("OPENAI_API_KEY", "k"), ("ORCHESTRATOR_MODEL", "")]).unwrap().is_empty());
    }

    #[test]
    fn default_and_role_variables() {
        let settings = from(&[
            ("ORCHESTRATOR_MODEL", "big"),
            ("ORCHESTRATOR_BASE_URL", "http://one/v1"),
            ("ORCHESTRATOR_API_KEY", "key-one"),
            ("ORCHESTRATOR_WORKER_MODEL", "small"),
            ("ORCHESTRATOR_REVIEWER_BASE_URL", "http://two/v1"),
            ("ORCHESTRATOR_REVIEWER_TEMPERATURE", "0.2"),
        ])
        .unwrap();
        let worker = settings.for_role(Role::Worker).unwrap();
        assert_eq!(
            (worker.model.as_deref(), worker.base_url.as_deref()),
            (Some("small"), Some("http://one/v1"))
        );
        let reviewer = settings.for_role(Role::Reviewer).unwrap();
        assert_eq!((reviewer.model.as_deref(), reviewer.temperature), (Some("big"), Some(0.2)));
        assert_eq!(key(&settings, Role::Worker).as_deref(), Some("key-one"));
        assert_eq!(key(&settings, Role::Reviewer), None);
    }

    #[test]
    fn vendor_keys_go_to_the_vendor_only() {
        let settings = from(&[
            ("OPENAI_API_KEY", "ok"),
            ("ANTHROPIC_API_KEY", "ak"),
            ("ORCHESTRATOR_MODEL", "gpt"),
            ("ORCHESTRATOR_WORKER_PROVIDER", "anthropic"),
            ("ORCHESTRATOR_PLANNER_BASE_URL", "http://localhost:1/v1"),
            ("ORCHESTRATOR_REVIEWER_PROVIDER", "anthropic"),
            ("ORCHESTRATOR_REVIEWER_BASE_URL", "https://proxy.example"),
        ])
        .unwrap();
        assert_eq!(key(&settings, Role::Commander).as_deref(), Some("ok"));
        assert_eq!(key(&settings, Role::Worker).as_deref(), Some("ak"));
        assert_eq!(key(&settings, Role::Planner), None);
        assert_eq!(key(&settings, Role::Reviewer), None);
    }

    #[test]
    fn a_fallback_has_variables_and_a_key_of_its_own() {
        let settings = from(&[
            ("ORCHESTRATOR_MODEL", "big"),
            ("ORCHESTRATOR_BASE_URL", "http://one/v1"),
            ("ORCHESTRATOR_API_KEY", "key-one"),
            ("ORCHESTRATOR_FALLBACK_MODEL", "claude-x"),
            ("ORCHESTRATOR_FALLBACK_PROVIDER", "anthropic"),
            ("ORCHESTRATOR_REVIEWER_FALLBACK_MODEL", "small"),
            ("ANTHROPIC_API_KEY", "ak"),
        ])
        .unwrap();
        let worker = settings.fallback_for(Role::Worker).unwrap();
        assert_eq!((worker.model.as_deref(), worker.base_url), (Some("claude-x"), None));
        assert_eq!(worker.api_key.unwrap().expose(), "ak");
        let reviewer = settings.fallback_for(Role::Reviewer).unwrap();
        assert_eq!(reviewer.base_url.as_deref(), Some("http://one/v1"), "the same address");
        assert_eq!(reviewer.api_key.unwrap().expose(), "key-one");
        assert_eq!(key(&settings, Role::Worker).as_deref(), Some("key-one"));
    }

    #[test]
    fn an_unreadable_variable_is_named() {
        let error = from(&[("ORCHESTRATOR_WORKER_PROVIDER", "gemini")]).unwrap_err();
        let text = error.to_string();
        assert!(
            text.contains("ORCHESTRATOR_WORKER_PROVIDER") && text.contains("anthropic"),
            "{text}"
        );
        assert!(from(&[("ORCHESTRATOR_IDLE_TIMEOUT_MS", "soon")]).is_err());
    }

    #[test]
    fn an_address_from_the_environment_does_not_get_the_file_key() {
        let base: Settings = serde_json::from_str(
            r#"{"default": {"model": "m", "base_url": "https://a/v1", "api_key": "file"}}"#,
        )
        .unwrap();
        let settings = Settings::from_env(base, |name| {
            (name == "ORCHESTRATOR_BASE_URL").then(|| "https://b/v1".to_owned())
        })
        .unwrap();
        assert_eq!(key(&settings, Role::Worker), None);
    }
}
