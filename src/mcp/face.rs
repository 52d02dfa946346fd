//! The protocol's side: what is offered is listed, calls are handed on, and what comes of them is answered. The library of
//! the protocol is known here only.

use std::sync::Arc;

use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CallToolResult, ContentBlock, ErrorData,
    Implementation, ListResourceTemplatesResult, ListResourcesResult, ListToolsResult,
    PaginatedRequestParams, ProgressNotificationParam, ProgressToken, ReadResourceRequestParams,
    ReadResourceResponse, ReadResourceResult, Resource, ResourceContents, ResourceTemplate,
    ServerCapabilities, ServerConfig, Tool as Listed, ToolAnnotations,
};
use rmcp::service::RequestContext;
use rmcp::transport::async_rw::AsyncRwTransport;
use rmcp::{Peer, RoleServer, ServerHandler, ServiceExt};
use serde_json::{Map, Value, json};
use tokio::io::{AsyncRead, AsyncWrite};

use super::missions::Listener;
use super::tools::{TOOLS, Tool, arguments};
use super::workspace::Workspace;
use super::{Refusal, gate, missions, shown};
use crate::mission::Line;
use crate::server::parent;

const INSTRUCTIONS: &str = "Missions for this workspace: planned, carried out by agents, and every change proved before it lands. `check` proves a change-set of your own without applying it. `mission_start` begins work and answers at once; `mission_status` with `wait` follows it.";

const PLAN: &str = "orchestrator://plan";
const MISSIONS: &str = "orchestrator://missions";

struct Face(Arc<Workspace>);

/// Speaks to one client until it goes, or the system wants this process to end.
pub async fn run<R, W>(workspace: &Arc<Workspace>, input: R, output: W)
where
    R: AsyncRead + Unpin + Send + 'static,
    W: AsyncWrite + Unpin + Send + 'static,
{
    let transport = AsyncRwTransport::new_server(input, output);
    let session = async {
        match Face(Arc::clone(workspace)).serve(transport).await {
            // However it ends, it has.
            Ok(service) => drop(service.waiting().await),
            Err(error) => tracing::info!("no session: {error}"),
        }
    };
    tokio::select! {
        () = session => {}
        () = parent::terminated() => {}
    }
}

impl ServerHandler for Face {
    fn get_info(&self) -> ServerConfig {
        let capabilities = ServerCapabilities::builder().enable_tools().enable_resources().build();
        let us = Implementation::new("orchestrator", env!("CARGO_PKG_VERSION"));
        ServerConfig::new(capabilities).with_server_info(us).with_instructions(INSTRUCTIONS)
    }

    async fn list_tools(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        Ok(ListToolsResult::with_all_items(TOOLS.iter().map(listed).collect()))
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let name = request.name.as_ref();
        if !TOOLS.iter().any(|tool| tool.name == name) {
            return Err(ErrorData::invalid_params(format!("there is no tool {name}"), None));
        }
        let token = context.meta.get_progress_token();
        let progress = Progress { peer: context.peer, token };
        let done = tokio::select! {
            done = self.perform(name, request.arguments.unwrap_or_default(), &progress) => done,
            // Nobody reads the answer; what is dropped here ends what was started for it.
            () = context.ct.cancelled() => Err(Refusal::refused("the call was cancelled")),
            () = self.0.ending.cancelled() => Err(Refusal::environment("this process ends")),
        };
        let result = match done {
            Ok(Value::String(text)) => CallToolResult::success(vec![ContentBlock::text(text)]),
            Ok(value) => CallToolResult::structured(value),
            Err(Refusal { kind, message }) => CallToolResult::structured_error(json!({
                "error": kind, "message": message,
            })),
        };
        Ok(result.into())
    }

