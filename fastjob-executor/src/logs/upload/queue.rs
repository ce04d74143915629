//! Which log is sent next. Pure: it is given the time.

use std::{
    collections::{BTreeSet, HashMap},
    time::Duration,
};

use fastjob_core::AttemptId;
use tokio::time::Instant;

use super::Log;

/// Shortest time that text waits for more, so that an attempt that logs all the time does not become
/// thousands of small pieces.
const DELAY_MIN: Duration = Duration::from_secs(5);
/// Longest time that text waits. What has not been sent is lost if the machine is.
const DELAY_MAX: Duration = Duration::from_secs(60);
/// The delay is this part of the time for which the attempt has logged.
const DELAY_PART: u32 = 16;
/// Pause after a coordinator had less or more of a log than expected.
const AGAIN: Duration = Duration::from_secs(1);
/// First and longest pause of a log that a coordinator may take from this executor later.
const WAIT: Duration = Duration::from_secs(5);
const WAIT_MAX: Duration = Duration::from_secs(300);
/// Number of these pauses, together more than an hour.
const WAITS_MAX: u32 = 20;
/// Maximum number of logs that wait. Beyond it, logs stay in their files.
const LOGS_MAX: usize = 50_000;

/// The logs that have to be sent, or may have to be.
#[derive(Default)]
pub(super) struct Queue {
    logs: HashMap<AttemptId, Entry>,
    due: BTreeSet<(Instant, AttemptId)>,
    /// Logs that were left out, because too many were waiting.
    left_out: u64,
    /// No warning about them is due before there are more than this.
    warn_at: u64,
    /// The process stops: nothing waits for more text.
    leaving: bool,
}

struct Entry {
    log: Log,
    /// When its first text arrived.
    began: Instant,
    due: Option<Instant>,
    /// A piece is on its way.
    busy: bool,
    /// When the next piece is due, if text arrived meanwhile.
    again: Option<Instant>,
    /// How much the coordinator has; `None` if that is unknown.
    sent: Option<u64>,
    /// Something may have been sent, also by an earlier process.
    begun: bool,
    /// The file may lack the end of the log, so it is not marked as complete.
    is_doubtful: bool,
    /// How often in a row the coordinator said that it may take the log later.
    waits: u32,
}

/// A piece that has to be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Work {
    pub(super) log: Log,
    /// Where it begins; `None` if the coordinator has to be asked first.
    pub(super) offset: Option<u64>,
    /// Whether a note of the log has been written.
    pub(super) begun: bool,
    /// The process stops, so no more text is waited for.
    pub(super) leaving: bool,
    /// The file may lack the end of the log.
    pub(super) is_doubtful: bool,
}

/// What became of a piece.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// The coordinator has the log up to here. There may be more text already.
    To { offset: u64, has_more: bool },
    /// The coordinator has another part of the log than expected.
    From(u64),
    /// There was nothing to send.
    Nothing,
    /// It was not sent, and is due again then.
    Failed(Instant),
    /// The coordinator may take it from this executor later.
    Waits,
    /// The log is complete, or will never be.
    Over,
}

impl Queue {
    pub(super) fn has_text(&mut self, log: Log, is_full: bool, now: Instant) {
        let leaving = self.leaving;
        let Some(entry) = self.entry(log, now) else { return };
        let delay =
            (now.saturating_duration_since(entry.began) / DELAY_PART).clamp(DELAY_MIN, DELAY_MAX);
        let at = if is_full || leaving { now } else { now + delay };
        self.schedule(log.attempt, at);
    }

    /// `is_whole` if the file has, or will have, all lines.
    pub(super) fn has_ended(&mut self, log: Log, is_in_tail: bool, is_whole: bool, now: Instant) {
        let known = self.logs.get(&log.attempt);
        if is_in_tail && known.is_none_or(|entry| !entry.begun && !entry.busy) {
            self.remove(log.attempt);
            return;
        }
        if let Some(entry) = self.entry(log, now) {
            entry.is_doubtful |= !is_whole;
            self.schedule(log.attempt, now);
        }
    }

    /// The file of the log could not be written.
    pub(super) fn has_failed(&mut self, attempt: AttemptId) {
        if let Some(entry) = self.logs.get_mut(&attempt) {
            entry.is_doubtful = true;
        }
    }

    /// How many logs were left out, if a warning about them is due.
    pub(super) fn take_warning(&mut self) -> Option<u64> {
        if self.left_out <= self.warn_at {
            return None;
        }
        self.warn_at = self.left_out.saturating_mul(2);
        Some(self.left_out)
    }

    pub(super) fn restore(&mut self, logs: Vec<Log>, now: Instant) {
        for log in logs {
            if self.logs.contains_key(&log.attempt) {
                continue; // it has been started again, and has text of its own
            }
            let Some(entry) = self.entry(log, now) else { return };
            // The earlier process may have been killed before it wrote the last lines.
            (entry.sent, entry.begun, entry.is_doubtful) = (None, true, true);
            self.schedule(log.attempt, now);
        }
    }

    /// Nothing waits for more text from now on.
    pub(super) fn leave(&mut self, now: Instant) {
        self.leaving = true;
        let all: Vec<_> = self.logs.keys().copied().collect();
        for attempt in all {
            self.schedule(attempt, now);
        }
    }

