//! The log of a task: read from its executor while that is connected and has it, else from the
//! archive, else the tail in the outcome.
//!
//! Each attempt has its own log. A caller that does not choose one gets the last attempt of the
//! first shard, and the answer says so: most tasks have only that one.

mod kept;

use std::time::Duration;

use fastjob_core::AttemptState;
use futures_util::{FutureExt, future::BoxFuture};
use jiff::SignedDuration;

use super::{Error, Follower, LogKey, LogView, Ops, tasks::unknown};
use crate::{
    clock::wall_now,
    sessions::AskError,
    store::{AttemptRow, LogTail, TaskRow},
};

/// Default size of a piece in bytes.
const PIECE: u32 = 64 * 1024;
/// Maximum size of a piece in bytes.
const PIECE_MAX: u32 = 1024 * 1024;

/// How long after the end of its attempt a handler that still runs is expected to log.
const LAST_WORDS: SignedDuration = SignedDuration::from_secs(5);

/// A piece that is being read.
type Piece = BoxFuture<'static, Result<LogView, Error>>;

/// Selects one of a task's logs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct LogChoice {
    /// From 0; the first if omitted.
    pub(crate) shard: Option<u32>,
    /// The number of an attempt within its shard, from 1; the last if omitted.
    pub(crate) attempt: Option<u32>,
}

impl LogChoice {
    /// The selected attempt.
    fn among(self, row: &TaskRow) -> Result<&AttemptRow, Error> {
        let task = row.task.0;
        let shards = row.attempts.iter().map(|attempt| attempt.shard.total).max().unwrap_or(1);
        if shards > 1 && self.shard.is_none() && self.attempt.is_some() {
            let message = format!(
                "task {task} has {shards} shards, and each numbers its own attempts: choose a shard"
            );
            return Err(Error::invalid("shard", message));
        }
        // A rerun may have only some shards.
        let first = row.attempts.first().map_or(0, |attempt| attempt.shard.index);
        let shard = self.shard.unwrap_or(first);
        match shards {
            // The shards are determined when an executor is available.
            0 if shard > 0 => {
                return Err(Error::Unavailable(format!(
                    "the shards of task {task} are not known yet: it waits for an executor"
                )));
            }
            0 => {}
            1 if shard > 0 => {
                let message = format!("task {task} has no shard {shard}: its only one is 0");
                return Err(Error::NotFound(message));
            }
            _ if shard >= shards => {
                let last = shards - 1;
                let message = format!("task {task} has no shard {shard}: it has 0 to {last}");
                return Err(Error::NotFound(message));
            }
            _ => {}
        }
        let mut attempts = row.attempts.iter().filter(|attempt| attempt.shard.index == shard);
        let found = match self.attempt {
            None => attempts.next_back(),
            Some(number) => attempts.find(|attempt| attempt.number == number),
        };
        found.ok_or_else(|| {
            let of = if shards > 1 { format!("shard {shard} of ") } else { String::new() };
            let number = self.attempt.unwrap_or(1);
            Error::NotFound(format!("{of}task {task} has no attempt {number}"))
        })
    }
}

impl Ops {
    /// Reads a piece of one of a task's logs.
    pub(crate) async fn task_log(
        &self,
        task: i64,
        choice: LogChoice,
        offset: u64,
        limit: Option<u32>,
    ) -> Result<LogView, Error> {
        let row =
            self.store.task(fastjob_core::TaskId(task)).await?.ok_or_else(|| unknown(task))?;
        let limit = limit.unwrap_or(PIECE).clamp(4, PIECE_MAX);
        let attempt = choice.among(&row)?;
        let (id, ended) = (attempt.attempt, attempt.state.is_final());
        let waits = Ok(piece(attempt, offset, String::new(), ended));
        let Some(executor) = &attempt.executor else { return waits };
        if attempt.started_at.is_none() && matches!(attempt.state, AttemptState::Skipped) {
            return waits;
        }
        if let Some(session) = self.sessions.of(&row.service, executor) {
            match self.sessions.read_log(session, id, offset, limit).await {
                Ok(log) => {
                    // The handler of an attempt that timed out or was abandoned may run for ever.
                    let is_quiet = log.text.is_empty()
                        && attempt.ended_at.is_some_and(|at| wall_now() > at + LAST_WORDS);
                    let is_complete = ended && (log.ended || is_quiet);
                    return Ok(LogView {
                        next_offset: log.next_offset,
                        source: "executor".to_owned(),
                        ..piece(attempt, log.offset, log.text, is_complete)
                    });
                }
                // The executor has no such file: nothing was logged yet, or it was removed.
                Err(AskError::Refused(why)) => tracing::debug!(attempt.id = id.0, why, "no log"),
                Err(
                    err @ (AskError::Gone
                    | AskError::Silent
                    | AskError::Busy
                    | AskError::NotAsked { .. }),
                ) => {
                    if !ended {
                        let kept = self.archived(&row, attempt, offset, limit).await?;
                        return kept.filter(|piece| !piece.text.is_empty()).ok_or_else(|| {
                            Error::Unavailable(format!("the log cannot be read: {err}"))
                        });
                    }
                }
            }
        }
        let failed = match self.archived(&row, attempt, offset, limit).await {
            Ok(Some(piece)) => return Ok(not_before(offset, piece)),
            Ok(None) => None,
            Err(err) if ended => Some(err),
            Err(err) => return Err(err),
        };
        let tail = self.store.log_tail(id).await?.unwrap_or_default();
        let piece = not_before(offset, tail_from(attempt, &tail, offset, limit));
        match failed {
            None => Ok(piece),
            // Nothing to show instead, or the caller has read more.
            Some(err) if tail.text.is_empty() || offset > tail.end() => Err(err),
            Some(err) => {
                let note = Some(format!("only the end of the log is shown: {err}"));
                Ok(LogView { note, ..piece })
            }
        }
    }
}

