//! Who answers a turn: a model behind its role's prompt, or the symbolic engine.

pub mod symbolic;
