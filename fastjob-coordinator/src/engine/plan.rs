//! From schedules to attempts.
//!
//! Fires are planned up to [`HORIZON`] ahead and recorded together with the watermark. A fire that
//! is found too late is a misfire, whatever made it late: a coordinator that was down, paused or
//! busy, or a clock that jumped.

use std::sync::Arc;

use fastjob_core::{
    AttemptId, AttemptState, Cause, JobId, TaskId, TaskState,
    misfire::{self, Missed},
};
use jiff::{SignedDuration, Timestamp};

use super::{
    Engine, HORIZON, Now, UNWRITTEN_MOST,
    state::{After, JobEntry, Open, Step},
};
use crate::record::{JobRow, NewAttempt, OpenAttempt};

/// A task to be made.
pub(super) struct NewTask {
    pub(super) job: JobId,
    pub(super) cause: Cause,
    pub(super) fire_at: Option<Timestamp>,
    pub(super) due_at: Timestamp,
    pub(super) param: Option<Arc<str>>,
    pub(super) note: Option<String>,
}

impl Engine {
    /// Plans every fire up to the horizon.
    ///
    /// All of them go into one commit with the watermark, so that none is planned again after a
    /// crash, and none is left out.
    pub(super) fn plan(&mut self, now: Now) {
        if self.unwritten > UNWRITTEN_MOST {
            return;
        }
        let horizon = now.wall + SignedDuration::try_from(HORIZON).unwrap_or_default();
        let mut planned = false;
        while let Some(entry) = self.fires.first_entry().filter(|entry| *entry.key() <= horizon) {
            let (fire_at, jobs) = entry.remove_entry();
            for (job, epoch) in jobs {
                if self.jobs.get(&job).is_some_and(|entry| entry.epoch == epoch) {
                    self.fire(now, job, fire_at);
                    planned = true;
                }
            }
        }
        self.watermark = self.watermark.max(horizon);
        if planned {
            // Without a fire the old watermark in the store says as much.
            self.commit.watermark = Some(self.watermark);
        }
    }

    fn fire(&mut self, now: Now, id: JobId, fire_at: Timestamp) {
        if misfire::is_misfire(fire_at, now.wall) {
            self.misfire(now, id);
        } else {
            if let Some(entry) = self.jobs.get_mut(&id) {
                entry.cursor = fire_at;
            }
            self.new_task(
                now,
                NewTask {
                    job: id,
                    cause: Cause::Schedule,
                    fire_at: Some(fire_at),
                    due_at: fire_at,
                    param: None,
                    note: None,
                },
            );
        }
        self.schedule_next(id);
    }

    fn misfire(&mut self, now: Now, id: JobId) {
        let Some(entry) = self.jobs.get_mut(&id) else { return };
        let job = Arc::clone(&entry.row.job);
        let anchor = entry.row.anchor;
        let (plan, from) =
            misfire::plan(job.misfire, &job.timetable, anchor, entry.cursor, now.wall);
        entry.cursor = from;
        if plan.made_up.is_empty() && job.timetable.follows_the_last_end() {
            // There will be no end to count from.
            entry.row.anchor = now.wall;
            entry.cursor = now.wall;
            self.commit.anchors.push((id, now.wall));
        }
        if let Some(missed) = plan.skipped {
            self.record_skipped(now, id, &missed);
        }
        let last = plan.made_up.len().saturating_sub(1);
        for (index, fire_at) in plan.made_up.into_iter().enumerate() {
            let note = (index == last && plan.stands_for > 1)
                .then(|| format!("stands for {} missed fires", plan.stands_for));
            self.new_task(
                now,
                NewTask {
                    job: id,
                    cause: Cause::Misfire,
                    fire_at: Some(fire_at),
                    due_at: now.wall,
                    param: None,
                    note,
                },
            );
        }
    }

