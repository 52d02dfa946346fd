//! Handlers that misbehave on purpose, in debug builds only: the tests use them to show that a session survives them.

use std::time::Duration;

use serde_json::Value;
use tower_lsp::jsonrpc::Result;
use tower_lsp::lsp_types::ConfigurationParams;
use tower_lsp::lsp_types::request::WorkspaceConfiguration;

use super::face::Face;

impl Face {
    /// `orchestrator/testPanic`: panics, after a wait when the parameters say so.
    #[expect(clippy::panic, reason = "panicking is what it is for")]
    pub async fn test_panic(&self, params: Value) -> Result<Value> {
        if params["later"] == true {
            tokio::task::yield_now().await;
        }
        panic!("a test asked for this panic");
    }

    /// `orchestrator/testAsk`: does what no real handler may, and waits for the client.
    pub async fn test_ask(&self, _params: Value) -> Result<Value> {
        let params = ConfigurationParams { items: Vec::new() };
        let answer = self.peer().request::<WorkspaceConfiguration>(&params, Duration::MAX);
        Ok(Value::from(answer.await.is_ok()))
    }
}
