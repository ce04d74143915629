//! Why a coordinator does not start, and why it stops by itself.

use std::time::Duration;

use crate::{parts::Ended, store};

/// Why a coordinator could not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The settings do not fit together.
    #[error("the configuration is not right: {0}")]
    Config(String),
    /// The address would be open to others.
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
    /// The port cannot be used.
    #[error("{0}")]
    Listen(String),
    /// The system lets the process open too few files.
    #[error("{0}")]
    TooFewFiles(String),
}

/// Why a coordinator stopped by itself.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RunError {
    /// One of its loops ended, which is a fault.
    #[error("the {0} ended by itself: the coordinator has stopped, start it again and report this")]
    LoopEnded(&'static str),
    /// One of its parts panicked, which is a fault. The others were stopped in order.
    #[error(
        "the {part} panicked ({message}): the coordinator has stopped, start it again and report \
         this"
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
    /// It was told to stop while the store could not be written, and took the last decisions along.
    #[error(
        "stopped with decisions of the last {} ms that were not written, for the store did not \
         take them: what was recorded before holds, and the next start goes on from there",
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
