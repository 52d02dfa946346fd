//! Positions of the protocol in a text: lines and UTF-8 or UTF-16 columns on their side, byte offsets and [`Place`] on ours.
//!
//! It must not know where a text comes from. Nothing here fails: what lies outside of a line is its end.

use lsp_types::Position;

use crate::gate::diagnostic::{Place, Range};

/// How a server counts columns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    /// Bytes.
    Utf8,
    /// UTF-16 code units, the protocol's default.
    Utf16,
}

/// A text with the starts of its lines.
#[derive(Debug)]
pub struct Text<'a> {
    text: &'a str,
    starts: Vec<usize>,
}

impl<'a> Text<'a> {
    /// Finds the lines of `text`.
    pub fn new(text: &'a str) -> Text<'a> {
        let ends = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n');
        let starts = std::iter::once(0).chain(ends.map(|(at, _)| at + 1)).collect();
        Text { text, starts }
    }

    /// The line without its end, and where it starts; the end of the text for a line that is not there.
    fn line(&self, line: u32) -> (usize, &'a str) {
        let line = line as usize;
        let Some(&start) = self.starts.get(line) else {
            return (self.text.len(), "");
        };
        let end = self.starts.get(line + 1).map_or(self.text.len(), |next| next - 1);
        let text = &self.text[start..end];
        (start, text.strip_suffix('\r').unwrap_or(text))
    }

    /// The byte column of a protocol column.
    fn column(line: &str, character: u32, encoding: Encoding) -> usize {
        let wanted = character as usize;
        match encoding {
            Encoding::Utf8 => boundary(line, wanted),
            Encoding::Utf16 => {
                let mut units = 0;
                let past = line.char_indices().find(|(_, char)| {
                    let here = units;
                    units += char.len_utf16();
                    here >= wanted
                });
                past.map_or(line.len(), |(at, _)| at)
            }
        }
    }

    /// The byte offset of a protocol position.
    pub fn offset(&self, position: Position, encoding: Encoding) -> usize {
        let (start, line) = self.line(position.line);
        start + Self::column(line, position.character, encoding)
    }

    /// A protocol position as a place.
    pub fn place(&self, position: Position, encoding: Encoding) -> Place {
        let (_, line) = self.line(position.line);
        let column = Self::column(line, position.character, encoding);
        Place { line: position.line, column: u32::try_from(column).unwrap_or(u32::MAX) }
    }

    /// A protocol range as a range.
    pub fn range(&self, range: lsp_types::Range, encoding: Encoding) -> Range {
        Range { start: self.place(range.start, encoding), end: self.place(range.end, encoding) }
    }

    /// A place as a protocol position.
    pub fn position(&self, place: Place, encoding: Encoding) -> Position {
        let (_, line) = self.line(place.line);
        let column = boundary(line, place.column as usize);
        let character = match encoding {
            Encoding::Utf8 => column,
            Encoding::Utf16 => line[..column].encode_utf16().count(),
        };
        Position { line: place.line, character: u32::try_from(character).unwrap_or(u32::MAX) }
    }
}

/// The character boundary at `column`, or the last one before it.
fn boundary(line: &str, column: usize) -> usize {
    let mut column = column.min(line.len());
    while !line.is_char_boundary(column) {
        column -= 1;
    }
    column
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_converted_both_ways() {
        let text = "aé𝄞z\r\nlast";
        let lines = Text::new(text);
        for (utf16, utf8) in [(0, 0), (1, 1), (2, 3), (4, 7), (5, 8)] {
            let there = Position { line: 0, character: utf16 };
            let place = Place { line: 0, column: utf8 };
            assert_eq!(lines.place(there, Encoding::Utf16), place);
            assert_eq!(lines.position(place, Encoding::Utf16), there);
            assert_eq!(lines.offset(there, Encoding::Utf16), utf8 as usize);
            assert_eq!(
                lines.offset(Position { line: 0, character: utf8 }, Encoding::Utf8),
                utf8 as usize
            );
        }
    }

    #[test]
    fn what_lies_outside_is_the_end() {
        let lines = Text::new("é\r\nlast");
        assert_eq!(lines.offset(Position { line: 0, character: 99 }, Encoding::Utf16), 2);
        assert_eq!(
            lines.offset(Position { line: 0, character: 1 }, Encoding::Utf8),
            0,
            "inside a character"
        );
        assert_eq!(lines.offset(Position { line: 1, character: 99 }, Encoding::Utf8), 8);
        assert_eq!(lines.offset(Position { line: 7, character: 0 }, Encoding::Utf8), 8);
    }
}