    /// One skipped task tells of all the fires that were left out.
    fn record_skipped(&mut self, now: Now, job: JobId, missed: &Missed) {
        let id = self.new_id();
        let least = if missed.count >= misfire::COUNT_MOST { "at least " } else { "" };
        let note = match missed.count {
            1 => "1 fire was missed and skipped".to_owned(),
            count => format!(
                "{least}{count} fires from {} to {} were missed and skipped",
                missed.first, missed.last
            ),
        };
        self.commit.planned.push(NewAttempt {
            attempt: AttemptId(id),
            task: TaskId(id),
            job,
            number: 1,
            cause: Cause::Misfire,
            fire_at: Some(missed.first),
            due_at: now.wall,
            created_at: now.wall,
            life: None,
            param: None,
            note: Some(note),
            state: AttemptState::Skipped,
            task_state: TaskState::Skipped,
        });
    }

    /// Makes a task with its first attempt, places it if it is due soon, and has it recorded.
    pub(super) fn new_task(&mut self, now: Now, new: NewTask) -> TaskId {
        let id = self.new_id();
        let (attempt, task) = (AttemptId(id), TaskId(id));
        if matches!(new.cause, Cause::Schedule | Cause::Misfire)
            && let Some(entry) = self.jobs.get_mut(&new.job)
        {
            entry.scheduled += 1;
        }
        let open = Open {
            task,
            job: new.job,
            number: 1,
            cause: new.cause,
            fire_at: new.fire_at,
            due_at: new.due_at,
            created_at: now.wall,
            param: new.param,
            state: AttemptState::Planned,
            task_state: TaskState::Queued,
            step: Step::Recording,
            life: None,
            started_at: None,
            epoch: 0,
        };
        self.insert(now, attempt, open, new.note);
        task
    }

    /// Takes an attempt in and has it recorded.
    pub(super) fn insert(
        &mut self,
        now: Now,
        attempt: AttemptId,
        mut open: Open,
        note: Option<String>,
    ) {
        let soon = now.wall + SignedDuration::try_from(HORIZON).unwrap_or_default();
        if open.due_at <= soon {
            open.life = self.pick(open.job, None);
        }
        let is_head = attempt == open.task.first_attempt();
        self.commit.planned.push(NewAttempt {
            attempt,
            task: open.task,
            job: open.job,
            number: open.number,
            cause: open.cause,
            fire_at: open.fire_at,
            due_at: open.due_at,
            created_at: open.created_at,
            life: open.life,
            param: if is_head { open.param.clone() } else { None },
            note,
            state: AttemptState::Planned,
            task_state: open.task_state,
        });
        if let Some(entry) = self.jobs.get_mut(&open.job) {
            entry.planned.push(attempt);
        }
        if !is_head {
            self.retried.insert(open.task, attempt);
        }
        self.open.insert(attempt, open);
        match self.after.last_mut() {
            Some(After::Recorded(attempts)) => attempts.push(attempt),
            _ => self.after.push(After::Recorded(vec![attempt])),
        }
    }

    /// Finds the next fire of a job and remembers it.
    pub(super) fn schedule_next(&mut self, id: JobId) {
        let Some(entry) = self.jobs.get_mut(&id) else { return };
        entry.epoch = entry.epoch.wrapping_add(1);
        let job = &entry.row.job;
        if !job.enabled || entry.row.deleted_at.is_some() {
            return;
        }
        if job.timetable.follows_the_last_end() && entry.scheduled > 0 {
            return; // the end of that task will set the next fire
        }
        if let Some(fire_at) = job.timetable.next_after(entry.cursor, entry.row.anchor) {
            self.fires.entry(fire_at).or_default().push((id, entry.epoch));
        }
    }