impl Ops {
    /// Reads a piece of one of a task's logs. If there is no text yet, waits for it.
    pub(crate) async fn task_log_within(
        &self,
        task: i64,
        choice: LogChoice,
        offset: u64,
        limit: Option<u32>,
        wait: Duration,
    ) -> Result<LogView, Error> {
        let first = self.task_log(task, choice, offset, limit).await?;
        if !first.text.is_empty() || first.ended {
            return Ok(first);
        }
        let mut follower = self.follow(task, &first, limit);
        // Not used: the log, of this attempt or of a retry, is read again below.
        drop(tokio::time::timeout(wait, follower.next()).await);
        self.task_log(task, choice, offset, limit).await
    }

    /// Follows one of a task's logs after a piece of it, across retries.
    pub(crate) fn follow(
        &self,
        task: i64,
        piece: &LogView,
        limit: Option<u32>,
    ) -> Follower<impl Fn(u64, Option<u32>) -> Piece + use<>> {
        let log = LogKey { task, shard: piece.shard, attempt: piece.number };
        let choice = LogChoice { shard: Some(piece.shard), attempt: Some(piece.number) };
        let ops = self.clone();
        Follower::after(piece, self.feeds.clone(), log, limit, move |offset, limit| {
            let ops = ops.clone();
            async move { ops.task_log(task, choice, offset, limit).await }.boxed()
        })
    }
}

/// A piece of a log of which only the tail is there, cut at a character boundary. It says what is
/// missing between the offset and where it begins.
fn tail_from(attempt: &AttemptRow, tail: &LogTail, offset: u64, limit: u32) -> LogView {
    let LogTail { at, text } = tail;
    let from = usize::try_from(offset.saturating_sub(*at)).unwrap_or(usize::MAX).min(text.len());
    let from = text.ceil_char_boundary(from);
    let to = text.floor_char_boundary((from + limit as usize).min(text.len()));
    let ended = attempt.state.is_final() && to == text.len();
    let note = if offset < *at {
        Some(format!(
            "bytes {offset} to {at} of this log cannot be read: its executor is not connected, or \
             has removed it, and only the end was kept"
        ))
    } else if offset > tail.end() {
        Some(format!(
            "what follows byte {offset} of this log cannot be read: its executor is not connected, \
             or has removed it"
        ))
    } else {
        None
    };
    LogView { note, ..piece(attempt, at + from as u64, text[from..to].to_owned(), ended) }
}

/// What is kept of a log may end before the offset: its executor has more. A caller that went back would
/// read that part twice once the executor is connected again.
fn not_before(offset: u64, piece: LogView) -> LogView {
    if piece.text.is_empty() && piece.next_offset < offset {
        return LogView { offset, next_offset: offset, ..piece };
    }
    piece
}

fn piece(of: &AttemptRow, offset: u64, text: String, ended: bool) -> LogView {
    LogView {
        attempt: of.attempt.0,
        number: of.number,
        shard: of.shard.index,
        shards: of.shard.total,
        offset,
        next_offset: offset + text.len() as u64,
        text,
        ended,
        source: "tail".to_owned(),
        note: None,
    }
}

#[cfg(test)]
mod tests {
    use fastjob_core::{AttemptId, Cause, JobId, Shard, TaskId, TaskState};
    use jiff::Timestamp;

    use super::*;

    pub(super) fn attempt(id: i64, shard: (u32, u32), number: u32) -> AttemptRow {
        AttemptRow {
            attempt: AttemptId(id),
            number,
            shard: Shard { index: shard.0, total: shard.1 },
            state: AttemptState::Succeeded,
            reason: None,
            message: None,
            executor: None,
            due_at: Timestamp::UNIX_EPOCH,
            started_at: None,
            ended_at: None,
        }
    }

