//! What the archive keeps of a log, and what the tail of the outcome adds to it.
//!
//! The end of a log may never have been sent, and often says why the attempt failed. So the tail
//! follows what is kept. If the tail begins within what is kept, nothing is missing. Otherwise a
//! line says that a part is, and positions continue behind it as if all that were the log.

use std::time::Duration;

use fastjob_core::wire::LOG_TAIL_MAX;

use super::{
    super::{Error, LogView, Ops},
    piece, tail_from,
};
use crate::{
    archive::{self, Archive, Page, State, Wanted},
    store::{AttemptRow, TaskRow},
};

/// How long reading the archive may take.
const ARCHIVE: Duration = Duration::from_secs(30);
/// How much of the end of a log is compared with the tail, and in how many pages that is read at
/// most. If it is in too many pieces, less is compared.
const LAST: [(u64, usize); 2] = [(8 * LOG_TAIL_MAX as u64, 8), (LOG_TAIL_MAX as u64, 32)];

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
        if tail.is_empty() {
            return Ok(Some(from_page(attempt, page, offset)));
        }
        let kept = last_part(archive, wanted, page.next_offset).await.map_err(failed)?;
        let rest = Rest::after(&kept, &tail);
        if !rest.is_whole && offset > page.next_offset + rest.text.len() as u64 {
            // The caller has read more from the executor than is kept.
            let kept = page.next_offset;
            return Err(Error::Unavailable(format!(
                "the rest of the log cannot be read: its executor is not connected, and has sent \
                 {kept} bytes of it"
            )));
        }
        Ok(Some(with_rest(attempt, page, &rest, offset, limit)))
    }
}

/// What follows what is kept of a log.
#[derive(Debug, PartialEq, Eq)]
struct Rest {
    text: String,
    /// Nothing is missing before or after it.
    is_whole: bool,
}

impl Rest {
    /// The part of a tail that follows the end of what is kept.
    fn after(kept: &str, tail: &str) -> Self {
        let lines = tail.match_indices('\n').map(|(at, _)| at + 1).rev();
        let mut ends = std::iter::once(tail.len()).chain(lines);
        if let Some(end) = ends.find(|end| kept.ends_with(&tail[..*end])) {
            return Self { text: tail[end..].to_owned(), is_whole: true };
        }
        // The handler has logged more after the attempt had ended.
        if kept.contains(tail) {
            return Self { text: String::new(), is_whole: false };
        }
        let newline = if kept.is_empty() || kept.ends_with('\n') { "" } else { "\n" };
        Self { text: format!("{newline}{MISSING_LINE}{tail}"), is_whole: false }
    }
}

/// The end of what is kept of a log; empty if it is in too many pieces.
async fn last_part(archive: &Archive, wanted: Wanted, end: u64) -> Result<String, archive::Error> {
    for (last, pages) in LAST {
        let (mut at, mut text) = (end.saturating_sub(last), String::new());
        for _ in 0..pages {
            let limit = u32::try_from(end.saturating_sub(at)).unwrap_or(u32::MAX);
            let page = if limit > 0 { archive.read(wanted, at, limit).await? } else { None };
            let Some(page) = page.filter(|page| page.next_offset > at) else { break };
            at = page.next_offset;
            text.push_str(&page.text);
        }
        if at >= end {
            return Ok(text);
        }
    }
    Ok(String::new())
}

/// The last page of what is kept, or what follows it.
fn with_rest(of: &AttemptRow, page: Page, rest: &Rest, wanted: u64, limit: u32) -> LogView {
    if rest.text.is_empty() {
        let page = if rest.is_whole { Page { state: State::Complete, ..page } } else { page };
        return from_page(of, page, wanted);
    }
    if !page.text.is_empty() {
        return from_page(of, Page { state: State::More, ..page }, wanted);
    }
    let end = page.next_offset;
    let tail = tail_from(of, &rest.text, wanted.saturating_sub(end), limit);
    let why = if let State::Cut(why) = page.state { why } else { PART_MISSING.to_owned() };
    let note = (tail.ended && !rest.is_whole).then_some(why);
    LogView {
        offset: end + tail.offset,
        next_offset: end + tail.next_offset,
        source: "archive".to_owned(),
        note,
        ..tail
    }
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
    use super::{super::tests::attempt, *};

    /// Reads all of a log of which `kept` is kept, in pages.
    fn read(kept: &str, tail: &str, limit: usize) -> (String, Option<String>) {
        let (of, rest) = (attempt(1, (0, 1), 1), Rest::after(kept, tail));
        let (mut text, mut at) = (String::new(), 0);
        loop {
            let from = at.min(kept.len());
            let to = (from + limit).min(kept.len());
            let piece = if to < kept.len() {
                let state = State::More;
                let text = kept[from..to].to_owned();
                let (offset, next_offset) = (from as u64, to as u64);
                from_page(&of, Page { offset, next_offset, text, state }, at as u64)
            } else {
                let state = State::Open;
                let text = kept[from..to].to_owned();
                let (offset, next_offset) = (from as u64, to as u64);
                let page = Page { offset, next_offset, text, state };
                with_rest(&of, page, &rest, at as u64, limit as u32)
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

    #[test]
    fn a_tail_continues_what_is_kept_of_a_log() {
        for (kept, tail) in [
            ("1 a\n2 b\n", "1 a\n2 b\n3 c\n"),
            ("1 a\n2 b\n", "2 b\n3 c\n"),
            ("1 a\n2 b\n3 c\n", "2 b\n3 c\n"),
        ] {
            for limit in [4, 5, 100] {
                assert_eq!(read(kept, tail, limit), ("1 a\n2 b\n3 c\n".to_owned(), None));
            }
        }
    }

    #[test]
    fn a_line_says_that_a_part_is_missing_before_the_tail() {
        for limit in [4, 9, 100] {
            let (text, note) = read("1 a\n2 b\n", "8 é\n9 error\n", limit);
            assert_eq!(text, format!("1 a\n2 b\n{MISSING_LINE}8 é\n9 error\n"));
            assert_eq!(note.as_deref(), Some(PART_MISSING));
        }
        let (text, _) = read("1 a\n2 ha", "9 error\n", 100);
        assert_eq!(text, format!("1 a\n2 ha\n{MISSING_LINE}9 error\n"));
    }

    #[test]
    fn what_a_handler_logged_after_its_attempt_had_ended_is_not_followed_by_the_tail() {
        let (text, note) = read("1 a\n2 b\n3 c\n", "1 a\n2 b\n", 100);
        assert_eq!((text.as_str(), note.as_deref()), ("1 a\n2 b\n3 c\n", Some(CUT_OFF)));
    }

    #[test]
    fn a_log_that_was_cut_ends_with_the_tail_and_says_why() {
        let (of, rest) = (attempt(1, (0, 1), 1), Rest::after("1 a\n", "9 error\n"));
        let state = State::Cut("too long".to_owned());
        let page = Page { offset: 4, next_offset: 4, text: String::new(), state };
        let piece = with_rest(&of, page, &rest, 4, 1_000);
        assert_eq!(piece.text, format!("{MISSING_LINE}9 error\n"));
        assert_eq!((piece.ended, piece.note.as_deref()), (true, Some("too long")));
    }
}
