//! Undo in an editor.
