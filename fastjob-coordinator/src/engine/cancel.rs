//! Fires that are planned and cancelled again, because their job has changed.

use std::collections::BTreeMap;

use fastjob_core::{AttemptId, Cause, JobId, attempt::End};
use jiff::{SignedDuration, Timestamp};

use super::{Engine, Now, state::Step};

impl Engine {
    /// Cancels what a job's schedule planned for later than now, and returns up to where its fires
    /// stay planned: what another node may have sent already cannot be cancelled before the executor
    /// has said that it does not hold it.
    pub(super) fn take_back(&mut self, now: Now, id: JobId) -> Timestamp {
        let Some(entry) = self.catalog.get(id) else { return now.wall };
        let later = |attempt: &AttemptId| {
            self.open.get(attempt).filter(|open| {
                open.cause == Cause::Schedule && open.number == 1 && open.due_at > now.wall
            })
        };
        let mut cursor = now.wall.max(entry.lost_until);
        let mut unsent = BTreeMap::<_, Vec<_>>::new();
        for attempt in &entry.open {
            let Some(open) = later(attempt) else { continue };
            match open.step {
                Step::Recording | Step::NotDue => {
                    unsent.entry(open.task).or_default().push(*attempt);
                }
                Step::Queued | Step::Waiting | Step::Placing | Step::Unsure | Step::Sent => {
                    cursor = cursor.max(open.fire_at.unwrap_or(now.wall));
                }
            }
        }
        for (task, attempts) in unsent {
            // Other shards of the task may have been sent, or have ended.
            let shards = self.spreads.get(&task).map_or(attempts.len(), |all| all.shards.len());
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

    /// Ends a shard whose fire is cancelled: others of its task may have been sent.
    fn end_cancelled(&mut self, now: Now, attempt: AttemptId) {
        let message = "its job was changed before it was sent".to_owned();
        self.end_here(now, attempt, End::Stopped, Some(message));
    }

    /// Cancels a fire of which nothing was sent.
    fn cancel(&mut self, attempt: AttemptId) {
        let Some(open) = self.forget(attempt) else { return };
        self.commit.taken_back.push(attempt);
        self.spreads.remove(&open.task);
        let is_head = attempt == open.task.first_attempt();
        if let Some(entry) = self.catalog.get_mut(open.job).filter(|_| is_head) {
            entry.scheduled = entry.scheduled.saturating_sub(1);
        }
    }

    /// An attempt was never received by the executor that it may have been sent to. It is placed
    /// again, unless it is a fire that a change of its job has cancelled in the meantime.
    pub(super) fn never_received(&mut self, now: Now, attempt: AttemptId) {
        let Some(open) = self.open.get(&attempt) else { return };
        let Some(entry) = self.catalog.get(open.job) else { return };
        let row = entry.row();
        let changed = open.created_at <= row.updated_at && open.due_at > row.updated_at;
        let fire_at = open.fire_at.filter(|_| open.cause == Cause::Schedule && open.number == 1);
        let fires_still = |fire_at: Timestamp| {
            let just_before = fire_at.checked_sub(SignedDuration::from_nanos(1));
            let next = just_before.ok().and_then(|at| row.job.timetable.next_after(at, row.anchor));
            row.job.enabled && row.deleted_at.is_none() && next == Some(fire_at)
        };
        match fire_at.filter(|_| changed) {
            Some(fire_at) if !fires_still(fire_at) => {
                if self.spreads.contains_key(&open.task) {
                    return self.end_cancelled(now, attempt);
                }
                let job = open.job;
                self.cancel(attempt);
                self.leave_lane(now, job, attempt);
                if let Some(entry) = self.catalog.get_mut(job)
                    && entry.job().timetable.follows_the_last_end()
                    && entry.scheduled == 0
                {
                    // Its next fire counts from the last end again, and may be before this one.
                    entry.cursor = entry.cursor.min(entry.anchor());
                }
                self.schedule_next(job);
            }
            _ => self.unplace(now, attempt),
        }
    }
}
