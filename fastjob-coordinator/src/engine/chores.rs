//! Long work, done in slices: what one event sets off may concern any number of attempts, and no
//! step of the engine may take long.
//!
//! A chore can be interrupted by other events, so each slice looks at the state as it is by then. A
//! crash loses the chores; what they had left is found again when the partition is loaded.

use std::collections::VecDeque;

use fastjob_core::{AttemptId, ExecutorName, FailReason, JobId, attempt::End};

use super::{Effects, Engine, Now, idmap::IdMap, pump::Pump};
use crate::record::{ChildStart, LifeId};

/// Most attempts that one step works off.
const SLICE: usize = 1_000;

/// The work that is left.
#[derive(Debug, Default)]
pub(super) struct Chores {
    ends: VecDeque<Ends>,
    children: VecDeque<ChildStart>,
    /// Executors with free places, and how far they have been offered what waits.
    pub(super) pumps: IdMap<LifeId, Pump>,
}

/// Attempts that end for one reason.
#[derive(Debug)]
struct Ends {
    why: Why,
    attempts: std::vec::IntoIter<AttemptId>,
}

#[derive(Debug)]
enum Why {
    /// Their executor is lost.
    Lost { life: LifeId, executor: ExecutorName, why: &'static str },
    /// Their job was deleted.
    Deleted(JobId),
}

impl Chores {
    pub(super) fn is_empty(&self) -> bool {
        self.ends.is_empty() && self.children.is_empty() && self.pumps.is_empty()
    }

    /// Ends attempts that are lost with their executor.
    pub(super) fn lose(
        &mut self,
        life: LifeId,
        executor: ExecutorName,
        why: &'static str,
        attempts: Vec<AttemptId>,
    ) {
        if !attempts.is_empty() {
            let why = Why::Lost { life, executor, why };
            self.ends.push_back(Ends { why, attempts: attempts.into_iter() });
        }
    }

    /// Ends the attempts of a deleted job that are not on an executor.
    pub(super) fn end_deleted(&mut self, job: JobId, attempts: Vec<AttemptId>) {
        if !attempts.is_empty() {
            self.ends.push_back(Ends { why: Why::Deleted(job), attempts: attempts.into_iter() });
        }
    }

    /// Starts children of tasks of other partitions.
    pub(super) fn start_children(&mut self, children: Vec<ChildStart>) {
        // A later look at the store repeats what is not started yet.
        if self.children.len() < SLICE {
            self.children.extend(children);
        }
    }

    #[cfg(any(test, feature = "simulation"))]
    pub(super) fn len(&self) -> usize {
        let ends = self.ends.iter().map(|ends| ends.attempts.len()).sum::<usize>();
        ends + self.children.len() + self.pumps.len()
    }
}

impl Engine {
    /// Works off one slice of each kind.
    pub(super) fn run_chores(&mut self, now: Now, out: &mut Effects) {
        if self.chores.is_empty() {
            return;
        }
        self.run_ends(now);
        for _ in 0..SLICE {
            let Some(child) = self.chores.children.pop_front() else { break };
            self.start_handed_over(now, child);
        }
        for (life, pump) in std::mem::take(&mut self.chores.pumps) {
            self.go_on_pumping(now, life, pump, out);
        }
    }

    fn run_ends(&mut self, now: Now) {
        let mut left = SLICE;
        while left > 0
            && let Some(mut ends) = self.chores.ends.pop_front()
        {
            for attempt in ends.attempts.by_ref().take(left) {
                left -= 1;
                match &ends.why {
                    Why::Lost { life, executor, why } => {
                        self.lose_attempt(now, attempt, *life, executor, why);
                    }
                    Why::Deleted(job) => {
                        let waits = |open: &super::Open| open.job == *job && !open.is_out();
                        if self.open.get(&attempt).is_some_and(waits) {
                            let message = "its job was deleted".to_owned();
                            self.end_here(now, attempt, End::Stopped, Some(message));
                        }
                    }
                }
            }
            if ends.attempts.len() > 0 {
                self.chores.ends.push_front(ends);
            }
        }
    }

    fn lose_attempt(
        &mut self,
        now: Now,
        attempt: AttemptId,
        life: LifeId,
        executor: &ExecutorName,
        why: &str,
    ) {
        let held = |open: &&mut super::Open| open.life == Some(life) && open.is_out();
        let Some(open) = self.open.get_mut(&attempt).filter(held) else { return };
        // Its life may be forgotten by now.
        open.more_mut().avoid = Some(executor.clone());
        let stopping = self.is_stopping(attempt);
        let end = if stopping { End::Stopped } else { End::Failed(FailReason::ExecutorLost) };
        self.end_here(now, attempt, end, Some(why.to_owned()));
    }
}
