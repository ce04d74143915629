//! Statistics of tasks that ended: how many, in which state, and how long they took.
//!
//! They are part of the index of the history: written in the transaction that ends the tasks, added
//! up when segments are merged, and removed with their segment. So each task counts exactly once,
//! about as long as it is retained. If retention removed only a part of a segment's tasks, the segment
//! still counts all of them.
//!
//! # Binary form
//!
//! Numbers are LEB128. The first byte has in its four low bits which final states occur. It is
//! followed by the number of tasks of each, and by the durations that bits 4 to 7 name: run time, wait,
//! and lateness, which is the same as the wait, or different, or missing. A duration is its count and its
//! sum; if there are several, also the longest one and the buckets, each with its distance from the one
//! before, and its count.
//!
//! Most statistics of a transaction are of a single task. Its first byte has no bit of a state. Bits 4
//! and 5 are the state, and bits 6 and 7 say which durations follow, each as one number.

mod measure;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use fastjob_core::{Cause, JobId, ServiceKey, TaskState};
use jiff::Timestamp;

pub(crate) use self::measure::Measure;
use super::{
    Result,
    binary::{Read, read_unsigned, torn, write_unsigned},
};

/// Minutes of an hour.
pub(super) const HOUR: i64 = 60;

/// Whose tasks are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Subject {
    Job(JobId),
    Service(ServiceKey),
    All,
}

/// Which statistics to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct StatFilter {
    pub(crate) subject: Subject,
    /// The first minute since the Unix epoch; a multiple of `bucket`.
    pub(crate) from: i64,
    /// The minute before which they end; a multiple of `bucket`.
    pub(crate) until: i64,
    /// The length of a bucket in minutes, at least one.
    pub(crate) bucket: i64,
}

/// The statistics of the tasks that ended within some time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Bucket {
    /// Its first minute since the Unix epoch.
    pub(crate) from: i64,
    pub(crate) stats: Stats,
}

/// The statistics of jobs within some time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct JobSums {
    /// The first minute from which on they are complete.
    pub(crate) from: i64,
    /// Jobs of which no task ended are left out.
    pub(crate) jobs: BTreeMap<JobId, Stats>,
}

/// Statistics, as clients query them.
#[async_trait::async_trait]
pub(crate) trait StatStore: Send + Sync {
    /// The statistics by the minutes in which tasks ended, oldest first, without buckets in which
    /// none did.
    async fn stats(&self, filter: &StatFilter) -> Result<Vec<Bucket>>;
    /// The statistics of all jobs from the first minute on, before the last one: of so much of the
    /// end of the range as a bounded number of tasks ended in.
    async fn stats_by_job(&self, from: i64, until: i64) -> Result<JobSums>;
}

/// How long a task took, in milliseconds. The clocks of nodes and executors may differ, so a duration
/// that would be negative is zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Times {
    run_time: u64,
    wait: u64,
    lateness: Option<u64>,
}

/// What [`Times`] are computed from: the attempt with which a task ended.
#[derive(Clone, Copy, Debug)]
pub(super) struct LastAttempt {
    pub(super) cause: Cause,
    pub(super) number: u32,
    pub(super) fire_at: Option<Timestamp>,
    pub(super) due_at: Timestamp,
    pub(super) started_at: Option<Timestamp>,
    pub(super) ended_at: Timestamp,
}

impl Times {
    /// `None` if the attempt did not start. A task has a lateness if its schedule started it and it
    /// was not retried: a retry starts late on purpose.
    pub(super) fn of(attempt: &LastAttempt) -> Option<Self> {
        let started_at = attempt.started_at?;
        let is_scheduled = attempt.cause == Cause::Schedule && attempt.number == 1;
        let fire_at = attempt.fire_at.filter(|_| is_scheduled);
        Some(Self {
            run_time: millis(started_at, attempt.ended_at),
            wait: millis(attempt.due_at, started_at),
            lateness: fire_at.map(|fire_at| millis(fire_at, started_at)),
        })
    }
}

fn millis(from: Timestamp, to: Timestamp) -> u64 {
    u64::try_from(to.as_millisecond() - from.as_millisecond()).unwrap_or_default()
}

/// Statistics of tasks that ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Stats {
    /// How many tasks ended, by state: see [`STATES`].
    ended: [u64; STATES.len()],
    /// From the start to the end of the attempt with which a task ended.
    pub(crate) run_time: Measure,
    /// From the instant when that attempt was due to its start.
    pub(crate) wait: Measure,
    /// From the fire to the start, of tasks that their schedule started and that were not retried.
    pub(crate) lateness: Measure,
}

/// The final states, in the order of the binary form.
const STATES: [TaskState; 4] =
    [TaskState::Succeeded, TaskState::Failed, TaskState::Stopped, TaskState::Skipped];

/// Bits of the first byte.
const ALL_STATES: u8 = 0x0f;
const RUN_TIME: u8 = 1 << 4;
const WAIT: u8 = 1 << 5;
/// Where a single task has its state.
const STATE_AT: u8 = 4;
const LATENESS_AT: u8 = 6;
/// Values of the two bits there.
const NOT_STARTED: u8 = 0;
const NO_LATENESS: u8 = 1;
const LATENESS_IS_WAIT: u8 = 2;
const LATENESS: u8 = 3;

impl Stats {
    /// How many tasks ended in a state.
    pub(crate) fn ended(&self, state: TaskState) -> u64 {
        self.ended.iter().zip(STATES).find(|(_, of)| *of == state).map_or(0, |(count, _)| *count)
    }

