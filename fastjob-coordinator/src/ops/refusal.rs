//! Why a call was refused: what the engine says as an error, and an error in an answer to another
//! node.

use fastjob_core::job::Problem;
use fastjob_engine::JobRefused;
use serde::{Deserialize, Serialize};

use super::Error;

impl From<JobRefused> for Error {
    fn from(refused: JobRefused) -> Self {
        let message = refused.to_string();
        match refused {
            JobRefused::Unknown(_) => Self::NotFound(message),
            JobRefused::Ambiguous { name, choices } => Self::Ambiguous { name, choices },
            JobRefused::Exists(_) | JobRefused::NoCode(_) | JobRefused::Changed(_) => {
                Self::Conflict(message)
            }
            JobRefused::Stale { current, .. } => {
                Self::Stale { message, current: current.map(|at| (at.job.0, at.revision)) }
            }
            JobRefused::TooLate(_) => Self::invalid("schedule.once", message),
            JobRefused::Child { .. } | JobRefused::NoChild(_) => Self::invalid("children", message),
            JobRefused::IsChild { .. } | JobRefused::JobOfTaskDeleted(_) => Self::Conflict(message),
            JobRefused::NoBackfill(_) => Self::invalid("job", message),
            // Unlike a limit of open tasks, this does not resolve by itself.
            JobRefused::OverQuota(_) => Self::OverQuota(message),
            JobRefused::LookAgain => Self::Unavailable(message),
            JobRefused::TooMany(_) => Self::Conflict(message),
            JobRefused::NeverFires(problem) => Self::invalid(&problem.field, problem.message),
        }
    }
}

/// The wire format of an [`Error`].
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Refusal {
    NotFound(String),
    Ambiguous { name: String, choices: Vec<String> },
    Conflict(String),
    Stale { message: String, current: Option<(i64, i64)> },
    Invalid { message: String, problems: Vec<(String, String)> },
    OverQuota(String),
    Unavailable(String),
    Moved,
}

impl From<Error> for Refusal {
    fn from(err: Error) -> Self {
        match err {
            Error::NotFound(what) => Self::NotFound(what),
            Error::Ambiguous { name, choices } => Self::Ambiguous { name, choices },
            Error::Conflict(why) => Self::Conflict(why),
            Error::Stale { message, current } => Self::Stale { message, current },
            Error::Invalid { message, problems } => {
                let problems = problems.into_iter().map(|p| (p.field, p.message)).collect();
                Self::Invalid { message, problems }
            }
            Error::OverQuota(why) => Self::OverQuota(why),
            Error::Unavailable(why) => Self::Unavailable(why),
            Error::Moved => Self::Moved,
            Error::Store(err) => {
                tracing::error!(error = &err as &dyn std::error::Error, "the store failed");
                Self::Unavailable("the store failed on the node that acts on it".to_owned())
            }
        }
    }
}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::NotFound(what) => Self::NotFound(what),
            Refusal::Ambiguous { name, choices } => Self::Ambiguous { name, choices },
            Refusal::Conflict(why) => Self::Conflict(why),
            Refusal::Stale { message, current } => Self::Stale { message, current },
            Refusal::Invalid { message, problems } => {
                let problem = |(field, message)| Problem { field, message };
                Self::Invalid { message, problems: problems.into_iter().map(problem).collect() }
            }
            Refusal::OverQuota(why) => Self::OverQuota(why),
            Refusal::Unavailable(why) => Self::Unavailable(why),
            Refusal::Moved => Self::Moved,
        }
    }
}
