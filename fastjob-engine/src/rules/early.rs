//! Fires that are sent before they are due.
//!
//! To send thousands of attempts that are due at the same instant takes longer than an instant. So
//! a fire leaves up to [`EARLY`] before it is due, and its executor enters it by a timer of its own.
//! It counts as sent, and takes a place, from then on.
//!
//! A fire leaves early only if nothing can still change where it runs or whether it may run: its job
//! has no rule across the cluster and no shards, and its executor accepts attempts early and has
//! room for it. Changes of the job wait until it is due (see [`changes`](super::changes)).

use std::time::Duration;

use fastjob_core::{AttemptId, Cause, Job, block::BlockScope, shard::ShardStrategy};
use jiff::{SignedDuration, Timestamp};

use super::place::Outgoing;
use crate::{
    effect::Effects,
    engine::Engine,
    event::Now,
    state::{attempts::Open, fleet::Life},
};

/// How long before they are due fires are sent at most.
pub(crate) const EARLY: Duration = Duration::from_millis(250);

impl Engine {
    /// When a recorded attempt leaves the queue of attempts that are not due.
    pub(super) fn leaves_at(&self, open: &Open) -> Timestamp {
        let due_at = open.row.due_at;
        let early = SignedDuration::try_from(EARLY).unwrap_or_default();
        match self.goes_early(open) {
            true => due_at.checked_sub(early).unwrap_or(due_at),
            false => due_at,
        }
    }

    /// Whether an attempt may be sent before it is due, if its executor has room then.
    fn goes_early(&self, open: &Open) -> bool {
        let is_fire = open.row.cause == Cause::Schedule && open.row.number == 1;
        let is_free =
            |job: &Job| job.block.scope == BlockScope::Executor && job.shard == ShardStrategy::One;
        // The delay of a returned attempt does not depend on the wall clock.
        is_fire
            && open.rare().due_in.is_none()
            && self.fleet.at(open.life()).is_some_and(Life::accepts_early)
            && self.catalog.job(open.row.job).is_some_and(|job| is_free(job))
    }

    /// Whether an attempt that has left the queue is not due yet.
    pub(super) fn is_early(&self, now: Now, attempt: AttemptId) -> bool {
        let open = self.attempts.get(attempt);
        open.is_some_and(|open| open.row.due_at > now.wall && self.goes_early(open))
    }

    /// Sends an attempt that is not due yet, or lets it wait until it is.
    pub(super) fn dispatch_early(
        &mut self,
        now: Now,
        attempt: AttemptId,
        outgoing: &mut Outgoing,
        out: &mut Effects,
    ) {
        let Some(open) = self.attempts.get(attempt) else { return };
        let due_at = open.row.due_at;
        let life = open.life().filter(|life| {
            let Some(entry) = self.catalog.get(open.row.job) else { return false };
            let (job, life) = (entry.job(), self.fleet.get(*life));
            !entry.is_deleted()
                && self.changes.last_of(open.row.job).is_none()
                && life.is_some_and(|life| {
                    life.has_early_room()
                        && !life.is_crowded()
                        && life.hosts(&job.service, &job.handler)
                        && job.route.names().is_none_or(|name| name == life.executor())
                })
        });
        let Some(life) = life else { return self.attempts.set_due(attempt, due_at) };
        let wait = Duration::try_from(due_at.duration_since(now.wall)).unwrap_or_default();
        self.watch_start(now, attempt);
        if let Some(open) = self.attempts.get_mut(attempt) {
            self.fleet.end_promise(attempt, &mut open.placement);
        }
        self.send(attempt, life, Some(now.uptime + wait), outgoing, out);
    }
}
