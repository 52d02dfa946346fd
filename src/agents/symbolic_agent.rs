//! The symbolic engine as an agent: it answers every role's turns without a model.

use std::sync::Arc;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use serde_json::{Value, json};

use super::{Agent, Ask};
use crate::gate::Gate;
use crate::mission::SYMBOLIC;
use crate::mission::conversation::{Role, ToolCall, Turn, Usage};
use crate::mission::event::Fault;

pub(super) struct SymbolicAgent {
    gate: Arc<Gate>,
}

impl SymbolicAgent {
    pub fn new(gate: Arc<Gate>) -> SymbolicAgent {
        SymbolicAgent { gate }
    }
}

impl Agent for SymbolicAgent {
    fn turn<'a>(&'a self, ask: &'a Ask) -> BoxFuture<'a, Result<Turn, Fault>> {
        async move {
            let _ = &self.gate;
            Ok(call(ask, "triage", json!({"decision": "decline", "needs": "a model"})))
        }
        .boxed()
    }

    fn name(&self) -> String {
        SYMBOLIC.to_owned()
    }
}

fn call(ask: &Ask, name: &str, arguments: Value) -> Turn {
    let Value::Object(arguments) = arguments else {
        return Turn::default();
    };
    let id = format!("call_{}", ask.messages.len());
    let call = ToolCall { id, name: name.to_owned(), arguments };
    Turn { text: String::new(), calls: vec![call], usage: Usage::default() }
}
#[expect(dead_code)]
const R: Role = Role::Commander;
