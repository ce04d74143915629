//! Why a command failed, and how that is reported.

use std::{fmt, process::ExitCode};

pub(super) use fastjob_client::types::InvalidField as Field;
use fastjob_client::types::ProblemDetails;
use fastjob_core::error::chain;
use serde_json::{Map, Value};

use super::{
    out::remark,
    text::{self, one_line},
};
use crate::config::{self, ConfigError};

/// How to fix a missing or wrong token.
pub(super) const TOKEN: &str = "set --token or FASTJOB_TOKEN to the coordinator's token";

/// Why a command ended early.
#[derive(Debug)]
pub(super) enum Error {
    /// The command line is invalid.
    Misuse(String),
    /// The command failed.
    Failed(Box<Failure>),
    /// The command failed, and its output already says so.
    Reported,
    /// The command succeeded, and reports something with this status.
    Status(u8),
    /// The reader of the output has closed it.
    Closed,
}

/// The reason of a failure, as text and fields.
#[derive(Debug, Default)]
pub(super) struct Failure {
    /// What failed.
    pub(super) title: String,
    /// Each problem.
    pub(super) problems: Vec<Field>,
    /// Where the problems are in a file, in the order of the problems. There may be fewer.
    pub(super) spots: Vec<Spot>,
    /// Whether a command waited for a coordinator, and that was unavailable for too long.
    pub(super) is_outage: bool,
    /// How to fix it.
    pub(super) hints: Vec<String>,
    /// The problem details of the coordinator, if it rejected the request.
    pub(super) details: Box<Map<String, Value>>,
}

/// Where a problem is in a file, as far as that is known and not said otherwise.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Spot {
    /// The line that the problem is about, with a mark.
    pub(super) excerpt: Option<String>,
    pub(super) place: Option<Place>,
}

/// A line of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) file: String,
    /// From 1.
    pub(super) line: usize,
}

impl Error {
    pub(super) fn failed(title: impl Into<String>) -> Self {
        Failure { title: title.into(), ..Failure::default() }.into()
    }

    /// The error with all its causes.
    pub(super) fn from_chain(err: &(dyn std::error::Error + 'static)) -> Self {
        Self::failed(chain(err))
    }

    /// Writes it to the standard error, and returns the exit status.
    pub(super) fn tell(self, json: bool) -> ExitCode {
        match self {
            Self::Closed => ExitCode::SUCCESS,
            Self::Reported => ExitCode::FAILURE,
            Self::Status(status) => ExitCode::from(status),
            Self::Misuse(message) => {
                let mut failure = Failure { title: message, ..Failure::default() };
                *failure.details = failure.as_details();
                failure.details.insert("title".to_owned(), "Misused".into());
                remark(failure.shown(json));
                ExitCode::from(2)
            }
            Self::Failed(failure) => {
                remark(failure.shown(json));
                ExitCode::FAILURE
            }
        }
    }
}

impl Failure {
    fn shown(&self, json: bool) -> String {
        if json {
            text::json(&Value::Object(self.as_details()).to_string()).into_owned()
        } else {
            self.to_string()
        }
    }

    /// As problem details, even if the coordinator sent none.
    pub(super) fn as_details(&self) -> Map<String, Value> {
        let mut details = Map::clone(&self.details);
        if !details.contains_key("title") {
            details.insert("title".to_owned(), "Failed".into());
            details.insert("detail".to_owned(), self.title.clone().into());
            let places = self.spots.iter().map(|spot| spot.place.as_ref());
            let places = places.chain(std::iter::repeat(None));
            let problems =
                self.problems.iter().zip(places).map(|(Field { field, message }, place)| {
                    let mut problem = serde_json::json!({ "field": field, "message": message });
                    if let Some(Place { file, line }) = place {
                        (problem["file"], problem["line"]) = (file.as_str().into(), (*line).into());
                    }
                    problem
                });
            details.insert("problems".to_owned(), problems.collect());
        }
        details
    }

    /// Reports a request that the coordinator rejected.
    pub(super) fn report(&mut self, problem: &ProblemDetails) {
        self.title = headline(&problem.detail, problem.problems.first());
        if self.title.is_empty() {
            self.title = problem.to_string();
        }
        self.problems.clone_from(&problem.problems);
        if problem.status == 401 {
            self.hint(TOKEN);
        }
        if let Ok(Value::Object(details)) = serde_json::to_value(problem) {
            *self.details = details;
        }
    }

    /// Adds how to fix it.
    pub(super) fn hint(&mut self, hint: impl Into<String>) {
        self.hints.push(hint.into());
    }
}

/// The detail without the problems, which are listed one by one.
fn headline(detail: &str, first: Option<&Field>) -> String {
    let first = first.map(|first| format!("{}: {}", first.field, first.message));
    let cut = first.and_then(|first| detail.find(&first)).unwrap_or(detail.len());
    detail[..cut].trim_end_matches([':', ' ']).to_owned()
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "error: {}", one_line(&self.title))?;
        let spots = self.spots.iter().map(|spot| (spot.excerpt.as_deref(), spot.place.as_ref()));
        let problems = self.problems.iter().zip(spots.chain(std::iter::repeat((None, None))));
        for (Field { field, message }, (excerpt, place)) in problems {
            f.write_str("\n  ")?;
            if let Some(Place { file, line }) = place {
                write!(f, "{}:{line}: ", one_line(file))?;
            }
            write!(f, "{}: {}", one_line(field), one_line(message))?;
            for line in excerpt.unwrap_or_default().lines() {
                write!(f, "\n    {}", text::lines(line))?;
            }
        }
        for hint in &self.hints {
            write!(f, "\n  {}", one_line(hint))?;
        }
        Ok(())
    }
}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        Self::Failed(Box::new(failure))
    }
}

impl From<Vec<config::Problem>> for Failure {
    fn from(problems: Vec<config::Problem>) -> Self {
        let title = match problems.len() {
            1 => "the configuration has a problem".to_owned(),
            many => format!("the configuration has {many} problems"),
        };
        let problems = problems.into_iter().map(|p| Field::new(p.key, p.message)).collect();
        Self { title, problems, ..Self::default() }
    }
}

impl From<ConfigError> for Error {
    fn from(err: ConfigError) -> Self {
        match err {
            ConfigError::Invalid(problems) => Failure::from(problems).into(),
            other @ (ConfigError::Unreadable { .. } | ConfigError::NoToml { .. }) => {
                Self::from_chain(&other)
            }
        }
    }
}
