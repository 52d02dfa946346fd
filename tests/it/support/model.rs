//! A local model whose every answer a test decides, over real HTTP.

use std::sync::Arc;

use orchestrator_lsp::mission::conversation::Role;
use orchestrator_lsp::model::replay::{
    Answer, Arrival, ReceivedRequest, ReplayServer, ScriptedCall, ScriptedTurn,
};
use serde_json::Value;

use super::project::Project;

/// A running model; it ends when it is dropped.
pub struct LocalModel {
    server: ReplayServer,
    _runtime: tokio::runtime::Runtime,
}

/// What a request is about.
#[derive(Clone)]
pub struct Asked {
    pub role: Role,
    /// The session's first message.
    pub brief: String,
    /// The session's last message.
    pub last: String,
    /// How many turns the session had already.
    pub turns: usize,
    /// The request, as it was sent.
    pub body: String,
}

impl LocalModel {
    /// A model that answers each request with one call.
    pub fn calling(
        answer: impl Fn(&Asked) -> (&'static str, Value) + Send + Sync + 'static,
    ) -> LocalModel {
        LocalModel::answering(move |asked| {
            let (name, arguments) = answer(asked);
            turn(&[(name, arguments)])
        })
    }

    /// A model that answers as it likes.
    pub fn answering(answer: impl Fn(&Asked) -> Answer + Send + Sync + 'static) -> LocalModel {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let handler = Arc::new(move |request: &ReceivedRequest| answer(&read(request)));
        let server = {
            let _inside = runtime.enter();
            ReplayServer::with_handler(handler).unwrap()
        };
        LocalModel { server, _runtime: runtime }
    }

    /// The project with this model configured.
    pub fn serving(&self, project: Project) -> Project {
        project
            .with("ORCHESTRATOR_PROVIDER", "replay")
            .with("ORCHESTRATOR_BASE_URL", self.server.base_url())
            .with("ORCHESTRATOR_MODEL", "local")
    }

    /// The requests so far.
    pub fn arrivals(&self) -> Vec<Arrival> {
        self.server.arrivals()
    }
}

/// A turn of calls.
pub fn turn(calls: &[(&str, Value)]) -> Answer {
    let call = |(name, arguments): &(&str, Value)| ScriptedCall {
        name: (*name).to_owned(),
        arguments: arguments.as_object().cloned().unwrap_or_default(),
    };
    Answer::Turn(ScriptedTurn {
        calls: calls.iter().map(call).collect(),
        ..ScriptedTurn::default()
    })
}

fn read(request: &ReceivedRequest) -> Asked {
    let body = request.json().unwrap();
    let messages = body["messages"].as_array().cloned().unwrap_or_default();
    let text = |message: Option<&Value>| {
        message.and_then(|m| m["content"].as_str()).unwrap_or_default().to_owned()
    };
    Asked {
        role: request.role.unwrap(),
        brief: text(messages.iter().find(|m| m["role"] == "user")),
        last: text(messages.last()),
        body: String::from_utf8_lossy(&request.body).into_owned(),
        turns: messages.iter().filter(|m| m["role"] == "assistant").count(),
    }
}
