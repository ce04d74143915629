//! A job's lane: what happens when an attempt arrives while others are there.
//!
//! The arriving attempt's block strategy decides. Shards of one task never skip or stop each other:
//! on the same executor, they take turns. A task replaces others with its first attempt; a retry,
//! which may arrive after a newer task has replaced its task, yields to newer tasks.

use std::collections::VecDeque;

use fastjob_core::wire::v1;

/// The running attempts, and those that wait for their turn.
#[derive(Default)]
pub(super) struct Lane {
    running: Vec<Running>,
    waiting: VecDeque<v1::Attempt>,
}

struct Running {
    attempt: i64,
    task: i64,
}

/// What happens to an arriving attempt.
pub(super) enum Verdict {
    Run(v1::Attempt),
    Wait,
    /// It is skipped, with this reason.
    Skip(String),
    /// This newer task has replaced it, so it does not run.
    Replaced(i64),
    /// It waits until the running ones have been stopped. The waiting ones do not run.
    Replace {
        running: Vec<i64>,
        waiting: Vec<v1::Attempt>,
    },
}

impl Lane {
    pub(super) fn arrive(&mut self, arrived: v1::Attempt) -> Verdict {
        let attempt = &arrived;
        let task = attempt.task;
        let block = v1::Block::try_from(attempt.block).unwrap_or(v1::Block::Unspecified);
        let at_once = block == v1::Block::None || self.waiting.is_empty();
        if at_once && self.has_room(attempt) {
            self.enter(attempt.attempt, task);
            return Verdict::Run(arrived);
        }
        match block {
            // With such a strategy there is always room.
            v1::Block::None | v1::Block::Serial | v1::Block::Parallel => {
                let most = attempt.max_waiting as usize;
                if self.waiting.len() >= most {
                    return Verdict::Skip(format!("the lane is full: {most} attempts are waiting"));
                }
                self.waiting.push_back(arrived);
                Verdict::Wait
            }
            v1::Block::SkipNew => match self.running.iter().find(|other| other.task != task) {
                Some(other) => {
                    Verdict::Skip(format!("attempt {} of the job is running", other.attempt))
                }
                None => {
                    self.waiting.push_back(arrived);
                    Verdict::Wait
                }
            },
            v1::Block::ReplaceRunning => {
                let is_retry = attempt.number > 1;
                if let Some(newer) = self.newest().filter(|newest| is_retry && *newest > task) {
                    return Verdict::Replaced(newer);
                }
                let (mine, others): (VecDeque<_>, _) = std::mem::take(&mut self.waiting)
                    .into_iter()
                    .partition(|other| other.task == task);
                self.waiting = mine;
                self.waiting.push_back(arrived);
                let others_run = self.running.iter().filter(|other| other.task != task);
                let running = others_run.map(|other| other.attempt).collect();
                Verdict::Replace { running, waiting: Vec::from(others) }
            }
            v1::Block::Unspecified => Verdict::Skip(
                "this executor does not know the job's block strategy: upgrade it to the \
                 coordinator's release"
                    .to_owned(),
            ),
        }
    }

    /// A running attempt has ended. Returns the attempts whose turn it is now.
    pub(super) fn leave(&mut self, id: i64) -> Vec<v1::Attempt> {
        self.running.retain(|running| running.attempt != id);
        let mut next = Vec::new();
        while self.waiting.front().is_some_and(|first| self.has_room(first)) {
            let Some(first) = self.waiting.pop_front() else { break };
            self.enter(first.attempt, first.task);
            next.push(first);
        }
        next
    }

    /// Removes the waiting attempts that are gone.
    pub(super) fn forget(&mut self, gone: impl Fn(i64) -> bool) {
        self.waiting.retain(|arrived| !gone(arrived.attempt));
    }

    pub(super) fn is_empty(&self) -> bool {
        self.running.is_empty() && self.waiting.is_empty()
    }

    fn newest(&self) -> Option<i64> {
        let running = self.running.iter().map(|running| running.task);
        running.chain(self.waiting.iter().map(|waiting| waiting.task)).max()
    }

    fn enter(&mut self, attempt: i64, task: i64) {
        self.running.push(Running { attempt, task });
    }

