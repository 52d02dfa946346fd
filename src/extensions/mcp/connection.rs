//! A connection to a server: the handshake, its list of tools, calls. The library of the protocol is known here and in
//! [`super::answer`] only. The workspace is its only root; what it asks of a model or of a person is declined.

#![expect(deprecated, reason = "roots are what servers of all versions know")]

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::error::Error;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use reqwest::header::{HeaderName, HeaderValue};
use rmcp::model::{
    CallToolRequestParams, CallToolResponse, ClientCapabilities, ClientConfig, Implementation,
    JsonObject, ListRootsResult, PaginatedRequestParams, Root, Tool as Listed,
};
use rmcp::service::{NotificationContext, RequestContext, RunningService};
use rmcp::transport::IntoTransport;
use rmcp::transport::streamable_http_client::{
    StreamableHttpClientTransport, StreamableHttpClientTransportConfig,
};
use rmcp::{ClientHandler, ErrorData, Peer, RoleClient, ServiceError, ServiceExt};
use serde_json::{Map, Value, json};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::Notify;

use super::answer::{self, cut};
use super::process::LONGEST_MESSAGE;
use crate::wire::percent;

/// Bounds of what a server says of its tools.
const MOST_TOOLS: usize = 64;
const MOST_PAGES: usize = 32;
const LONGEST_NAME: usize = 256;
const LONGEST_DESCRIPTION: usize = 1_000;
const LARGEST_SCHEMA: usize = 16 * 1024;
/// The longest reason that is passed on, in bytes.
const LONGEST_REASON: usize = 2_000;

/// A tool of a server.
#[derive(Debug, Clone, PartialEq)]
pub struct Tool {
    /// Its name there.
    pub name: String,
    /// What it says of itself, cut.
    pub description: String,
    /// The schema of its arguments.
    pub schema: Value,
}

/// What a server offers, and how many tools it lists in all.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Offered {
    /// The tools that are taken.
    pub tools: Vec<Tool>,
    /// How many there are, as far as they were counted.
    pub all: usize,
}

/// Why a call came to nothing.
#[derive(Debug)]
pub enum Fault {
    /// The server, or the tool, says so.
    Said(String),
    /// The connection is of no use any more.
    Broken(String),
}

/// The session with a server; it ends when this is dropped.
pub struct Session(RunningService<RoleClient, Ours>);

/// The way to call its tools.
#[derive(Clone)]
pub struct Caller(Peer<RoleClient>);

/// Our side of a session.
struct Ours {
    root: Root,
    changed: Arc<Notify>,
}

impl ClientHandler for Ours {
    fn get_info(&self) -> ClientConfig {
        let capabilities = ClientCapabilities::builder().enable_roots().build();
        let us = Implementation::new("orchestrator", env!("CARGO_PKG_VERSION"));
        ClientConfig::new(capabilities, us)
    }

    async fn list_roots(
        &self,
        _: RequestContext<RoleClient>,
    ) -> Result<ListRootsResult, ErrorData> {
        Ok(ListRootsResult::new(vec![self.root.clone()]))
    }

    async fn on_tool_list_changed(&self, _: NotificationContext<RoleClient>) {
        self.changed.notify_one();
    }
}

/// What a session is opened with.
pub struct Opening<'a> {
    /// The workspace.
    pub root: &'a Path,
    /// Told when the server's tools are others.
    pub changed: Arc<Notify>,
}

impl Opening<'_> {
    /// Over a program's pipes.
    ///
    /// # Errors
    /// Why not, in words.
    pub async fn over_pipes<R, W>(self, output: R, input: W) -> Result<(Session, Caller), String>
    where
        R: AsyncRead + Send + Unpin + 'static,
        W: AsyncWrite + Send + Unpin + 'static,
    {
        self.open((output, input)).await
    }

    /// Over HTTP, at an address.
    ///
    /// # Errors
    /// Why not, in words.
    pub async fn over_http(
        self,
        url: &str,
        headers: &BTreeMap<String, String>,
    ) -> Result<(Session, Caller), String> {
        let address: reqwest::Url =
            url.parse().map_err(|error| format!("its `url` is no address: {error}"))?;
        if !matches!(address.scheme(), "http" | "https") {
            return Err("its `url` is no address of http or https".to_owned());
        }
        let config = StreamableHttpClientTransportConfig::with_uri(url)
            .custom_headers(header_map(headers)?)
            .max_sse_event_size(LONGEST_MESSAGE)
            .max_json_response_size(LONGEST_MESSAGE);
        let client = client(&address).map_err(|error| chain(&error))?;
        self.open(StreamableHttpClientTransport::with_client(client, config)).await
    }

    async fn open<T, E, A>(self, transport: T) -> Result<(Session, Caller), String>
    where
        T: IntoTransport<RoleClient, E, A>,
        E: Error + Send + Sync + 'static,
    {
        let path = self.root.to_string_lossy().replace('\\', "/");
        let name = self.root.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let slash = if path.starts_with('/') { "" } else { "/" };
        let uri = format!("file://{slash}{}", percent::encoded(&path, b"/:"));
        let ours = Ours { root: Root::new(uri).with_name(name), changed: self.changed };
        let service = ours.serve(transport).await.map_err(|error| reason(&error))?;
        let caller = Caller(service.peer().clone());
        Ok((Session(service), caller))
    }
}

impl Session {
    /// Waits for its end.
    pub async fn ended(self) {
        // However it ends, it has.
        drop(self.0.waiting().await);
    }
}