    async fn list_resources(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListResourcesResult, ErrorData> {
        let plan = Resource::new(PLAN, "plan")
            .with_description("The plan of the mission that is shown, as todo.md holds it.")
            .with_mime_type("text/markdown");
        let missions = Resource::new(MISSIONS, "missions")
            .with_description("How the recent missions stand.")
            .with_mime_type("application/json");
        Ok(ListResourcesResult::with_all_items(vec![plan, missions]))
    }

    async fn list_resource_templates(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListResourceTemplatesResult, ErrorData> {
        let report = ResourceTemplate::new("orchestrator://missions/{mission}", "report")
            .with_description("What a mission reached, changed, found and cost.")
            .with_mime_type("text/markdown");
        let receipts =
            ResourceTemplate::new("orchestrator://missions/{mission}/receipts", "receipts")
                .with_description("The changes of a mission that were accepted, with their proof.")
                .with_mime_type("application/json");
        Ok(ListResourceTemplatesResult::with_all_items(vec![report, receipts]))
    }

    async fn read_resource(
        &self,
        request: ReadResourceRequestParams,
        _: RequestContext<RoleServer>,
    ) -> Result<ReadResourceResponse, ErrorData> {
        let uri = request.uri;
        let text = self.text(&uri).await.map_err(|refusal| match refusal.kind {
            "environment" => ErrorData::internal_error(refusal.message, None),
            _ => ErrorData::resource_not_found(refusal.message, None),
        })?;
        Ok(ReadResourceResult::new(vec![ResourceContents::text(text, uri)]).into())
    }
}

impl Face {
    async fn perform(
        &self,
        name: &str,
        given: Map<String, Value>,
        progress: &Progress,
    ) -> Result<Value, Refusal> {
        let workspace = &*self.0;
        match name {
            "check" => gate::check(workspace, &given).await,
            "plan_show" => missions::plan(workspace, arguments(given)?).await,
            "plan_update" => missions::update(workspace, arguments(given)?).await,
            "mission_start" => missions::start(workspace, arguments(given)?, progress).await,
            "mission_status" => missions::status(workspace, arguments(given)?, progress).await,
            "mission_pause" => missions::pause(workspace, arguments(given)?).await,
            "mission_resume" => missions::resume(workspace, arguments(given)?, progress).await,
            "mission_cancel" => missions::cancel(workspace, arguments(given)?).await,
            "mission_answer" => missions::answer(workspace, arguments(given)?).await,
            "mission_undo" => missions::undo(workspace, arguments(given)?).await,
            "mission_report" => {
                let named: super::tools::Named = arguments(given)?;
                missions::told(workspace, named.mission.as_deref()).await.map(Value::String)
            }
            "findings" => missions::findings(workspace, arguments(given)?).await,
            // What is listed has its line here: a test calls all of it.
            other => Err(Refusal::unknown(format!("there is no tool {other}"))),
        }
    }

    async fn text(&self, uri: &str) -> Result<String, Refusal> {
        let workspace = &*self.0;
        let unknown = || Refusal::unknown(format!("there is no resource {uri}"));
        if uri == PLAN {
            return workspace.plan_text().await;
        }
        let rest = uri.strip_prefix(MISSIONS).ok_or_else(unknown)?;
        let parts: Vec<&str> = rest.split('/').collect();
        match parts.as_slice() {
            [""] => Ok(shown::statuses(workspace.views(None).await?).to_string()),
            ["", mission] => missions::told(workspace, Some(mission)).await,
            ["", mission, "receipts"] => {
                let views = workspace.views(Some(mission)).await?;
                let receipts = views.first().map(shown::receipts).ok_or_else(unknown)?;
                Ok(json!({ "mission": mission, "receipts": receipts }).to_string())
            }
            _ => Err(unknown()),
        }
    }
}

fn listed(tool: &Tool) -> Listed {
    let Value::Object(schema) = (tool.schema)() else { return Listed::default() };
    let annotations = ToolAnnotations::new()
        .read_only(tool.only_reads)
        .destructive(tool.destroys)
        .idempotent(tool.is_idempotent)
        .open_world(false);
    Listed::new(tool.name, tool.description, Arc::new(schema)).with_annotations(annotations)
}

/// Where what happens is told to a client that wants to hear it.
struct Progress {
    peer: Peer<RoleServer>,
    token: Option<ProgressToken>,
}

impl Listener for Progress {
    async fn hear(&self, line: &Line) {
        let Some(token) = self.token.clone() else { return };
        let said = shown::cut(&line.text, 500);
        let param = ProgressNotificationParam::new(token, line.number as f64).with_message(said);
        // A client that has gone is noticed elsewhere.
        drop(self.peer.notify_progress(param).await);
    }
}
