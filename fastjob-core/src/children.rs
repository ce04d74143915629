//! Jobs that are started when a task of another job has ended.
//!
//! This module only decides which children to start. Whether they exist, and whether they form a
//! cycle, can be checked only by code that knows all jobs.

use crate::{path::JobPath, task::TaskState};

/// Maximum number of children of a job.
pub const CHILDREN_MOST: usize = 64;

/// Maximum length of a parent-child chain: for jobs when they are saved, and for the tasks that
/// follow from one start.
pub const CHAIN_MOST: usize = 100;

/// A job to start when a task of its parent has ended.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Child {
    /// The job.
    pub job: JobPath,
    /// The ends that start it.
    pub on: ChildOn,
    /// Whether the parent's result becomes the child's param. If there is no result, as after most
    /// failures, the child's own param is used.
    pub pass_result: bool,
}

/// Which ends of the parent's task start a child.
///
/// A task ends once, regardless of its shards and retries.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum ChildOn {
    /// The task succeeded.
    #[default]
    Success,
    /// The task failed permanently, after its last retry.
    Failure,
    /// The task succeeded, failed or was stopped: for work that is always required, such as
    /// cleanup. A stopped task counts, because it may have left work behind, like a failed one. A
    /// skipped task does not count: it never started, often because another one is still running.
    Always,
}

impl ChildOn {
    /// Every choice with its name, the default first.
    pub const NAMES: [(&'static str, Self); 3] =
        [("success", Self::Success), ("failure", Self::Failure), ("always", Self::Always)];

    /// Whether this end starts the child. False for states that are not final.
    pub const fn follows(self, end: TaskState) -> bool {
        match (self, end) {
            (Self::Success | Self::Always, TaskState::Succeeded)
            | (Self::Failure | Self::Always, TaskState::Failed)
            | (Self::Always, TaskState::Stopped) => true,
            (Self::Success | Self::Failure | Self::Always, _) => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_end_starts_the_children_that_wait_for_it() {
        let children = ChildOn::NAMES.map(|(name, on)| Child {
            job: name.parse().unwrap(),
            on,
            pass_result: false,
        });
        for state in TaskState::ALL {
            let expected: &[&str] = match state {
                TaskState::Succeeded => &["success", "always"],
                TaskState::Failed => &["failure", "always"],
                TaskState::Stopped => &["always"],
                TaskState::Queued
                | TaskState::Running
                | TaskState::Stopping
                | TaskState::Skipped => &[],
            };
            let started = children.iter().filter(|child| child.on.follows(state));
            let started: Vec<_> = started.map(|child| child.job.as_str()).collect();
            assert_eq!(started, expected, "{state}");
        }
    }
}
