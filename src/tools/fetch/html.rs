//! A page as readable text: its words in their order, headings and items marked, code as it stands, and nothing of scripts,
//! styles and decoration. Any bytes are taken; what is no HTML comes out as it went in.

/// Elements whose content is not for readers.
const HIDDEN: &[&str] =
    &["script", "style", "noscript", "template", "svg", "head", "iframe", "nav", "footer"];
/// Elements that stand in a line with others.
const INLINE: &[&str] = &[
    "a", "abbr", "b", "bdi", "cite", "code", "em", "font", "i", "kbd", "label", "mark", "q", "s",
    "samp", "small", "span", "strong", "sub", "sup", "time", "u", "var", "wbr", "img", "button",
];

/// The text of a page.
pub(super) fn text(html: &str) -> String {
    let mut page = Page::default();
    let mut rest = html;
    while let Some(at) = rest.find('<') {
        page.words(&rest[..at]);
        rest = page.markup(&rest[at..]);
    }
    page.words(rest);
    page.end()
}

#[derive(Default)]
struct Page {
    out: String,
    /// How deep within elements that are preformatted.
    pre: usize,
    /// The hidden element that is open, and how often.
    hidden: Option<(&'static str, usize)>,
    space: bool,
}

impl Page {
    fn words(&mut self, raw: &str) {
        if self.hidden.is_some() || raw.is_empty() {
            return;
        }
        let text = entities(raw);
        if self.pre > 0 {
            self.out += &text;
            return;
        }
        self.space |= text.starts_with(char::is_whitespace);
        for word in text.split_whitespace() {
            if self.space && !self.out.is_empty() && !self.out.ends_with(char::is_whitespace) {
                self.out.push(' ');
            }
            self.out += word;
            self.space = true;
        }
        self.space = text.ends_with(char::is_whitespace);
    }

    /// Takes one piece of markup; what comes after it.
    fn markup<'a>(&mut self, at: &'a str) -> &'a str {
        if let Some(comment) = at.strip_prefix("<!--") {
            return comment.split_once("-->").map_or("", |(_, rest)| rest);
        }
        let is_end = at.starts_with("</");
        let name_at = if is_end { 2 } else { 1 };
        let tail = &at[name_at..];
        let name: String = tail.chars().take_while(char::is_ascii_alphanumeric).collect();
        if name.is_empty() && !at.starts_with("<!") && !at.starts_with("<?") {
            // A sign of its own, as in `a < b`.
            self.words("<");
            return &at[1..];
        }
        let end = end_of_tag(at);
        let is_empty = at[..end].trim_end_matches('>').ends_with('/');
        self.tag(&name.to_ascii_lowercase(), is_end, is_empty);
        &at[end..]
    }

    fn tag(&mut self, name: &str, is_end: bool, is_empty: bool) {
        if let Some((open, depth)) = &mut self.hidden {
            if *open == name && !is_empty {
                *depth = if is_end { *depth - 1 } else { *depth + 1 };
            }
            self.hidden = self.hidden.filter(|(_, depth)| *depth > 0);
            return;
        }
        if let (Some(known), false) = (HIDDEN.iter().find(|known| **known == name), is_end) {
            self.hidden = (!is_empty).then_some((*known, 1));
            return;
        }
        match (name, is_end) {
            ("pre", false) => {
                self.line();
                self.pre += 1;
            }
            ("pre", true) => {
                self.pre = self.pre.saturating_sub(1);
                self.line();
            }
            ("br", _) => self.out.push('\n'),
            ("li", false) => {
                self.line();
                self.out += "- ";
            }
            ("td" | "th", true) => self.out += " | ",
            ("td" | "th", false) => {}
            ("h1" | "h2" | "h3" | "h4" | "h5" | "h6", false) => {
                self.line();
                self.out.push('\n');
                let depth = name.as_bytes().get(1).map_or(1, |digit| usize::from(digit - b'0'));
                self.out += &"#".repeat(depth);
                self.out.push(' ');
            }
            ("p" | "table" | "ul" | "ol" | "h1" | "h2" | "h3" | "h4" | "h5" | "h6", _) => {
                self.line();
                self.out.push('\n');
            }
            (name, _) if self.pre > 0 || INLINE.contains(&name) => {}
            _ => self.line(),
        }
    }

    fn line(&mut self) {
        if !self.out.is_empty() && !self.out.ends_with('\n') {
            self.out.push('\n');
        }
        self.space = false;
    }

    /// The text without blanks at the ends of lines, and with one empty line where there were more.
    fn end(self) -> String {
        let mut text = String::with_capacity(self.out.len());
        let mut empty = 0;
        for line in self.out.lines().map(str::trim_end) {
            empty = if line.is_empty() { empty + 1 } else { 0 };
            if empty < 2 && !(text.is_empty() && line.is_empty()) {
                text += line;
                text.push('\n');
            }
        }
        text.truncate(text.trim_end().len());
        text
    }
}

