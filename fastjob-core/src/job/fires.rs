//! Checks of a job's timetable when the job is saved.

use jiff::Timestamp;

use super::{Job, Problem};
use crate::schedule::{Limits, Schedule, Timetable};

impl Job {
    /// Whether two definitions fire at the same instants, so that an edit from one to the other
    /// cancels no fire.
    pub fn fires_like(&self, other: &Self) -> bool {
        self.enabled == other.enabled && self.timetable == other.timetable
    }

    /// Whether a `once` instant is in the past, so that it would never fire.
    pub fn is_too_late(&self, now: Timestamp) -> bool {
        matches!(self.timetable.schedule(), Schedule::Once(at) if *at <= now)
    }

    /// Returns why a schedule never fires after `now`: the cron expression has no more fires, or
    /// the limits exclude all of them. A `once` instant in the past is reported by
    /// [`is_too_late`](Self::is_too_late).
    ///
    /// This is an error when a job is saved, but not later: `end_at` may pass, and time zones may
    /// change. So it is not part of a job's validity.
    pub fn never_fires(&self, now: Timestamp) -> Option<Problem> {
        let fires = |timetable: &Timetable| timetable.next_after(now, now).is_some();
        let schedule = self.timetable.schedule();
        if fires(&self.timetable) {
            return None;
        }
        if !fires(&schedule.clone().into()) {
            return matches!(schedule, Schedule::Cron(..)).then(|| Problem {
                field: "schedule.cron".to_owned(),
                message: "it matches no day from now on, such as 30 February or a past \
                          year: the job would never fire"
                    .to_owned(),
            });
        }
        let limits = self.timetable.limits()?;
        let always = Limits { start_at: None, end_at: None, ..limits.clone() };
        let (field, message) = if limits.end_at.is_some_and(|end| end <= now) {
            ("end_at", "it is in the past: the job would never fire")
        } else if !fires(&Timetable::new(schedule.clone(), always)) {
            ("exclude", "it excludes every fire of the schedule: the job would never fire")
        } else if limits.end_at.is_some() {
            ("end_at", "there is no fire up to it: the job would never fire")
        } else {
            ("start_at", "there is no fire from it on: the job would never fire")
        };
        Some(Problem { field: field.to_owned(), message: message.to_owned() })
    }
}
