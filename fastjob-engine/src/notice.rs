//! What an operator should know about executors that are gone. Nothing depends on it: a notice that
//! is dropped only misses in a log and a list.

use std::{sync::Arc, time::Duration};

use fastjob_core::{ExecutorName, Incarnation, JobPath, ServiceName, TaskId};

/// The maximum number of tasks that a notice names.
pub const NAMED_MOST: usize = 10;

/// Something that an operator should know.
#[derive(Clone, Debug, PartialEq)]
pub enum Notice {
    /// The engine has abandoned an executor, with these attempts.
    Gone {
        /// Which executor, and why.
        gone: Arc<Gone>,
        /// How many attempts of the engine's partition it held.
        held: u32,
        /// The tasks of some of them.
        first: Vec<(TaskId, JobPath)>,
    },
    /// Attempts of such an executor have ended.
    Ended {
        /// Which executor, and why.
        gone: Arc<Gone>,
        /// How many attempts failed without a retry.
        failed: u32,
        /// How many attempts are retried.
        retried: u32,
        /// The tasks of some of those that failed without a retry.
        first: Vec<(TaskId, JobPath)>,
    },
}

/// An executor's process that the engine has abandoned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gone {
    /// The service whose handlers it hosted.
    pub service: ServiceName,
    /// Its name, unique within the service.
    pub executor: ExecutorName,
    /// Which start of the executor's process it was.
    pub incarnation: Incarnation,
    /// Why it was abandoned.
    pub why: GoneWhy,
    /// How long ago the engine last heard from it; `None` if it never did.
    pub silent_for: Option<Duration>,
}

/// Why an executor was abandoned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GoneWhy {
    /// It was draining, because its process was about to exit.
    Stopped,
    /// It disconnected without notice, and did not reconnect in time.
    Disconnected,
    /// Another process has its name now.
    Restarted,
}

impl GoneWhy {
    /// The message of attempts that are lost with it.
    pub const fn message(self) -> &'static str {
        match self {
            Self::Stopped => "its executor stopped before it ended",
            Self::Disconnected => "its executor disconnected and did not reconnect in time",
            Self::Restarted => "its executor was restarted",
        }
    }
}
