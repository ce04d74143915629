//! Why an executor could not be built, could not start, or ended.

use std::{fmt, path::PathBuf};

use crate::{
    config::{ConfigError, Problem},
    failure::Failure,
    logs::LogError,
    registry::RegistryError,
};

/// Why an executor could not be built or started, or why it ended.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ExecutorError {
    /// The settings could not be read.
    #[error("could not read the configuration")]
    Config(#[from] ConfigError),
    /// The settings are invalid.
    #[error("the configuration is invalid: {}", Joined(.0))]
    Invalid(Vec<Problem>),
    /// The handlers cannot be registered together.
    #[error("could not set up the handlers")]
    Registry(#[from] RegistryError),
    /// The attempt logs cannot be written.
    #[error("could not set up the attempt logs")]
    Logs(#[from] LogError),
    /// The CA certificate cannot be read.
    #[error("could not read the certificate {path}")]
    CaCert {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: std::io::Error,
    },
    /// The operating system does not let the process wait for Ctrl-C and SIGTERM.
    #[error("could not listen for the signals that stop the process")]
    Signals(#[source] std::io::Error),
    /// The executor's own thread could not be started.
    #[error("could not start the executor's own thread")]
    Thread(#[source] std::io::Error),
    /// A part of the executor ended unexpectedly, which is a bug in this library. The whole
    /// executor has ended with it. Running attempts were aborted; they are retried or fail
    /// according to their jobs. Restart the process.
    #[error("the executor ended because {part} failed: {why}")]
    Failed {
        /// The part, such as a link to a coordinator.
        part: String,
        /// The panic message, or another cause.
        why: String,
    },
}

impl From<Failure> for ExecutorError {
    fn from(Failure { part, why }: Failure) -> Self {
        Self::Failed { part, why }
    }
}

/// All problems on one line.
struct Joined<'a>(&'a [Problem]);

impl fmt::Display for Joined<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, problem) in self.0.iter().enumerate() {
            let between = if number == 0 { "" } else { "; " };
            write!(f, "{between}{problem}")?;
        }
        Ok(())
    }
}
