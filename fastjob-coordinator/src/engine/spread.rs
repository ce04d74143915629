//! Tasks that are laid out over several executors.
//!
//! A task is spread when it is planned, if an executor is there for it by then, else when it is due
//! and one comes. It ends when its last shard has: the worst end of a shard is the end of the task,
//! and the list of the shards' results is its result.

use fastjob_core::{
    AttemptId, AttemptState, FailReason, Shard, TaskState,
    attempt::End,
    shard::{self, Facts, NoSpread},
    task::{self, TaskEvent},
};

use super::{
    Deadlines, Engine, Now,
    place::Sure,
    plan::{Head, soon},
    state::{Open, ShardAt, Spread, Step},
};
use crate::record::{LifeId, Placed, SpreadTask};

/// Most bytes of the list of all shards' results; without them the attempts still have each.
const RESULTS_MOST: usize = 256 * 1024;

/// The executors of a task's shards; `None` leaves one to the route.
pub(super) struct Layout(Vec<Option<LifeId>>);

impl Engine {
    /// Lays a task of the job out over the executors that are there now.
    pub(super) fn layout(&self, now: Now, job: fastjob_core::JobId) -> Result<Layout, NoSpread> {
        let Some(entry) = self.catalog.get(job) else { return Err(NoSpread::Nobody) };
        let job = entry.job();
        let group = self.groups.get(&(job.service.clone(), job.handler.clone()));
        let lives: Vec<_> = group
            .into_iter()
            .flatten()
            .filter_map(|id| Some((*id, self.lives.get(id).filter(|life| life.is_live())?)))
            .map(|(id, life)| (id, life, life.figures(now.uptime)))
            .collect();
        let facts: Vec<_> = lives
            .iter()
            .map(|(_, life, figures)| Facts { name: &life.executor, labels: &life.labels, figures })
            .collect();
        // Ids grow, so that not every task begins at the same executor.
        let offset = usize::try_from(self.next_id / self.config.step()).unwrap_or_default();
        let spread = shard::spread(&job.shard, &facts, offset)?;
        let life = |index: usize| lives.get(index).map(|(id, _, _)| *id);
        Ok(Layout(spread.on.into_iter().map(|on| on.and_then(life)).collect()))
    }

    /// Takes in a new task with all its shards; `open` is the head's, as far as they share it.
    pub(super) fn insert_spread(&mut self, now: Now, open: Open, layout: Layout, head: Head) {
        let first = open.task.first_attempt();
        let total = u32::try_from(layout.0.len()).unwrap_or(u32::MAX);
        self.begin_spread(&open, total);
        let mut head = Some(head);
        for (index, life) in (0..total).zip(layout.0) {
            let attempt = if index == 0 { first } else { AttemptId(self.new_id()) };
            let shard = self.shard_of(&open, Shard { index, total }, life);
            let life = life.or_else(|| self.pick(now, &shard, Sure::No));
            self.insert(attempt, shard, life, head.take().unwrap_or_default());
        }
    }

    /// Spreads a task that found nobody when it was planned, or lets it wait.
    pub(super) fn spread_late(&mut self, now: Now, attempt: AttemptId) {
        let Some(open) = self.open.get(&attempt) else { return };
        let layout = match self.layout(now, open.job) {
            Ok(layout) => layout,
            Err(why @ NoSpread::TooMany(_)) => {
                let end = End::Failed(FailReason::NoExecutor);
                return self.end_here(now, attempt, end, Some(why.to_string()));
            }
            Err(_) => return self.wait(now, attempt),
        };
        let Some(open) = self.forget(attempt) else { return };
        let total = u32::try_from(layout.0.len()).unwrap_or(u32::MAX);
        self.begin_spread(&open, total);
        self.commit.spread.push(SpreadTask { task: open.task, total });
        for (index, life) in (0..total).zip(layout.0) {
            let mut shard = self.shard_of(&open, Shard { index, total }, life);
            let life = life.or_else(|| self.pick(now, &shard, Sure::No));
            if index > 0 {
                let id = AttemptId(self.new_id());
                shard.due_at = shard.due_at.min(soon(now));
                self.insert(id, shard, life, Head::default());
                continue;
            }
            if let Some(spread) = self.spreads.get_mut(&open.task) {
                spread.shards[0] = ShardAt::Open(attempt);
            }
            // Its row is there already: only its place and its shard are new.
            self.promise(&mut shard, life);
            self.commit.placed.push(Placed { attempt, life });
            if let Some(entry) = self.catalog.get_mut(shard.job) {
                entry.open.insert(attempt);
            }
            self.enter(attempt, shard);
            let starts_late = open.more().deadlines.starts_late;
            if starts_late.is_some() {
                self.set_deadline(attempt, |deadlines| deadlines.starts_late = starts_late);
            }
            self.recorded_with_this(attempt);
        }
    }

