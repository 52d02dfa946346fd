//! Colour, where the terminal has it and the person wants it (`NO_COLOR`, `TERM=dumb`).

use std::io::IsTerminal;

/// A painter for one stream.
#[derive(Debug, Clone, Copy)]
pub(super) struct Paint {
    on: bool,
}

/// The colours that are used.
#[derive(Debug, Clone, Copy)]
pub(super) enum Colour {
    Red,
    Green,
    Yellow,
    Cyan,
    Dim,
    Bold,
}

impl Paint {
    pub fn stdout() -> Paint {
        let wanted = std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty());
        let able = std::env::var_os("TERM").is_none_or(|term| term != "dumb");
        Paint { on: wanted && able && std::io::stdout().is_terminal() }
    }

    pub fn is_on(self) -> bool {
        self.on
    }

    pub fn paint(self, colour: Colour, text: &str) -> String {
        if !self.on {
            return text.to_owned();
        }
        let code = match colour {
            Colour::Red => "31",
            Colour::Green => "32",
            Colour::Yellow => "33",
            Colour::Cyan => "36",
            Colour::Dim => "2",
            Colour::Bold => "1",
        };
        format!("\u{1b}[{code}m{text}\u{1b}[0m")
    }
}
