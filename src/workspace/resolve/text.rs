//! Small questions about a text: its line ends, its lines, a numbered frame of them.

/// The byte order mark.
pub(super) const BOM: char = '\u{feff}';

/// Whether most line ends of `text` are CRLF.
pub(super) fn is_crlf(text: &str) -> bool {
    let crlf = text.matches("\r\n").count();
    crlf > 0 && crlf * 2 > text.matches('\n').count()
}

/// `new` with the line ends of `base`; unchanged where `base` has none.
pub(super) fn with_line_ends_of(base: &str, new: &str) -> String {
    if !base.contains('\n') {
        return new.to_owned();
    }
    let lf = new.replace("\r\n", "\n");
    if is_crlf(base) { lf.replace('\n', "\r\n") } else { lf }
}

/// A whole new text in the style of the one it replaces: its line ends and its byte order mark.
pub(super) fn in_style_of(base: Option<&str>, content: &str) -> String {
    let Some(base) = base else {
        return content.to_owned();
    };
    let content = with_line_ends_of(base, content);
    if base.starts_with(BOM) && !content.starts_with(BOM) {
        return format!("{BOM}{content}");
    }
    content
}

/// The 0-based line of a byte offset.
pub(super) fn line_of(text: &str, at: usize) -> u32 {
    let lines = text.as_bytes()[..at.min(text.len())].iter().filter(|byte| **byte == b'\n').count();
    u32::try_from(lines).unwrap_or(u32::MAX)
}

/// The 0-based lines `start..end`, at most 30, each with its 1-based number.
pub(super) fn frame_of_lines(text: &str, start: usize, end: usize) -> String {
    let end = end.min(start + 30);
    let mut frame = String::new();
    for (index, line) in text.lines().enumerate().take(end).skip(start) {
        let shown: String = line.chars().take(200).collect();
        frame.push_str(&format!("{:>5} | {shown}\n", index + 1));
    }
    frame
}

/// The lines that the bytes `start..end` touch.
pub(super) fn frame_of_span(text: &str, start: usize, end: usize) -> String {
    let first = line_of(text, start) as usize;
    let last = line_of(text, end) as usize;
    frame_of_lines(text, first, last + 1)
}