    fn begin_spread(&mut self, open: &Open, total: u32) {
        let unknown = ShardAt::Ended { state: AttemptState::Failed, result: None };
        let shards = vec![unknown; total as usize];
        let spread = Spread { state: open.task_state, open: shards.len(), shards };
        self.spreads.insert(open.task, spread);
    }

    fn shard_of(&self, open: &Open, shard: Shard, life: Option<LifeId>) -> Open {
        let mut more = open.more.clone();
        if let Some(more) = &mut more {
            more.deadlines = Deadlines::NONE;
        }
        let bound = self.catalog.get(open.job).is_some_and(|entry| entry.job().shard.is_bound());
        if bound && life.is_some() {
            more.get_or_insert_default().bound = life;
        }
        Open {
            task: open.task,
            job: open.job,
            number: 1,
            shard,
            cause: open.cause,
            fire_at: open.fire_at,
            due_at: open.due_at,
            created_at: open.created_at,
            param: open.param.clone(),
            state: AttemptState::Planned,
            task_state: open.task_state,
            step: Step::Recording,
            life: None,
            promised: false,
            started_at: None,
            more,
        }
    }

    /// The state of the task that an attempt is of.
    pub(super) fn task_state(&self, open: &Open) -> TaskState {
        self.spreads.get(&open.task).map_or(open.task_state, |spread| spread.state)
    }

    /// Moves a task, if that is allowed, and returns its state.
    pub(super) fn move_task(&mut self, attempt: AttemptId, event: TaskEvent) -> Option<TaskState> {
        let open = self.open.get_mut(&attempt)?;
        let state = match self.spreads.get_mut(&open.task) {
            Some(spread) => &mut spread.state,
            None => &mut open.task_state,
        };
        *state = task::next(*state, event)?;
        Some(*state)
    }

    /// A shard has ended for good; the end of the whole task and its result, if it was the last.
    pub(super) fn shard_ended(
        &mut self,
        open: &Open,
        end: End,
        result: Option<&str>,
    ) -> Option<(TaskState, Option<String>)> {
        let spread = self.spreads.get_mut(&open.task)?;
        let at = spread.shards.get_mut(open.shard.index as usize)?;
        let state = shard_state(end.state(), open.number);
        *at = ShardAt::Ended { state, result: result.map(str::to_owned) };
        spread.open = spread.open.saturating_sub(1);
        if spread.open > 0 {
            return None;
        }
        let spread = self.spreads.remove(&open.task)?;
        let has = |wanted: AttemptState| {
            let mut ends = spread.shards.iter();
            ends.any(|at| matches!(at, ShardAt::Ended { state, .. } if *state == wanted))
        };
        let event = if has(AttemptState::Failed) {
            TaskEvent::AttemptFailed
        } else if has(AttemptState::Stopped) {
            TaskEvent::AttemptStopped
        } else if has(AttemptState::Skipped) {
            TaskEvent::AttemptSkipped
        } else {
            TaskEvent::AttemptSucceeded
        };
        let state = task::next(spread.state, event).unwrap_or(TaskState::Failed);
        Some((state, Some(results(&spread.shards))))
    }
}

/// How a shard ended, by its last attempt: that a retry was refused does not undo the failure before
/// it.
pub(super) fn shard_state(state: AttemptState, number: u32) -> AttemptState {
    if state == AttemptState::Skipped && number > 1 { AttemptState::Failed } else { state }
}

/// The results of all shards as one JSON list: those that are JSON as they are, others as texts.
fn results(shards: &[ShardAt]) -> String {
    let list: Vec<_> = shards
        .iter()
        .map(|at| match at {
            ShardAt::Ended { result: Some(result), .. } => serde_json::from_str(result)
                .unwrap_or_else(|_| serde_json::Value::String(result.clone())),
            ShardAt::Ended { result: None, .. } | ShardAt::Open(_) => serde_json::Value::Null,
        })
        .collect();
    let text = serde_json::Value::Array(list).to_string();
    if text.len() > RESULTS_MOST {
        return serde_json::Value::Array(vec![serde_json::Value::Null; shards.len()]).to_string();
    }
    text
}
