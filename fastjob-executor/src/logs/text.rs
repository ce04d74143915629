//! Formats a log entry, and keeps the tail that an outcome includes.

use std::fmt::{self, Write as _};

use fastjob_core::wire::LOG_TAIL_MAX;
use jiff::Timestamp;

/// Maximum bytes of one entry's text.
pub(super) const ENTRY_MAX: usize = 64 * 1024;

/// Formats one entry of the file: `2026-11-23T08:00:00.123Z text` and a newline.
///
/// Text beyond [`ENTRY_MAX`] bytes is cut, and the entry notes its original length.
pub(super) fn entry(at: Timestamp, text: fmt::Arguments<'_>) -> String {
    let mut bounded = Bounded { kept: String::with_capacity(128), end: usize::MAX, whole: 0 };
    let _ = write!(bounded, "{at:.3} "); // writing to a String cannot fail
    let start = bounded.kept.len();
    (bounded.end, bounded.whole) = (start + ENTRY_MAX, start);
    if bounded.write_fmt(text).is_err() {
        bounded.kept.push_str("… (the rest failed to print)");
    }
    let Bounded { mut kept, end, whole } = bounded;
    if whole > end {
        let _ = write!(kept, "… (cut, it had {} bytes)", whole - start);
    }
    let text_end = kept.trim_end_matches(['\n', '\r']).len().max(start);
    kept.truncate(text_end);
    kept.push('\n');
    kept
}

/// Keeps what fits and counts the rest, so that a huge value is never in memory completely.
struct Bounded {
    kept: String,
    end: usize,
    whole: usize,
}

impl fmt::Write for Bounded {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        // After a cut, later text would appear in the wrong position.
        let room = if self.whole > self.end { 0 } else { self.end - self.kept.len() };
        self.kept.push_str(&text[..text.floor_char_boundary(room)]);
        self.whole += text.len();
        Ok(())
    }
}

/// The last lines of a log, at most [`LOG_TAIL_MAX`] bytes.
#[derive(Default)]
pub(super) struct Tail(String);

impl Tail {
    pub(super) fn push(&mut self, entry: &str) {
        if entry.len() > LOG_TAIL_MAX {
            self.0.clear();
        }
        self.0
            .push_str(&entry[entry.ceil_char_boundary(entry.len().saturating_sub(LOG_TAIL_MAX))..]);
        // Trimmed only occasionally, so that each line costs only its own bytes and not the whole
        // tail.
        if self.0.len() > 2 * LOG_TAIL_MAX {
            self.0.drain(..last_lines(&self.0));
        }
    }

    pub(super) fn text(&self) -> String {
        self.0[last_lines(&self.0)..].to_owned()
    }
}

/// Where the last lines that fit begin. Cuts within a line only if not even one whole line fits.
fn last_lines(text: &str) -> usize {
    let Some(over) = text.len().checked_sub(LOG_TAIL_MAX).filter(|over| *over > 0) else {
        return 0;
    };
    // A line may begin exactly at the first byte that fits, so check the byte before it.
    match text.as_bytes()[over - 1..].iter().position(|byte| *byte == b'\n') {
        Some(newline) if over + newline < text.len() => over + newline,
        Some(_) | None => text.ceil_char_boundary(over),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const AT: Timestamp = Timestamp::UNIX_EPOCH;

    #[test]
    fn an_entry_has_its_time_and_ends_with_one_newline() {
        assert_eq!(entry(AT, format_args!("hello")), "1970-01-01T00:00:00.000Z hello\n");
        assert_eq!(entry(AT, format_args!("a\nb\r\n\n")), "1970-01-01T00:00:00.000Z a\nb\n");
        assert_eq!(entry(AT, format_args!("\n")), "1970-01-01T00:00:00.000Z \n");
    }

    #[test]
    fn a_huge_entry_is_cut_at_a_character_and_says_so() {
        let long = "é".repeat(ENTRY_MAX);
        let cut = entry(AT, format_args!("x{long}{}", "never after a cut"));
        assert!(cut.len() < ENTRY_MAX + 100, "{}", cut.len());
        assert!(cut.ends_with(&format!("é… (cut, it had {} bytes)\n", 1 + 2 * ENTRY_MAX + 17)));
        let whole = entry(AT, format_args!("{}", "y".repeat(ENTRY_MAX)));
        assert!(whole.ends_with("yy\n"));
    }

    #[test]
    fn a_value_that_fails_to_print_does_not_panic() {
        struct Broken;
        impl fmt::Display for Broken {
            fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
                Err(fmt::Error)
            }
        }
        assert!(
            entry(AT, format_args!("a {Broken}")).ends_with(" a … (the rest failed to print)\n")
        );
    }

    #[test]
    fn the_tail_is_whole_lines_at_the_end() {
        let mut tail = Tail::default();
        assert_eq!(tail.text(), "");
        for n in 0..10_000 {
            tail.push(&format!("line {n}\n"));
        }
        let text = tail.text();
        assert!(text.len() <= LOG_TAIL_MAX && text.len() > LOG_TAIL_MAX - 20);
        assert!(text.starts_with("line ") && text.ends_with("line 9999\n"));
        assert!(tail.0.len() <= 2 * LOG_TAIL_MAX);
    }

    #[test]
    fn lines_that_just_fit_are_kept_whole() {
        let mut tail = Tail::default();
        let line = format!("{}\n", "x".repeat(LOG_TAIL_MAX / 4 - 1));
        (0..5).for_each(|_| tail.push(&line));
        assert_eq!(tail.text(), line.repeat(4));
    }

    #[test]
    fn of_a_line_longer_than_the_tail_the_end_is_kept() {
        let mut tail = Tail::default();
        tail.push("before\n");
        tail.push(&format!("{}\n", "é".repeat(LOG_TAIL_MAX)));
        let text = tail.text();
        assert!(text.len() <= LOG_TAIL_MAX && text.starts_with('é') && text.ends_with("é\n"));
    }
}