    fn task(attempts: Vec<AttemptRow>) -> TaskRow {
        TaskRow {
            task: TaskId(7),
            job: JobId(1),
            service: "default".parse().unwrap(),
            name: "a".parse().unwrap(),
            state: TaskState::Running,
            cause: Cause::Manual,
            fire_at: None,
            created_at: Timestamp::UNIX_EPOCH,
            ended_at: None,
            param: None,
            result: None,
            note: None,
            parent: None,
            reruns: None,
            trace: None,
            attempts,
        }
    }

    pub(super) fn tail(at: u64, text: &str) -> LogTail {
        LogTail { at, text: text.to_owned() }
    }

    #[test]
    fn a_log_is_chosen_by_shard_and_number() {
        let choose = |row: &TaskRow, shard, attempt| {
            let found = LogChoice { shard, attempt }.among(row).map(|row| row.attempt.0);
            found.map_err(|err| err.to_string())
        };
        let whole = task(vec![attempt(7, (0, 1), 1), attempt(8, (0, 1), 2)]);
        assert_eq!(choose(&whole, None, None), Ok(8));
        assert_eq!(choose(&whole, Some(0), Some(1)), Ok(7));
        assert_eq!(choose(&whole, None, Some(3)).unwrap_err(), "task 7 has no attempt 3");
        let refused = "task 7 has no shard 1: its only one is 0";
        assert_eq!(choose(&whole, Some(1), None).unwrap_err(), refused);

        let rows = [((0, 3), 1), ((0, 3), 2), ((1, 3), 1), ((2, 3), 1)];
        let spread = task((7..).zip(rows).map(|(id, (shard, n))| attempt(id, shard, n)).collect());
        assert_eq!(choose(&spread, None, None), Ok(8));
        assert_eq!(choose(&spread, Some(2), None), Ok(10));
        assert_eq!(choose(&spread, Some(0), Some(1)), Ok(7));
        let refused = "shard 1 of task 7 has no attempt 2";
        assert_eq!(choose(&spread, Some(1), Some(2)).unwrap_err(), refused);
        let refused = "task 7 has no shard 3: it has 0 to 2";
        assert_eq!(choose(&spread, Some(3), None).unwrap_err(), refused);
        let refused = choose(&spread, None, Some(1)).unwrap_err();
        assert!(refused.starts_with("shard: task 7 has 3 shards"), "{refused}");

        let waits = task(vec![attempt(7, (0, 0), 1)]);
        assert_eq!(choose(&waits, None, None), Ok(7));
        assert!(choose(&waits, Some(1), None).unwrap_err().contains("not known yet"));
    }

    #[test]
    fn a_tail_is_read_in_pieces_that_never_split_a_character() {
        let of = attempt(1, (0, 1), 1);
        let (mut offset, mut read) = (0, String::new());
        loop {
            let piece = tail_from(&of, &tail(0, "añb語c"), offset, 4);
            read.push_str(&piece.text);
            offset = piece.next_offset;
            if piece.ended {
                break;
            }
        }
        assert_eq!(read, "añb語c");
    }

    #[test]
    fn an_offset_is_one_of_the_whole_log_also_when_only_its_tail_is_there() {
        let (of, tail) = (attempt(1, (0, 1), 1), tail(1_000, "añb語c"));
        let read = |offset, limit| {
            let piece = tail_from(&of, &tail, offset, limit);
            assert_eq!(piece.next_offset, piece.offset + piece.text.len() as u64);
            (piece.offset, piece.text, piece.ended, piece.note)
        };
        assert_eq!(read(1_000, 3), (1_000, "añ".to_owned(), false, None));
        assert_eq!(read(1_003, 9), (1_003, "b語c".to_owned(), true, None));
        // Within a character.
        assert_eq!(read(1_002, 9), (1_003, "b語c".to_owned(), true, None));
        assert_eq!(read(1_008, 9), (1_008, String::new(), true, None));
        let (offset, text, _, note) = read(700, 3);
        assert_eq!((offset, text.as_str()), (1_000, "añ"));
        assert!(note.unwrap().starts_with("bytes 700 to 1000 of this log cannot be read"));
        let (offset, text, ended, note) = read(1_500, 9);
        assert_eq!((offset, text.as_str(), ended), (1_008, "", true));
        assert!(note.unwrap().starts_with("what follows byte 1500 of this log cannot be read"));
    }

    #[test]
    fn a_caller_that_has_read_more_than_is_kept_does_not_go_back() {
        let of = AttemptRow { state: AttemptState::Running, ..attempt(1, (0, 1), 1) };
        // The executor of a running attempt is away: nothing is kept, or less than it has.
        for kept in [LogTail::default(), tail(0, "abc")] {
            let piece = not_before(500, tail_from(&of, &kept, 500, 9));
            assert_eq!((piece.offset, piece.next_offset, piece.ended), (500, 500, false));
            assert!(piece.text.is_empty() && piece.note.is_some());
        }
        let piece = not_before(1, tail_from(&of, &tail(0, "abc"), 1, 9));
        assert_eq!((piece.offset, piece.next_offset, piece.text.as_str()), (1, 3, "bc"));
    }
}