    pub(super) fn take(&mut self, now: Instant) -> Option<Work> {
        let (at, attempt) = *self.due.first()?;
        if at > now {
            return None;
        }
        self.due.pop_first();
        let entry = self.logs.get_mut(&attempt)?;
        (entry.due, entry.busy, entry.again) = (None, true, None);
        let work = Work {
            log: entry.log,
            offset: entry.sent,
            begun: entry.begun,
            leaving: self.leaving,
            is_doubtful: entry.is_doubtful,
        };
        entry.begun = true;
        Some(work)
    }

    pub(super) fn next_at(&self) -> Option<Instant> {
        self.due.first().map(|(at, _)| *at)
    }

    pub(super) fn done(&mut self, attempt: AttemptId, step: Step, now: Instant) {
        let Some(entry) = self.logs.get_mut(&attempt) else { return };
        entry.busy = false;
        let again = entry.again.take();
        let waits = std::mem::take(&mut entry.waits);
        let at = match step {
            Step::Over => {
                self.remove(attempt);
                return;
            }
            Step::To { offset, has_more } => {
                entry.sent = Some(offset);
                if has_more { Some(now) } else { again }
            }
            Step::From(offset) => {
                entry.sent = Some(offset);
                Some(now + AGAIN)
            }
            Step::Nothing => {
                // If nothing was ever sent, nothing has been noted either.
                entry.begun &= entry.sent != Some(0);
                again
            }
            Step::Failed(at) => {
                entry.waits = waits;
                Some(at)
            }
            // The note stays: a later process tries again.
            Step::Waits if waits >= WAITS_MAX => {
                self.remove(attempt);
                return;
            }
            Step::Waits => {
                entry.waits = waits + 1;
                Some(now + (WAIT * (1 << waits.min(6))).min(WAIT_MAX))
            }
        };
        if let Some(at) = at {
            self.schedule(attempt, at);
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.logs.is_empty()
    }

    pub(super) fn len(&self) -> usize {
        self.logs.len()
    }

    /// The log, which is added if there is room.
    fn entry(&mut self, log: Log, now: Instant) -> Option<&mut Entry> {
        if !self.logs.contains_key(&log.attempt) && self.logs.len() >= LOGS_MAX {
            // Only counted: the caller may hold the lock of a log, and a warning is a line of a log.
            self.left_out += 1;
            return None;
        }
        Some(self.logs.entry(log.attempt).or_insert(Entry {
            log,
            began: now,
            due: None,
            busy: false,
            again: None,
            sent: Some(0),
            begun: false,
            is_doubtful: false,
            waits: 0,
        }))
    }

    fn schedule(&mut self, attempt: AttemptId, at: Instant) {
        let Some(entry) = self.logs.get_mut(&attempt) else { return };
        if entry.busy {
            entry.again = Some(entry.again.map_or(at, |before| before.min(at)));
            return;
        }
        if let Some(before) = entry.due {
            if before <= at {
                return;
            }
            self.due.remove(&(before, attempt));
        }
        entry.due = Some(at);
        self.due.insert((at, attempt));
    }

    fn remove(&mut self, attempt: AttemptId) {
        if let Some(Entry { due: Some(at), .. }) = self.logs.remove(&attempt) {
            self.due.remove(&(at, attempt));
        }
    }
}

#[cfg(test)]
mod tests {
    use fastjob_core::TaskId;

    use super::{super::Origin, *};

    fn log(id: i64) -> Log {
        let origin = Origin { task: TaskId(id), created_at: 1 };
        Log { attempt: AttemptId(id), origin, day: "2026-11-23".parse().unwrap() }
    }

    #[test]
    fn logs_beyond_the_limit_are_counted_and_a_warning_is_due_now_and_then() {
        let (mut queue, now) = (Queue::default(), Instant::now());
        for id in 0..LOGS_MAX as i64 {
            queue.has_text(log(id), false, now);
        }
        assert_eq!(queue.take_warning(), None);
        let mut warned = Vec::new();
        for id in 0..8 {
            queue.has_ended(log(-1 - id), false, true, now);
            warned.extend(queue.take_warning());
        }
        assert_eq!(queue.len(), LOGS_MAX);
        assert_eq!(warned, [1, 3, 7]);
    }

    #[test]
    fn a_log_whose_end_may_be_missing_is_not_marked_as_complete() {
        let (mut queue, now) = (Queue::default(), Instant::now());
        queue.has_ended(log(1), false, true, now);
        queue.has_ended(log(2), false, false, now);
        queue.has_text(log(3), true, now);
        queue.has_failed(AttemptId(3));
        queue.restore(vec![log(4)], now);
        let mut found: Vec<_> = std::iter::from_fn(|| queue.take(now))
            .map(|work| (work.log.attempt.0, work.is_doubtful))
            .collect();
        found.sort_unstable();
        assert_eq!(found, [(1, false), (2, true), (3, true), (4, true)]);
    }

    #[test]
    fn a_log_that_may_be_taken_later_is_tried_again_for_a_bounded_time() {
        let (mut queue, mut now) = (Queue::default(), Instant::now());
        let began = now;
        queue.has_ended(log(1), false, true, now);
        for _ in 0..=WAITS_MAX {
            assert!(queue.take(now).is_some());
            queue.done(AttemptId(1), Step::Waits, now);
            now = queue.next_at().unwrap_or(now);
        }
        assert!(queue.is_empty());
        assert!(now - began > Duration::from_secs(3600));
    }
}
