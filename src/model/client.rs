//! The client: one HTTP exchange per request, from encoded body to complete turn.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderValue};

use super::decode::{Decode, OnProgress, Progress, Step};
use super::endpoint::Endpoint;
use super::events::{Events, read_all};
use super::fault::{Fault, FaultKind, ModelError, chain, classify};
use super::pool::{Pool, Slots};
use super::replay::{ROLE_HEADER, ReplayServer, SESSION_HEADER, Script};
use super::request::Request;
use super::retry_after::retry_after_ms;
use super::routes::{Entered, Route, Routes, Shared};
use super::settings::{ModelSettings, Provider, REPLAY_PREFIX, Settings};
use super::watch::Watch;
use super::{anthropic, openai, span};
use crate::mission::conversation::{Role, Turn};
use crate::telemetry::Work;

/// How long usage is waited for once an answer is complete.
const TAIL: Duration = Duration::from_secs(5);

/// How much of a refusal's body is read, in bytes.
const REFUSAL_BYTES: u64 = 64 << 10;

/// Access to the models of all roles. Cloning is cheap and shares connections.
#[derive(Clone)]
pub struct Client(Arc<Inner>);

struct Inner {
    routes: BTreeMap<Role, Routes>,
    pools: Vec<Pool>,
    /// Keeps the replays running for as long as the client lives.
    _replays: BTreeMap<String, ReplayServer>,
}

/// What serves a role, for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelInfo {
    /// The wire format.
    pub provider: Provider,
    /// The model's name, or `replay:path`.
    pub model: String,
    /// The server's host.
    pub host: String,
    /// Whether a scripted conversation is played instead of asking a model: must be said wherever it is shown.
    pub is_replay: bool,
    /// All of it in a few words.
    pub label: String,
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let first = |routes: &Routes| routes.first().map(|route| route.endpoint.clone());
        f.debug_map()
            .entries(self.0.routes.iter().map(|(role, routes)| (role, first(routes))))
            .finish()
    }
}

impl Client {
    /// A client for every role that has settings. Scripts of replays are read and their servers started here, which
    /// needs a running tokio runtime.
    ///
    /// # Errors
    /// A setting that is missing or wrong, by name; a script that cannot be read.
    pub fn new(settings: &Settings) -> Result<Client, ModelError> {
        let mut routes = BTreeMap::new();
        let mut replays = BTreeMap::new();
        let (mut connections, mut shared) = (Connections::default(), Shared::new(&settings.slots));
        for role in Role::ALL {
            let Some(own) = settings.for_role(role) else {
                continue;
            };
            let mut endpoints = Vec::new();
            for mut one in std::iter::once(own).chain(settings.fallback_for(role)) {
                start_replay(&mut one, &mut replays)?;
                let endpoint = Endpoint::resolve(role, &one)?;
                endpoints.push((connections.get(&endpoint)?, endpoint));
            }
            routes.insert(role, Routes::new(endpoints, &mut shared));
        }
        let pools = shared.into_pools();
        Ok(Client(Arc::new(Inner { routes, pools, _replays: replays })))
    }

    /// What serves a role; `None` when no model is configured for it.
    pub fn info(&self, role: Role) -> Option<ModelInfo> {
        let endpoint = &self.0.routes.get(&role)?.first()?.endpoint;
        Some(ModelInfo {
            provider: endpoint.provider,
            model: endpoint.model.clone(),
            host: endpoint.url.host_str().unwrap_or_default().to_owned(),
            is_replay: endpoint.provider == Provider::Replay,
            label: endpoint.label(),
        })
    }

    /// The slots of every provider as they are now.
    pub fn slots(&self) -> Vec<Slots> {
        self.0.pools.iter().map(Pool::slots).collect()
    }

