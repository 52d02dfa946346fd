//! What a collector is told of a request: where it went, what it used and how it ended; nothing of what was said. The
//! names are those of [`telemetry`](crate::telemetry).

use super::draft::Draft;
use super::endpoint::Endpoint;
use super::fault::{Fault, FaultKind};
use super::request::Request;
use super::settings::{Provider, REPLAY_PREFIX};
use crate::mission::conversation::{Turn, Usage};
use crate::telemetry::{Kind, Value, Work, current};

/// Begins the span of a request, as a part of what is under way.
pub(super) fn begin(endpoint: &Endpoint, request: &Request<'_>) -> Work {
    // The script of a replay is a path, and nobody's concern.
    let is_script = endpoint.model.starts_with(REPLAY_PREFIX);
    let model = if is_script { "replay" } else { &endpoint.model };
    let mut attributes: Vec<(&'static str, Value)> = vec![
        ("gen_ai.operation.name", "chat".into()),
        ("gen_ai.provider.name", provider(endpoint.provider).into()),
        ("gen_ai.request.model", model.into()),
        ("gen_ai.request.stream", true.into()),
        ("gen_ai.conversation.id", request.session.into()),
        ("gen_ai.agent.name", request.role.name().into()),
        ("server.address", endpoint.url.host_str().unwrap_or_default().into()),
    ];
    let port = endpoint.url.port_or_known_default();
    attributes.extend(port.map(|port| ("server.port", u64::from(port).into())));
    let most = endpoint.max_output_tokens;
    attributes.extend(most.map(|most| ("gen_ai.request.max_tokens", u64::from(most).into())));
    Work::begin(&current(), Kind::Client, format!("chat {model}"), attributes)
}

/// Whose format is spoken, as the conventions want it: a server that is compatible with another counts as it.
fn provider(provider: Provider) -> &'static str {
    match provider {
        Provider::Anthropic => "anthropic",
        Provider::OpenAi => "openai",
        Provider::Replay => "replay",
    }
}

/// Adds what the answer says of itself.
pub(super) fn answered(work: &Work, draft: &Draft) {
    let told = &draft.told;
    if let Some(model) = &told.model {
        work.set("gen_ai.response.model", model.as_str());
    }
    if let Some(id) = &told.id {
        work.set("gen_ai.response.id", id.as_str());
    }
    if let Some(reason) = &told.finish {
        work.set("gen_ai.response.finish_reasons", Value::Texts(vec![reason.clone()]));
    }
}

/// Ends the span.
pub(super) fn end(work: Work, result: &Result<Turn, Fault>) {
    match result {
        Ok(turn) => {
            used(&work, &turn.usage);
            work.done();
        }
        Err(fault) => {
            fault.usage.iter().for_each(|usage| used(&work, usage));
            work.failed(&name(fault.kind));
        }
    }
}

fn used(work: &Work, usage: &Usage) {
    work.set("gen_ai.usage.input_tokens", usage.input);
    work.set("gen_ai.usage.output_tokens", usage.output);
    work.set("gen_ai.usage.cache_read.input_tokens", usage.cached);
}

/// The kind as it is written everywhere else.
fn name(kind: FaultKind) -> String {
    let written = serde_json::to_value(kind).ok();
    written.as_ref().and_then(|kind| kind.as_str()).unwrap_or("_OTHER").to_owned()
}
