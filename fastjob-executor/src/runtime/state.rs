//! What the executor knows of its attempts, under one lock: what it holds, the lanes, and what is to
//! be told.

use std::{collections::HashMap, sync::Arc};

use fastjob_core::wire::v1::{self, from_executor::Message};
use tokio::{sync::Notify, time::Instant};

use super::{
    Arrived, Delivery, Ready,
    lane::{Lane, Verdict},
    outbox::{Outbox, Remembered},
    reports::Reports,
    run::{Control, Why},
    silence::{Cut, Silence},
    unentered,
};
use crate::clock;

#[derive(Default)]
pub(super) struct State {
    /// Attempts that wait or run, by id.
    pub(super) held: HashMap<i64, Held>,
    /// By job.
    lanes: HashMap<i64, Lane>,
    /// By link.
    pub(super) outboxes: HashMap<u32, Arc<Notify>>,
    pub(super) outbox: Outbox,
    pub(super) reports: Reports,
    pub(super) remembered: Remembered,
    pub(super) silence: Silence,
    pub(super) leaving: bool,
}

/// An attempt that waits or runs.
pub(super) enum Held {
    Waiting { link: u32, job: i64 },
    Running(Running),
}

/// An attempt that runs.
pub(super) struct Running {
    pub(super) link: u32,
    pub(super) control: Arc<Control>,
    pub(super) started_at: i64,
}

impl State {
    /// Finds the place of an attempt; one that can run now is returned.
    pub(super) fn take_in(&mut self, arrived: Arrived) -> Option<Ready> {
        let (id, link, job) = (arrived.attempt.attempt, arrived.link, arrived.attempt.job);
        if let Some(at) = self.running(id).map(|running| running.started_at) {
            self.outbox.started(link, id, at);
            return None;
        }
        if self.held.contains_key(&id)
            || self.outbox.resend_one(id)
            || self.remembered.has(id)
            || self.leaving
        {
            return None; // known already, or not held and so given to another
        }
        let lane = self.lanes.entry(job).or_default();
        match lane.arrive(arrived) {
            Verdict::Run(arrived) => return Some(self.enter(arrived)),
            Verdict::Wait => {
                self.held.insert(id, Held::Waiting { link, job });
            }
            Verdict::Skip(why) => {
                if lane.is_empty() {
                    self.lanes.remove(&job);
                }
                self.ended(link, unentered(id, v1::End::Skipped, &why));
            }
            Verdict::Replace { running, waiting } => {
                for old in running {
                    if let Some(old) = self.running(old) {
                        old.control.stop(Why::Asked);
                    }
                }
                for old in waiting {
                    let why = "replaced by a newer attempt";
                    self.ended(old.link, unentered(old.attempt.attempt, v1::End::Stopped, why));
                    self.wake(old.link);
                }
                self.held.insert(id, Held::Waiting { link, job });
            }
        }
        None
    }

    fn enter(&mut self, arrived: Arrived) -> Ready {
        let control = Arc::new(Control::new(&arrived.attempt));
        if control.exclusive && self.silence.is_cut(arrived.link, Instant::now()) {
            control.stop(Why::CutOff);
        }
        let running = Running {
            link: arrived.link,
            control: Arc::clone(&control),
            started_at: clock::now_ms(),
        };
        self.held.insert(arrived.attempt.attempt, Held::Running(running));
        Ready { arrived, control }
    }

    pub(super) fn running(&self, id: i64) -> Option<&Running> {
        match self.held.get(&id)? {
            Held::Running(running) => Some(running),
            Held::Waiting { .. } => None,
        }
    }

    fn running_of(&self, link: u32) -> impl Iterator<Item = (i64, &Running)> {
        self.held.iter().filter_map(move |(id, held)| match held {
            Held::Running(running) if running.link == link => Some((*id, running)),
            Held::Running(_) | Held::Waiting { .. } => None,
        })
    }

