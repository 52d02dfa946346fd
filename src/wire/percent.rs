//! The percent signs of URIs (RFC 3986, 2.1): how bytes are written with them, and read back.

use std::fmt::Write as _;

/// A text in which all bytes but letters, digits, `-._~` and those that are `kept` stand as `%XX`.
pub fn encoded(text: &str, kept: &[u8]) -> String {
    let mut said = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) || kept.contains(&byte) {
            said.push(char::from(byte));
        } else {
            // Writing to a String cannot fail.
            let _ = write!(said, "%{byte:02X}");
        }
    }
    said
}

/// What such a text stands for; `None` where a sign is followed by no two digits, or it is not UTF-8.
pub fn decoded(text: &str) -> Option<String> {
    read(text, false)
}

/// The same, with signs that stand for themselves where no digits follow: for what people wrote.
pub fn decoded_leniently(text: &str) -> Option<String> {
    read(text, true)
}

fn read(text: &str, is_lenient: bool) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let escaped = (*first == b'%').then(|| after.get(..2).and_then(byte));
        match escaped {
            Some(Some(byte)) => {
                bytes.push(byte);
                rest = &after[2..];
            }
            Some(None) if !is_lenient => return None,
            _ => {
                bytes.push(*first);
                rest = after;
            }
        }
    }
    String::from_utf8(bytes).ok()
}

fn byte(digits: &[u8]) -> Option<u8> {
    let digit = |byte: u8| char::from(byte).to_digit(16);
    u8::try_from(digit(digits[0])? * 16 + digit(digits[1])?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signs_go_both_ways() {
        for text in ["a b", "ü%#?", "/a:b", "~-._"] {
            assert_eq!(decoded(&encoded(text, b"/")).as_deref(), Some(text));
        }
        assert_eq!(encoded("/a:ü", b"/"), "/a%3A%C3%BC");
        for odd in ["%", "%4", "%zz", "%+1", "%ff"] {
            assert_eq!(decoded(odd), None, "{odd}");
        }
        assert_eq!(decoded_leniently("100%/a%41%").as_deref(), Some("100%/aA%"));
        assert_eq!(decoded_leniently("%ff"), None);
    }

    proptest::proptest! {
        #[test]
        fn any_text_comes_back(text in ".*", odd in "[%0-9a-fA-F é]*") {
            proptest::prop_assert_eq!(decoded(&encoded(&text, b"")), Some(text));
            // Whatever it is: no panic.
            let _ = (decoded(&odd), decoded_leniently(&odd));
        }
    }
}