/// Where the tag at the beginning of `at` ends; a `>` within quotes is none of its ends.
fn end_of_tag(at: &str) -> usize {
    let mut quote = None;
    for (index, byte) in at.bytes().enumerate() {
        match (quote, byte) {
            (None, b'>') => return index + 1,
            (None, b'"' | b'\'') => quote = Some(byte),
            (Some(open), byte) if open == byte => quote = None,
            _ => {}
        }
    }
    at.len()
}

/// The text with its entities as the characters that they stand for; what is none stays.
fn entities(raw: &str) -> String {
    let mut text = String::with_capacity(raw.len());
    let mut rest = raw;
    while let Some(at) = rest.find('&') {
        text += &rest[..at];
        let tail = &rest[at + 1..];
        let end = tail.bytes().take(12).position(|byte| byte == b';');
        match end.and_then(|end| Some((character(&tail[..end])?, end))) {
            Some((c, end)) => {
                text.push(c);
                rest = &tail[end + 1..];
            }
            None => {
                text.push('&');
                rest = tail;
            }
        }
    }
    text + rest
}

fn character(name: &str) -> Option<char> {
    if let Some(number) = name.strip_prefix('#') {
        let hexadecimal = number.strip_prefix(['x', 'X']);
        let code = match hexadecimal {
            Some(digits) => u32::from_str_radix(digits, 16),
            None => number.parse(),
        };
        return char::from_u32(code.ok()?).filter(|c| !c.is_control());
    }
    Some(match name {
        "amp" => '&',
        "lt" => '<',
        "gt" => '>',
        "quot" => '"',
        "apos" => '\'',
        "nbsp" => ' ',
        "ndash" => '–',
        "mdash" => '—',
        "hellip" => '…',
        "lsquo" => '‘',
        "rsquo" => '’',
        "ldquo" => '“',
        "rdquo" => '”',
        "copy" => '©',
        "para" => '¶',
        "middot" => '·',
        "larr" => '←',
        "rarr" => '→',
        "times" => '×',
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_reads_as_its_words() {
        let page = r#"<!DOCTYPE html><html><head><title>x</title><style>a{}</style></head>
            <body><nav>Home <nav>deep</nav> About</nav><h1 id="a>b">The   title</h1>
            <p>One &lt;two&gt; <b>three</b>,&nbsp;four &#x2014; &unknown; a < b.<br>next</p>
            <!-- <p>hidden</p> --><script>if (a < b) { "</p>" }</script>
            <ul><li>first</li><li>second <a href="/x">link</a></li></ul>
            <pre><code>fn main() {
    body();
}</code></pre><table><tr><td>1</td><td>2</td></tr></table></body></html>"#;
        let expected = "# The title\n\nOne <two> three, four — &unknown; a < b.\nnext\n\n- first\n- second link\n\nfn main() {\n    body();\n}\n\n1 | 2 |";
        assert_eq!(text(page), expected);
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_taken(html in "([<>/!\\-a-z&;\"' #é]|<pre>|</pre>|<script>|</script>|<li>|<!--|-->){0,40}") {
            let _ = text(&html);
        }
    }
}
