//! From schedules to attempts.
//!
//! Fires are planned up to [`HORIZON`] ahead and recorded together with the watermark. A fire that
//! is planned too late is a misfire, whatever the reason: the coordinator was down, paused or busy,
//! or the clock jumped. Fires are planned in rounds; see [`Agenda`](crate::state::agenda::Agenda).

use std::sync::Arc;

use fastjob_core::{
    AttemptId, AttemptState, Cause, ExecutorName, JobId, ServiceKey, Shard, TaskId, TaskState,
    Trace,
    misfire::{self, Missed},
    schedule::{Count, Next},
    shard::ShardStrategy,
};
use jiff::{SignedDuration, Timestamp};

use crate::{
    effect::Effects,
    engine::{Engine, HORIZON},
    event::{Now, Part},
    record::{Attempt, LifeId, Lineage, NOT_SPREAD, NewAttempt, RerunOf, TaskTrace},
    state::attempts::{Open, OverQuota},
};

/// The maximum number of tasks that one step plans, and of jobs whose next fire it computes.
const SLICE: usize = 2_000;
/// The maximum number of rows that a round holds back before it is cut.
const ROUND_ROWS: usize = 50_000;

/// Attempts that are due before this instant are placed at once.
pub(super) fn soon(now: Now) -> Timestamp {
    now.wall + SignedDuration::try_from(HORIZON).unwrap_or_default()
}

/// A task to create.
pub(crate) struct NewTask {
    pub(super) job: JobId,
    pub(crate) cause: Cause,
    pub(super) fire_at: Option<Timestamp>,
    pub(super) due_at: Timestamp,
    pub(super) param: Option<Arc<str>>,
    pub(super) head: Head,
    /// Due at this uptime, whatever the wall clock does until then.
    pub(super) due_in: Option<std::time::Duration>,
    /// The only executor that it may run on.
    pub(super) wanted: Option<ExecutorName>,
    /// The lineage of a task that another one started.
    pub(super) lineage: Option<Lineage>,
    /// What a rerun runs again.
    pub(super) rerun: Option<Arc<RerunOf>>,
    /// The shards that it has, if they are not spread by the job's strategy.
    pub(super) part: Option<Part>,
    /// The trace that it is part of.
    pub(crate) trace: Option<Trace>,
}

/// The fields that only the head of a task has.
#[derive(Default)]
pub(crate) struct Head {
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
            rerun: None,
            part: None,
            trace: None,
        }
    }

    fn row(&self, task: TaskId, shard: Shard, now: Now) -> Attempt {
        Attempt {
            attempt: task.first_attempt(),
            task,
            job: self.job,
            number: 1,
            shard,
            cause: self.cause,
            fire_at: self.fire_at,
            due_at: self.due_at,
            created_at: now.wall,
        }
    }

    /// The row of a task that is recorded as skipped.
    fn skipped(
        self,
        task: TaskId,
        now: Now,
        note: String,
        service: Option<ServiceKey>,
        trace: Option<Arc<TaskTrace>>,
    ) -> NewAttempt {
        NewAttempt {
            row: self.row(task, Shard::WHOLE, now),
            parent: self.head.parent,
            lineage: self.lineage,
            rerun: self.rerun,
            trace,
            wanted: None,
            key: self.head.key,
            life: None,
            param: None,
            note: Some(note),
            state: AttemptState::Skipped,
            task_state: TaskState::Skipped,
            service,
        }
    }
}

impl Engine {
    /// Plans fires up to the horizon: a slice of the round in progress, or of a new one.
    pub(crate) fn plan(&mut self, now: Now, out: &mut Effects) {
        if !self.journal.store_keeps_up() {
            // Fires that are planned already must not wait for those that cannot be planned now.
            self.cut_round();
            return;
        }
        let mut left = SLICE;
        while let Some(job) = self.agenda.pop_unscheduled() {
            self.schedule_next(job);
            left -= 1;
            if left == 0 {
                return;
            }
        }
        let Self { agenda, catalog, .. } = self;
        agenda.enter_gathered(|job| catalog.get(job)?.next_fire());
        let until = self.agenda.round_until(soon(now));
        while let Some((fire_at, job)) = self.agenda.first().filter(|(at, _)| *at <= until) {
            if left == 0 {
                if self.agenda.reached().max(self.journal.planned()) >= ROUND_ROWS {
                    self.cut_round();
                    self.hand_over(out);
                }
                return;
            }
            let made = self.fire(now, job, fire_at);
            left = left.saturating_sub(made.max(1));
        }
        self.agenda.complete(until);
        if self.agenda.holds_commit() {
            self.record_cursors_beyond(until);
            // If the round has no fires, the stored watermark is still correct.
            self.journal.commit().watermark = Some(self.agenda.watermark());
        }
    }

