//! What keeps an answer from going on for ever while it arrives: a bound in tokens, and an eye for a text that does
//! nothing but repeat itself.
//!
//! All that a model says counts: text, arguments, reasoning. How long an answer may take, how long it may be silent and
//! how many bytes it may have on the wire are bounded elsewhere, by [`super::events`] and the client.

use super::fault::{Fault, FaultKind};

/// Bytes that a token has at most, in an answer of any length: twice the usual four.
const BYTES_PER_TOKEN: u64 = 8;
/// Tokens of an answer whose request set no bound.
const MOST_TOKENS: u32 = 256 << 10;
/// A loop is a text whose last so many bytes...
const WINDOW: usize = 16 << 10;
/// ...are one piece of at most so many bytes, again and again.
const PIECE: usize = 2 << 10;
/// How often it is looked for, in bytes.
const EVERY: usize = 4 << 10;

/// Watches one answer.
#[derive(Debug, Default)]
pub(crate) struct Watch {
    /// `None`: no bound was set in the request.
    tokens: Option<u32>,
    said: u64,
    tail: Vec<u8>,
    unseen: usize,
}

impl Watch {
    /// A watch with the bound that the request set.
    pub(crate) fn new(tokens: Option<u32>) -> Watch {
        Watch { tokens, ..Watch::default() }
    }

    /// Takes the next piece of what the model says.
    pub(crate) fn take(&mut self, piece: &str) -> Result<(), Fault> {
        self.said = self.said.saturating_add(piece.len() as u64);
        let tokens = self.tokens.unwrap_or(MOST_TOKENS);
        if self.said > u64::from(tokens).saturating_mul(BYTES_PER_TOKEN) {
            let text = format!(
                "the answer went on after {tokens} tokens and was cut off (max_output_tokens sets the bound); answer in smaller steps"
            );
            return Err(Fault::new(FaultKind::Unbounded, text));
        }
        self.tail.extend_from_slice(piece.as_bytes());
        self.unseen += piece.len();
        if self.unseen < EVERY {
            return Ok(());
        }
        self.unseen = 0;
        let surplus = self.tail.len().saturating_sub(WINDOW);
        self.tail.drain(..surplus);
        match self.loops() {
            Some(piece) => Err(repeated(&piece)),
            None => Ok(()),
        }
    }

    /// The piece that the whole window repeats.
    fn loops(&self) -> Option<String> {
        let window = self.tail.as_slice();
        if window.len() < WINDOW {
            return None;
        }
        let period = window.len() - borders(window).last()?;
        (period <= PIECE).then(|| String::from_utf8_lossy(&window[..period]).into_owned())
    }
}

/// For each beginning of `text`, the length of the longest border: what it both begins and ends with. A text repeats with
/// the period that its longest border leaves over.
fn borders(text: &[u8]) -> Vec<usize> {
    let mut borders = vec![0; text.len()];
    let mut length = 0;
    for at in 1..text.len() {
        while length > 0 && text[at] != text[length] {
            length = borders[length - 1];
        }
        length += usize::from(text[at] == text[length]);
        borders[at] = length;
    }
    borders
}

fn repeated(piece: &str) -> Fault {
    let shown: String = piece.chars().take(60).collect();
    let text = format!(
        "the answer repeated the same {} bytes over and over and was cut off ({shown:?}); say it once",
        piece.len()
    );
    Fault::new(FaultKind::Repeated, text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(pieces: impl Iterator<Item = String>, tokens: Option<u32>) -> Option<FaultKind> {
        let mut watch = Watch::new(tokens);
        pieces.into_iter().find_map(|piece| watch.take(&piece).err()).map(|fault| fault.kind)
    }

    #[test]
    fn a_loop_of_any_length_is_seen() {
        let paragraph: String = (0..150).map(|n| format!("{n} é ")).collect();
        for piece in ["a", " ", "I will now ", "\\n", &paragraph] {
            let said = std::iter::once("Once: ".to_owned())
                .chain(std::iter::repeat_n(piece.to_owned(), 40_000));
            assert_eq!(fault(said, Some(u32::MAX)), Some(FaultKind::Repeated), "{piece}");
        }
    }

    #[test]
    fn long_regular_texts_are_no_loops() {
        let table = (0..20_000).map(|n| format!("| row {n} | 0 | 0 | 0 |\n"));
        assert_eq!(fault(table, None), None);
        let lines = std::iter::once("-".repeat(WINDOW - 1));
        assert_eq!(fault(lines, None), None);
    }

    #[test]
    fn the_bound_in_tokens_holds_whatever_was_set() {
        let words = || (0u32..).map(|n| format!("{n} "));
        assert_eq!(fault(words(), Some(100)), Some(FaultKind::Unbounded));
        assert_eq!(fault(words(), None), Some(FaultKind::Unbounded));
        assert_eq!(fault(words().take(100), Some(100)), None);
    }
}
