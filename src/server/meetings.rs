//! Changes that meet what a person types, as findings at those lines: with what the change is, what of it would land, and
//! how to be rid of it. What is decided there is an answer to the mission's question.

use serde_json::json;
use tower_lsp::lsp_types::{Diagnostic, DiagnosticSeverity, NumberOrString};

use super::anchors::{Anchors, Mark};
use super::diagnostics::SOURCE;
use crate::mission::view::MissionView;
use crate::mission::{DISCARD, MERGE, Meeting, MissionId};
use crate::workspace::RelPath;

/// A place where a change meets what was typed.
#[derive(Debug)]
pub struct Met<'a> {
    /// Whose change.
    pub mission: &'a MissionId,
    /// The question that it waits with.
    pub question: u32,
    /// The file.
    pub path: RelPath,
    /// Which of the places.
    at: usize,
    /// The line that was told, from 1.
    line: u32,
}

/// All of them.
pub fn all(view: &MissionView) -> impl Iterator<Item = Met<'_>> {
    view.questions.iter().flat_map(move |question| {
        let places = question.meeting.iter().flat_map(|meeting| meeting.places.iter().enumerate());
        places.filter_map(move |(at, place)| {
            let (mission, line) = (&view.id, place.line);
            let path = RelPath::new(&place.file).ok()?;
            Some(Met { mission, question: question.number, path, at, line })
        })
    })
}

/// The change that waits with a question.
pub fn of_question(view: &MissionView, question: u32) -> Option<&Meeting> {
    let asked = view.questions.iter().find(|asked| asked.number == question)?;
    asked.meeting.as_ref()
}

/// What can be done: a title, a command and its argument.
pub type Choice = (&'static str, &'static str, serde_json::Value);

impl Met<'_> {
    /// The 0-based line where it stands now.
    pub fn line(&self, anchors: &Anchors) -> u32 {
        let key = (self.mission.0.clone(), Mark::Meeting(self.question, self.at));
        anchors.line(key, &self.path, self.line.saturating_sub(1))
    }

    /// As it is shown; the range is for the caller to say.
    pub fn diagnostic(&self) -> Diagnostic {
        Diagnostic {
            severity: Some(DiagnosticSeverity::WARNING),
            code: Some(NumberOrString::String("meets".to_owned())),
            source: Some(SOURCE.to_owned()),
            message:
                "a change waits: it is about what you typed here. Apply the rest of it, or discard it"
                    .to_owned(),
            data: Some(json!({ "mission": self.mission, "question": self.question })),
            ..Diagnostic::default()
        }
    }

    /// What can be done about it.
    pub fn choices(&self) -> [Choice; 3] {
        let (mission, question) = (self.mission, self.question);
        let answer = |text: &str| json!({ "mission": mission, "question": question, "text": text });
        let show = json!({ "mission": mission, "question": question });
        [
            ("Show the change that waits", "orchestrator.change.open", show),
            ("Apply merged: keep what I typed", "orchestrator.answer", answer(MERGE)),
            ("Discard the change that waits", "orchestrator.answer", answer(DISCARD)),
        ]
    }
}
