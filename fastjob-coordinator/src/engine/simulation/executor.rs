//! An executor as the engine sees it: it runs what it is sent once, holds outcomes until they are
//! acknowledged, and stops what is exclusive when it does not hear from its coordinator.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    time::Duration,
};

use fastjob_core::{AttemptId, attempt::End};
use jiff::Timestamp;

use crate::engine::{Message, Outcome, SessionId, StartAttempt};

/// What an executor says.
#[derive(Clone, Debug)]
pub(super) enum Said {
    Started(AttemptId, Timestamp),
    Finished(Outcome),
}

#[derive(Debug)]
pub(super) struct Executor {
    pub(super) name: String,
    pub(super) incarnation: u32,
    pub(super) session: Option<SessionId>,
    /// To it, on the stream.
    pub(super) inbound: VecDeque<Message>,
    /// From it, on the stream.
    pub(super) outbound: VecDeque<Said>,
    pub(super) running: BTreeMap<AttemptId, StartAttempt>,
    pub(super) unacknowledged: BTreeMap<AttemptId, Outcome>,
    /// Everything that was entered in this life.
    pub(super) entered: BTreeSet<AttemptId>,
    /// When it heard from the coordinator last.
    pub(super) heard_at: Duration,
}

impl Executor {
    pub(super) fn new(n: usize) -> Self {
        Self {
            name: format!("e{n}"),
            incarnation: 1,
            session: None,
            inbound: VecDeque::new(),
            outbound: VecDeque::new(),
            running: BTreeMap::new(),
            unacknowledged: BTreeMap::new(),
            entered: BTreeSet::new(),
            heard_at: Duration::ZERO,
        }
    }

    /// The stream is gone, with what was under way on it.
    pub(super) fn cut(&mut self) -> Option<SessionId> {
        self.inbound.clear();
        self.outbound.clear();
        self.session.take()
    }

    /// The process is another one.
    pub(super) fn restart(&mut self) {
        self.incarnation += 1;
        self.running.clear();
        self.unacknowledged.clear();
        self.entered.clear();
    }

    pub(super) fn holding(&self) -> Vec<AttemptId> {
        self.running.keys().chain(self.unacknowledged.keys()).copied().collect()
    }

    pub(super) fn say(&mut self, said: Said) {
        if self.session.is_some() {
            self.outbound.push_back(said);
        }
    }

    /// An attempt ends here; the job knows whether its result is worth a text.
    pub(super) fn finish(&mut self, attempt: AttemptId, end: End, now: Timestamp) {
        if self.running.remove(&attempt).is_none() {
            return;
        }
        let result = (end == End::Succeeded).then(|| attempt.to_string());
        let outcome = Outcome {
            attempt,
            end,
            result,
            message: None,
            checkpoint: None,
            started_at: Some(now),
            ended_at: now,
            log_tail: String::new(),
        };
        self.unacknowledged.insert(attempt, outcome.clone());
        self.say(Said::Finished(outcome));
    }

    /// Ends what no other executor may run at the same time, before another may be given it.
    pub(super) fn stop_exclusive(&mut self, now: Timestamp) {
        let exclusive = self.running.values().filter(|start| start.job.block.is_exclusive());
        for attempt in exclusive.map(|start| start.attempt).collect::<Vec<_>>() {
            self.finish(attempt, End::Failed(fastjob_core::FailReason::ExecutorLost), now);
        }
    }
}
