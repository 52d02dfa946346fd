//! What both wire formats' decoders have in common: how they are fed and how far they say they are.

use serde_json::Value;

use super::draft::Draft;
use super::fault::{Fault, FaultKind, classify};

/// What can be shown while an answer arrives. Nothing here is part of the turn until the turn is complete.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress<'a> {
    /// It waits for a slot: nothing was sent yet.
    Waits,
    /// It has waited, and goes out now.
    Goes,
    /// The provider has accepted the request.
    Started,
    /// A piece of the answer's text.
    Text(&'a str),
    /// A tool call has begun.
    Call {
        /// The tool's name.
        name: &'a str,
    },
    /// Something arrived that is not part of the answer: reasoning, a keep-alive event.
    Alive,
}

/// Receives progress.
pub(crate) type OnProgress<'a> = dyn FnMut(Progress<'_>) + Send + 'a;

/// How far an answer is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    /// The terminal marker has not come.
    More,
    /// The same, and what came was only a sign of life.
    Ping,
    /// The answer is complete; usage may follow.
    Complete,
    /// Nothing more will come.
    Done,
}

/// One wire format's view of a streamed or whole answer.
pub(crate) trait Decode: Send {
    /// Takes the data of one event.
    fn event(&mut self, data: &str, on_progress: &mut OnProgress<'_>) -> Result<Step, Fault>;

    /// Takes a whole answer, from a server that does not stream.
    fn document(&mut self, document: &Value) -> Result<(), Fault>;

    /// What has arrived.
    fn draft(&mut self) -> &mut Draft;
}

/// Parses the data of an event.
pub(crate) fn parse_event(data: &str) -> Result<Value, Fault> {
    serde_json::from_str(data).map_err(|error| {
        Fault::new(
            FaultKind::MalformedStream,
            format!("the answer's stream holds an event that is not JSON: {error}"),
        )
    })
}

/// The fault of an `error` member, if there is one.
pub(crate) fn check_error(value: &Value) -> Result<(), Fault> {
    match value.get("error") {
        Some(error) if !error.is_null() => Err(classify::from_error_object(error)),
        _ => Ok(()),
    }
}

/// A fault for an answer of the wrong form.
pub(crate) fn malformed(what: &str) -> Fault {
    Fault::new(
        FaultKind::MalformedStream,
        format!("the answer is not of the documented form: {what}"),
    )
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::model::{anthropic, openai};

    const RECORDED: [&str; 2] = [
        include_str!("../../tests/fixtures/wire/openai_calls.sse"),
        include_str!("../../tests/fixtures/wire/anthropic_calls.sse"),
    ];

    /// A piece of JSON that is at home somewhere else.
    fn strange() -> impl Strategy<Value = &'static str> {
        prop_oneof![
            Just("null"),
            Just("[]"),
            Just("{}"),
            Just("7"),
            Just("-1"),
            Just("1e999"),
            Just("\"x\""),
            Just("18446744073709551615"),
            Just("\""),
            Just(","),
            Just(""),
        ]
    }

    proptest! {
        #[test]
        fn no_event_makes_a_decoder_panic(
            which in 0usize..2,
            edits in prop::collection::vec((any::<prop::sample::Index>(), strange()), 1..8),
        ) {
            let mut events: Vec<String> =
                RECORDED[which].lines().filter_map(|line| line.strip_prefix("data: ")).map(str::to_owned).collect();
            for (place, replacement) in edits {
                let at = place.index(events.len());
                let ends: Vec<usize> = events[at].match_indices([':', ',', '}', ']', '[']).map(|(at, _)| at).collect();
                if ends.len() < 2 {
                    continue;
                }
                let cut = place.index(ends.len() - 1);
                events[at].replace_range(ends[cut] + 1..ends[cut + 1], replacement);
            }
            let mut decoder: Box<dyn Decode> = match which {
                0 => Box::<openai::Decoder>::default(),
                _ => Box::<anthropic::Decoder>::default(),
            };
            for event in &events {
                let _ = decoder.event(event, &mut |_| {});
                if let Ok(document) = serde_json::from_str(event) {
                    let _ = decoder.document(&document);
                }
            }
            let usage = std::mem::take(decoder.draft()).usage(100, &crate::model::Price::default());
            prop_assert!(usage.cached <= usage.input);
        }
    }
}
