//! What the archive keeps of a log, and what the tail of the outcome adds to it.
//!
//! The end of a log may never have been sent, and often says why the attempt failed. So the tail
//! follows what is kept. Its outcome says where it begins in the log: if that is within what is kept,
//! nothing is missing. Otherwise a line says that a part is, in place of that part.

use std::time::Duration;

use super::{
    super::{Error, LogView, Ops},
    piece, tail_from,
};
use crate::{
    archive::{self, Archive, Page, State, Wanted},
    store::{AttemptRow, LogTail, TaskRow},
};

/// How long reading the archive may take.
const ARCHIVE: Duration = Duration::from_secs(30);
/// At the end of what is kept of a log that has more.
const CUT_OFF: &str = "the log is cut here: its executor has not sent the rest, because it was \
                       killed, or is not connected";
/// At the end of a tail that does not continue what is kept.
const PART_MISSING: &str = "a part of this log was not kept: a line says where, and the end of the \
                            log follows it";
/// The line between what is kept and the tail.
const MISSING_LINE: &str = "… a part of the log is missing here: it was not kept\n";

impl Ops {
    /// Reads a piece from what is kept of a log; `None` if nothing is.
    ///
    /// # Errors
    ///
    /// Fails if the archive does, or does not answer.
    pub(super) async fn archived(
        &self,
        row: &TaskRow,
        attempt: &AttemptRow,
        offset: u64,
        limit: u32,
    ) -> Result<Option<LogView>, Error> {
        let Some(archive) = &self.archive else { return Ok(None) };
        let reading = self.read_archive(archive, row, attempt, offset, limit);
        tokio::time::timeout(ARCHIVE, reading).await.unwrap_or_else(|_| {
            Err(Error::Unavailable(format!(
                "the log cannot be read: the log store did not answer within {ARCHIVE:?}"
            )))
        })
    }

    async fn read_archive(
        &self,
        archive: &Archive,
        row: &TaskRow,
        attempt: &AttemptRow,
        offset: u64,
        limit: u32,
    ) -> Result<Option<LogView>, Error> {
        let failed =
            |err: archive::Error| Error::Unavailable(format!("the log cannot be read: {err}"));
        let ended = attempt.state.is_final();
        let wanted = Wanted {
            task: row.task,
            task_created: row.created_at,
            attempt: attempt.attempt,
            ended,
            started_at: attempt.started_at,
        };
        let read = archive.read(wanted, offset, limit).await.map_err(failed)?;
        let Some(page) = read else { return Ok(None) };
        let stops_early = matches!(page.state, State::Open | State::Cut(_));
        if !ended || !stops_early {
            return Ok(Some(from_page(attempt, page, offset)));
        }
        let tail = self.store.log_tail(attempt.attempt).await?.unwrap_or_default();
        if tail.text.is_empty() {
            return Ok(Some(from_page(attempt, page, offset)));
        }
        let end = page.next_offset;
        if offset > end.max(tail.end()) {
            // The caller has read more from the executor than is kept.
            return Err(Error::Unavailable(format!(
                "the rest of the log cannot be read: its executor is not connected, and has sent \
                 {end} bytes of it"
            )));
        }
        let cuts_line = tail.at > end && cuts_line(archive, wanted, end).await.map_err(failed)?;
        Ok(Some(with_rest(attempt, page, &tail, cuts_line, offset, limit)))
    }
}

/// Whether what is kept ends within a line.
async fn cuts_line(archive: &Archive, wanted: Wanted, end: u64) -> Result<bool, archive::Error> {
    // A character has 4 bytes at most.
    let last = archive.read(wanted, end.saturating_sub(4), 4).await?;
    Ok(last.is_some_and(|page| !page.text.is_empty() && !page.text.ends_with('\n')))
}

/// The last page of what is kept, or what follows it.
fn with_rest(
    of: &AttemptRow,
    page: Page,
    tail: &LogTail,
    cuts_line: bool,
    wanted: u64,
    limit: u32,
) -> LogView {
    let end = page.next_offset;
    if end >= tail.end() {
        // The handler may have logged more after the attempt had ended.
        let is_whole = end == tail.end();
        let page = if is_whole { Page { state: State::Complete, ..page } } else { page };
        return from_page(of, page, wanted);
    }
    if !page.text.is_empty() {
        return from_page(of, Page { state: State::More, ..page }, wanted);
    }
    if wanted < tail.at {
        let newline = if cuts_line && wanted <= end { "\n" } else { "" };
        let mut line = format!("{newline}{MISSING_LINE}");
        line.truncate(line.floor_char_boundary(limit as usize));
        return LogView {
            next_offset: tail.at,
            source: "archive".to_owned(),
            ..piece(of, wanted, line, false)
        };
    }
    let rest = tail_from(of, tail, wanted, limit);
    let why = || if let State::Cut(why) = page.state { why } else { PART_MISSING.to_owned() };
    let note = (rest.ended && tail.at > end).then(why);
    LogView { source: "archive".to_owned(), note, ..rest }
}

