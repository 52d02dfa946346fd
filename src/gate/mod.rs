//! The gate: proof of a change-set before it may touch a file of the user's.
//!
//! Stages, cheapest first: apply, syntax, rules, servers, tools. The gate works on a shadow copy, never in the user's
//! tree, and it knows nothing of missions, agents or editors: change-set and unsaved texts in, [`report::Report`] out.
//! "Not checked" is never "clean".

pub mod diagnostic;
pub mod language;
pub mod report;
pub mod servers;
