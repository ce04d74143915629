//! From schedules to attempts.
//!
//! Fires are planned up to [`HORIZON`] ahead and recorded together with the watermark. A fire that
//! is found too late is a misfire, whatever made it late: a coordinator that was down, paused or
//! busy, or a clock that jumped.

use std::sync::Arc;

use fastjob_core::{
    AttemptId, AttemptState, Cause, ExecutorName, JobId, Shard, TaskId, TaskState,
    misfire::{self, Missed},
    schedule::{Count, Next},
    shard::ShardStrategy,
};
use jiff::{SignedDuration, Timestamp};

use super::{
    Engine, HORIZON, Now, UNWRITTEN_MOST,
    place::Sure,
    state::{After, More, Open, ShardAt, Step},
};
use crate::record::{LifeId, NOT_SPREAD, NewAttempt};

/// What is due until then is placed at once.
pub(super) fn soon(now: Now) -> Timestamp {
    now.wall + SignedDuration::try_from(HORIZON).unwrap_or_default()
}

/// A task to be made.
pub(super) struct NewTask {
    pub(super) job: JobId,
    pub(super) cause: Cause,
    pub(super) fire_at: Option<Timestamp>,
    pub(super) due_at: Timestamp,
    pub(super) param: Option<Arc<str>>,
    pub(super) head: Head,
    /// Due at this uptime, whatever the wall clock does until then.
    pub(super) due_in: Option<std::time::Duration>,
    /// On this executor and no other.
    pub(super) wanted: Option<ExecutorName>,
}

/// What only the head of a task says.
#[derive(Default)]
pub(super) struct Head {
    pub(super) note: Option<String>,
    pub(super) parent: Option<TaskId>,
    pub(super) key: Option<Arc<str>>,
}

