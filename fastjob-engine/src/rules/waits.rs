//! Due attempts that wait for an executor that can take them, or for their turn.

use std::time::Duration;

use fastjob_core::{AttemptId, ExecutorName, FailReason, JobId, attempt::End};

use crate::{
    engine::{Engine, HORIZON},
    event::Now,
    record::{LifeId, NOT_SPREAD},
    state::{
        attempts::{Open, Step, WaitKey},
        fleet::Life,
    },
};

/// How long an attempt that waits stays recorded at the executor that it was planned for. If
/// coordinator and executor crash within that time, it counts as lost with the executor. Most waits
/// are shorter, and need no write.
const DISPLACED_AFTER: Duration = HORIZON;

impl Engine {
    /// Lets an attempt wait for an executor, for as long as its job allows.
    pub(super) fn wait(&mut self, now: Now, attempt: AttemptId) {
        let Some(open) = self.attempts.get(attempt) else { return };
        let Some(job) = self.catalog.job(open.row.job) else { return };
        let bound = self.fleet.at(open.rare().bound);
        let hosts = |life: &&Life| life.is_live() && life.hosts(&job.service, &job.handler);
        let bound = bound.filter(hosts).map(Life::executor);
        let key = WaitKey {
            service: job.service.clone(),
            handler: job.handler.clone(),
            executor: bound.or(open.rare().wanted.as_ref()).or(job.route.names()).cloned(),
        };
        let until = now.uptime.saturating_add(job.no_executor);
        let life = open.life();
        self.move_to(attempt, Step::Waiting, life);
        self.attempts.wait_for(attempt, key);
        self.displace_later(now, attempt);
        // A failed re-dispatch must not restart the timeout.
        self.attempts.set_deadlines(attempt, |deadlines| {
            deadlines.no_executor.get_or_insert(until);
        });
    }

    /// Shards that wait for an executor that drains look for another executor.
    pub(super) fn unbind_from(&mut self, now: Now, draining: LifeId) {
        if let Some(executor) = self.fleet.get(draining).map(|life| life.executor().clone()) {
            self.unbind(now, draining, &executor);
        }
    }

    /// Shards that wait for an executor that is gone look for another executor.
    pub(super) fn unbind(&mut self, now: Now, gone: LifeId, executor: &ExecutorName) {
        let is_bound = |id: &AttemptId| {
            self.attempts.get(*id).is_some_and(|open| open.rare().bound == Some(gone))
        };
        let waited: Vec<_> =
            self.attempts.waiting().of_executor(executor).filter(is_bound).collect();
        for attempt in waited {
            self.unplace(now, attempt);
        }
    }

    /// Schedules the record that a waiting attempt is on no executor. Without it, the next engine
    /// would consider the attempt lost with an executor that it was never sent to.
    pub(super) fn displace_later(&mut self, now: Now, attempt: AttemptId) {
        if self.attempts.get(attempt).is_some_and(|open| open.life().is_some()) {
            let at = now.uptime.saturating_add(DISPLACED_AFTER);
            self.attempts.set_deadlines(attempt, |deadlines| {
                deadlines.displaced.get_or_insert(at);
            });
        }
    }

    /// Records that an attempt that still waits is on no executor.
    pub(crate) fn displace_waiting(&mut self, attempt: AttemptId) {
        let waits = |open: &Open| matches!(open.step(), Step::Waiting | Step::Queued);
        if self.attempts.get(attempt).is_some_and(waits) {
            self.displace(attempt);
        }
    }

    /// Lets the waiting attempts of a job look for an executor again, after the job has changed.
    pub(super) fn wait_again(&mut self, job: JobId) {
        let waits = |id: &AttemptId| self.attempts.at_step(*id, Step::Waiting).is_some();
        let waiting = self.attempts.of_job(job).filter(waits).collect();
        self.chores.wait_again(job, waiting);
    }

    /// Lets an attempt that waits for an executor look for one again.
    pub(super) fn look_again(&mut self, now: Now, attempt: AttemptId) {
        if let Some(open) = self.attempts.at_step(attempt, Step::Waiting) {
            self.await_due(now, attempt, open.life());
        }
    }

    /// Fails an attempt that has waited for an executor for as long as its job allows.
    pub(crate) fn fail_waiting(&mut self, now: Now, attempt: AttemptId) {
        let Some(open) = self.attempts.get(attempt) else { return };
        if open.step() == Step::NotDue {
            // It is about to look for an executor again. If none can take it, it has waited long
            // enough.
            let soon = now.uptime + Duration::from_millis(1);
            return self
                .attempts
                .set_deadlines(attempt, |deadlines| deadlines.no_executor = Some(soon));
        }
        if open.step() != Step::Waiting {
            return;
        }
        let Some(message) = self.why_no_executor(open) else { return };
        self.end_here(now, attempt, End::Failed(FailReason::NoExecutor), Some(message));
    }

    fn why_no_executor(&self, open: &Open) -> Option<String> {
        let job = self.catalog.job(open.row.job)?;
        let waited = fastjob_core::duration::to_text(job.no_executor);
        let hosts = self.fleet.hosts(&job.service, &job.handler).len();
        let only = open.rare().wanted.as_ref().or(job.route.names());
        let drained = |life: Option<&Life>| life.is_some_and(Life::is_drained);
        let drained_hosts = self.fleet.hosts(&job.service, &job.handler);
        let drained_hosts = drained_hosts.filter(|(_, life)| drained(*life)).count();
        Some(match (only, hosts) {
            (Some(name), _)
                if drained(self.fleet.in_seat(&job.service, name).map(|(_, life)| life)) =>
            {
                format!(
                    "executor `{name}` is drained, and did not accept work for {waited}: \
                     `fastjob executor resume` ends that"
                )
            }
            (None, n @ 1..) if n == drained_hosts => format!(
                "all executors with the handler `{}` are drained ({n}), and none accepted work for \
                 {waited}: `fastjob executor resume` ends that",
                job.handler
            ),
            (Some(name), _) => format!(
                "executor `{name}` was disconnected, full or without the handler `{}` for {waited}",
                job.handler
            ),
            (None, n @ 1..) if open.row.shard == NOT_SPREAD => {
                format!(
                    "none of the {n} executors with the handler matched the filter for {waited}"
                )
            }
            (None, 0) => format!(
                "no executor of service `{}` with the handler `{}` was connected for {waited}",
                job.service, job.handler
            ),
            (None, n @ 1..) if drained_hosts > 0 => format!(
                "of {n} executors with the handler `{}`, {drained_hosts} were drained and the others \
                 full for {waited}",
                job.handler
            ),
            (None, 1) => {
                format!("the one executor with the handler `{}` was full for {waited}", job.handler)
            }
            (None, n) => format!(
                "all {n} executors with the handler `{}` were full for {waited}",
                job.handler
            ),
        })
    }
}
