//! From schedules to attempts.
//!
//! Fires are planned up to [`HORIZON`] ahead and recorded together with the watermark. A fire that
//! is found too late is a misfire, whatever made it late: a coordinator that was down, paused or
//! busy, or a clock that jumped.
//!
//! What is due is planned in rounds, see [`Round`](super::round::Round).

use std::sync::Arc;

use fastjob_core::{
    AttemptId, AttemptState, Cause, ExecutorName, JobId, Shard, TaskId, TaskState,
    misfire::{self, Missed},
    schedule::{Count, Next},
    shard::ShardStrategy,
};
use jiff::{SignedDuration, Timestamp};

use super::{
    Engine, HORIZON, Now,
    place::Sure,
    state::{After, More, Open, ShardAt, Step},
    timers::Watched,
};
use crate::record::{LifeId, Lineage, NOT_SPREAD, NewAttempt};

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
    /// Of a task that another one started.
    pub(super) lineage: Option<Lineage>,
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
            lineage: None,
        }
    }
}

impl Engine {
    /// Plans the fires of a job that was saved, as far as those of the others are planned: they are
    /// durable with the job itself.
    pub(super) fn plan_up_to_watermark(&mut self, now: Now, id: JobId) {
        while let Some(fire_at) = self.catalog.get(id).and_then(|entry| entry.next_fire)
            && fire_at <= self.watermark
        {
            self.fire(now, id, fire_at);
        }
    }

    /// Plans a fire, or what is to follow from missed ones; how many tasks that made.
    pub(super) fn fire(&mut self, now: Now, id: JobId, fire_at: Timestamp) -> usize {
        let Some(entry) = self.catalog.get_mut(id) else {
            self.fires.remove(&(fire_at, id));
            return 0;
        };
        if !std::mem::replace(&mut entry.is_in_round, true) {
            self.round.reach(id);
        }
        let due_at = entry.job().timetable.due_at(id, fire_at);
        let made = if entry.job().timetable.excludes(fire_at) {
            // Not a fire: the last look ended here.
            entry.cursor = fire_at;
            0
        } else if misfire::is_misfire(due_at, now.wall) {
            self.misfire(now, id)
        } else {
            entry.cursor = fire_at;
            let new = NewTask::new(id, Cause::Schedule, due_at);
            self.new_task(now, NewTask { fire_at: Some(fire_at), ..new });
            1
        };
        self.schedule_next(id);
        made
    }

    fn misfire(&mut self, now: Now, id: JobId) -> usize {
        let Some(entry) = self.catalog.get_mut(id) else { return 0 };
        let job = Arc::clone(entry.job());
        let anchor = entry.anchor();
        let (plan, from) =
            misfire::plan(job.misfire, id, &job.timetable, anchor, entry.cursor, now.wall);
        entry.cursor = from;
        if plan.made_up.is_empty() && job.timetable.follows_the_last_end() {
            // There will be no end to count from.
            entry.set_anchor(now.wall);
            entry.cursor = now.wall;
            self.commit.anchors.push((id, now.wall));
        }
        let made = plan.made_up.len() + plan.in_time.len() + usize::from(plan.skipped.is_some());
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
        made
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
            lineage: None,
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
        if let Err(over) = self.admit_task(&new) {
            self.skip_task(now, task, new, over);
            return task;
        }
        let Some(entry) = self.catalog.get_mut(new.job) else { return task };
        if matches!(new.cause, Cause::Schedule | Cause::Misfire) {
            entry.scheduled += 1;
        }
        // Who asks for one executor asks for one shard.
        let spreads = entry.job().shard != ShardStrategy::One && new.wanted.is_none();
        let has_more = new.due_in.is_some() || new.wanted.is_some() || new.lineage.is_some();
        let NewTask { due_in, wanted, lineage, .. } = new;
        let more = More { due_in, wanted, lineage, ..More::default() };
        let more = has_more.then(|| Box::new(more));
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
            lineage: if is_head { open.more().lineage } else { None },
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
        if let Some(entry) = self.catalog.get_mut(open.job) {
            entry.open.insert(attempt);
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
        self.enter(attempt, open);
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
        let Some(entry) = self.catalog.get_mut(id) else { return };
        if let Some(before) = entry.next_fire.take() {
            self.fires.remove(&(before, id));
        }
        let job = entry.job();
        if !job.enabled || entry.is_deleted() {
            return;
        }
        if job.timetable.follows_the_last_end() && entry.scheduled > 0 {
            return; // the end of that task will set the next fire
        }
        entry.next_fire = match job.timetable.look_after(entry.cursor, entry.anchor()) {
            // Excluded instants do not fire; there the search continues.
            Next::Fire(at) | Next::LookAgain(at) => Some(at),
            Next::Never => None,
        };
        if let Some(fire_at) = entry.next_fire {
            self.fires.insert((fire_at, id));
        }
    }

    /// Takes an open attempt out of everything that knows it.
    pub(super) fn forget(&mut self, attempt: AttemptId) -> Option<Open> {
        let mut open = self.take_out(attempt)?;
        self.leave_queue(attempt, open.step);
        if let Some(life) = open.life.and_then(|life| self.lives.get_mut(&life)) {
            life.release(attempt);
        }
        self.unpromise(&mut open);
        if open.more().deadlines.earliest().is_some() {
            self.timers.cancel(Watched::Attempt(attempt));
        }
        if let Some(entry) = self.catalog.get_mut(open.job) {
            entry.open.remove(&attempt);
        }
        Some(open)
    }
}
