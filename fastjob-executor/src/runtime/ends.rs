//! How held attempts end: by themselves, on request, on shutdown, or because the coordinator cannot
//! be heard.

use std::{
    collections::{HashMap, VecDeque},
    time::Duration,
};

use fastjob_core::{AttemptId, JobId, attempt::End};
use tokio::time::Instant;

use super::{
    Ready, UNHEARD,
    attempt::Attempt,
    control::Why,
    outcome::{CUT_OFF, Outcome},
    silence::Cut,
    state::{Held, State},
};

impl State {
    /// Stops an attempt. A waiting one ends at once with `why`; a running one gets its stop token.
    pub(super) fn stop(&mut self, id: AttemptId, why: &str) {
        match self.held.get(&id) {
            Some(Held::Running(running)) => {
                running.control.stop(Why::Asked);
                self.look_again(id, Some(Instant::now()));
            }
            Some(Held::Waiting(_)) => self.end_waiting(&[id], End::Stopped, why),
            None => {}
        }
    }

    /// Ends waiting attempts.
    fn end_waiting(&mut self, ids: &[AttemptId], end: End, why: &str) {
        let mut gone = HashMap::new();
        let mut names = Vec::new();
        for id in ids {
            if let Some(Held::Waiting(waiting)) = self.held.get(id) {
                gone.insert(*id, waiting.job);
                names.push(waiting.name);
            }
        }
        self.forget(&gone);
        for name in names {
            self.ended(Outcome::unentered(name, end, why));
        }
    }

    /// An attempt is over: reports its outcome.
    pub(super) fn ended(&mut self, outcome: Outcome) {
        #[cfg(test)]
        assert!(!std::mem::take(&mut self.breaks), "broken by a test");
        let id = outcome.name.id;
        if self.stuck.remove(&id) {
            tracing::info!(attempt.id = id.0, "an abandoned attempt has ended");
            self.places.taken -= 1;
        } else if let Some(Held::Running(_)) = self.report(outcome) {
            self.places.taken -= 1;
        }
    }

    /// An attempt is no longer held: reports its outcome.
    pub(super) fn report(&mut self, outcome: Outcome) -> Option<Held> {
        let id = outcome.name.id;
        let partition = self.owners.partition(id);
        let held = self.remove(id);
        if let Some(Held::Running(running)) = &held {
            self.reports.ended(partition, &running.control.said);
            self.unwatch(id, running.look_at);
        }
        match (&held, outcome.started_at) {
            (Some(Held::Running(running)), Some(started_at)) => {
                let handler = &running.control.handler;
                self.metrics.ended(handler, outcome.end, started_at, outcome.ended_at);
            }
            (Some(Held::Running(_) | Held::Waiting(_)) | None, _) => self.metrics.not_entered(),
        }
        self.outbox.add(partition, outcome);
        self.wake(partition);
        held
    }

    /// An attempt that ran has left its lane. Returns the attempts whose turn it is.
    pub(super) fn next_to_run(&mut self, job: JobId, id: AttemptId) -> Vec<Ready> {
        self.leave_lane(job, id);
        self.next_with_places()
    }

    /// The attempts behind it in its lane now wait for a place.
    fn leave_lane(&mut self, job: JobId, id: AttemptId) {
        let Some(lane) = self.lanes.get_mut(&job) else { return };
        self.places.waiting.extend(lane.leave(id));
        if lane.is_empty() {
            self.lanes.remove(&job);
        }
    }

    /// Removes attempts that wait in their lanes or for places. Maps attempts to their jobs.
    pub(super) fn forget(&mut self, gone: &HashMap<AttemptId, JobId>) {
        for (id, job) in gone {
            if let Some(lane) = self.lanes.get_mut(job) {
                lane.stop_waiting(*id);
            }
        }
        let (left, stay): (VecDeque<_>, _) = std::mem::take(&mut self.places.waiting)
            .into_iter()
            .partition(|waiting: &Attempt| gone.contains_key(&waiting.name.id));
        self.places.waiting = stay;
        for waiting in left {
            self.leave_lane(waiting.job, waiting.name.id);
        }
    }

    /// Accepts no more work and returns waiting attempts. If no coordinator acts on an attempt's
    /// partition, the next owner learns from Holding that the attempt is not here.
    pub(super) fn leave(&mut self) {
        self.leaving = true;
        let waiting: HashMap<_, _> = self
            .held
            .iter()
            .filter_map(|(id, held)| match held {
                Held::Waiting(waiting) => Some((*id, waiting.job)),
                Held::Running(_) => None,
            })
            .collect();
        self.forget(&waiting);
        let mut ids: Vec<_> = waiting.into_keys().collect();
        ids.sort_unstable();
        for id in ids {
            self.remove(id);
            let partition = self.owners.partition(id);
            let link = self.owners.link(partition);
            match link.and_then(|link| self.links.session(link)) {
                Some(session) => session.give_back(id),
                None => drop(self.unconfirmed.insert(partition)),
            }
        }
        self.links.wake_all();
    }

    /// Ends exclusive attempts whose coordinator cannot be heard. Returns when the next one has to
    /// end. Times are those of [`Clock::elapsed`](crate::clock::Clock::elapsed).
    pub(super) fn cut_off(&mut self, now: Duration) -> Option<Duration> {
        for (partition, cut) in self.silence.due(now) {
            // A waiting attempt must not run later: the coordinator may have abandoned it by that
            // time.
            let waiting: Vec<_> = self
                .held
                .iter()
                .filter_map(|(id, held)| match held {
                    Held::Waiting(waiting) if waiting.exclusive => Some(*id),
                    Held::Waiting(_) | Held::Running(_) => None,
                })
                .filter(|id| self.owners.partition(*id) == partition)
                .collect();
            let mut count = waiting.len();
            self.end_waiting(&waiting, CUT_OFF, UNHEARD);
            for (_, running) in self.running_of(partition).filter(|(_, run)| run.control.exclusive)
            {
                running.control.stop(Why::CutOff);
                if cut == Cut::Abort {
                    running.control.abort();
                }
                count += 1;
            }
            if count > 0 {
                tracing::warn!(
                    attempts = count,
                    aborted = cut == Cut::Abort,
                    "lost contact with the coordinator, ending exclusive attempts"
                );
            }
        }
        self.silence.next()
    }
}
