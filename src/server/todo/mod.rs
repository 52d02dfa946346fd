//! What the editor shows in `.opencode/todo.md`: symbols, lenses, actions and errors. Pure functions over its text.

pub mod lenses;
pub mod outline;
pub mod symbols;

/// Where the plan lies in the workspace.
pub const TODO_PATH: &str = ".opencode/todo.md";
