//! Cancels planned fires whose job has changed.

use std::collections::BTreeMap;

use fastjob_core::{AttemptId, Cause, JobId, attempt::End};
use jiff::{SignedDuration, Timestamp};

use crate::{engine::Engine, event::Now, state::attempts::Step};

impl Engine {
    /// Cancels the fires of a job that are planned for later than now, and returns up to where its
    /// fires stay planned. A fire that another node may have sent cannot be cancelled before the
    /// executor reports that it does not hold it.
    pub(super) fn take_back(&mut self, now: Now, id: JobId) -> Timestamp {
        let Some(entry) = self.catalog.get(id) else { return now.wall };
        let later = |attempt: &AttemptId| {
            self.attempts.get(*attempt).filter(|open| {
                open.row.cause == Cause::Schedule
                    && open.row.number == 1
                    && open.row.due_at > now.wall
            })
        };
        let mut cursor = now.wall.max(entry.fired_ahead());
        let mut unsent = BTreeMap::<_, Vec<_>>::new();
        for attempt in self.attempts.of_job(id) {
            let Some(open) = later(&attempt) else { continue };
            match open.step() {
                Step::Recording | Step::NotDue => {
                    unsent.entry(open.row.task).or_default().push(attempt);
                }
                Step::Queued | Step::Waiting | Step::Placing | Step::Unsure | Step::Sent => {
                    cursor = cursor.max(open.row.fire_at.unwrap_or(now.wall));
                }
            }
        }
        for (task, attempts) in unsent {
            // Other shards of the task may have been sent, or have ended.
            let shards = self.attempts.shards_of(task).unwrap_or(attempts.len());
            let whole = attempts.len() == shards;
            for attempt in attempts {
                match whole {
                    true => self.cancel(attempt),
                    false => self.end_cancelled(now, attempt),
                }
            }
        }
        cursor
    }

    /// Ends a shard whose fire is cancelled, while other shards of its task may have been sent.
    fn end_cancelled(&mut self, now: Now, attempt: AttemptId) {
        let message = "its job was changed before it was sent".to_owned();
        self.end_here(now, attempt, End::Stopped, Some(message));
    }

    /// Cancels a fire of which no attempt was sent.
    fn cancel(&mut self, attempt: AttemptId) {
        let Some(open) = self.forget(attempt) else { return };
        self.journal.commit().cancelled.push(attempt);
        self.attempts.cancel_spread(open.row.task);
        if open.row.is_head() {
            // Once for all shards of a task.
            self.tally.count().fires_cancelled += 1;
        }
        if let Some(entry) = self.catalog.get_mut(open.row.job).filter(|_| open.row.is_head()) {
            entry.scheduled = entry.scheduled.saturating_sub(1);
        }
    }

    /// Handles an attempt that its executor never received. It is placed again, unless it is a fire
    /// that a change of its job has cancelled in the meantime.
    pub(super) fn never_received(&mut self, now: Now, attempt: AttemptId) {
        let Some(open) = self.attempts.get(attempt) else { return };
        let Some(entry) = self.catalog.get(open.row.job) else { return };
        let row = entry.row();
        let changed = open.row.created_at <= row.updated_at && open.row.due_at > row.updated_at;
        let fire_at =
            open.row.fire_at.filter(|_| open.row.cause == Cause::Schedule && open.row.number == 1);
        let fires_still = |fire_at: Timestamp| {
            let just_before = fire_at.checked_sub(SignedDuration::from_nanos(1));
            let next = just_before.ok().and_then(|at| row.job.timetable.next_after(at, row.anchor));
            row.job.enabled && row.deleted_at.is_none() && next == Some(fire_at)
        };
        match fire_at.filter(|_| changed) {
            Some(fire_at) if !fires_still(fire_at) => {
                if self.attempts.is_spread(open.row.task) {
                    return self.end_cancelled(now, attempt);
                }
                let job = open.row.job;
                self.cancel(attempt);
                self.leave_lane(now, job, attempt);
                if let Some(entry) = self.catalog.get_mut(job)
                    && entry.job().timetable.follows_the_last_end()
                    && entry.scheduled == 0
                {
                    // Its next fire counts from the last end again, and may be before this one.
                    entry.set_cursor(entry.cursor().min(entry.anchor()));
                }
                self.schedule_next(job);
            }
            _ => self.unplace(now, attempt),
        }
    }
}