    /// Whether the attempt may run now, beside the running ones.
    fn has_room(&self, attempt: &v1::Attempt) -> bool {
        match v1::Block::try_from(attempt.block) {
            Ok(v1::Block::None) => true,
            Ok(v1::Block::Parallel) => self.running.len() < attempt.max_running.max(1) as usize,
            Ok(v1::Block::Serial | v1::Block::SkipNew | v1::Block::ReplaceRunning) => {
                self.running.is_empty()
            }
            Ok(v1::Block::Unspecified) | Err(_) => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use v1::Block::{None as NoBlock, Parallel, ReplaceRunning, Serial, SkipNew};

    use super::*;

    /// Attempt `id` of task `id / 10`; a multiple of 10 is the task's first attempt. Two may wait,
    /// and two may run in parallel.
    fn attempt(id: i64, block: v1::Block) -> v1::Attempt {
        v1::Attempt {
            attempt: id,
            task: id / 10,
            number: u32::try_from(id % 10).unwrap() + 1,
            block: block.into(),
            max_waiting: 2,
            max_running: 2,
            ..v1::Attempt::default()
        }
    }

    fn ids(arrived: &[v1::Attempt]) -> Vec<i64> {
        arrived.iter().map(|arrived| arrived.attempt).collect()
    }

    /// The verdict on an attempt, as text.
    fn arrive(lane: &mut Lane, id: i64, block: v1::Block) -> String {
        match lane.arrive(attempt(id, block)) {
            Verdict::Run(_) => "run".to_owned(),
            Verdict::Wait => "wait".to_owned(),
            Verdict::Skip(_) => "skip".to_owned(),
            Verdict::Replaced(by) => format!("replaced by {by}"),
            Verdict::Replace { running, waiting } => {
                format!("stop {running:?}, end {:?}", ids(&waiting))
            }
        }
    }

    #[track_caller]
    fn check(block: v1::Block, arrivals: &[(i64, &str)]) -> Lane {
        let mut lane = Lane::default();
        for (id, verdict) in arrivals {
            assert_eq!(arrive(&mut lane, *id, block), *verdict, "attempt {id}");
        }
        lane
    }

    #[test]
    fn serial_attempts_wait_for_their_turn_up_to_the_bound() {
        let mut lane = check(Serial, &[(10, "run"), (20, "wait"), (30, "wait"), (40, "skip")]);
        lane.forget(|id| id == 20);
        assert_eq!(ids(&lane.leave(10)), [30]);
        assert!(lane.leave(30).is_empty() && lane.is_empty());
    }

    #[test]
    fn a_new_attempt_is_skipped_or_replaces_according_to_its_job() {
        check(SkipNew, &[(10, "run"), (20, "skip")]);
        let mut lane = check(Serial, &[(10, "run"), (20, "wait")]);
        assert_eq!(arrive(&mut lane, 30, ReplaceRunning), "stop [10], end [20]");
        assert_eq!(ids(&lane.leave(10)), [30]);
    }

    #[test]
    fn a_retry_of_an_older_task_does_not_stop_a_newer_one() {
        let mut lane = check(
            ReplaceRunning,
            &[(20, "run"), (15, "replaced by 2"), (30, "stop [20], end []"), (25, "replaced by 3")],
        );
        assert_eq!(ids(&lane.leave(20)), [30]);
        assert_eq!(arrive(&mut lane, 16, ReplaceRunning), "replaced by 3");
        assert_eq!(arrive(&mut lane, 31, ReplaceRunning), "stop [], end []", "its own task");
        assert_eq!(ids(&lane.leave(30)), [31]);
        assert!(lane.leave(31).is_empty());
        assert_eq!(arrive(&mut lane, 17, ReplaceRunning), "run", "the lane is empty");
    }

    #[test]
    fn a_task_replaces_a_running_one_even_if_its_own_id_is_lower() {
        check(ReplaceRunning, &[(20, "run"), (10, "stop [20], end []")]);
    }

    #[test]
    fn shards_of_one_task_take_turns_whatever_the_strategy() {
        check(Serial, &[(10, "run"), (11, "wait"), (12, "wait")]);
        let mut lane =
            check(SkipNew, &[(10, "run"), (11, "wait"), (12, "wait"), (13, "wait"), (20, "skip")]);
        assert_eq!(ids(&lane.leave(10)), [11]);
        let mut lane =
            check(ReplaceRunning, &[(10, "run"), (11, "stop [], end []"), (12, "stop [], end []")]);
        assert_eq!(ids(&lane.leave(10)), [11]);
        assert_eq!(arrive(&mut lane, 20, ReplaceRunning), "stop [11], end [12]");
        assert_eq!(arrive(&mut lane, 21, ReplaceRunning), "stop [11], end []");
        assert_eq!(ids(&lane.leave(11)), [20]);
        assert_eq!(ids(&lane.leave(20)), [21]);
    }

    #[test]
    fn parallel_attempts_run_beside_each_other_and_wait_up_to_the_bounds() {
        let arrivals = [(10, "run"), (20, "run"), (30, "wait"), (40, "wait"), (50, "skip")];
        let mut lane = check(Parallel, &arrivals);
        assert_eq!(ids(&lane.leave(10)), [30]);
        assert_eq!(ids(&lane.leave(20)), [40]);
        assert!(lane.leave(30).is_empty() && !lane.is_empty());
    }

    #[test]
    fn after_a_serial_attempt_parallel_ones_run_up_to_the_bound() {
        let mut lane = check(Serial, &[(10, "run"), (20, "wait")]);
        lane.forget(|id| id == 20);
        lane.waiting.extend([30, 40, 50].map(|id| attempt(id, Parallel)));
        assert_eq!(ids(&lane.leave(10)), [30, 40]);
        assert_eq!(ids(&lane.leave(30)), [50]);
    }

    #[test]
    fn without_a_strategy_an_attempt_runs_at_once_and_an_unknown_one_is_skipped() {
        let mut lane = check(Serial, &[(10, "run"), (20, "wait")]);
        assert_eq!(arrive(&mut lane, 30, NoBlock), "run");
        assert!(lane.leave(30).is_empty());
        assert_eq!(ids(&lane.leave(10)), [20]);
        check(v1::Block::Unspecified, &[(10, "skip")]);
    }
}
