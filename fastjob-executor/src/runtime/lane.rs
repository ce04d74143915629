//! One job's lane: what happens to an attempt that finds another one there.
//!
//! The strategy of the attempt that arrives decides.

use std::collections::VecDeque;

use fastjob_core::{block::BlockStrategy, wire::v1};

use super::Arrived;

/// The attempt that runs, and those that wait for their turn.
#[derive(Default)]
pub(super) struct Lane {
    running: Option<i64>,
    waiting: VecDeque<Arrived>,
}

/// What becomes of an attempt that arrives.
pub(super) enum Verdict {
    Run(Arrived),
    Wait,
    /// It is not run, and why.
    Skip(String),
    /// It waits for the running one, which is stopped; those that waited are not run.
    Replace {
        running: i64,
        waiting: VecDeque<Arrived>,
    },
}

impl Lane {
    pub(super) fn arrive(&mut self, arrived: Arrived) -> Verdict {
        let Some(running) = self.running else {
            self.running = Some(arrived.attempt.attempt);
            return Verdict::Run(arrived);
        };
        let block = v1::Block::try_from(arrived.attempt.block).ok();
        match block.and_then(|block| BlockStrategy::try_from(block).ok()) {
            Some(BlockStrategy::Serial) => {
                let most = arrived.attempt.max_waiting as usize;
                if self.waiting.len() >= most {
                    return Verdict::Skip(format!("the lane is full: {most} attempts wait"));
                }
                self.waiting.push_back(arrived);
                Verdict::Wait
            }
            Some(BlockStrategy::SkipNew) => {
                Verdict::Skip(format!("attempt {running} of the job is running"))
            }
            Some(BlockStrategy::ReplaceRunning) => {
                let waiting = std::mem::take(&mut self.waiting);
                self.waiting.push_back(arrived);
                Verdict::Replace { running, waiting }
            }
            Some(BlockStrategy::Parallel) | None => Verdict::Skip(
                "this executor does not know the job's block strategy: bring it to the \
                 coordinator's release"
                    .to_owned(),
            ),
        }
    }

    /// The running one has ended; the next to run.
    pub(super) fn leave(&mut self) -> Option<Arrived> {
        let next = self.waiting.pop_front();
        self.running = next.as_ref().map(|next| next.attempt.attempt);
        next
    }

    /// One that waits is not to run.
    pub(super) fn forget(&mut self, id: i64) {
        self.waiting.retain(|arrived| arrived.attempt.attempt != id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attempt(id: i64, block: BlockStrategy, max_waiting: u32) -> Arrived {
        let block = v1::Block::from(block).into();
        let attempt = v1::Attempt { attempt: id, block, max_waiting, ..v1::Attempt::default() };
        Arrived { link: 0, attempt }
    }

    #[test]
    fn serial_attempts_wait_their_turn_up_to_the_bound() {
        let mut lane = Lane::default();
        assert!(matches!(lane.arrive(attempt(1, BlockStrategy::Serial, 2)), Verdict::Run(_)));
        assert!(matches!(lane.arrive(attempt(2, BlockStrategy::Serial, 2)), Verdict::Wait));
        assert!(matches!(lane.arrive(attempt(3, BlockStrategy::Serial, 2)), Verdict::Wait));
        assert!(matches!(lane.arrive(attempt(4, BlockStrategy::Serial, 2)), Verdict::Skip(_)));
        lane.forget(2);
        assert_eq!(lane.leave().map(|next| next.attempt.attempt), Some(3));
        assert!(lane.leave().is_none());
    }

    #[test]
    fn a_new_attempt_is_skipped_or_takes_over_as_its_job_says() {
        let mut lane = Lane::default();
        lane.arrive(attempt(1, BlockStrategy::Serial, 9));
        assert!(matches!(lane.arrive(attempt(2, BlockStrategy::SkipNew, 0)), Verdict::Skip(_)));
        lane.arrive(attempt(3, BlockStrategy::Serial, 9));
        let Verdict::Replace { running, waiting } =
            lane.arrive(attempt(4, BlockStrategy::ReplaceRunning, 0))
        else {
            panic!("it did not take over");
        };
        assert_eq!((running, waiting.len()), (1, 1));
        assert_eq!(lane.leave().map(|next| next.attempt.attempt), Some(4));
    }
}
