//! The symbolic engine: what compilers and language servers can mend by themselves, no model is asked for.
//!
//! [`Goal::read`] says whether a goal is of that sort, [`plan()`] makes clusters of diagnostics out of it, [`propose()`] makes
//! change-sets for one cluster. The same diagnostics and remedies give the same answers, always. It must not know of
//! missions, sessions or files: what it proposes is proved by the gate and applied by others.

mod complete;
mod goal;
mod kind;
mod merge;
mod plan;
mod propose;

pub use goal::Goal;
pub use kind::Kind;
pub use plan::{Cluster, Key, plan};
pub use propose::{Candidate, Note, Remedies, propose};
