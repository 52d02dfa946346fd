//! The gate: proof of a change-set before it may touch a file of the user's.
//!
//! Stages, cheapest first: apply, syntax, rules, servers, tools. The gate works on a shadow copy, never in the user's
//! tree, and it knows nothing of missions, agents or editors: change-set and unsaved texts in, [`report::Report`] out.
//! "Not checked" is never "clean".

mod asked;
mod baseline;
mod conditional;
mod covered;
pub mod delta;
pub mod diagnostic;
mod error;
pub mod frame;
#[expect(clippy::module_inception, reason = "the gate itself, among its stages")]
pub mod gate;
pub mod language;
pub mod languages;
mod mend;
mod nested;
pub mod pair;
mod prepare;
mod prove;
mod reach;
pub mod receipt;
mod repair;
pub mod report;
pub mod rules;
pub mod servers;
pub mod shadow;
pub mod stage;
pub mod syntax;
pub mod tools;
mod verdict;
mod whole;
pub mod words;
mod workbench;

pub use baseline::Baseline;
pub use diagnostic::{Diagnostic, Place, Range, Remedy, Severity};
pub use error::GateError;
pub use gate::{Checked, Diagnosis, Gate, Settings};
pub use receipt::{ChainError, Receipt, verify_chain};
pub use report::{Report, Stage, StageReport, StageVerdict, Verdict};
pub use stage::{Answer, Overlay, ServerStage};
