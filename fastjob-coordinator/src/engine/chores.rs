//! Long work, done in slices: what one event sets off may concern any number of attempts, and no
//! step of the engine may take long.
//!
//! A chore can be interrupted by other events, so each slice looks at the state as it is by then. A
//! crash loses the chores; what they had left is found again when the partition is loaded.

use std::{collections::VecDeque, time::Duration};

use fastjob_core::{AttemptId, ExecutorName, FailReason, JobId, attempt::End};

use super::{Effects, Engine, Now, SessionId, maps::IdMap, pump::Pump, state::Step};
use crate::record::{ChildStart, LifeId};

/// Most attempts that one step works off.
const SLICE: usize = 1_000;

/// The work that is left.
#[derive(Debug, Default)]
pub(super) struct Chores {
    ends: VecDeque<Ends>,
    not_received: VecDeque<NotReceived>,
    /// Attempts of jobs that look for an executor again.
    again: VecDeque<(JobId, std::vec::IntoIter<AttemptId>)>,
    /// Each with the uptime at which its read began; `None` if it was loaded.
    children: VecDeque<(ChildStart, Option<Duration>)>,
    /// Executors with free places, and how far they have been offered what waits.
    pub(super) pumps: IdMap<LifeId, Pump>,
}

/// Attempts that an executor did not receive, as it said when its session began.
#[derive(Debug)]
struct NotReceived {
    life: LifeId,
    session: SessionId,
    attempts: std::vec::IntoIter<AttemptId>,
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

impl Why {
    fn is_loss_of(&self, of: LifeId) -> bool {
        matches!(self, Self::Lost { life, .. } if *life == of)
    }
}

impl Chores {
    pub(super) fn is_empty(&self) -> bool {
        self.ends.is_empty()
            && self.not_received.is_empty()
            && self.again.is_empty()
            && self.children.is_empty()
            && self.pumps.is_empty()
    }

    /// Ends attempts that are lost with their executor.
    pub(super) fn lose(
        &mut self,
        life: LifeId,
        executor: ExecutorName,
        why: &'static str,
        attempts: Vec<AttemptId>,
    ) {
        // A life that was superseded and is lost now still holds what is left of the earlier list.
        self.ends.retain(|earlier| !earlier.why.is_loss_of(life));
        if !attempts.is_empty() {
            let why = Why::Lost { life, executor, why };
            self.ends.push_back(Ends { why, attempts: attempts.into_iter() });
        }
    }

    /// Places attempts again that their executor did not receive.
    pub(super) fn not_received(
        &mut self,
        life: LifeId,
        session: SessionId,
        attempts: Vec<AttemptId>,
    ) {
        // What an earlier session did not receive is among them, if it is still so.
        self.not_received.retain(|earlier| earlier.life != life);
        if !attempts.is_empty() {
            let attempts = attempts.into_iter();
            self.not_received.push_back(NotReceived { life, session, attempts });
        }
    }

    /// Lets all attempts of a job that wait look for an executor again.
    pub(super) fn wait_again(&mut self, job: JobId, attempts: Vec<AttemptId>) {
        self.again.retain(|(earlier, _)| *earlier != job);
        if !attempts.is_empty() {
            self.again.push_back((job, attempts.into_iter()));
        }
    }

    /// Ends the attempts of a deleted job that are not on an executor.
    pub(super) fn end_deleted(&mut self, job: JobId, attempts: Vec<AttemptId>) {
        if !attempts.is_empty() {
            self.ends.push_back(Ends { why: Why::Deleted(job), attempts: attempts.into_iter() });
        }
    }

    /// Starts children of tasks of other partitions.
    pub(super) fn start_children(&mut self, children: Vec<ChildStart>, read_at: Option<Duration>) {
        // A later look at the store repeats what is not started yet.
        if self.children.len() < SLICE {
            self.children.extend(children.into_iter().map(|child| (child, read_at)));
        }
    }

    #[cfg(any(test, feature = "simulation"))]
    pub(super) fn len(&self) -> usize {
        let ends = self.ends.iter().map(|ends| ends.attempts.len()).sum::<usize>();
        let returned = self.not_received.iter().map(|all| all.attempts.len()).sum::<usize>();
        let again = self.again.iter().map(|(_, all)| all.len()).sum::<usize>();
        ends + returned + again + self.children.len() + self.pumps.len()
    }
}

impl Engine {
    /// Works off one slice of each kind.
    pub(super) fn run_chores(&mut self, now: Now, out: &mut Effects) {
        if self.chores.is_empty() {
            return;
        }
        self.run_ends(now);
        self.place_not_received(now);
        self.look_for_executors(now);
        for _ in 0..SLICE {
            let Some((child, read_at)) = self.chores.children.pop_front() else { break };
            // What was read too long ago may have been started since, and its key forgotten: the
            // next read brings what is still to be started.
            if read_at.is_none_or(|read_at| !self.keys.is_too_old(read_at)) {
                self.start_handed_over(now, child);
            }
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

    fn look_for_executors(&mut self, now: Now) {
        let Some((job, mut attempts)) = self.chores.again.pop_front() else { return };
        for attempt in attempts.by_ref().take(SLICE) {
            self.look_again(now, attempt);
        }
        if attempts.len() > 0 {
            self.chores.again.push_front((job, attempts));
        }
    }

    /// One slice of what executors did not receive.
    pub(super) fn place_not_received(&mut self, now: Now) {
        let mut left = SLICE;
        while left > 0
            && let Some(mut all) = self.chores.not_received.pop_front()
        {
            // A later session has said again what it holds.
            if self.lives.get(&all.life).is_none_or(|life| life.session != Some(all.session)) {
                continue;
            }
            for attempt in all.attempts.by_ref().take(left) {
                left -= 1;
                let unsure =
                    |open: &super::Open| open.life == Some(all.life) && open.step == Step::Unsure;
                if !self.open.get(&attempt).is_some_and(unsure) {
                    continue;
                }
                match self.is_stopping(attempt) {
                    true => self.end_here(now, attempt, End::Stopped, None),
                    false => self.never_received(now, attempt),
                }
            }
            if all.attempts.len() > 0 {
                self.chores.not_received.push_front(all);
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
