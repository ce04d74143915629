//! A job's lane on this executor: core's [`lane`], over the attempts that arrive.
//!
//! The arriving attempt's block strategy decides. Shards of one task take turns. The job of an
//! attempt without a strategy has its lane at the coordinator: the attempt runs at once.

use fastjob_core::{
    AttemptId, TaskId,
    block::Block,
    lane::{self, Arrival, Shards},
};

use super::attempt::{Attempt, Turn};

/// The running attempts, and those that wait for their turn.
pub(super) struct Lane(lane::Lane<Attempt>);

/// What happens to an arriving attempt.
#[expect(clippy::large_enum_variant, reason = "it lives from one statement to the next")]
pub(super) enum Verdict {
    Run(Attempt),
    Wait,
    /// It is skipped, with this reason.
    Skip(String),
    /// This newer task has replaced it, so it does not run.
    Replaced(TaskId),
    /// It waits until the running ones have been stopped. The waiting ones do not run.
    Replace {
        running: Vec<AttemptId>,
        waiting: Vec<Attempt>,
    },
}

impl Default for Lane {
    fn default() -> Self {
        Self(lane::Lane::new(Shards::InTurn))
    }
}

impl Lane {
    pub(super) fn arrive(&mut self, arrived: Attempt) -> Verdict {
        let (attempt, task) = (arrived.name.id, arrived.task);
        let block = match arrived.turn {
            Turn::AtOnce => {
                self.0.enter(attempt, task);
                return Verdict::Run(arrived);
            }
            Turn::By(block) => block,
            Turn::Unknown => {
                return Verdict::Skip(
                    "this executor does not know the job's block strategy: upgrade it to the \
                     coordinator's release"
                        .to_owned(),
                );
            }
        };
        let arrival = Arrival { attempt, task, comes_again: arrived.number > 1 };
        match self.0.arrive(block, arrival, arrived) {
            lane::Verdict::Run(arrived) => Verdict::Run(arrived),
            lane::Verdict::Wait => Verdict::Wait,
            lane::Verdict::Skip(_, refusal) => Verdict::Skip(refusal.to_string()),
            lane::Verdict::Yield(_, newer) => Verdict::Replaced(newer),
            lane::Verdict::Replace => Verdict::Replace {
                running: self.0.others(task).collect(),
                waiting: self.0.take_waiting_of_others(task),
            },
        }
    }

    /// A running attempt has ended. Returns the attempts whose turn it is now.
    pub(super) fn leave(&mut self, id: AttemptId) -> Vec<Attempt> {
        self.0.leave(id);
        let mut next = Vec::new();
        while let Some((_, first)) = self.0.advance(rule_of_waiting) {
            next.push(first);
        }
        next
    }