impl Caller {
    /// What the server offers, cut to bounds.
    ///
    /// # Errors
    /// Why there is no list, in words.
    pub async fn offered(&self) -> Result<Offered, String> {
        let has_tools = self.0.peer_info().is_some_and(|info| info.capabilities.tools.is_some());
        if !has_tools {
            return Ok(Offered::default());
        }
        let (mut offered, mut names) = (Offered::default(), BTreeSet::new());
        let mut cursor = None;
        for _ in 0..MOST_PAGES {
            let params = PaginatedRequestParams::default().with_cursor(cursor);
            let page = self.0.list_tools(Some(params)).await;
            let page = page.map_err(|error| format!("it lists no tools: {}", reason(&error)))?;
            offered.all += page.tools.len();
            let new = page
                .tools
                .into_iter()
                .filter(|tool| tool.name.len() <= LONGEST_NAME && names.insert(tool.name.clone()));
            let room = MOST_TOOLS - offered.tools.len();
            offered.tools.extend(new.take(room).map(tool));
            cursor = page.next_cursor;
            if cursor.is_none() {
                break;
            }
        }
        Ok(offered)
    }

    /// Calls a tool. Dropping the future tells the server that nobody waits any more.
    ///
    /// # Errors
    /// Why it came to nothing.
    pub async fn call(&self, tool: &str, arguments: Map<String, Value>) -> Result<String, Fault> {
        let params = CallToolRequestParams::new(tool.to_owned()).with_arguments(arguments);
        match self.0.call_tool_once(params).await {
            Ok(CallToolResponse::Complete(result)) => answer::text(&result).map_err(Fault::Said),
            Ok(CallToolResponse::InputRequired(_)) => {
                Err(Fault::Said("it asks a person for more, and nobody is asked here".to_owned()))
            }
            Ok(_) => Err(Fault::Said("it answers in a way that is not known here".to_owned())),
            Err(error @ (ServiceError::TransportSend(_) | ServiceError::TransportClosed)) => {
                Err(Fault::Broken(reason(&error)))
            }
            Err(error) => Err(Fault::Said(reason(&error))),
        }
    }
}

fn tool(listed: Listed) -> Tool {
    let description = listed.description.unwrap_or_default();
    let mut description: String = description.trim().chars().take(LONGEST_DESCRIPTION).collect();
    let (schema, fits) = schema(&listed.input_schema);
    if !fits {
        description += "\n(The schema of its arguments is too large to be shown.)";
    }
    Tool { name: listed.name.into_owned(), description, schema }
}

fn schema(schema: &JsonObject) -> (Value, bool) {
    let any = json!({ "type": "object" });
    let is_object = schema.get("type").is_none_or(|kind| kind == "object");
    let size = serde_json::to_string(schema).map_or(usize::MAX, |text| text.len());
    match (is_object, size <= LARGEST_SCHEMA) {
        (true, true) => {
            let mut schema = schema.clone();
            // Models want it said.
            schema.entry("type").or_insert_with(|| json!("object"));
            (Value::Object(schema), true)
        }
        (_, fits) => (any, fits),
    }
}

fn header_map(
    headers: &BTreeMap<String, String>,
) -> Result<HashMap<HeaderName, HeaderValue>, String> {
    let header = |(name, value): (&String, &String)| {
        let bad = || format!("its header `{name}` cannot be sent");
        let mut held = HeaderValue::from_str(value).map_err(|_| bad())?;
        held.set_sensitive(true);
        Ok((HeaderName::from_bytes(name.as_bytes()).map_err(|_| bad())?, held))
    };
    headers.iter().map(header).collect()
}

fn client(address: &reqwest::Url) -> Result<reqwest::Client, reqwest::Error> {
    // It fails when there is one already, which is as good.
    drop(rustls::crypto::ring::default_provider().install_default());
    let is_loopback = match address.host_str() {
        Some("localhost" | "[::1]") => true,
        Some(host) => host.starts_with("127."),
        None => false,
    };
    // Headers must not follow to another place, and a message must not lose its body.
    let redirect = reqwest::redirect::Policy::custom(|attempt| {
        let from = attempt.previous().last().map(reqwest::Url::origin);
        let is_here = from.is_some_and(|origin| origin == attempt.url().origin());
        let keeps = matches!(attempt.status().as_u16(), 307 | 308);
        let goes = is_here && keeps && attempt.previous().len() < 5;
        if goes { attempt.follow() } else { attempt.stop() }
    });
    let mut builder = reqwest::Client::builder()
        .connect_timeout(Duration::from_secs(10))
        .pool_max_idle_per_host(0)
        .redirect(redirect)
        .user_agent(concat!("orchestrator-lsp/", env!("CARGO_PKG_VERSION")));
    if address.scheme() == "http" {
        // Reading the system's root certificates takes a while, and none is needed.
        builder = builder.tls_certs_only([]);
    }
    if is_loopback {
        builder = builder.no_proxy();
    }
    builder.build()
}

fn reason(error: &(dyn Error + 'static)) -> String {
    let said = chain(error);
    let wants = said.contains("401") || said.to_lowercase().contains("auth required");
    let hint =
        if wants { "; signing in is not supported: put a token into its headers" } else { "" };
    cut(said, LONGEST_REASON) + hint
}

/// An error with its causes, each told once.
fn chain(error: &dyn Error) -> String {
    let mut said = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let text = error.to_string();
        if !said.contains(&text) {
            said += &format!(": {text}");
        }
        cause = error.source();
    }
    said
}
