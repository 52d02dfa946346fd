//! Scripted conversations, for the demo, tests and benchmarks: no model is asked, and whoever shows them must say so.
//!
//! A replay goes through the very client, wire format and HTTP that a model would: [`ReplayServer`] is a small server on
//! loopback that speaks streamed chat completions. The client tells it role and session in two headers, which are sent
//! to replays only.
//!
//! A script is a JSON file: a list of entries, each one turn.
//!
//! ```json
//! [
//!   {"role": "commander", "calls": [{"name": "accept", "arguments": {"reason": "clear"}}]},
//!   {"role": "worker", "when": "T1.1", "expect": "refused", "text": "I see.", "delay_ms": 300,
//!    "calls": [{"name": "edit", "arguments": {"path": "src/lib.rs"}}],
//!    "usage": {"input": 900, "output": 40, "cached": 800}}
//! ]
//! ```
//!
//! | field | meaning |
//! |---|---|
//! | `role` | the role whose turn it is |
//! | `when` | only for sessions whose first user message contains this |
//! | `expect` | the request's last message must contain this, else the replay fails with HTTP 500 |
//! | `text`, `calls` | the answer; a call's id is made up |
//! | `delay_ms` | wait before answering, in milliseconds |
//! | `usage` | token counts; a quarter of the bytes where they are left out |
//!
//! A request takes the first entry in file order that is not used and fits its role and session. The same request asked
//! again (a retry) gets the same answer. A session first seen in the middle (after a restart) passes over as many entries
//! as it has turns already; scripts that must survive a restart give every entry a `when`. When no entry is left the
//! answer is HTTP 500 with role, session and turn.

mod http;
mod script;
mod server;
mod sse;

pub use script::{Entry, Script, ScriptedCall, ScriptedTurn, ScriptedUsage};
pub use server::{Answer, Arrival, Handler, ReceivedRequest, ReplayServer};

/// Tells a replay the role of a request.
pub const ROLE_HEADER: &str = "x-orchestrator-role";
/// Tells a replay the session of a request.
pub const SESSION_HEADER: &str = "x-orchestrator-session";
