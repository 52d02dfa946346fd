//! The Model Context Protocol, both sides: servers of a workspace whose tools are called, their files in an editor, and
//! `orchestrator mcp` for other agents.

mod editor;
#[cfg(target_os = "linux")]
mod face;
mod hostile;
#[cfg(target_os = "linux")]
mod mission;
mod servers;
