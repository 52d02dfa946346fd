//! Whether spans are sent, and where to: the user's file, and the standard variables of the environment over it.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// `[telemetry]`, as it is written.
#[derive(Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Where a collector takes OTLP over HTTP, without `/v1/traces`: `http://localhost:4318`. Without it nothing is sent.
    pub endpoint: Option<String>,
    /// More headers of each request to it, a key for instance.
    pub headers: BTreeMap<String, String>,
    /// What this program is called there.
    pub service_name: String,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings { endpoint: None, headers: BTreeMap::new(), service_name: "orchestrator".into() }
    }
}

/// Headers hold keys.
impl std::fmt::Debug for Settings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let names: Vec<&String> = self.headers.keys().collect();
        f.debug_struct("Settings")
            .field("endpoint", &self.endpoint)
            .field("headers", &names)
            .field("service_name", &self.service_name)
            .finish()
    }
}

/// The same when the environment was asked: `endpoint` is the full address now, and `None` where nothing is to be sent.
#[derive(Debug, Clone, Default)]
pub struct Resolved(pub(super) Settings);

impl Settings {
    /// Asks the environment, which goes before the file.
    ///
    /// # Errors
    /// An address that is none, with where it stands; a way of sending that is not spoken here.
    pub fn from_env(mut self, lookup: impl Fn(&str) -> Option<String>) -> Result<Resolved, String> {
        let own = self.endpoint.take();
        let is = |name, value: &str| lookup(name).is_some_and(|v| v.eq_ignore_ascii_case(value));
        if is("OTEL_SDK_DISABLED", "true") || is("OTEL_TRACES_EXPORTER", "none") {
            return Ok(Resolved(self));
        }
        let whole = "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT";
        let base = "OTEL_EXPORTER_OTLP_ENDPOINT";
        let below = |url: String| format!("{}/v1/traces", url.trim_end_matches('/'));
        let found = lookup(whole)
            .map(|url| (whole, url))
            .or_else(|| lookup(base).map(|url| (base, below(url))))
            .or_else(|| own.map(|url| ("[telemetry] endpoint", below(url))));
        let Some((place, url)) = found else {
            return Ok(Resolved(self));
        };
        check(&url).map_err(|why| format!("{place} {why}"))?;
        for name in ["OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL"] {
            if let Some(other) = lookup(name).filter(|protocol| protocol != "http/protobuf") {
                return Err(format!(
                    "{name} is {other}; only http/protobuf is spoken: unset it, and name the collector's port for HTTP (4318, as a rule)"
                ));
            }
        }
        self.endpoint = Some(url);
        Ok(Resolved(self))
    }
}

fn check(url: &str) -> Result<(), String> {
    let url = reqwest::Url::parse(url).map_err(|error| format!("is no address ({error})"))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err("begins neither with http:// nor with https://".to_owned());
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("holds a user name or password; use headers instead".to_owned());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolved(file: Option<&str>, variables: &[(&str, &str)]) -> Result<Option<String>, String> {
        let settings = Settings { endpoint: file.map(str::to_owned), ..Settings::default() };
        let lookup = |name: &str| {
            let found = variables.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| (*value).to_owned())
        };
        settings.from_env(lookup).map(|resolved| resolved.0.endpoint)
    }

    #[test]
    fn the_environment_goes_before_the_file_and_nothing_is_sent_by_itself() {
        let (all, own) = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT");
        let file = Some("http://file:4318");
        let at = |text: &str| Ok(Some(text.to_owned()));
        assert_eq!(resolved(None, &[]), Ok(None));
        assert_eq!(resolved(file, &[]), at("http://file:4318/v1/traces"));
        assert_eq!(resolved(file, &[(all, "http://env:1/")]), at("http://env:1/v1/traces"));
        assert_eq!(
            resolved(file, &[(all, "http://env:1"), (own, "https://x/y")]),
            at("https://x/y")
        );
        assert_eq!(resolved(file, &[("OTEL_SDK_DISABLED", "TRUE")]), Ok(None));
        for wrong in ["localhost:4318", "ftp://x", "http://me:secret@x"] {
            let why = resolved(Some(wrong), &[]).unwrap_err();
            assert!(why.starts_with("[telemetry] endpoint") && !why.contains("secret"), "{why}");
        }
        let grpc = resolved(file, &[("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")]).unwrap_err();
        assert!(grpc.contains("http/protobuf"), "{grpc}");
    }

    #[test]
    fn a_header_is_not_shown() {
        let headers = BTreeMap::from([("authorization".to_owned(), "Bearer secret".to_owned())]);
        let shown = format!("{:?}", Settings { headers, ..Settings::default() });
        assert!(shown.contains("authorization") && !shown.contains("secret"), "{shown}");
    }
}