    /// Stops an attempt: one that waits ends at once, one that runs gets its stop token.
    pub(super) fn stop(&mut self, id: i64) {
        match self.held.get(&id) {
            Some(Held::Running(running)) => running.control.stop(Why::Asked),
            Some(Held::Waiting { link, job }) => {
                let (link, job) = (*link, *job);
                self.forget(job, id);
                self.ended(link, unentered(id, v1::End::Stopped, "stopped while it waited"));
                self.wake(link);
            }
            None => {}
        }
    }

    pub(super) fn ended(&mut self, link: u32, outcome: v1::Outcome) {
        if let Some(Held::Running(running)) = self.held.remove(&outcome.attempt) {
            self.reports.ended(link, &running.control.said);
        }
        self.outbox.add(link, outcome);
    }

    /// An attempt has left its lane: those whose turn it is.
    pub(super) fn next_in_lane(&mut self, job: i64, id: i64) -> Vec<Ready> {
        let Some(lane) = self.lanes.get_mut(&job) else { return Vec::new() };
        let next = lane.leave(id);
        if lane.is_empty() {
            self.lanes.remove(&job);
        }
        next.into_iter().map(|arrived| self.enter(arrived)).collect()
    }

    /// Gives back what waits.
    pub(super) fn give_back(&mut self, link: u32) -> Vec<i64> {
        let waiting: Vec<_> = self
            .held
            .iter()
            .filter_map(|(id, held)| match held {
                Held::Waiting { link: of, job } if *of == link => Some((*id, *job)),
                Held::Waiting { .. } | Held::Running(_) => None,
            })
            .collect();
        for (id, job) in &waiting {
            self.held.remove(id);
            self.forget(*job, *id);
        }
        waiting.into_iter().map(|(id, _)| id).collect()
    }

    fn forget(&mut self, job: i64, id: i64) {
        if let Some(lane) = self.lanes.get_mut(&job) {
            lane.forget(id);
        }
    }

    /// A link has a new session, which knows nothing.
    pub(super) fn reconnected(&mut self, link: u32) {
        self.outbox.resend(link);
        let running: Vec<_> = self
            .running_of(link)
            .map(|(id, running)| (id, running.started_at, Arc::clone(&running.control.said)))
            .collect();
        for (id, at, _) in &running {
            self.outbox.started(link, *id, *at);
        }
        self.reports.again(link, running.iter().map(|(_, _, said)| said));
        self.wake(link);
    }

    /// What a link is to say next. An outcome comes after all else that its attempt has to say.
    pub(super) fn deliver(&mut self, link: u32, now: Instant) -> Delivery {
        let (checkpoints, progress) = self.reports.next(link, now);
        let (started, finished) = self.outbox.next(link).unwrap_or_default();
        let mut messages = Vec::new();
        if !started.attempts.is_empty() {
            messages.push(Message::Started(started));
        }
        if !checkpoints.attempts.is_empty() {
            messages.push(Message::Checkpoints(checkpoints));
        }
        if !progress.attempts.is_empty() {
            messages.push(Message::Progress(progress));
        }
        if !finished.outcomes.is_empty() {
            messages.push(Message::Finished(finished));
        }
        Delivery { messages, next_at: self.reports.due_at(link, now) }
    }

    /// Ends what must not run any more because its coordinator is not heard; returns when to look
    /// again.
    pub(super) fn cut_off(&mut self, now: Instant) -> Option<Instant> {
        for (link, cut) in self.silence.due(now) {
            let mut count = 0;
            for (_, running) in self.running_of(link).filter(|(_, run)| run.control.exclusive) {
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
                    "the coordinator is not heard, exclusive attempts are ended"
                );
            }
        }
        self.silence.next()
    }

    pub(super) fn wake(&self, link: u32) {
        if let Some(link) = self.outboxes.get(&link) {
            link.notify_one();
        }
    }
}