    /// Asks the role's model, or its fallback while that is out of order, and waits for the complete turn: for a slot
    /// first, then for the answer. At most one request is sent. Dropping the future cancels it, wherever it is.
    ///
    /// # Errors
    /// A [`Fault`], whose reaction says what to do; it never holds a key.
    pub async fn complete(
        &self,
        request: &Request<'_>,
        on_progress: &mut (dyn FnMut(Progress<'_>) + Send),
    ) -> Result<Turn, Fault> {
        let Some(routes) = self.0.routes.get(&request.role) else {
            return Err(unconfigured(request.role));
        };
        let Entered { route, permit, place } = routes.enter(request, on_progress).await?;
        let (sent, mut began) = (Instant::now(), None);
        let mut on_progress = |progress: Progress<'_>| {
            if progress == Progress::Started {
                began = Some(sent.elapsed());
            }
            on_progress(progress);
        };
        let told = span::begin(&route.endpoint, request);
        let result = bounded(route, request, &told, &mut on_progress).await;
        span::end(told, &result);
        let took_ms = u64::try_from(sent.elapsed().as_millis()).unwrap_or(u64::MAX);
        let result =
            result.map(|turn| Turn { took_ms, ..turn }).map_err(|fault| route.endpoint.seal(fault));
        routes.settle(permit, place, began, &result);
        routes.mark(route, result, Instant::now())
    }
}

/// One exchange within the time that an answer may take.
async fn bounded(
    route: &Route,
    request: &Request<'_>,
    told: &Work,
    on_progress: &mut OnProgress<'_>,
) -> Result<Turn, Fault> {
    let bound = route.endpoint.answer_timeout;
    let exchange = exchange((&route.http, &route.endpoint), request, told, on_progress);
    tokio::time::timeout(bound, exchange).await.unwrap_or_else(|_| {
        let text = format!(
            "the answer did not end within {} ms (answer_timeout_ms sets the bound)",
            bound.as_millis()
        );
        Err(Fault::new(FaultKind::Unbounded, text))
    })
}

fn unconfigured(role: Role) -> Fault {
    let error = ModelError::Setting {
        setting: "model (ORCHESTRATOR_MODEL)".to_owned(),
        reason: format!("no model is configured for the {role}"),
    };
    Fault { unsent: true, ..error.into() }
}

/// One HTTP client for endpoints that connect in the same way.
#[derive(Default)]
struct Connections(BTreeMap<(Duration, bool, bool), reqwest::Client>);

impl Connections {
    fn get(&mut self, endpoint: &Endpoint) -> Result<reqwest::Client, ModelError> {
        let is_plain = endpoint.url.scheme() == "http";
        let key = (endpoint.connect_timeout, is_plain, endpoint.is_loopback());
        if let Some(client) = self.0.get(&key) {
            return Ok(client.clone());
        }
        install_crypto();
        let mut builder = reqwest::Client::builder()
            .connect_timeout(endpoint.connect_timeout)
            .tcp_nodelay(true)
            // A key must not follow a redirect to another place.
            .redirect(reqwest::redirect::Policy::none())
            .user_agent(concat!("orchestrator-lsp/", env!("CARGO_PKG_VERSION")));
        if is_plain {
            // Reading the system's root certificates takes longer than everything else here, and none is needed.
            builder = builder.tls_certs_only([]);
        }
        if endpoint.is_loopback() {
            builder = builder.no_proxy();
        }
        let client = builder.build().map_err(|error| ModelError::Http { reason: chain(&error) })?;
        self.0.insert(key, client.clone());
        Ok(client)
    }
}

/// Installs the cryptography that TLS uses, once in a process.
pub fn install_crypto() {
    // An error means that one is installed already, which is all that is wanted.
    drop(rustls::crypto::ring::default_provider().install_default());
}

/// Starts the server of a replay that has none, and points the settings to it.
fn start_replay(
    settings: &mut ModelSettings,
    replays: &mut BTreeMap<String, ReplayServer>,
) -> Result<(), ModelError> {
    if settings.effective_provider() != Provider::Replay || settings.base_url.is_some() {
        return Ok(());
    }
    let model = settings.model.as_deref().ok_or_else(|| ModelError::Setting {
        setting: "model (ORCHESTRATOR_MODEL) to replay:path/to/script.json".to_owned(),
        reason: "the provider is replay and no script is named".to_owned(),
    })?;
    let path = model.strip_prefix(REPLAY_PREFIX).unwrap_or(model).to_owned();
    let server = match replays.remove(&path) {
        Some(server) => server,
        None => start_script(&path)
            .map_err(|reason| ModelError::Replay { path: path.clone(), reason })?,
    };
    settings.base_url = Some(server.base_url().to_owned());
    replays.insert(path, server);
    Ok(())
}

fn start_script(path: &str) -> Result<ReplayServer, String> {
    let script = Script::read(path.as_ref())?;
    ReplayServer::start(script).map_err(|error| error.to_string())
}

async fn exchange(
    (http, endpoint): (&reqwest::Client, &Endpoint),
    request: &Request<'_>,
    told: &Work,
    on_progress: &mut OnProgress<'_>,
) -> Result<Turn, Fault> {
    let body = endpoint.encode(request).map_err(|error| {
        Fault::new(FaultKind::Configuration, format!("failed to encode the request: {error}"))
    })?;
    let request_bytes = body.len();
    let response = send(http, endpoint, request, body).await?;
    on_progress(Progress::Started);
    let mut decoder: Box<dyn Decode> = match endpoint.provider {
        Provider::Anthropic => Box::<anthropic::Decoder>::default(),
        Provider::OpenAi | Provider::Replay => Box::<openai::Decoder>::default(),
    };
    decoder.draft().watch = Watch::new(endpoint.max_output_tokens);
    let received = receive(response, endpoint, decoder.as_mut(), on_progress).await;
    let draft = std::mem::take(decoder.draft());
    span::answered(told, &draft);
    let usage = draft.usage(request_bytes, &endpoint.price);
    received.and_then(|()| draft.into_turn(request, usage)).map_err(|mut fault| {
        // The provider counts what it has sent, whether it was of use or not.
        fault.usage = Some(usage);
        fault
    })
}

/// Sends the request and waits for a successful status.
async fn send(
    http: &reqwest::Client,
    endpoint: &Endpoint,
    request: &Request<'_>,
    body: Vec<u8>,
) -> Result<reqwest::Response, Fault> {
    let mut headers = endpoint.headers.clone();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    if endpoint.provider == Provider::Replay {
        add_replay_headers(&mut headers, request)?;
    }
    let sending = http.post(endpoint.url.clone()).headers(headers).body(body).send();
    let idle = endpoint.bounds.idle;
    let response = tokio::time::timeout(idle, sending)
        .await
        .map_err(|_| {
            let text = format!(
                "no answer began within {} ms (idle_timeout_ms sets the bound)",
                idle.as_millis()
            );
            Fault::new(FaultKind::Stalled, text)
        })?
        .map_err(|error| network(error, endpoint))?;
    if response.status().is_success() {
        return Ok(response);
    }
    Err(refusal(response, endpoint).await)
}

fn add_replay_headers(headers: &mut HeaderMap, request: &Request<'_>) -> Result<(), Fault> {
    let session = HeaderValue::try_from(request.session).map_err(|_| {
        Fault::new(FaultKind::Configuration, "the session's name cannot stand in a header")
    })?;
    headers.insert(SESSION_HEADER, session);
    headers.insert(ROLE_HEADER, HeaderValue::from_static(request.role.name()));
    Ok(())
}

fn network(error: reqwest::Error, endpoint: &Endpoint) -> Fault {
    let host = endpoint.url.host_str().unwrap_or_default();
    let text = format!("failed to reach {host}: {}", chain(&error.without_url()));
    Fault::new(FaultKind::Network, text)
}

/// The fault of an unsuccessful status.
async fn refusal(response: reqwest::Response, endpoint: &Endpoint) -> Fault {
    let status = response.status().as_u16();
    let wait = retry_after_ms(response.headers(), status, SystemTime::now());
    let mut bounds = endpoint.bounds;
    bounds.bytes = bounds.bytes.min(REFUSAL_BYTES);
    // The status says enough when its explanation does not arrive.
    let body = read_all(response, bounds).await.unwrap_or_default();
    let mut fault = classify::from_status(status, &body);
    fault.retry_after_ms = wait;
    fault
}

/// Feeds the decoder until the answer is complete.
async fn receive(
    response: reqwest::Response,
    endpoint: &Endpoint,
    decoder: &mut dyn Decode,
    on_progress: &mut OnProgress<'_>,
) -> Result<(), Fault> {
    let kind = response.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let kind = kind.unwrap_or_default().to_ascii_lowercase();
    if kind.contains("html") {
        return Err(web_page(response, endpoint).await);
    }
    if kind.contains("json") {
        let body = read_all(response, endpoint.bounds).await?;
        let document = serde_json::from_slice(&body).map_err(|error| {
            Fault::new(FaultKind::MalformedStream, format!("the answer is not valid JSON: {error}"))
        })?;
        return decoder.document(&document);
    }
    let mut events = Events::new(response, endpoint.bounds);
    let (mut step, mut heard) = (Step::More, tokio::time::Instant::now());
    while matches!(step, Step::More | Step::Ping) {
        let next = tokio::time::timeout_at(heard + endpoint.quiet, events.next());
        let data = next.await.map_err(|_| silent(endpoint))?.ok_or_else(truncated)??;
        step = decoder.event(&data, on_progress)?;
        if step != Step::Ping {
            heard = tokio::time::Instant::now();
        }
    }
    if step == Step::Complete {
        take_tail(&mut events, decoder, on_progress).await;
    }
    events.drain();
    Ok(())
}

/// Somebody else answered: a proxy, a login page, a web server at a wrong address.
async fn web_page(response: reqwest::Response, endpoint: &Endpoint) -> Fault {
    let mut bounds = endpoint.bounds;
    bounds.bytes = bounds.bytes.min(REFUSAL_BYTES);
    let body = read_all(response, bounds).await.unwrap_or_default();
    let page = String::from_utf8_lossy(&body);
    let title = page.split_once("<title>").and_then(|(_, rest)| rest.split_once("</title>"));
    let title = title.map_or(String::new(), |(title, _)| format!(", “{}”,", title.trim()));
    let host = endpoint.url.host_str().unwrap_or_default();
    let text = format!(
        "{host} answered with a web page{title} and not with a model's answer; check base_url (ORCHESTRATOR_BASE_URL) and what stands between"
    );
    Fault::new(FaultKind::MalformedStream, text)
}

fn silent(endpoint: &Endpoint) -> Fault {
    let text = format!(
        "nothing but signs of life arrived for {} ms (quiet_timeout_ms sets the bound)",
        endpoint.quiet.as_millis()
    );
    Fault::new(FaultKind::Stalled, text)
}

fn truncated() -> Fault {
    Fault::new(
        FaultKind::Truncated,
        "the answer ended before its terminal marker; nothing of it was kept",
    )
}

/// Reads on after the answer is complete, for its usage. Whatever goes wrong now costs the usage, not the answer.
async fn take_tail(
    events: &mut Events,
    decoder: &mut dyn Decode,
    on_progress: &mut OnProgress<'_>,
) {
    let tail = async {
        while let Some(Ok(data)) = events.next().await {
            if !matches!(decoder.event(&data, on_progress), Ok(Step::Complete)) {
                break;
            }
        }
    };
    if tokio::time::timeout(TAIL, tail).await.is_err() {
        tracing::debug!("the provider sent no end after a complete answer");
    }
}
