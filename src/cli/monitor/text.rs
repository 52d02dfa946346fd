//! Words for a terminal: one line, no control characters, numbers in fixed widths; bars and sparklines; and a frame in
//! plain ASCII. It knows nothing of missions.

use ratatui::buffer::Buffer;

use super::figures::Beat;

/// A text on one line, of which no character moves the cursor or turns the direction of reading.
pub(super) fn clean(text: &str) -> String {
    let is_plain = |c: char| {
        !c.is_control()
            && !matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    let plain: String = text.chars().map(|c| if is_plain(c) { c } else { ' ' }).collect();
    plain.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// A time in six characters: ` 12 ms`, ` 3.4 s`, `12 min`, `  5 h`.
pub(super) fn duration(ms: u64) -> String {
    match ms {
        0..1_000 => format!("{ms:>3} ms"),
        1_000..100_000 => format!("{:>4.1} s", (ms / 100) as f64 / 10.0),
        100_000..6_000_000 => format!("{:>2} min", ms / 60_000),
        _ => format!("{:>4} h", (ms / 3_600_000).min(9_999)),
    }
}

/// A count in five characters: `  950`, `12.3k`, ` 4.5M`.
pub(super) fn count(number: u64) -> String {
    let thousand = number as f64 / 1e3;
    match number {
        0..10_000 => format!("{number:>5}"),
        10_000..99_950 => format!("{thousand:>4.1}k"),
        99_950..999_500 => format!("{thousand:>4.0}k"),
        999_500..99_950_000 => format!("{:>4.1}M", thousand / 1e3),
        99_950_000..999_500_000 => format!("{:>4.0}M", thousand / 1e3),
        _ => format!("{:>4.0}G", (thousand / 1e6).min(9_999.0)),
    }
}

/// Money in millionths of a US dollar, in eight characters or more.
pub(super) fn money(micro_usd: u64) -> String {
    format!("${:>7.4}", micro_usd as f64 / 1e6)
}

/// A share in four characters: `98 %`.
pub(super) fn share(rate: Option<f64>) -> String {
    // What is not whole is never shown as whole.
    rate.map_or("   -".to_owned(), |rate| format!("{:>3.0}%", (rate * 100.0).floor()))
}

/// A bar of so many characters.
pub(super) fn bar((done, all): (usize, usize), width: usize) -> String {
    let full = (done * width).checked_div(all).unwrap_or(0).min(width);
    format!("{}{}", "█".repeat(full), "░".repeat(width - full))
}

const LEVELS: [char; 7] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇'];

/// The newest turns of a model, as high as they were long, beside the longest of them; an `x` for one that did not come.
pub(super) fn sparkline<'a>(
    beats: impl DoubleEndedIterator<Item = &'a Beat>,
    width: usize,
) -> String {
    let mut newest: Vec<Beat> = beats.rev().take(width).copied().collect();
    newest.reverse();
    let longest = newest.iter().map(|beat| if let Beat::Ms(ms) = beat { *ms } else { 0 }).max();
    let longest = longest.unwrap_or(0).max(1);
    let level = |ms: u64| LEVELS[(ms.saturating_mul(6) / longest).min(6) as usize];
    let shown = newest.iter().map(|beat| match beat {
        Beat::Ms(ms) => level(*ms),
        Beat::Fault => 'x',
    });
    shown.collect()
}

/// What stands for each character that a frame is drawn with, where the terminal knows ASCII alone.
const PLAIN: [(&str, &str); 17] = [
    ("─", "-"),
    ("═", "="),
    ("█", "#"),
    ("░", "."),
    ("·", "-"),
    ("…", "~"),
    ("▁", "."),
    ("▂", ":"),
    ("▃", "-"),
    ("▄", "="),
    ("▅", "+"),
    ("▆", "*"),
    ("▇", "#"),
    ("←", "<"),
    ("→", ">"),
    ("↑", "^"),
    ("↓", "v"),
];

/// Makes a frame plain ASCII; what no character stands for becomes a `?`.
pub(super) fn to_ascii(frame: &mut Buffer) {
    for cell in &mut frame.content {
        if !cell.symbol().is_ascii() {
            let plain = PLAIN.iter().find(|(symbol, _)| *symbol == cell.symbol());
            cell.set_symbol(plain.map_or("?", |(_, plain)| plain));
        }
    }
}

/// The lines of a frame, without the blanks at their ends.
pub(super) fn lines(frame: &Buffer) -> String {
    let width = usize::from(frame.area.width).max(1);
    let line = |cells: &[ratatui::buffer::Cell]| {
        let (mut text, mut hidden) = (String::new(), 0);
        for cell in cells {
            // The second half of a wide character is no character of its own.
            if hidden == 0 {
                text.push_str(cell.symbol());
            }
            let wide = ratatui::text::Span::raw(cell.symbol()).width();
            hidden = hidden.max(wide).saturating_sub(1);
        }
        text.truncate(text.trim_end().len());
        text + "\n"
    };
    frame.content.chunks(width).map(line).collect()
}

#[cfg(test)]
mod tests {
    use ratatui::layout::Rect;
    use ratatui::style::Style;

    use super::*;

    #[test]
    fn times_and_counts_keep_their_width() {
        for ms in [0, 7, 999, 1_000, 12_345, 99_999, 100_000, 5_999_999, 6_000_000, u64::MAX] {
            assert_eq!(duration(ms).len(), 6, "{}", duration(ms));
        }
        for number in [0, 9_999, 10_000, 99_949, 99_950, 999_499, 999_500, 99_949_999, 1 << 40] {
            assert_eq!(count(number).len(), 5, "{}", count(number));
        }
        assert_eq!((duration(12_345).as_str(), count(12_345).as_str()), ("12.3 s", "12.3k"));
        assert_eq!(share(Some(0.9999)), " 99%");
    }

    #[test]
    fn a_text_cannot_move_the_cursor() {
        assert_eq!(clean("a\u{1b}[2J\r\n b\u{202e}c\t"), "a [2J b c");
    }

    #[test]
    fn sparklines_are_beside_their_longest() {
        let beats = [Beat::Ms(9_999), Beat::Ms(0), Beat::Ms(50), Beat::Fault, Beat::Ms(100)];
        assert_eq!(sparkline(beats.iter(), 4), "▁▄x▇");
        assert_eq!(sparkline([].iter(), 4), "");
        assert_eq!(sparkline([Beat::Ms(u64::MAX)].iter(), 4).chars().count(), 1);
    }

    #[test]
    fn a_frame_is_made_plain_and_its_wide_characters_are_read_once() {
        let mut frame = Buffer::empty(Rect::new(0, 0, 8, 2));
        frame.set_string(0, 0, "─日本█", Style::new());
        assert_eq!(lines(&frame), "─日本█\n\n");
        to_ascii(&mut frame);
        assert_eq!(lines(&frame), "-? ? #\n\n");
    }
}
