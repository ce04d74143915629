//! Long work that is done in slices: one event may affect any number of attempts, but each step of
//! the engine must be short.
//!
//! Other events are handled between the slices, so each slice checks the current state. A crash
//! loses the chores; loading the partition creates the remaining ones again.

use std::{collections::VecDeque, sync::Arc, time::Duration, vec::IntoIter};

use fastjob_core::{AttemptId, JobId};

use crate::{
    event::SessionId,
    maps::{IdMap, IdSet},
    notice::Gone,
    record::{ChildStart, LifeId},
    state::attempts::WaitKey,
};

/// The maximum number of attempts in one slice.
pub(crate) const SLICE: usize = 1_000;

/// The remaining work.
#[derive(Debug, Default)]
pub(crate) struct Chores {
    ends: VecDeque<Ends>,
    not_received: VecDeque<NotReceived>,
    /// Attempts that look for an executor again, by job.
    again: VecDeque<(JobId, IntoIter<AttemptId>)>,
    /// Children to start, each with the uptime at which its read began; `None` if it was loaded.
    children: VecDeque<(ChildStart, Option<Duration>)>,
    /// Executors with free places, and how far they have been offered waiting attempts.
    pumps: IdMap<LifeId, Pump>,
}

/// How far an executor has been offered waiting attempts.
#[derive(Debug)]
pub(crate) struct Pump {
    /// The queues that it may take attempts from, each with the place from which to continue.
    pub(crate) keys: Vec<(WaitKey, u64)>,
    /// Jobs whose attempts could not be placed on it.
    pub(crate) refused: IdSet<JobId>,
}

/// Attempts that an executor did not receive, as it reported when its session began.
#[derive(Debug)]
struct NotReceived {
    life: LifeId,
    session: SessionId,
    attempts: IntoIter<AttemptId>,
}

/// Attempts that end for one reason.
#[derive(Debug)]
struct Ends {
    why: Why,
    attempts: IntoIter<AttemptId>,
}

/// Why attempts end.
#[derive(Clone, Debug)]
pub(crate) enum Why {
    /// Their executor is lost.
    Lost { life: LifeId, gone: Arc<Gone> },
    /// Their job was deleted.
    Deleted(JobId),
}

impl Why {
    fn is_loss_of(&self, of: LifeId) -> bool {
        matches!(self, Self::Lost { life, .. } if *life == of)
    }
}

impl Chores {
    pub(crate) fn is_empty(&self) -> bool {
        self.ends.is_empty()
            && self.not_received.is_empty()
            && self.again.is_empty()
            && self.children.is_empty()
            && self.pumps.is_empty()
    }

    /// Ends attempts that are lost with their executor.
    pub(crate) fn lose(&mut self, life: LifeId, gone: Arc<Gone>, attempts: Vec<AttemptId>) {
        // If the life was superseded earlier, it still holds the rest of the earlier list.
        self.ends.retain(|earlier| !earlier.why.is_loss_of(life));
        if !attempts.is_empty() {
            let why = Why::Lost { life, gone };
            self.ends.push_back(Ends { why, attempts: attempts.into_iter() });
        }
    }

    /// Places attempts again that their executor did not receive.
    pub(crate) fn not_received(
        &mut self,
        life: LifeId,
        session: SessionId,
        attempts: Vec<AttemptId>,
    ) {
        // The attempts from an earlier session are among them, if they are still not received.
        self.not_received.retain(|earlier| earlier.life != life);
        if !attempts.is_empty() {
            let attempts = attempts.into_iter();
            self.not_received.push_back(NotReceived { life, session, attempts });
        }
    }

    /// Lets all waiting attempts of a job look for an executor again.
    pub(crate) fn wait_again(&mut self, job: JobId, attempts: Vec<AttemptId>) {
        self.again.retain(|(earlier, _)| *earlier != job);
        if !attempts.is_empty() {
            self.again.push_back((job, attempts.into_iter()));
        }
    }

    /// Ends the attempts of a deleted job that are not on an executor.
    pub(crate) fn end_deleted(&mut self, job: JobId, attempts: Vec<AttemptId>) {
        if !attempts.is_empty() {
            self.ends.push_back(Ends { why: Why::Deleted(job), attempts: attempts.into_iter() });
        }
    }

    /// Starts children of tasks of other partitions.
    pub(crate) fn start_children(&mut self, children: Vec<ChildStart>, read_at: Option<Duration>) {
        // A later read of the store returns those that are not started yet.
        if self.children.len() < SLICE {
            self.children.extend(children.into_iter().map(|child| (child, read_at)));
        }
    }

    /// Continues to offer an executor waiting attempts in the next step.
    pub(crate) fn pump(&mut self, life: LifeId, pump: Pump) {
        self.pumps.insert(life, pump);
    }

    pub(crate) fn is_pumping(&self, life: LifeId) -> bool {
        self.pumps.contains_key(&life)
    }

    pub(crate) fn take_pumps(&mut self) -> IdMap<LifeId, Pump> {
        std::mem::take(&mut self.pumps)
    }

    /// The next attempts that end for one reason, at most `most`.
    pub(crate) fn next_ends(&mut self, most: usize) -> Option<(Why, Vec<AttemptId>)> {
        let mut ends = self.ends.pop_front()?;
        let slice = ends.attempts.by_ref().take(most).collect();
        let why = ends.why.clone();
        if ends.attempts.len() > 0 {
            self.ends.push_front(ends);
        }
        Some((why, slice))
    }

    /// The next attempts that an executor did not receive, at most `most`.
    pub(crate) fn next_not_received(
        &mut self,
        most: usize,
        is_current: impl Fn(LifeId, SessionId) -> bool,
    ) -> Option<(LifeId, Vec<AttemptId>)> {
        // In a later session, the executor has reported again what it holds.
        while let Some(mut all) = self.not_received.pop_front() {
            if is_current(all.life, all.session) {
                let slice = all.attempts.by_ref().take(most).collect();
                let life = all.life;
                if all.attempts.len() > 0 {
                    self.not_received.push_front(all);
                }
                return Some((life, slice));
            }
        }
        None
    }

    /// The next attempts of one job that look for an executor again.
    pub(crate) fn next_again(&mut self) -> Option<Vec<AttemptId>> {
        let (job, mut attempts) = self.again.pop_front()?;
        let slice = attempts.by_ref().take(SLICE).collect();
        if attempts.len() > 0 {
            self.again.push_front((job, attempts));
        }
        Some(slice)
    }

    /// The next child to start, and when its read from the store began.
    pub(crate) fn next_child(&mut self) -> Option<(ChildStart, Option<Duration>)> {
        self.children.pop_front()
    }

    #[cfg(any(test, feature = "simulation"))]
    pub(crate) fn len(&self) -> usize {
        let ends = self.ends.iter().map(|ends| ends.attempts.len()).sum::<usize>();
        let returned = self.not_received.iter().map(|all| all.attempts.len()).sum::<usize>();
        let again = self.again.iter().map(|(_, all)| all.len()).sum::<usize>();
        ends + returned + again + self.children.len() + self.pumps.len()
    }
}
