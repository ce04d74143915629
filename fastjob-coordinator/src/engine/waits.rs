//! Due attempts that wait: for an executor that can take them, or for their turn.

use std::time::Duration;

use fastjob_core::{AttemptId, ExecutorName, JobId, attempt::End};

use super::{
    Engine, HORIZON, Now,
    queues::WaitKey,
    state::{Life, Open, Step},
};
use crate::record::{LifeId, NOT_SPREAD};

/// How long what waits stays recorded at the executor that it was planned for. If coordinator and
/// executor die within that time, it counts as lost with the executor; most waits are shorter, and
/// cost no row.
const DISPLACED_AFTER: Duration = HORIZON;

impl Engine {
    /// Lets an attempt wait for an executor, for as long as its job allows.
    pub(super) fn wait(&mut self, now: Now, attempt: AttemptId) {
        let Some(open) = self.open.get(&attempt) else { return };
        let Some(entry) = self.catalog.get(open.job) else { return };
        let job = entry.job();
        let bound = open.more().bound.and_then(|life| self.lives.get(&life));
        let hosts = |life: &&Life| life.is_live() && life.hosts(&job.service, &job.handler);
        let bound = bound.filter(hosts).map(|life| &life.executor);
        let key = WaitKey {
            service: job.service.clone(),
            handler: job.handler.clone(),
            executor: bound.or(open.more().wanted.as_ref()).or(job.route.names()).cloned(),
        };
        let until = now.uptime.saturating_add(job.no_executor);
        self.move_to(attempt, Step::Waiting, open.life);
        self.waiting.push(key, attempt);
        self.displace_later(now, attempt);
        // A failed re-dispatch must not restart the timeout.
        self.set_deadline(attempt, |deadlines| {
            deadlines.no_executor.get_or_insert(until);
        });
    }

    /// Lets shards look for another executor that waited for one that takes no more.
    pub(super) fn unbind_from(&mut self, now: Now, leaving: LifeId) {
        if let Some(executor) = self.lives.get(&leaving).map(|life| life.executor.clone()) {
            self.unbind(now, leaving, &executor);
        }
    }

    /// Lets shards look for another executor that waited for one that is gone.
    pub(super) fn unbind(&mut self, now: Now, gone: LifeId, executor: &ExecutorName) {
        let waited: Vec<_> = self
            .waiting
            .of_executor(executor)
            .filter(|attempt| {
                self.open.get(attempt).is_some_and(|open| open.more().bound == Some(gone))
            })
            .collect();
        for attempt in waited {
            self.unplace(now, attempt);
        }
    }

    /// Has it recorded soon that an attempt that waits is on no executor: the next engine would take
    /// it for lost with an executor that it was never sent to.
    pub(super) fn displace_later(&mut self, now: Now, attempt: AttemptId) {
        if self.open.get(&attempt).is_some_and(|open| open.life.is_some()) {
            let at = now.uptime.saturating_add(DISPLACED_AFTER);
            self.set_deadline(attempt, |deadlines| {
                deadlines.displaced.get_or_insert(at);
            });
        }
    }

    /// Records of an attempt that still waits that it is on no executor.
    pub(super) fn displace_waiting(&mut self, attempt: AttemptId) {
        let waits = |open: &Open| matches!(open.step, Step::Waiting | Step::Queued);
        if self.open.get(&attempt).is_some_and(waits) {
            self.displace(attempt);
        }
    }

    /// The attempts of a job that wait for an executor look for one again, as the job is now.
    pub(super) fn wait_again(&mut self, job: JobId) {
        let Some(entry) = self.catalog.get(job) else { return };
        let waits =
            |id: &AttemptId| self.open.get(id).is_some_and(|open| open.step == Step::Waiting);
        let waiting = entry.open.iter().copied().filter(waits).collect();
        self.chores.wait_again(job, waiting);
    }

    /// An attempt that waits for an executor looks for one again.
    pub(super) fn look_again(&mut self, now: Now, attempt: AttemptId) {
        if let Some(open) = self.open.get(&attempt).filter(|open| open.step == Step::Waiting) {
            self.await_due(now, attempt, open.life);
        }
    }

    /// Fails an attempt that has waited for an executor as long as its job allows.
    pub(super) fn give_up_waiting(&mut self, now: Now, attempt: AttemptId) {
        let Some(open) = self.open.get(&attempt) else { return };
        if open.step == Step::NotDue {
            // It looks for an executor just now; if there is none, it has waited long enough.
            let soon = now.uptime + Duration::from_millis(1);
            return self.set_deadline(attempt, |deadlines| deadlines.no_executor = Some(soon));
        }
        if open.step != Step::Waiting {
            return;
        }
        let Some(entry) = self.catalog.get(open.job) else { return };
        let job = entry.job();
        let waited = fastjob_core::duration::to_text(job.no_executor);
        let hosts = self.groups.get(&(job.service.clone(), job.handler.clone()));
        let only = open.more().wanted.as_ref().or(job.route.names());
        let message = match (only, hosts.map_or(0, |group| group.len())) {
            (Some(name), _) => format!("executor `{name}` could not take it for {waited}"),
            (None, n @ 1..) if open.shard == NOT_SPREAD => {
                format!("none of the {n} executors with the handler met the filter for {waited}")
            }
            (None, 0) => format!(
                "no executor of service `{}` with the handler `{}` was connected for {waited}",
                job.service, job.handler
            ),
            (None, 1) => {
                format!("the one executor with the handler `{}` was full for {waited}", job.handler)
            }
            (None, n) => format!(
                "all {n} executors with the handler `{}` were full for {waited}",
                job.handler
            ),
        };
        let end = End::Failed(fastjob_core::FailReason::NoExecutor);
        self.end_here(now, attempt, end, Some(message));
    }
}
