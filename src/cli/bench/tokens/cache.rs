//! A provider's prefix cache, as a model: what a request has in common with an earlier one of its session, from its
//! beginning on, is served in blocks of 128 tokens, once it has 1,024. Nothing is ever evicted.

use std::collections::HashMap;
use std::rc::Rc;

/// A block, and the least that is served, in tokens (OpenAI's figures).
const BLOCK: usize = 128;
const LEAST: usize = 1_024;
/// What a message costs beside its text.
const FRAME: u32 = u32::MAX;

/// A piece of a request, as tokens.
pub(super) type Piece = Rc<[u32]>;

/// All requests of a session.
#[derive(Default)]
pub(super) struct Cache {
    sent: Vec<Vec<Piece>>,
    known: HashMap<String, Piece>,
}

impl Cache {
    /// The tokens of a text, counted once.
    pub fn piece(
        &mut self,
        text: &str,
        encode: impl Fn(&str) -> Option<Vec<u32>>,
    ) -> Result<Piece, String> {
        if let Some(piece) = self.known.get(text) {
            return Ok(piece.clone());
        }
        let mut tokens = vec![FRAME; 4];
        tokens.extend(encode(text).ok_or("failed to load the vocabulary of the tokenizer")?);
        let piece: Piece = tokens.into();
        self.known.insert(text.to_owned(), piece.clone());
        Ok(piece)
    }

    /// Sends a request: how many tokens it has, how many of them are served, and whether it goes on where the last one ended.
    pub fn send(&mut self, request: Vec<Piece>) -> (usize, usize, bool) {
        let tokens = request.iter().map(|piece| piece.len()).sum();
        let of = |other: &Vec<Piece>| common(other, &request);
        let grows = self.sent.last().is_none_or(|last| of(last) == length(last));
        let common = match self.sent.last() {
            // The last one holds all that those before it have in common with this one.
            Some(last) if grows => of(last),
            _ => self.sent.iter().map(of).max().unwrap_or(0),
        };
        self.sent.push(request);
        let cached = if common < LEAST { 0 } else { common / BLOCK * BLOCK };
        (tokens, cached, grows)
    }
}

fn length(request: &[Piece]) -> usize {
    request.iter().map(|piece| piece.len()).sum()
}

fn common(a: &[Piece], b: &[Piece]) -> usize {
    let mut tokens = 0;
    for (a, b) in a.iter().zip(b) {
        if !Rc::ptr_eq(a, b) {
            let same = a.iter().zip(b.iter()).take_while(|(a, b)| a == b).count();
            if same < a.len().max(b.len()) {
                return tokens + same;
            }
        }
        tokens += a.len();
    }
    tokens
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(text: &str) -> Option<Vec<u32>> {
        Some(text.bytes().map(u32::from).collect())
    }

    #[test]
    fn the_longest_common_beginning_is_served_in_blocks() {
        let mut cache = Cache::default();
        let (a, b) = ("a".repeat(1_500), "b".repeat(300));
        let request = |cache: &mut Cache, texts: &[&str]| {
            let pieces = texts.iter().map(|text| cache.piece(text, bytes).unwrap()).collect();
            cache.send(pieces)
        };
        assert_eq!(request(&mut cache, &[&a]), (1_504, 0, true));
        assert_eq!(request(&mut cache, &[&a, &b]), (1_808, 1_408, true));
        let other = format!("{}x", &b[..200]);
        assert_eq!(request(&mut cache, &[&a, &other]), (1_709, 1_664, false));
        assert_eq!(request(&mut cache, &["short"]), (9, 0, false));
    }
}
