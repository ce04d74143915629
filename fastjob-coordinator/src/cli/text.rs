//! Escapes external text: nothing in it moves a cursor, colours or hides anything, or changes the
//! direction of a line (Unicode Standard Annex 9).

use std::{borrow::Cow, fmt::Write, io};

/// Whether a terminal may interpret a character instead of showing it.
fn is_harmful(c: char) -> bool {
    let turns = matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    // Line and paragraph separators, invisible marks and letters, and tag characters.
    let hides = matches!(c, '\u{2028}' | '\u{2029}' | '\u{200b}' | '\u{2060}'..='\u{2065}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}' | '\u{ad}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}' | '\u{3164}' | '\u{ffa0}');
    c.is_control() || turns || hides
}

/// Text on one line: line breaks and tabs become spaces, harmful characters are escaped.
pub(super) fn one_line(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\n' | '\r' | '\t' => shown.push(' '),
            c if is_harmful(c) => shown.extend(c.escape_unicode()),
            c => shown.push(c),
        }
    }
    shown
}

/// Text on several lines: line breaks and tabs are kept, harmful characters are escaped.
pub(super) fn lines(text: &str) -> Cow<'_, str> {
    spelled(text, |c, shown| shown.extend(c.escape_unicode()))
}

/// An equivalent JSON document, with harmful characters as `\u…` (RFC 8259, section 7).
pub(super) fn json(text: &str) -> Cow<'_, str> {
    spelled(text, |c, shown| {
        for unit in c.encode_utf16(&mut [0; 2]) {
            // Writing to a String cannot fail.
            write!(shown, "\\u{unit:04x}").ok();
        }
    })
}

/// Writes JSON documents, each in one call, with harmful characters as `\u…`.
pub(super) struct JsonLines<W>(pub(super) W);

impl<W: io::Write> io::Write for JsonLines<W> {
    fn write(&mut self, document: &[u8]) -> io::Result<usize> {
        match str::from_utf8(document) {
            Ok(text) => self.0.write_all(json(text).as_bytes())?,
            Err(_) => self.0.write_all(document)?,
        }
        Ok(document.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

fn spelled(text: &str, spell: impl Fn(char, &mut String)) -> Cow<'_, str> {
    let stays = |c: char| matches!(c, '\n' | '\t') || !is_harmful(c);
    // A `\r` before a `\n` is part of the line break.
    let text =
        if text.contains("\r\n") { Cow::from(text.replace("\r\n", "\n")) } else { text.into() };
    if text.chars().all(stays) {
        return text;
    }
    let mut shown = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if stays(c) { shown.push(c) } else { spell(c, &mut shown) }
    }
    shown.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn external_text_cannot_control_a_terminal_or_reverse_a_line() {
        for harmful in [
            "\x1b[2J",
            "\x1b]0;title\x07",
            "\u{9b}31m",
            "\x7f",
            "a\rb",
            "\u{202e}gpj.exe",
            "\u{2066}",
            "\u{200f}",
            "\u{2028}",
            "\u{e0041}",
            "\u{feff}",
            "\u{200b}",
            "\u{ad}",
            "\u{3164}",
        ] {
            for shown in [one_line(harmful), lines(harmful).into_owned()] {
                assert!(!shown.chars().any(is_harmful), "{shown:?}");
            }
        }
        assert_eq!(lines("报表 👩‍💻\tone\r\ntwo\n\x1b[31m"), "报表 👩‍💻\tone\ntwo\n\\u{1b}[31m");
        assert_eq!(one_line("one\ntwo\u{202e}"), "one two\\u{202e}");
    }

    #[test]
    fn an_event_of_a_json_log_is_harmless() {
        use io::Write as _;
        let mut written = Vec::new();
        let event = serde_json::json!({"message": "\u{202e}\u{9b}31m"});
        writeln!(JsonLines(&mut written), "{event}").unwrap();
        assert_eq!(written, b"{\"message\":\"\\u202e\\u009b31m\"}\n");
    }

    #[test]
    fn an_escaped_json_document_is_equivalent() {
        let value =
            serde_json::json!({"note": "\u{202e}\u{9b}31m\u{e0041} 报表", "n": [1, "\u{7f}"]});
        let text = value.to_string();
        let shown = json(&text);
        assert!(!shown.chars().any(is_harmful), "{shown}");
        assert_eq!(serde_json::from_str::<serde_json::Value>(&shown).unwrap(), value);
    }
}
