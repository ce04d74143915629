//! What a job's timetable means for whoever saves it.

use jiff::Timestamp;

use super::{Job, Problem};
use crate::schedule::{Limits, Schedule, Timetable};

impl Job {
    /// Whether two definitions fire at the same instants, so that an edit from one to the other
    /// takes nothing back.
    pub fn fires_like(&self, other: &Self) -> bool {
        self.enabled == other.enabled && self.timetable == other.timetable
    }

    /// Whether a `once` lies in the past, so that it would never fire.
    pub fn is_too_late(&self, now: Timestamp) -> bool {
        matches!(self.timetable.schedule(), Schedule::Once(at) if *at <= now)
    }

    /// What keeps a schedule from ever firing after `now`: a cron expression of which no fire is
    /// left, or limits that leave none. A `once` that has passed is told by
    /// [`is_too_late`](Self::is_too_late).
    ///
    /// That is a mistake when a job is saved, and none of a job that has been there for long: its
    /// `end_at` passes, and time zones change. So it is no part of what makes a job valid.
    pub fn never_fires(&self, now: Timestamp) -> Option<Problem> {
        let fires = |timetable: &Timetable| timetable.next_after(now, now).is_some();
        let schedule = self.timetable.schedule();
        if fires(&self.timetable) {
            return None;
        }
        if !fires(&schedule.clone().into()) {
            return matches!(schedule, Schedule::Cron(..)).then(|| Problem {
                field: "schedule.cron".to_owned(),
                message: "no day from now on is one that it names, such as 30 February or a year \
                          that is over: the job would never fire"
                    .to_owned(),
            });
        }
        let limits = self.timetable.limits()?;
        let always = Limits { start_at: None, end_at: None, ..limits.clone() };
        let (field, message) = if limits.end_at.is_some_and(|end| end <= now) {
            ("end_at", "it lies in the past: the job would never fire")
        } else if !fires(&Timetable::new(schedule.clone(), always)) {
            ("exclude", "it leaves out every fire of the schedule: the job would never fire")
        } else if limits.end_at.is_some() {
            ("end_at", "there is no fire up to then: the job would never fire")
        } else {
            ("start_at", "there is no fire from then on: the job would never fire")
        };
        Some(Problem { field: field.to_owned(), message: message.to_owned() })
    }
}
