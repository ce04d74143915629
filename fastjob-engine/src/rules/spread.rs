//! Tasks that are spread over several executors.
//!
//! A task is spread when it is planned, if an executor for it is connected; otherwise when it is
//! due and an executor connects. It ends when its last shard has ended: the worst end of a shard is
//! the end of the task, and the list of the shards' results is its result.

use fastjob_core::{
    AttemptId, FailReason, JobId, Shard,
    attempt::End,
    shard::{self, Facts, NoSpread},
};

use super::plan::{Head, soon};
use crate::{
    engine::Engine,
    event::Now,
    record::{Attempt, LifeId, Placed, SpreadTask},
    state::attempts::Open,
};

/// The shards of a task with their executors; for `None`, the route picks one.
pub(super) struct Layout {
    total: u32,
    shards: Vec<(u32, Option<LifeId>)>,
}

impl Layout {
    /// All shards, in their order.
    fn of_all(shards: impl IntoIterator<Item = Option<LifeId>>) -> Self {
        let shards: Vec<_> = (0..).zip(shards).collect();
        Self { total: u32::try_from(shards.len()).unwrap_or(u32::MAX), shards }
    }

    /// Some shards of `total`, ascending.
    pub(super) fn of_part(total: u32, shards: Vec<(u32, Option<LifeId>)>) -> Self {
        Self { total, shards }
    }
}

impl Engine {
    /// Spreads a task of the job over the executors that are connected now.
    pub(super) fn layout(&self, now: Now, job: JobId) -> Result<Layout, NoSpread> {
        let Some(job) = self.catalog.job(job) else { return Err(NoSpread::NoExecutor) };
        let lives: Vec<_> = self
            .fleet
            .live_hosts(&job.service, &job.handler)
            .map(|(id, life)| (id, life, life.figures(now.uptime)))
            .collect();
        let facts: Vec<_> = lives
            .iter()
            .map(|(_, life, figures)| Facts {
                name: life.executor(),
                labels: life.labels(),
                figures,
            })
            .collect();
        // The id varies the start: not every task begins at the same executor.
        let spread = shard::spread(&job.shard, &facts, self.journal.ids())?;
        let life = |index: usize| lives.get(index).map(|(id, _, _)| *id);
        Ok(Layout::of_all(spread.on.into_iter().map(|on| on.and_then(life))))
    }

    /// Inserts a new task with all its shards; `open` is the head's attempt, from which they take
    /// what they share.
    pub(super) fn insert_spread(&mut self, now: Now, open: &Open, layout: Layout, head: Head) {
        let Layout { total, shards } = layout;
        self.attempts.spread(open, total);
        let mut head = Some(head);
        for (index, life) in shards {
            // The first one is the head, whichever shard it is.
            let attempt = match &head {
                Some(_) => open.row.attempt,
                None => AttemptId(self.journal.new_id()),
            };
            let row = Attempt { attempt, shard: Shard { index, total }, ..open.row };
            let shard = self.shard_of(open, row, life);
            let life = life.or_else(|| self.pick(now, &shard));
            self.insert(shard, life, head.take().unwrap_or_default());
        }
    }

    /// Spreads a task for which no executor was connected when it was planned, or lets it wait.
    pub(super) fn spread_late(&mut self, now: Now, attempt: AttemptId) {
        let Some(open) = self.attempts.get(attempt) else { return };
        let layout = match self.layout(now, open.row.job) {
            Ok(layout) => layout,
            Err(why @ NoSpread::TooMany(_)) => {
                let end = End::Failed(FailReason::NoExecutor);
                return self.end_here(now, attempt, end, Some(why.to_string()));
            }
            Err(_) => return self.wait(now, attempt),
        };
        let Some(open) = self.forget(attempt) else { return };
        let Layout { total, shards } = layout;
        self.attempts.spread(&open, total);
        self.journal.commit().spread.push(SpreadTask { task: open.row.task, total });
        for (index, life) in shards {
            let row = Attempt { number: 1, shard: Shard { index, total }, ..open.row };
            let mut shard = self.shard_of(&open, row, life);
            let life = life.or_else(|| self.pick(now, &shard));
            if index > 0 {
                shard.row.attempt = AttemptId(self.journal.new_id());
                shard.row.due_at = shard.row.due_at.min(soon(now));
                self.insert(shard, life, Head::default());
                continue;
            }
            // Its row exists already: only its placement and its shard are new.
            self.fleet.promise(attempt, &mut shard.placement, life);
            self.journal.commit().placed.push(Placed { attempt, life });
            self.attempts.insert(shard);
            if let starts_late @ Some(_) = open.deadlines().starts_late {
                self.attempts.set_deadlines(attempt, |waits| waits.starts_late = starts_late);
            }
            self.journal.follow_recorded(attempt);
        }
    }

    fn shard_of(&self, open: &Open, row: Attempt, life: Option<LifeId>) -> Open {
        let mut shard = open.shard(row);
        if life.is_some() && self.catalog.job(row.job).is_some_and(|job| job.shard.is_bound()) {
            shard.rare_mut().bound = life;
        }
        shard
    }
}
