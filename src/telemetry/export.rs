//! Sends spans: OTLP over HTTP, as protobuf, in batches and on a thread of its own. A collector that is not there costs
//! nobody any time; what it does not take is lost, and said once.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use opentelemetry::global;
use opentelemetry_otlp::{SpanExporter as Otlp, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::{OTelSdkError, OTelSdkResult};
use opentelemetry_sdk::trace::{SdkTracerProvider, SpanData, SpanExporter};

use super::settings::{Resolved, Settings};

/// How long a connection may take, and a whole request.
const CONNECT: Duration = Duration::from_secs(2);
const REQUEST: Duration = Duration::from_secs(10);

static PROVIDER: OnceLock<SdkTracerProvider> = OnceLock::new();

pub(super) fn begin(resolved: &Resolved) -> Result<(), String> {
    let Resolved { settings, unfit } = resolved;
    if let Some(why) = unfit {
        return Err(why.clone());
    }
    let Some(endpoint) = &settings.endpoint else {
        return Ok(());
    };
    let otlp = Otlp::builder()
        .with_http()
        .with_http_client(client(endpoint)?)
        .with_endpoint(endpoint)
        .with_timeout(REQUEST)
        .with_headers(settings.headers.clone().into_iter().collect())
        .build()
        .map_err(|error| format!("failed to reach for {endpoint}: {error}"))?;
    let provider = SdkTracerProvider::builder()
        .with_resource(resource(settings))
        .with_batch_exporter(Told { otlp, is_said: AtomicBool::new(false) })
        .build();
    global::set_tracer_provider(provider.clone());
    // It is set once, or this would not be the first call.
    let _ = PROVIDER.set(provider);
    Ok(())
}

pub(super) fn end(limit: Duration) {
    if let Some(provider) = PROVIDER.get()
        && let Err(error) = provider.shutdown_with_timeout(limit)
        && !matches!(error, OTelSdkError::AlreadyShutdown)
    {
        tracing::warn!("the last spans were not sent: {error}");
    }
}

/// The client blocks, as the thread that uses it may. It is made on a thread of its own: what it is made of must not be
/// made where futures run.
fn client(endpoint: &str) -> Result<reqwest::blocking::Client, String> {
    // An error means that one is installed already, which is all that is wanted.
    drop(rustls::crypto::ring::default_provider().install_default());
    let is_plain = endpoint.starts_with("http://");
    let make = move || {
        let mut builder = reqwest::blocking::Client::builder()
            .connect_timeout(CONNECT)
            .timeout(REQUEST)
            // A key must not follow a redirect to another place.
            .redirect(reqwest::redirect::Policy::none());
        if is_plain {
            // Reading the system's root certificates takes its time, and none is needed.
            builder = builder.tls_certs_only([]);
        }
        builder.build().map_err(|error| format!("failed to make an HTTP client: {error}"))
    };
    let made = std::thread::spawn(make).join();
    made.unwrap_or_else(|_| Err("failed to make an HTTP client".to_owned()))
}

/// Who tells: by OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES, else as it is configured.
fn resource(settings: &Settings) -> Resource {
    let found = Resource::builder().build();
    let name = found.get(&"service.name".into()).map(|name| name.to_string());
    let is_named = name.is_some_and(|name| !name.starts_with("unknown_service"));
    let mut builder = Resource::builder();
    if !is_named {
        builder = builder.with_service_name(settings.service_name.clone());
    }
    if found.get(&"service.version".into()).is_none() {
        let version = opentelemetry::KeyValue::new("service.version", env!("CARGO_PKG_VERSION"));
        builder = builder.with_attribute(version);
    }
    builder.build()
}

/// Says once that a batch was not taken.
#[derive(Debug)]
struct Told {
    otlp: Otlp,
    is_said: AtomicBool,
}

impl SpanExporter for Told {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let result = self.otlp.export(batch).await;
        if let Err(error) = &result
            && !self.is_said.swap(true, Ordering::Relaxed)
        {
            tracing::warn!("spans are lost, the collector does not take them: {error}");
        }
        result
    }

    fn shutdown_with_timeout(&self, limit: Duration) -> OTelSdkResult {
        self.otlp.shutdown_with_timeout(limit)
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.otlp.set_resource(resource);
    }
}
