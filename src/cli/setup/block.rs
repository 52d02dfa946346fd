//! Our part of a file that has comments: some lines at its end, between two marks. What stands outside is not touched.

/// The lines, and how the file is checked.
pub(super) struct Block {
    /// What begins a comment.
    pub comment: &'static str,
    /// What `setup` is called with, for the mark.
    pub name: &'static str,
    /// The lines, made for what the file says besides.
    pub lines: fn(&str) -> Result<String, String>,
}

impl Block {
    fn marks(&self) -> (String, String) {
        let (comment, name) = (self.comment, self.name);
        (
            format!(
                "{comment} >>> orchestrator: `orchestrator setup {name} --remove` takes this out"
            ),
            format!("{comment} <<< orchestrator"),
        )
    }

    /// The text with our lines, and none of those that an earlier call left.
    pub fn put(&self, text: &str) -> Result<String, String> {
        let rest = self.take(text)?;
        let (open, close) = self.marks();
        let lines = (self.lines)(&rest)?;
        let end = if rest.contains("\r\n") { "\r\n" } else { "\n" };
        let gap = match rest.as_str() {
            "" => "",
            rest if rest.ends_with('\n') => end,
            _ => &format!("{end}{end}"),
        };
        let own = format!("{open}\n{}\n{close}\n", lines.trim_end()).replace('\n', end);
        // Where somebody has put it elsewhere, or it says the same, it stays.
        let is_there = text.contains(&own);
        Ok(if is_there { text.to_owned() } else { format!("{rest}{gap}{own}") })
    }

    /// The text without our lines, and without the empty one before them.
    pub fn take(&self, text: &str) -> Result<String, String> {
        let (open, close) = self.marks();
        let Some(from) = text.find(&open) else {
            return Ok(text.to_owned());
        };
        let Some(length) = text[from..].find(&close) else {
            let line = text[..from].lines().count() + 1;
            return Err(format!(
                "what begins at line {line} has no end (`{close}`); take it out by hand"
            ));
        };
        let rest = &text[from + length + close.len()..];
        let rest = rest.strip_prefix("\r\n").or(rest.strip_prefix('\n')).unwrap_or(rest);
        let before = &text[..from];
        let is_gap = |end: &str| before.ends_with(&format!("{end}{end}"));
        let before = match before {
            _ if is_gap("\r\n") => &before[..before.len() - 2],
            _ if is_gap("\n") => &before[..before.len() - 1],
            _ => before,
        };
        Ok(format!("{before}{rest}"))
    }
}