    /// Releases the commit before the round is complete: the cursors of the jobs that the round has
    /// reached record what is planned beyond the watermark.
    pub(crate) fn cut_round(&mut self) {
        self.record_cursors_beyond(Timestamp::MIN);
    }

    /// Records the cursors of the jobs that the round has reached, if they are beyond `planned`. A
    /// misfire is planned up to the present, which may be past the end of a long round.
    fn record_cursors_beyond(&mut self, planned: Timestamp) {
        for job in self.agenda.take_reached() {
            let Some(entry) = self.catalog.get_mut(job) else { continue };
            entry.is_in_round = false;
            if entry.cursor() > planned {
                entry.has_stored_cursor = true;
                self.journal.commit().cursors.push((job, entry.cursor()));
            }
        }
    }

    /// Plans the fires of a saved job up to the watermark. They become durable with the job.
    pub(super) fn plan_up_to_watermark(&mut self, now: Now, id: JobId) {
        while let Some(fire_at) = self.catalog.get(id).and_then(|entry| entry.next_fire())
            && fire_at <= self.agenda.watermark()
        {
            self.fire(now, id, fire_at);
        }
    }

    /// Plans a fire, or applies the misfire strategy to missed ones. Returns the number of created
    /// tasks.
    fn fire(&mut self, now: Now, id: JobId, fire_at: Timestamp) -> usize {
        let Some(entry) = self.catalog.get_mut(id) else {
            self.agenda.set_fire(id, Some(fire_at), None);
            return 0;
        };
        if !std::mem::replace(&mut entry.is_in_round, true) {
            self.agenda.reach(id);
        }
        let due_at = entry.job().timetable.due_at(id, fire_at);
        let made = if entry.job().timetable.excludes(fire_at) {
            // Not a fire: the search for the next one stopped here.
            entry.set_cursor(fire_at);
            0
        } else if misfire::is_misfire(due_at, now.wall) {
            self.misfire(now, id)
        } else {
            entry.set_cursor(fire_at);
            self.tally.count().fires_planned += 1;
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
            misfire::plan(job.misfire, id, &job.timetable, anchor, entry.cursor(), now.wall);
        entry.set_cursor(from);
        if plan.caught_up.is_empty() && job.timetable.follows_the_last_end() {
            // No task will end to count from.
            entry.set_anchor(now.wall);
            entry.set_cursor(now.wall);
            self.journal.commit().anchors.push((id, now.wall));
        }
        let made = plan.caught_up.len() + plan.in_time.len() + usize::from(plan.skipped.is_some());
        let tally = self.tally.count();
        tally.fires_planned += plan.in_time.len() as u64;
        tally.fires_caught_up += plan.caught_up.len() as u64;
        if let Some(missed) = plan.skipped {
            self.record_skipped(now, id, &missed);
        }
        let last = plan.caught_up.len().saturating_sub(1);
        for (index, fire_at) in plan.caught_up.into_iter().enumerate() {
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

    /// Records all skipped fires as one skipped task.
    fn record_skipped(&mut self, now: Now, job: JobId, missed: &Missed) {
        let task = TaskId(self.journal.new_id());
        let note = match missed.count {
            Count { number: 1, at_least: false } => "1 fire was missed and skipped".to_owned(),
            count => format!(
                "{count} fires from {} to {} were missed and skipped",
                missed.first, missed.last
            ),
        };
        self.alarm_missed(now, job, task, &note);
        self.tally.count().fires_skipped += missed.count.number;
        self.count_ended(TaskState::Skipped, job, None);
        let new = NewTask::new(job, Cause::Misfire, now.wall);
        let new = NewTask { fire_at: Some(missed.first), ..new };
        self.plan_skipped(now, task, new, note);
    }

    /// Adds a task that is over when it is planned to the commit.
    fn plan_skipped(&mut self, now: Now, task: TaskId, new: NewTask, note: String) {
        let service = self.catalog.service_key(new.job);
        let trace = self.trace_of(now, task, &new);
        let skipped = new.skipped(task, now, note, service, trace);
        self.trace_skipped(&skipped);
        self.journal.commit().planned.push(skipped);
    }

    /// Creates a task and its first attempts, in the commit, and places those that are due soon.
    pub(super) fn new_task(&mut self, now: Now, new: NewTask) -> TaskId {
        let task = TaskId(self.journal.new_id());
        if let Err(over) = self.admit_task(&new) {
            self.skip_task(now, task, new, over);
            return task;
        }
        let Some(entry) = self.catalog.get_mut(new.job) else { return task };
        if matches!(new.cause, Cause::Schedule | Cause::Misfire) {
            entry.scheduled += 1;
        }
        self.tally.created(new.cause);
        // A start on a given executor has one shard.
        let spreads = entry.job().shard != ShardStrategy::One && new.wanted.is_none();
        let shard = if spreads { NOT_SPREAD } else { Shard::WHOLE };
        let trace = self.trace_of(now, task, &new);
        let mut open = Open::new(new.row(task, shard, now), new.param, TaskState::Queued);
        let NewTask { due_in, wanted, lineage, rerun, part, head, .. } = new;
        let is_placed = due_in.is_some() || wanted.is_some();
        if is_placed || lineage.is_some() || rerun.is_some() || trace.is_some() {
            let rare = open.rare_mut();
            (rare.due_in, rare.wanted, rare.lineage) = (due_in, wanted, lineage);
            (rare.rerun, rare.trace) = (rerun, trace);
        }
        let soon = open.row.due_at <= soon(now);
        let layout = match part {
            Some(part) => Some(self.layout_of(&part, open.row.job)),
            None if spreads && soon => self.layout(now, open.row.job).ok(),
            None => None,
        };
        match layout {
            Some(layout) => self.insert_spread(now, &open, layout, head),
            None => {
                let life = if soon && !spreads { self.pick(now, &open) } else { None };
                self.insert(open, life, head);
            }
        }
        task
    }

    /// Whether a new task is within the limits. Starts by callers were checked earlier.
    fn admit_task(&self, new: &NewTask) -> Result<(), OverQuota> {
        match new.cause {
            Cause::Schedule | Cause::Misfire | Cause::Parent => {
                self.attempts.admit(1, new.param.as_deref())
            }
            Cause::Manual | Cause::Api | Cause::Backfill => Ok(()),
        }
    }

    /// Records a fire or a child that exceeds the limits as a skipped task, whose note says why.
    fn skip_task(&mut self, now: Now, task: TaskId, new: NewTask, over: OverQuota) {
        let note = format!("not started: {}", over.limit());
        let note = match &new.head.note {
            Some(first) => format!("{first}; {note}"),
            None => note,
        };
        if let Some(entry) = self.catalog.get_mut(new.job)
            && entry.job().timetable.follows_the_last_end()
            && let Some(fire_at) = new.fire_at
        {
            // No task will end to count from; the fire may have been planned ahead.
            entry.set_anchor(entry.anchor().max(now.wall).max(fire_at));
            entry.set_cursor(entry.cursor().max(entry.anchor()));
            self.journal.commit().anchors.push((new.job, entry.anchor()));
        }
        self.alarm_missed(now, new.job, task, &note);
        self.tally.count().over_limit += 1;
        self.count_ended(TaskState::Skipped, new.job, None);
        self.plan_skipped(now, task, new, note);
    }

    /// Inserts an attempt, promised to `life`, and adds it to the commit.
    pub(super) fn insert(&mut self, mut open: Open, life: Option<LifeId>, head: Head) {
        let (row, is_head) = (open.row, open.row.is_head());
        self.fleet.promise(row.attempt, &mut open.placement, life);
        self.journal.commit().planned.push(NewAttempt {
            row,
            parent: head.parent,
            lineage: if is_head { open.rare().lineage } else { None },
            rerun: if is_head { open.rare().rerun.clone() } else { None },
            trace: if is_head { open.rare().trace.clone() } else { None },
            wanted: if is_head { open.rare().wanted.clone() } else { None },
            key: head.key,
            life,
            param: if is_head { open.param.clone() } else { None },
            note: head.note,
            state: AttemptState::Planned,
            task_state: open.task_state(),
            service: None,
        });
        self.attempts.insert(open);
        self.journal.follow_recorded(row.attempt);
    }

    /// Computes the next fire of a job and remembers it.
    pub(super) fn schedule_next(&mut self, id: JobId) {
        let Some(entry) = self.catalog.get_mut(id) else { return };
        let before = entry.next_fire();
        let mut next = None;
        let job = entry.job();
        let waits_for_end = job.timetable.follows_the_last_end() && entry.scheduled > 0;
        if job.enabled && !entry.is_deleted() && !waits_for_end {
            next = match job.timetable.look_after(entry.cursor(), entry.anchor()) {
                // An excluded instant does not fire: the search continues from it.
                Next::Fire(at) | Next::LookAgain(at) => Some(at),
                Next::Never => None,
            };
        }
        entry.set_next_fire(next);
        self.agenda.set_fire(id, before, next);
    }

    /// Removes an attempt that has ended from everything that refers to it, except its task.
    pub(super) fn forget(&mut self, attempt: AttemptId) -> Option<Open> {
        let mut open = self.attempts.remove(attempt)?;
        self.fleet.release(attempt, &mut open.placement);
        Some(open)
    }
}
