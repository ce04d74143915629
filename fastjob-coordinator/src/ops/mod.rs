//! Every use-case, one noun a file: what all edges call.
//!
//! An edge turns words into these calls and their answers into words; it decides nothing.

mod alarms;
mod executors;
mod jobs;
mod log;
mod preview;
mod start;
mod tasks;
mod views;

use std::sync::Arc;

use fastjob_core::job::Problem;

pub use self::views::{
    AttemptView, BackfillAsk, Backfilled, ChannelView, ExecutorView, Fires, JobView, LogView, Page,
    ProgressView, Saved, StartAsk, Started, StopAnswer, TaskView, Tested,
};
pub(crate) use self::{jobs::SaveMode, tasks::ListTasks};
use crate::{alarm::Channels, sessions::Sessions, shell::EngineHandle, store};

/// Most items of a page.
pub(crate) const PAGE_MAX: u32 = 500;
/// Items of a page where the caller does not say.
pub(crate) const PAGE_DEFAULT: u32 = 50;

/// Everything that can be asked of a coordinator.
#[derive(Clone)]
pub(crate) struct Ops {
    pub(crate) engine: EngineHandle,
    pub(crate) store: Arc<dyn store::Store>,
    pub(crate) sessions: Sessions,
    pub(crate) channels: Channels,
}

/// Why something that was asked was not done.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// There is no such thing.
    #[error("{0}")]
    NotFound(String),
    /// A name alone does not tell which job is meant.
    #[error("{name} is the name of jobs of several services: say which, as {}", choices.join(" or "))]
    Ambiguous { name: String, choices: Vec<String> },
    /// It does not fit with what is there.
    #[error("{0}")]
    Conflict(String),
    /// What was asked is not right; nothing was done.
    #[error("{message}")]
    Invalid { message: String, problems: Vec<Problem> },
    /// It cannot be done just now; nothing was done, or the answer is not known.
    #[error("{0}")]
    Unavailable(String),
    /// The store failed.
    #[error("the store failed")]
    Store(#[from] store::Error),
}

impl Error {
    pub(crate) fn invalid(field: &str, message: impl std::fmt::Display) -> Self {
        let problem = Problem { field: field.to_owned(), message: message.to_string() };
        Self::Invalid { message: format!("{field}: {message}"), problems: vec![problem] }
    }
}

impl Ops {
    /// Whether the coordinator can do its work: the reason if not.
    pub(crate) fn ready(&self) -> Result<(), Error> {
        self.engine.ready()
    }
}
