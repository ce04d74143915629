//! The log of a task: read at its executor while that is there, else what came with the outcome.

use fastjob_core::{AttemptId, AttemptState};

use super::{Error, LogView, Ops, tasks::unknown};
use crate::sessions::AskError;

/// Bytes of a piece where the caller does not say.
const PIECE: u32 = 64 * 1024;
/// Most bytes of a piece.
const PIECE_MAX: u32 = 1024 * 1024;

impl Ops {
    /// A piece of the log of a task's last attempt, or of the one that is named by its number.
    pub(crate) async fn task_log(
        &self,
        task: i64,
        number: Option<i64>,
        offset: u64,
        limit: Option<u32>,
    ) -> Result<LogView, Error> {
        let row =
            self.store.task(fastjob_core::TaskId(task)).await?.ok_or_else(|| unknown(task))?;
        let limit = limit.unwrap_or(PIECE).clamp(4, PIECE_MAX);
        let found = match number {
            None => row.attempts.last(),
            Some(number) => row.attempts.iter().find(|a| i64::from(a.number) == number),
        };
        let Some(attempt) = found else {
            let number = number.unwrap_or_default();
            return Err(Error::NotFound(format!("task {task} has no attempt {number}")));
        };
        let (id, ended) = (attempt.attempt, attempt.state.is_final());
        let waits = Ok(piece(id, offset, String::new(), ended));
        let Some(executor) = &attempt.executor else { return waits };
        if attempt.started_at.is_none() && matches!(attempt.state, AttemptState::Skipped) {
            return waits;
        }
        if let Some(session) = self.sessions.of(&row.service, executor) {
            match self.sessions.read_log(session, id, offset, limit).await {
                Ok(log) => {
                    return Ok(LogView {
                        attempt: id.0,
                        offset: log.offset,
                        next_offset: log.next_offset,
                        text: log.text,
                        ended: log.ended && ended,
                        source: "executor".to_owned(),
                    });
                }
                // It has no such file: nothing was logged yet, or it was removed.
                Err(AskError::Refused(why)) => tracing::debug!(attempt.id = id.0, why, "no log"),
                Err(err @ (AskError::Gone | AskError::Silent)) => {
                    if !ended {
                        return Err(Error::Unavailable(format!("the log cannot be read: {err}")));
                    }
                }
            }
        }
        let tail = self.store.log_tail(id).await?.unwrap_or_default();
        Ok(tail_from(id, &tail, offset, limit, ended))
    }
}

/// A piece of a tail, cut where a character begins.
fn tail_from(id: AttemptId, tail: &str, offset: u64, limit: u32, ended: bool) -> LogView {
    let from = usize::try_from(offset).unwrap_or(usize::MAX).min(tail.len());
    let from = tail.ceil_char_boundary(from);
    let to = tail.floor_char_boundary((from + limit as usize).min(tail.len()));
    let mut view = piece(id, from as u64, tail[from..to].to_owned(), ended && to == tail.len());
    view.offset = from as u64;
    view
}

fn piece(id: AttemptId, offset: u64, text: String, ended: bool) -> LogView {
    LogView {
        attempt: id.0,
        offset,
        next_offset: offset + text.len() as u64,
        text,
        ended,
        source: "tail".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tail_is_read_in_pieces_that_never_split_a_character() {
        let (mut offset, mut read) = (0, String::new());
        loop {
            let piece = tail_from(AttemptId(1), "añb語c", offset, 4, true);
            read.push_str(&piece.text);
            offset = piece.next_offset;
            if piece.ended {
                break;
            }
        }
        assert_eq!(read, "añb語c");
        assert!(tail_from(AttemptId(1), "abc", 99, 4, true).ended);
    }
}