    /// Adds a task that ended.
    pub(super) fn add(&mut self, state: TaskState, times: Option<Times>) {
        if let Some((count, _)) = self.ended.iter_mut().zip(STATES).find(|(_, of)| *of == state) {
            *count = count.saturating_add(1);
        }
        if let Some(Times { run_time, wait, lateness }) = times {
            self.run_time.add(run_time);
            self.wait.add(wait);
            if let Some(lateness) = lateness {
                self.lateness.add(lateness);
            }
        }
    }

    /// Adds all of others.
    pub(crate) fn merge(&mut self, other: &Self) {
        for (sum, count) in self.ended.iter_mut().zip(other.ended) {
            *sum = sum.saturating_add(count);
        }
        self.run_time.merge(&other.run_time);
        self.wait.merge(&other.wait);
        self.lateness.merge(&other.lateness);
    }

    /// Forgets everything, and keeps the memory.
    pub(super) fn clear(&mut self) {
        self.ended = Default::default();
        self.run_time.clear();
        self.wait.clear();
        self.lateness.clear();
    }

    /// Appends the binary form of a single task.
    pub(super) fn write_single(state: TaskState, times: Option<Times>, bytes: &mut Vec<u8>) {
        if let Some(state) = STATES.iter().position(|of| *of == state) {
            write_single(state, times, bytes);
        }
    }

    /// Appends the binary form. There has to be a task.
    pub(super) fn write(&self, bytes: &mut Vec<u8>) {
        if let Some((state, times)) = self.single() {
            write_single(state, times, bytes);
            return;
        }
        let lateness = match self.lateness.count {
            0 => NO_LATENESS,
            _ if self.lateness == self.wait => LATENESS_IS_WAIT,
            _ => LATENESS,
        };
        let mut header = lateness << LATENESS_AT;
        for (bit, count) in self.ended.iter().enumerate() {
            header |= u8::from(*count > 0) << bit;
        }
        header |= if self.run_time.count > 0 { RUN_TIME } else { 0 };
        header |= if self.wait.count > 0 { WAIT } else { 0 };
        bytes.push(header);
        for count in self.ended.iter().filter(|count| **count > 0) {
            write_unsigned(bytes, *count);
        }
        let lateness = (lateness == LATENESS).then_some(&self.lateness);
        for measure in [&self.run_time, &self.wait].into_iter().chain(lateness) {
            if measure.count > 0 {
                measure.write(bytes);
            }
        }
    }

    /// The state and the times, if it is of one task.
    fn single(&self) -> Option<(usize, Option<Times>)> {
        let sum = self.ended.iter().fold(0, |sum: u64, count| sum.saturating_add(*count));
        let counts = [self.run_time.count, self.wait.count, self.lateness.count];
        let is_single = sum == 1 && matches!(counts, [0, 0, 0] | [1, 1, 0 | 1]);
        let state = self.ended.iter().position(|count| *count > 0).filter(|_| is_single)?;
        let times = (self.run_time.count == 1).then(|| Times {
            run_time: self.run_time.sum,
            wait: self.wait.sum,
            lateness: (self.lateness.count == 1).then_some(self.lateness.sum),
        });
        Some((state, times))
    }

    /// Reads the binary form from the front, and adds it to other statistics.
    ///
    /// # Errors
    ///
    /// Fails if the bytes are not in that form. Then a part of them may have been added.
    pub(super) fn read(rest: &mut &[u8], mut into: Option<&mut Self>) -> Read<()> {
        let (header, after) = rest.split_first().ok_or_else(torn)?;
        *rest = after;
        let lateness = header >> LATENESS_AT;
        if header & ALL_STATES == 0 {
            let state = STATES.get(usize::from(header >> STATE_AT) & 3).copied();
            let times = read_times(lateness, rest)?;
            if let (Some(into), Some(state)) = (into, state) {
                into.add(state, times);
            }
            return Ok(());
        }
        for bit in 0..STATES.len() {
            if (header >> bit) & 1 == 0 {
                continue;
            }
            let count = read_unsigned(rest)?;
            if let Some(sum) = into.as_deref_mut().and_then(|into| into.ended.get_mut(bit)) {
                *sum = sum.saturating_add(count);
            }
        }
        if header & RUN_TIME != 0 {
            Measure::read(rest, into.as_deref_mut().map(|into| &mut into.run_time))?;
        }
        let mut wait = *rest;
        if header & WAIT != 0 {
            Measure::read(rest, into.as_deref_mut().map(|into| &mut into.wait))?;
        }
        let late = into.map(|into| &mut into.lateness);
        match lateness {
            LATENESS_IS_WAIT => Measure::read(&mut wait, late),
            LATENESS => Measure::read(rest, late),
            _ => Ok(()),
        }
    }
}

fn write_single(state: usize, times: Option<Times>, bytes: &mut Vec<u8>) {
    let Some(Times { run_time, wait, lateness }) = times else {
        bytes.push((state as u8) << STATE_AT);
        return;
    };
    let form = match lateness {
        None => NO_LATENESS,
        Some(lateness) if lateness == wait => LATENESS_IS_WAIT,
        Some(_) => LATENESS,
    };
    bytes.push((form << LATENESS_AT) | ((state as u8) << STATE_AT));
    for millis in [run_time, wait].into_iter().chain(lateness.filter(|_| form == LATENESS)) {
        write_unsigned(bytes, millis);
    }
}

fn read_times(form: u8, rest: &mut &[u8]) -> Read<Option<Times>> {
    if form == NOT_STARTED {
        return Ok(None);
    }
    let (run_time, wait) = (read_unsigned(rest)?, read_unsigned(rest)?);
    let lateness = match form {
        LATENESS_IS_WAIT => Some(wait),
        LATENESS => Some(read_unsigned(rest)?),
        _ => None,
    };
    Ok(Some(Times { run_time, wait, lateness }))
}