    /// Removes an attempt that waits; one that runs stays.
    pub(super) fn stop_waiting(&mut self, id: AttemptId) {
        self.0.stop_waiting(id);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// The rule of an attempt that waits. Only an attempt with a rule waits.
fn rule_of_waiting(attempt: &Attempt) -> Block {
    match attempt.turn {
        Turn::By(block) => block,
        Turn::AtOnce | Turn::Unknown => Block::default(),
    }
}

#[cfg(test)]
mod tests {
    use fastjob_core::block::BlockStrategy::{self, Parallel, ReplaceRunning, Serial, SkipNew};

    use super::{super::name::Name, *};

    /// Attempt `id` of task `id / 10`; a multiple of 10 is the task's first attempt. Two may wait,
    /// and two may run in parallel.
    fn attempt(id: i64, turn: Turn) -> Attempt {
        Attempt {
            task: TaskId(id / 10),
            number: u32::try_from(id % 10).unwrap() + 1,
            turn,
            ..Attempt::for_test(Name::of(id, 0), "")
        }
    }

    fn block(strategy: BlockStrategy) -> Block {
        Block { strategy, max_waiting: 2, max_running: 2, ..Block::default() }
    }

    fn by(strategy: BlockStrategy) -> Turn {
        Turn::By(block(strategy))
    }

    fn ids(arrived: &[Attempt]) -> Vec<i64> {
        arrived.iter().map(|arrived| arrived.name.id.0).collect()
    }

    /// The attempts whose turn it is when this one leaves.
    fn leave(lane: &mut Lane, id: i64) -> Vec<i64> {
        ids(&lane.leave(AttemptId(id)))
    }

    /// The verdict on an attempt, as text.
    fn arrive(lane: &mut Lane, id: i64, turn: Turn) -> String {
        match lane.arrive(attempt(id, turn)) {
            Verdict::Run(_) => "run".to_owned(),
            Verdict::Wait => "wait".to_owned(),
            Verdict::Skip(_) => "skip".to_owned(),
            Verdict::Replaced(by) => format!("replaced by {by}"),
            Verdict::Replace { running, waiting } => {
                let running: Vec<_> = running.iter().map(|id| id.0).collect();
                format!("stop {running:?}, end {:?}", ids(&waiting))
            }
        }
    }

    #[track_caller]
    fn check(strategy: BlockStrategy, arrivals: &[(i64, &str)]) -> Lane {
        let mut lane = Lane::default();
        for (id, verdict) in arrivals {
            assert_eq!(arrive(&mut lane, *id, by(strategy)), *verdict, "attempt {id}");
        }
        lane
    }

    #[test]
    fn serial_attempts_wait_for_their_turn_up_to_the_bound() {
        let mut lane = check(Serial, &[(10, "run"), (20, "wait"), (30, "wait"), (40, "skip")]);
        lane.stop_waiting(AttemptId(20));
        assert_eq!(leave(&mut lane, 10), [30]);
        assert!(leave(&mut lane, 30).is_empty() && lane.is_empty());
    }

    #[test]
    fn a_new_attempt_is_skipped_or_replaces_according_to_its_job() {
        check(SkipNew, &[(10, "run"), (20, "skip")]);
        let mut lane = check(Serial, &[(10, "run"), (20, "wait")]);
        assert_eq!(arrive(&mut lane, 30, by(ReplaceRunning)), "stop [10], end [20]");
        assert_eq!(leave(&mut lane, 10), [30]);
    }

    #[test]
    fn a_retry_of_an_older_task_does_not_stop_a_newer_one() {
        let mut lane = check(
            ReplaceRunning,
            &[(20, "run"), (15, "replaced by 2"), (30, "stop [20], end []"), (25, "replaced by 3")],
        );
        assert_eq!(leave(&mut lane, 20), [30]);
        assert_eq!(arrive(&mut lane, 16, by(ReplaceRunning)), "replaced by 3");
        assert_eq!(arrive(&mut lane, 31, by(ReplaceRunning)), "stop [], end []", "its own task");
        assert_eq!(leave(&mut lane, 30), [31]);
        assert!(leave(&mut lane, 31).is_empty());
        assert_eq!(arrive(&mut lane, 17, by(ReplaceRunning)), "run", "the lane is empty");
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
        assert_eq!(leave(&mut lane, 10), [11]);
        let mut lane =
            check(ReplaceRunning, &[(10, "run"), (11, "stop [], end []"), (12, "stop [], end []")]);
        assert_eq!(leave(&mut lane, 10), [11]);
        assert_eq!(arrive(&mut lane, 20, by(ReplaceRunning)), "stop [11], end [12]");
        assert_eq!(arrive(&mut lane, 21, by(ReplaceRunning)), "stop [11], end []");
        assert_eq!(leave(&mut lane, 11), [20]);
        assert_eq!(leave(&mut lane, 20), [21]);
    }

    #[test]
    fn parallel_attempts_run_beside_each_other_and_wait_up_to_the_bounds() {
        let arrivals = [(10, "run"), (20, "run"), (30, "wait"), (40, "wait"), (50, "skip")];
        let mut lane = check(Parallel, &arrivals);
        assert_eq!(leave(&mut lane, 10), [30]);
        assert_eq!(leave(&mut lane, 20), [40]);
        assert!(leave(&mut lane, 30).is_empty() && !lane.is_empty());
    }

    #[test]
    fn after_a_serial_attempt_parallel_ones_run_up_to_the_bound() {
        let mut lane = check(Serial, &[(10, "run"), (20, "wait")]);
        for id in [30, 40, 50] {
            let block = Block { max_waiting: 9, ..block(Parallel) };
            assert_eq!(arrive(&mut lane, id, Turn::By(block)), "wait");
        }
        lane.stop_waiting(AttemptId(20));
        assert_eq!(leave(&mut lane, 10), [30, 40]);
        assert_eq!(leave(&mut lane, 30), [50]);
    }

    #[test]
    fn without_a_strategy_an_attempt_runs_at_once_and_an_unknown_one_is_skipped() {
        let mut lane = check(Serial, &[(10, "run"), (20, "wait")]);
        assert_eq!(arrive(&mut lane, 30, Turn::AtOnce), "run");
        assert!(leave(&mut lane, 30).is_empty());
        assert_eq!(leave(&mut lane, 10), [20]);
        assert_eq!(arrive(&mut Lane::default(), 10, Turn::Unknown), "skip");
    }
}
