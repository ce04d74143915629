//! Errors of a coordinator that cannot start, or that stops unexpectedly.

use std::time::Duration;

use crate::{parts::Ended, store};

/// Why a coordinator could not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The configuration is invalid.
    #[error("the configuration is invalid: {0}")]
    Config(String),
    /// The address would be exposed to other machines.
    #[error("{0}")]
    Exposed(String),
    /// The store cannot be used.
    #[error("{message}")]
    Store {
        /// What is wrong with it, and what to do.
        message: String,
        /// The cause.
        #[source]
        source: Option<Box<dyn std::error::Error + Send + Sync>>,
    },
    /// Whole logs cannot be kept where `coordinator.logs.store` says.
    #[error("logs cannot be kept in {store}: {why}")]
    Logs {
        /// The setting.
        store: String,
        /// What is wrong, and what to do.
        why: String,
    },
    /// The port cannot be used.
    #[error("{0}")]
    Listen(String),
    /// The process may open too few files.
    #[error("{0}")]
    TooFewFiles(String),
}

/// Why a coordinator stopped unexpectedly.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RunError {
    /// One of its loops ended, which is a bug.
    #[error("the {0} ended unexpectedly: the coordinator has stopped, restart it and report this")]
    LoopEnded(&'static str),
    /// One of its parts panicked, which is a bug. The others were shut down properly.
    #[error(
        "the {part} panicked ({message}): the coordinator has stopped, restart it and report this"
    )]
    Panicked {
        /// Which part it was.
        part: &'static str,
        /// What the panic said.
        message: String,
    },
    /// The store could not be read.
    #[error("could not load state from the store: {message}")]
    Store {
        /// What is wrong with it.
        message: String,
        /// The cause.
        #[source]
        source: Option<Box<dyn std::error::Error + Send + Sync>>,
    },
    /// The store lost commits while the coordinator was running.
    #[error(
        "the store has lost commits: its file was moved, deleted or replaced while the coordinator \
         was using it. The coordinator has stopped; run `fastjob repair ids`, and start it again: it \
         continues from what is in the file"
    )]
    Behind,
    /// The store did not accept the final writes during shutdown, so the last decisions are lost.
    #[error(
        "shut down with {} ms of unpersisted decisions: the store did not accept the final \
         writes; the next start continues from the state that was persisted before",
        waited.as_millis()
    )]
    Unwritten {
        /// How long the oldest of them had waited for the store.
        waited: Duration,
    },
}

impl From<Ended> for RunError {
    fn from(ended: Ended) -> Self {
        match ended.panic {
            Some(message) => Self::Panicked { part: ended.part, message },
            None => Self::LoopEnded(ended.part),
        }
    }
}

impl RunError {
    pub(super) fn load(err: store::Error) -> Self {
        let message = err.to_string();
        let source = std::error::Error::source(&err).is_some().then(|| Box::new(err) as _);
        Self::Store { message, source }
    }
}
