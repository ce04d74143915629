//! Fires that are sent before they are due.
//!
//! To send thousands of attempts that are due at the same instant takes longer than an instant. So
//! a fire leaves before it is due, and its executor enters it by a timer of its own. One fire leaves
//! [`LEAST`] before it is due; of many, each next one leaves a little earlier, up to [`EARLY`]. A fire
//! that has left counts as sent, and takes a place.
//!
//! A fire leaves early only if nothing can still change where it runs or whether it may run: its job
//! has no rule across the cluster and no shards, and its executor accepts attempts early and has
//! room for it. Changes of the job wait until it is due (see [`changes`](super::changes)).

use std::time::Duration;

use fastjob_core::{AttemptId, Cause, Job, block::BlockScope, shard::ShardStrategy};
use jiff::Timestamp;

use super::place::Outgoing;
use crate::{
    effect::Effects,
    engine::Engine,
    event::Now,
    state::{attempts::Open, fleet::Life},
};

/// How long before they are due fires are sent at most.
pub(crate) const EARLY: Duration = Duration::from_millis(250);
/// How long before it is due a fire is sent if it is the only one: longer than a message takes.
const LEAST: Duration = Duration::from_millis(20);
/// How much earlier a fire is sent for each other that is due soon: a coordinator and an executor that
/// share two cores take less.
const EACH: Duration = Duration::from_micros(20);
/// Fires leave together at multiples of this.
const STEP_MS: i64 = 5;

impl Engine {
    /// When a recorded attempt leaves the queue of attempts that are not due.
    pub(super) fn leaves_at(&self, open: &Open) -> Timestamp {
        let due_at = open.row.due_at;
        if !self.goes_early(open) {
            return due_at;
        }
        // So many that are recorded one after the other leave one after the other, the last ones
        // first.
        let others = u32::try_from(self.attempts.not_due()).unwrap_or(u32::MAX);
        let early = LEAST.saturating_add(EACH.saturating_mul(others)).min(EARLY);
        let at = due_at.as_millisecond() - i64::try_from(early.as_millis()).unwrap_or_default();
        Timestamp::from_millisecond(at - at.rem_euclid(STEP_MS) + STEP_MS).unwrap_or(due_at)
    }

    /// Whether an attempt may be sent before it is due, if its executor has room then.
    fn goes_early(&self, open: &Open) -> bool {
        let is_free =
            |job: &Job| job.block.scope == BlockScope::Executor && job.shard == ShardStrategy::One;
        is_fire(open)
            && self.fleet.at(open.life()).is_some_and(Life::accepts_early)
            && self.catalog.job(open.row.job).is_some_and(|job| is_free(job))
    }

    /// Whether an attempt that has left the queue is a fire that is not due yet.
    pub(super) fn is_early(&self, now: Now, attempt: AttemptId) -> bool {
        let open = self.attempts.get(attempt);
        open.is_some_and(|open| is_fire(open) && open.row.due_at > now.wall)
    }

    /// Sends a fire that is not due yet, or lets it wait until it is.
    pub(super) fn dispatch_early(
        &mut self,
        now: Now,
        attempt: AttemptId,
        outgoing: &mut Outgoing,
        out: &mut Effects,
    ) {
        let Some(open) = self.attempts.get(attempt) else { return };
        let (job_id, due_at) = (open.row.job, open.row.due_at);
        // Its executor or its job may have changed since it was recorded.
        let life = open.life().filter(|life| {
            let (Some(entry), Some(life)) = (self.catalog.get(job_id), self.fleet.get(*life))
            else {
                return false;
            };
            let job = entry.job();
            self.goes_early(open)
                && !entry.is_deleted()
                && self.changes.last_of(job_id).is_none()
                && life.has_early_room()
                && !life.is_crowded()
                && life.hosts(&job.service, &job.handler)
                && job.route.names().is_none_or(|name| name == life.executor())
        });
        let Some(life) = life else { return self.attempts.set_due(attempt, due_at) };
        let wait = Duration::try_from(due_at.duration_since(now.wall)).unwrap_or_default();
        let enter_at = now.uptime + wait;
        self.left.add(job_id, enter_at, now.uptime);
        self.watch_start(now, attempt);
        if let Some(open) = self.attempts.get_mut(attempt) {
            self.fleet.end_promise(attempt, &mut open.placement);
        }
        self.send(now, attempt, life, Some(enter_at), outgoing, out);
    }
}

/// Whether an attempt is the first one of a fire, and is due at its instant. The delay of a returned
/// attempt does not depend on the wall clock.
fn is_fire(open: &Open) -> bool {
    open.row.cause == Cause::Schedule && open.row.number == 1 && open.rare().due_in.is_none()
}
