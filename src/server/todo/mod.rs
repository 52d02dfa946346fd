//! What the editor shows in `.opencode/todo.md`: symbols, folds, lenses, hovers, completions and
//! errors. Pure functions over its text and the mission's view.

pub mod completion;
pub mod folding;
pub mod hover;
pub mod lenses;
pub mod outline;
pub mod symbols;

/// Where the plan lies in the workspace.
pub const TODO_PATH: &str = ".opencode/todo.md";
