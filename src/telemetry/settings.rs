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
pub struct Resolved {
    pub(super) settings: Settings,
    /// Why nothing is sent, though the environment names a collector. It may be meant for other programs, and is no reason
    /// to do nothing.
    pub(super) unfit: Option<String>,
}

impl Settings {
    /// Asks the environment, which goes before the file.
    ///
    /// # Errors
    /// When the file's address is none.
    pub fn from_env(mut self, lookup: impl Fn(&str) -> Option<String>) -> Result<Resolved, String> {
        let own = self.endpoint.take();
        let is = |name, value: &str| lookup(name).is_some_and(|v| v.eq_ignore_ascii_case(value));
        if is("OTEL_SDK_DISABLED", "true") || is("OTEL_TRACES_EXPORTER", "none") {
            return Ok(Resolved { settings: self, unfit: None });
        }
        let below = |url: String| format!("{}/v1/traces", url.trim_end_matches('/'));
        let whole = "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT";
        let base = "OTEL_EXPORTER_OTLP_ENDPOINT";
        let found = lookup(whole).map(|url| (whole, url));
        let found = found.or_else(|| lookup(base).map(|url| (base, below(url))));
        let mut unfit = None;
        self.endpoint = match found {
            Some((place, url)) => {
                let fits = check(&url).map_err(|why| format!("{place} {why}"));
                let fits = fits.and_then(|()| check_protocol(&lookup));
                unfit = fits.err();
                Some(url).filter(|_| unfit.is_none())
            }
            None => {
                let url = own.map(below);
                url.iter()
                    .try_for_each(|url| check(url))
                    .map_err(|why| format!("[telemetry] endpoint {why}"))?;
                url
            }
        };
        Ok(Resolved { settings: self, unfit })
    }
}

fn check_protocol(lookup: impl Fn(&str) -> Option<String>) -> Result<(), String> {
    for name in ["OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL"] {
        if let Some(other) = lookup(name) {
            return match other.as_str() {
                "http/protobuf" => Ok(()),
                _ => Err(format!(
                    "{name} is {other}, and only http/protobuf is spoken; name the collector's port for HTTP (4318, as a rule) with it, or set OTEL_SDK_DISABLED=true"
                )),
            };
        }
    }
    Ok(())
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
        settings.from_env(lookup).map(|resolved| resolved.settings.endpoint)
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
        // What the environment says may be meant for other programs.
        let grpc = ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc");
        assert_eq!(resolved(file, &[(all, "http://env:4317"), grpc]), Ok(None));
        assert_eq!(resolved(file, &[(all, "localhost:4317")]), Ok(None));
        assert_eq!(resolved(file, &[grpc]), at("http://file:4318/v1/traces"));
    }

    #[test]
    fn a_header_is_not_shown() {
        let headers = BTreeMap::from([("authorization".to_owned(), "Bearer secret".to_owned())]);
        let shown = format!("{:?}", Settings { headers, ..Settings::default() });
        assert!(shown.contains("authorization") && !shown.contains("secret"), "{shown}");
    }
}
