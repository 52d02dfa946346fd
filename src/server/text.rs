//! Positions of the protocol (line and column in the negotiated encoding) and byte offsets of our texts.

use line_index::{LineCol, LineIndex, TextSize, WideEncoding, WideLineCol};
use tower_lsp::lsp_types::{Position, PositionEncodingKind, Range};

/// What a column counts, as negotiated in `initialize`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Encoding {
    /// Bytes.
    Utf8,
    /// UTF-16 units, what every client understands.
    #[default]
    Utf16,
    /// Scalar values.
    Utf32,
}

impl Encoding {
    /// The protocol's name of it.
    pub fn kind(self) -> PositionEncodingKind {
        match self {
            Encoding::Utf8 => PositionEncodingKind::UTF8,
            Encoding::Utf16 => PositionEncodingKind::UTF16,
            Encoding::Utf32 => PositionEncodingKind::UTF32,
        }
    }

    fn wide(self) -> Option<WideEncoding> {
        match self {
            Encoding::Utf8 => None,
            Encoding::Utf16 => Some(WideEncoding::Utf16),
            Encoding::Utf32 => Some(WideEncoding::Utf32),
        }
    }
}

/// A text with the index of its lines.
#[derive(Debug)]
pub struct Lines<'text> {
    text: &'text str,
    index: LineIndex,
    encoding: Encoding,
}

impl<'text> Lines<'text> {
    /// Indexes `text`; linear in its length.
    pub fn new(text: &'text str, encoding: Encoding) -> Lines<'text> {
        Lines { text, index: LineIndex::new(text), encoding }
    }

    /// The byte offset of `position`, on a character's boundary. What lies behind a line's end is the line's end, what
    /// lies behind the last line is the text's end, as the protocol says.
    pub fn offset(&self, position: Position) -> usize {
        let Some(line) = self.index.line(position.line) else {
            return self.text.len();
        };
        let start = usize::from(line.start());
        let end =
            start + self.text[start..usize::from(line.end())].trim_end_matches(['\n', '\r']).len();
        let column = self.column_in_bytes(position).unwrap_or(u32::MAX);
        let mut offset = end.min(start.saturating_add(column as usize));
        while !self.text.is_char_boundary(offset) {
            offset -= 1;
        }
        offset
    }

    /// The position of byte `offset`, which is moved to the start of its character, or to the text's end.
    pub fn position(&self, offset: usize) -> Position {
        let mut offset = offset.min(self.text.len());
        while !self.text.is_char_boundary(offset) {
            offset -= 1;
        }
        let size = u32::try_from(offset).map_or(self.index.len(), TextSize::from);
        let place = self.index.try_line_col(size).unwrap_or(LineCol { line: 0, col: 0 });
        self.in_encoding(place)
    }

    /// The range of the bytes `start..end`.
    pub fn range(&self, start: usize, end: usize) -> Range {
        Range { start: self.position(start), end: self.position(end) }
    }

    /// The position of a line and a column in bytes; clamped like an offset.
    pub fn position_of(&self, line: u32, column: u32) -> Position {
        match self.index.line(line) {
            None => self.position(self.text.len()),
            Some(range) => {
                let start = usize::from(range.start());
                let length =
                    self.text[start..usize::from(range.end())].trim_end_matches(['\n', '\r']).len();
                self.position(start + length.min(column as usize))
            }
        }
    }

    fn column_in_bytes(&self, position: Position) -> Option<u32> {
        let Some(wide) = self.encoding.wide() else {
            return Some(position.character);
        };
        let place = WideLineCol { line: position.line, col: position.character };
        self.index.to_utf8(wide, place).map(|place| place.col)
    }

    fn in_encoding(&self, place: LineCol) -> Position {
        let wide = self.encoding.wide().and_then(|wide| self.index.to_wide(wide, place));
        let (line, character) = wide.map_or((place.line, place.col), |wide| (wide.line, wide.col));
        Position { line, character }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "ab\r\nx😀é|\nlast";

    #[test]
    fn columns_count_what_was_negotiated() {
        let bar = TEXT.find('|').unwrap();
        for (encoding, column) in [(Encoding::Utf8, 7), (Encoding::Utf16, 4), (Encoding::Utf32, 3)]
        {
            let lines = Lines::new(TEXT, encoding);
            assert_eq!(lines.position(bar), Position::new(1, column));
            assert_eq!(lines.offset(Position::new(1, column)), bar);
            assert_eq!(lines.position_of(1, 7), Position::new(1, column));
        }
    }

    #[test]
    fn wild_positions_are_clamped() {
        for encoding in [Encoding::Utf8, Encoding::Utf16, Encoding::Utf32] {
            let lines = Lines::new(TEXT, encoding);
            assert_eq!(lines.offset(Position::new(0, 99)), 2);
            assert_eq!(lines.offset(Position::new(0, u32::MAX)), 2);
            assert_eq!(lines.offset(Position::new(1, u32::MAX)), TEXT.find("\nl").unwrap());
            assert_eq!(lines.offset(Position::new(99, 0)), TEXT.len());
            assert_eq!(lines.position(TEXT.len() + 9), Position::new(2, 4));
            assert_eq!(lines.position_of(99, 1), Position::new(2, 4));
        }
        assert!(
            TEXT.is_char_boundary(Lines::new(TEXT, Encoding::Utf16).offset(Position::new(1, 2)))
        );
        assert!(
            TEXT.is_char_boundary(Lines::new(TEXT, Encoding::Utf8).offset(Position::new(1, 3)))
        );
    }

    use proptest::prop_assert;

    proptest::proptest! {
        #[test]
        fn offsets_and_positions_agree(text in "[a-c\n\r😀é]{0,40}", at in 0usize..200) {
            for encoding in [Encoding::Utf8, Encoding::Utf16, Encoding::Utf32] {
                let lines = Lines::new(&text, encoding);
                let position = lines.position(at);
                let offset = lines.offset(position);
                prop_assert!(offset <= at && text.is_char_boundary(offset));
                // A place inside a line end is the line's end to the protocol, one inside a character its start.
                let skipped: String = text.bytes().skip(offset).take(at - offset).map(char::from).collect();
                let line_end = skipped.chars().all(|c| c == '\r');
                prop_assert!(line_end || text[offset..].chars().next().is_some_and(|c| offset + c.len_utf8() > at)
                    || at > text.len());
            }
        }
    }
}
