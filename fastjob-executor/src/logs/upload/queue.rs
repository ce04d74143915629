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
/// Maximum number of logs that wait. Beyond it, logs stay in their files.
const LOGS_MAX: usize = 50_000;

/// The logs that have to be sent, or may have to be.
#[derive(Default)]
pub(super) struct Queue {
    logs: HashMap<AttemptId, Entry>,
    due: BTreeSet<(Instant, AttemptId)>,
    /// Logs that were left out, because too many were waiting.
    left_out: u64,
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

    pub(super) fn has_ended(&mut self, log: Log, is_in_tail: bool, now: Instant) {
        let known = self.logs.get(&log.attempt);
        if is_in_tail && known.is_none_or(|entry| !entry.begun && !entry.busy) {
            self.remove(log.attempt);
            return;
        }
        if self.entry(log, now).is_some() {
            self.schedule(log.attempt, now);
        }
    }

    pub(super) fn restore(&mut self, logs: Vec<Log>, now: Instant) {
        for log in logs {
            if self.logs.contains_key(&log.attempt) {
                continue; // it has been started again, and has text of its own
            }
            let Some(entry) = self.entry(log, now) else { return };
            (entry.sent, entry.begun) = (None, true);
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
        let work =
            Work { log: entry.log, offset: entry.sent, begun: entry.begun, leaving: self.leaving };
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
            Step::Failed(at) => Some(at),
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
            self.left_out += 1;
            if self.left_out.is_power_of_two() {
                tracing::warn!(
                    logs = self.left_out,
                    "too many attempt logs wait to be uploaded: these stay on this machine only"
                );
            }
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