impl NewTask {
    pub(super) fn new(job: JobId, cause: Cause, due_at: Timestamp) -> Self {
        Self {
            job,
            cause,
            fire_at: None,
            due_at,
            param: None,
            head: Head::default(),
            due_in: None,
            wanted: None,
        }
    }
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
        let horizon = soon(now);
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
        let Some(entry) = self.jobs.get_mut(&id) else { return };
        let due_at = entry.row.job.timetable.due_at(id, fire_at);
        if entry.row.job.timetable.excludes(fire_at) {
            // Not a fire: the last look ended here.
            entry.cursor = fire_at;
        } else if misfire::is_misfire(due_at, now.wall) {
            self.misfire(now, id);
        } else {
            entry.cursor = fire_at;
            let new = NewTask::new(id, Cause::Schedule, due_at);
            self.new_task(now, NewTask { fire_at: Some(fire_at), ..new });
        }
        self.schedule_next(id);
    }

    fn misfire(&mut self, now: Now, id: JobId) {
        let Some(entry) = self.jobs.get_mut(&id) else { return };
        let job = Arc::clone(&entry.row.job);
        let anchor = entry.row.anchor;
        let (plan, from) =
            misfire::plan(job.misfire, id, &job.timetable, anchor, entry.cursor, now.wall);
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
            let note = (index == last && plan.stands_for.number > 1)
                .then(|| format!("stands for {} missed fires", plan.stands_for));
            let new = NewTask::new(id, Cause::Misfire, now.wall);
            let head = Head { note, ..Head::default() };
            self.new_task(now, NewTask { fire_at: Some(fire_at), head, ..new });
        }
        for fire_at in plan.in_time {
            let new = NewTask::new(id, Cause::Schedule, job.timetable.due_at(id, fire_at));
            self.new_task(now, NewTask { fire_at: Some(fire_at), ..new });
        }
    }

    /// One skipped task tells of all the fires that were left out.
    fn record_skipped(&mut self, now: Now, job: JobId, missed: &Missed) {
        let id = self.new_id();
        let note = match missed.count {
            Count { number: 1, at_least: false } => "1 fire was missed and skipped".to_owned(),
            count => format!(
                "{count} fires from {} to {} were missed and skipped",
                missed.first, missed.last
            ),
        };
        self.tell_missed(now, job, TaskId(id), &note);
        self.commit.planned.push(NewAttempt {
            attempt: AttemptId(id),
            task: TaskId(id),
            job,
            number: 1,
            shard: Shard::WHOLE,
            cause: Cause::Misfire,
            parent: None,
            wanted: None,
            key: None,
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

    /// Makes a task with its first attempts, places them if they are due soon, and has them
    /// recorded.
    pub(super) fn new_task(&mut self, now: Now, new: NewTask) -> TaskId {
        let id = self.new_id();
        let (attempt, task) = (AttemptId(id), TaskId(id));
        let Some(entry) = self.jobs.get_mut(&new.job) else { return task };
        if matches!(new.cause, Cause::Schedule | Cause::Misfire) {
            entry.scheduled += 1;
        }
        // Who asks for one executor asks for one shard.
        let spreads = entry.row.job.shard != ShardStrategy::One && new.wanted.is_none();
        let more = (new.due_in.is_some() || new.wanted.is_some())
            .then(|| Box::new(More { due_in: new.due_in, wanted: new.wanted, ..More::default() }));
        let open = Open {
            task,
            job: new.job,
            number: 1,
            shard: if spreads { NOT_SPREAD } else { Shard::WHOLE },
            cause: new.cause,
            fire_at: new.fire_at,
            due_at: new.due_at,
            created_at: now.wall,
            param: new.param,
            state: AttemptState::Planned,
            task_state: TaskState::Queued,
            step: Step::Recording,
            life: None,
            promised: false,
            started_at: None,
            epoch: 0,
            more,
        };
        let soon = open.due_at <= soon(now);
        match spreads.then(|| soon.then(|| self.layout(now, new.job).ok()).flatten()).flatten() {
            Some(layout) => self.insert_spread(now, open, layout, new.head),
            None => {
                let life = if soon && !spreads { self.pick(now, &open, Sure::No) } else { None };
                self.insert(attempt, open, life, new.head);
            }
        }
        task
    }

    /// Takes an attempt in, promised to `life`, and has it recorded.
    pub(super) fn insert(
        &mut self,
        attempt: AttemptId,
        mut open: Open,
        life: Option<LifeId>,
        head: Head,
    ) {
        let is_head = attempt == open.task.first_attempt();
        self.promise(&mut open, life);
        self.commit.planned.push(NewAttempt {
            attempt,
            task: open.task,
            job: open.job,
            number: open.number,
            shard: open.shard,
            cause: open.cause,
            parent: head.parent,
            wanted: if is_head { open.more().wanted.clone() } else { None },
            key: head.key,
            fire_at: open.fire_at,
            due_at: open.due_at,
            created_at: open.created_at,
            life: open.life,
            param: if is_head { open.param.clone() } else { None },
            note: head.note,
            state: AttemptState::Planned,
            task_state: open.task_state,
        });
        if let Some(entry) = self.jobs.get_mut(&open.job) {
            entry.planned.push(attempt);
        }
        match self.spreads.get_mut(&open.task) {
            Some(spread) => {
                if let Some(shard) = spread.shards.get_mut(open.shard.index as usize) {
                    *shard = ShardAt::Open(attempt);
                }
            }
            None if !is_head => drop(self.retried.insert(open.task, attempt)),
            None => {}
        }
        self.open.insert(attempt, open);
        self.recorded_with_this(attempt);
    }

    /// The attempt can be sent when what has gathered is durable.
    pub(super) fn recorded_with_this(&mut self, attempt: AttemptId) {
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
        match job.timetable.look_after(entry.cursor, entry.row.anchor) {
            // Excluded instants do not fire; there the search continues.
            Next::Fire(at) | Next::LookAgain(at) => {
                self.fires.entry(at).or_default().push((id, entry.epoch));
            }
            Next::Never => {}
        }
    }

    /// Takes back what a job's schedule planned for later than now.
    pub(super) fn take_back(&mut self, now: Now, id: JobId) {
        let Some(entry) = self.jobs.get_mut(&id) else { return };
        let planned = std::mem::take(&mut entry.planned);
        for attempt in planned {
            let later = self.open.get(&attempt).is_some_and(|open| {
                open.cause == Cause::Schedule && open.number == 1 && open.due_at > now.wall
            });
            if later {
                // What is left of it in the queue of due attempts will not be found any more.
                let Some(mut open) = self.open.remove(&attempt) else { continue };
                self.unpromise(&mut open);
                self.commit.taken_back.push(attempt);
                self.spreads.remove(&open.task);
                let is_head = attempt == open.task.first_attempt();
                if let Some(entry) = self.jobs.get_mut(&id).filter(|_| is_head) {
                    entry.scheduled = entry.scheduled.saturating_sub(1);
                }
            } else if let Some(entry) = self.jobs.get_mut(&id) {
                entry.planned.push(attempt);
            }
        }
    }
}