/// A piece of what is kept of a log, read at `wanted`.
fn from_page(of: &AttemptRow, page: Page, wanted: u64) -> LogView {
    let Page { offset, next_offset, text, state } = page;
    let is_final = of.state.is_final();
    let removed = || {
        let range = format!("bytes {wanted} to {offset}");
        (offset > wanted).then(|| format!("{range} of this log are not kept any more"))
    };
    let (ended, note) = match state {
        State::More => (false, removed()),
        State::Complete => (is_final, removed()),
        State::Open => (is_final, is_final.then(|| CUT_OFF.to_owned()).or_else(removed)),
        State::Cut(why) => (is_final, Some(why)),
    };
    LogView { next_offset, source: "archive".to_owned(), note, ..piece(of, offset, text, ended) }
}

#[cfg(test)]
mod tests {
    use super::{
        super::tests::{attempt, tail},
        *,
    };

    /// Reads a log from a position, of which `kept` is kept, in pages.
    fn read_from(from: u64, kept: &str, tail: &LogTail, limit: usize) -> (String, Option<String>) {
        let of = attempt(1, (0, 1), 1);
        let cuts_line = !kept.is_empty() && !kept.ends_with('\n');
        let (mut text, mut at) = (String::new(), from as usize);
        loop {
            let from = at.min(kept.len());
            let to = (from + limit).min(kept.len());
            let (offset, next_offset) = (from as u64, to as u64);
            let page = |state| Page { offset, next_offset, text: kept[from..to].to_owned(), state };
            let piece = if to < kept.len() {
                from_page(&of, page(State::More), at as u64)
            } else {
                with_rest(&of, page(State::Open), tail, cuts_line, at as u64, limit as u32)
            };
            assert_eq!(piece.offset, at as u64);
            assert!(piece.text.len() <= limit && piece.source == "archive");
            text.push_str(&piece.text);
            at = piece.next_offset as usize;
            if piece.ended {
                return (text, piece.note);
            }
            assert!(!piece.text.is_empty(), "it makes progress");
        }
    }

    fn read(kept: &str, tail: &LogTail, limit: usize) -> (String, Option<String>) {
        read_from(0, kept, tail, limit)
    }

    #[test]
    fn a_tail_continues_what_is_kept_of_a_log() {
        for (kept, at, end) in [
            ("1 a\n2 b\n", 0, "1 a\n2 b\n3 c\n"),
            ("1 a\n2 b\n", 4, "2 b\n3 c\n"),
            ("1 a\n2", 4, "2 b\n3 c\n"),
            ("1 a\n2 b\n", 8, "3 c\n"),
            ("1 a\n2 b\n3 c\n", 4, "2 b\n3 c\n"),
        ] {
            for limit in [4, 5, 100] {
                let read = read(kept, &tail(at, end), limit);
                assert_eq!(read, ("1 a\n2 b\n3 c\n".to_owned(), None));
            }
        }
    }

    #[test]
    fn lines_that_repeat_are_neither_lost_nor_doubled() {
        let (text, note) = read("x\nx\n", &tail(2, "x\nx\nx\nx\n"), 100);
        assert_eq!((text.as_str(), note), ("x\nx\nx\nx\nx\n", None));
    }

    #[test]
    fn a_line_says_that_a_part_is_missing_before_the_tail() {
        let end = tail(1_000, "8 é\n9 error\n");
        for limit in [80, 100] {
            let (text, note) = read("1 a\n2 b\n", &end, limit);
            assert_eq!(text, format!("1 a\n2 b\n{MISSING_LINE}8 é\n9 error\n"));
            assert_eq!(note.as_deref(), Some(PART_MISSING));
        }
        let (text, _) = read("1 a\n2 ha", &tail(1_000, "9 error\n"), 100);
        assert_eq!(text, format!("1 a\n2 ha\n{MISSING_LINE}9 error\n"));
        let (text, _) = read("1 a\n2 b\n", &end, 4);
        assert!(text.starts_with("1 a\n2 b\n… ") && text.ends_with("8 é\n9 error\n"), "{text}");
    }

    #[test]
    fn a_reader_that_is_beyond_what_is_kept_continues_at_the_same_position() {
        let end = tail(1_000, "8 é\n9 error\n");
        assert_eq!(read_from(1_005, "1 a\n2 b\n", &end, 100).0, "9 error\n");
        let (text, _) = read_from(500, "1 a\n2 b\n", &end, 100);
        assert_eq!(text, format!("{MISSING_LINE}8 é\n9 error\n"));
    }

    #[test]
    fn what_a_handler_logged_after_its_attempt_had_ended_is_not_followed_by_the_tail() {
        let (text, note) = read("1 a\n2 b\n3 c\n", &tail(0, "1 a\n2 b\n"), 100);
        assert_eq!((text.as_str(), note.as_deref()), ("1 a\n2 b\n3 c\n", Some(CUT_OFF)));
    }

    #[test]
    fn a_log_that_was_cut_ends_with_the_tail_and_says_why() {
        let of = attempt(1, (0, 1), 1);
        let page = |offset| {
            let state = State::Cut("too long".to_owned());
            Page { offset, next_offset: 4, text: String::new(), state }
        };
        let end = tail(90, "9 error\n");
        let line = with_rest(&of, page(4), &end, false, 4, 1_000);
        assert_eq!((line.text.as_str(), line.next_offset, line.ended), (MISSING_LINE, 90, false));
        let piece = with_rest(&of, page(4), &end, false, 90, 1_000);
        assert_eq!((piece.text.as_str(), piece.ended), ("9 error\n", true));
        assert_eq!(piece.note.as_deref(), Some("too long"));
    }
}
