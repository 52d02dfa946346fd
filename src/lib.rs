//! The library behind `orchestrator`: a language server whose language is work.
//!
//! The modules are floors of one house; imports run downwards only (a test reads them):
//!
//! | floor | module | what lives there |
//! |---|---|---|
//! | 5 | [`server`], [`acp`], [`mcp`], [`cli`] | the faces: they translate, they decide nothing |
//! | 4 | [`runtime`] | the one loop: write the event, run the effect, feed the result back |
//! | 3 | [`agents`], [`tools`] | who answers a turn (a model, or the symbolic engine); what a role may call |
//! | 2 | [`gate`], [`model`], [`memory`], [`extensions`] | proof of a change-set; providers over HTTP; what is remembered; plugins and servers of tools |
//! | 1 | [`workspace`], [`journal`], [`wire`], [`telemetry`] | files and byte-exact edits; the durable log; JSON-RPC frames; spans and log files |
//! | 0 | [`mission`], [`disk`] | what a mission is: state, events, effects, plan, fuel, pure; every change of a disk |

pub mod acp;
pub mod agents;
pub mod cli;
pub mod disk;
pub mod extensions;
pub mod gate;
pub mod journal;
pub mod mcp;
pub mod memory;
pub mod model;
pub mod runtime;
pub mod server;
pub mod telemetry;
pub mod tools;
pub mod wire;
pub mod workspace;

/// Floor 0, a crate of its own.
pub use orchestrator_mission as mission;
