//! The gate: proof of a change-set before it may touch a file of the user's.
//!
//! Stages, cheapest first: apply, syntax, rules, servers, tools. The gate works on a shadow copy, never in the user's
//! tree, and it knows nothing of missions, agents or editors: change-set and unsaved texts in, [`report::Report`] out.
//! "Not checked" is never "clean".
//!
//! # For other programs
//!
//! A change-set is proved without a mission; what comes back can be applied, and nothing else was written:
//!
//! ```no_run
//! use orchestrator_lsp::gate::{Gate, Settings, Verdict};
//! use orchestrator_lsp::workspace::{ChangeSet, OpenTexts, apply};
//!
//! # async fn prove() -> Result<(), Box<dyn std::error::Error>> {
//! let change: ChangeSet = serde_json::from_str(
//!     r#"{"changes": [{"op": "edit", "path": "src/lib.rs",
//!                      "edits": [{"old": "a + b", "new": "a.saturating_add(b)"}]}]}"#,
//! )?;
//! let gate = Gate::open("/home/me/project".as_ref(), Settings::default())?;
//! let checked = gate.check(&change, &OpenTexts::new()).await?;
//! match checked.report.verdict {
//!     Verdict::Accepted => {
//!         apply(gate.workspace().root(), &checked.contents)?;
//!     }
//!     Verdict::Refused => {
//!         for problem in &checked.report.problems {
//!             eprintln!("{}\n{}", problem.diagnostic.message, problem.frame);
//!         }
//!     }
//!     Verdict::Unverified => eprintln!("{:#?}", checked.report.stages),
//! }
//! # Ok(())
//! # }
//! ```
//!
//! [`Settings::default`] asks the compilers alone; [`servers::Servers`] adds the downstream language servers.

mod asking;
pub mod code;
mod coverage;
pub mod diagnostic;
mod error;
#[expect(clippy::module_inception, reason = "the gate itself, among its stages")]
pub mod gate;
pub mod language;
pub mod languages;
mod lookup;
pub mod mutants;
pub mod newness;
pub mod prepare;
pub mod proposal;
mod prove;
mod repair;
pub mod report;
pub mod rules;
pub mod servers;
pub mod shadow;
pub mod stage;
pub mod tools;
mod whole;
mod workbench;

pub use diagnostic::{Diagnostic, Place, Range, Remedy, Severity};
pub use error::GateError;
pub use gate::{Checked, Diagnosis, Gate, Settings};
pub use newness::baseline::Baseline;
pub use proposal::{Judged, Proposal};
pub use report::receipt::{ChainError, Receipt, verify_chain};
pub use report::{Report, Stage, StageReport, StageVerdict, Verdict, words};
pub use stage::{Answer, Overlay, ServerStage};