    /// Takes back what a job's schedule planned for later than now.
    pub(super) fn take_back(&mut self, now: Now, id: JobId) {
        let Some(entry) = self.jobs.get_mut(&id) else { return };
        let planned = std::mem::take(&mut entry.planned);
        for attempt in planned {
            let later = self.open.get(&attempt).is_some_and(|open| {
                open.cause == Cause::Schedule
                    && open.number == 1
                    && open.fire_at.is_some_and(|fire_at| fire_at > now.wall)
            });
            if later {
                // What is left of it in the queue of due attempts will not be found any more.
                self.open.remove(&attempt);
                self.commit.taken_back.push(attempt);
                if let Some(entry) = self.jobs.get_mut(&id) {
                    entry.scheduled = entry.scheduled.saturating_sub(1);
                }
            } else if let Some(entry) = self.jobs.get_mut(&id) {
                entry.planned.push(attempt);
            }
        }
    }

    pub(super) fn load_jobs(&mut self, rows: Vec<JobRow>) {
        for row in rows {
            self.next_job = self.next_job.max(row.id.0 + 1);
            self.admit(row);
        }
        let scheduled: Vec<_> = self
            .open
            .iter()
            .filter(|(_, open)| matches!(open.cause, Cause::Schedule | Cause::Misfire))
            .map(|(_, open)| open.job)
            .collect();
        for job in scheduled {
            if let Some(entry) = self.jobs.get_mut(&job) {
                entry.scheduled += 1;
            }
        }
        let not_due: Vec<_> = self
            .open
            .iter()
            .filter(|(_, open)| open.step == Step::NotDue)
            .map(|(attempt, open)| (*attempt, open.job))
            .collect();
        for (attempt, job) in not_due {
            if let Some(entry) = self.jobs.get_mut(&job) {
                entry.planned.push(attempt);
            }
        }
        let ids: Vec<_> = self.jobs.keys().copied().collect();
        for id in ids {
            self.schedule_next(id);
        }
    }

    /// Takes a job in under its names.
    pub(super) fn admit(&mut self, row: JobRow) {
        let (id, job) = (row.id, Arc::clone(&row.job));
        // A tombstone keeps its name until a living job takes it.
        let key = (job.service.clone(), job.name.clone());
        let taken = row.deleted_at.is_some()
            && self.by_name.get(&key).is_some_and(|other| {
                self.jobs.get(other).is_some_and(|other| other.row.deleted_at.is_none())
            });
        if !taken {
            self.by_name.insert(key, id);
        }
        if row.deleted_at.is_none() {
            let ids = self.by_bare_name.entry(job.name.clone()).or_default();
            if !ids.contains(&id) {
                ids.push(id);
            }
        }
        let cursor = self.watermark;
        let entry = JobEntry {
            row,
            epoch: 0,
            cursor,
            memory: fastjob_core::route::Memory::default(),
            planned: Vec::new(),
            scheduled: 0,
        };
        self.jobs.insert(id, entry);
    }

    pub(super) fn load_open(&mut self, attempts: Vec<OpenAttempt>, now: Now) {
        for OpenAttempt { planned, task_state, task_param } in attempts {
            let step = match planned.life {
                // Sent, perhaps: only its executor knows.
                Some(life) if planned.due_at <= now.wall && self.lives.contains_key(&life) => {
                    Step::Unsure
                }
                _ => Step::NotDue,
            };
            if planned.attempt != planned.task.first_attempt() {
                self.retried.insert(planned.task, planned.attempt);
            }
            if step == Step::NotDue {
                self.due.entry(planned.due_at).or_default().push(planned.attempt);
            }
            self.open.insert(
                planned.attempt,
                Open {
                    task: planned.task,
                    job: planned.job,
                    number: planned.number,
                    cause: planned.cause,
                    fire_at: planned.fire_at,
                    due_at: planned.due_at,
                    created_at: planned.created_at,
                    param: task_param,
                    state: AttemptState::Planned,
                    task_state,
                    step,
                    life: planned.life,
                    started_at: None,
                    epoch: 0,
                },
            );
        }
    }
}
