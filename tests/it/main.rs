//! The integration tests: one binary, the built `orchestrator` over its real surfaces, real servers and real files.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking, in its helpers too"
)]

#[cfg(target_os = "linux")]
mod acp;
mod adversarial;
#[cfg(target_os = "linux")]
mod agents;
#[cfg(target_os = "linux")]
mod attach;
mod bad_input;
mod bench_gate;
#[cfg(target_os = "linux")]
mod cancel;
mod check;
mod cli;
mod code_tools;
#[cfg(unix)]
mod crash;
#[cfg(unix)]
mod crash_sweep;
mod deadlock;
mod demo;
#[cfg(target_os = "linux")]
mod editors;
mod faults;
#[cfg(unix)]
mod folders;
mod gate;
mod gate_languages;
mod gate_servers;
mod house;
mod journal;
#[cfg(unix)]
mod mcp;
#[cfg(target_os = "linux")]
mod memory;
mod mission_rust;
mod mission_tests;
mod mission_typescript;
#[cfg(target_os = "linux")]
mod monitor;
mod mutants;
#[cfg(unix)]
mod neovim;
#[cfg(unix)]
mod parallel;
#[cfg(target_os = "linux")]
mod plugins;
#[cfg(target_os = "linux")]
mod pool;
#[cfg(target_os = "linux")]
mod process;
mod protocol;
#[cfg(target_os = "linux")]
mod rehydrate;
#[cfg(unix)]
mod report;
mod rerun;
mod rules;
mod settings;
#[cfg(target_os = "linux")]
mod setup;
mod simulate;
mod support;
#[cfg(unix)]
mod surface;
mod symbolic_engine;
#[cfg(unix)]
mod telemetry;
mod todo;
#[cfg(unix)]
mod typing;
mod undo;
mod undo_editor;
mod vscode;
mod wire_anthropic;
mod wire_both;
mod wire_openai;
