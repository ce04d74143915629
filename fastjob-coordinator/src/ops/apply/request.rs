//! The request: partial definitions, merged into the jobs that there are.

use std::{collections::BTreeMap, sync::Arc};

use fastjob_core::{
    Job, JobDraft, JobName, ServiceName,
    job::{Problem, merged},
};
use serde::Deserialize;
use serde_json::{Map, Value, value::RawValue};

use super::super::{Error, IfMatch};
use crate::{
    drafts::{self, Judged},
    store::{JobRow, Origin},
};

/// Maximum bytes of one job of a request.
const JOB_BYTES: usize = 1024 * 1024;
/// The service of a job that names none, as in a [`JobDraft`].
const DEFAULT_SERVICE: &str = "default";
/// Maximum number of problems that are reported.
const PROBLEMS: usize = 1_000;

/// Jobs to save together, as [`types::ApplyRequest`](fastjob_client::types::ApplyRequest) is sent.
/// Each job is parsed by itself, because parsed JSON can be a hundred times as large as its text.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct ApplyRequest {
    pub(super) jobs: Vec<Box<RawValue>>,
    pub(super) replace: bool,
    pub(super) dry_run: bool,
    /// Which versions of the jobs are edited: of a request about one job.
    #[serde(skip)]
    pub(super) if_match: IfMatch,
}

/// A job to save: its complete definition, and what it was made from.
#[derive(Debug)]
pub(super) struct Planned {
    /// The job that is to be in effect.
    pub(super) job: Arc<Job>,
    /// The job of the request. It is another one if the code, which is to own it, declares another one.
    pub(super) asked: Arc<Job>,
    /// Whether the request has `enabled`, and whether it has alarms.
    pub(super) sets: (bool, bool),
    /// Its position in the request.
    pub(super) at: usize,
    pub(super) before: Option<JobRow>,
    pub(super) owner: Option<Origin>,
}

impl Planned {
    /// Whether it changes more than what people may override: then its children are looked at.
    pub(super) fn changes_definition(&self) -> bool {
        self.before.as_ref().is_none_or(|row| !row.job.is_same_definition(&self.job))
    }

    /// The bytes of its definition in a call.
    pub(super) fn json_bytes(&self) -> usize {
        serde_json::to_string(&JobDraft::from(&*self.job)).map_or(0, |text| text.len())
    }
}

/// The service and name of each job.
pub(super) fn names(request: &ApplyRequest) -> Result<Vec<(ServiceName, JobName)>, Error> {
    #[derive(Default, Deserialize)]
    #[serde(default)]
    struct Named {
        service: Option<Value>,
        name: Option<Value>,
    }
    let (mut names, mut problems) = (Vec::with_capacity(request.jobs.len()), Vec::new());
    let mut seen = BTreeMap::new();
    for (at, edit) in request.jobs.iter().enumerate() {
        let mut problem = |field: &str, message: String| {
            problems.push(of_job(at, Problem { field: field.to_owned(), message }));
        };
        if edit.get().len() > JOB_BYTES {
            let message = format!("it has {} bytes, at most {JOB_BYTES}", edit.get().len());
            problem("", message);
            continue;
        }
        if !edit.get().starts_with('{') {
            problem("", "it is not an object".to_owned());
            continue;
        }
        let named = serde_json::from_str(edit.get());
        let Named { service, name } = match named {
            Ok(named) => named,
            Err(err) => {
                problem("", err.to_string());
                continue;
            }
        };
        let service = service.map_or_else(|| Ok(DEFAULT_SERVICE.to_owned()), text);
        let name = name.map_or_else(|| Err("it is missing".to_owned()), text);
        let service = service.and_then(|text| text.parse().map_err(|err| format!("{err}")));
        let name = name.and_then(|text| text.parse().map_err(|err| format!("{err}")));
        match (service, name) {
            (Ok(service), Ok(name)) => {
                let name: (ServiceName, JobName) = (service, name);
                if let Some(first) = seen.insert(name.clone(), at) {
                    problem("name", format!("`{}.{}` is jobs[{first}] already", name.0, name.1));
                }
                names.push(name);
            }
            (service, name) => {
                for (field, wrong) in [("service", service.err()), ("name", name.err())] {
                    if let Some(message) = wrong {
                        problem(field, message);
                    }
                }
            }
        }
    }
    if problems.is_empty() { Ok(names) } else { Err(invalid(problems)) }
}

fn text(value: Value) -> Result<String, String> {
    match value {
        Value::String(text) => Ok(text),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => {
            Err("it is not a text".to_owned())
        }
    }
}

/// The complete definitions, and the problems of all jobs.
pub(super) fn merge_all(
    request: &ApplyRequest,
    names: Vec<(ServiceName, JobName)>,
    rows: Vec<Option<JobRow>>,
) -> (Vec<Planned>, Vec<Problem>) {
    let (mut planned, mut problems) = (Vec::with_capacity(rows.len()), Vec::new());
    for (at, ((edit, (service, name)), before)) in
        request.jobs.iter().zip(names).zip(rows).enumerate()
    {
        if problems.len() > PROBLEMS {
            break;
        }
        let base = match &before {
            // Its fields are texts, numbers and lists of these.
            Some(row) if !request.replace => {
                serde_json::to_value(JobDraft::from(&*row.job)).unwrap_or_default()
            }
            _ => serde_json::json!({ "service": service.as_str(), "name": name.as_str() }),
        };
        let mut found = Vec::new();
        // It was parsed before, for its name.
        let mut edit: Map<String, Value> = serde_json::from_str(edit.get()).unwrap_or_default();
        let owner = match edit.remove("origin").as_ref().map(Value::as_str) {
            None => None,
            Some(Some("code")) => Some(Origin::Code),
            Some(Some("api")) => Some(Origin::Api),
            Some(_) => {
                let message = "it is `code` or `api`".to_owned();
                found.push(Problem { field: "origin".to_owned(), message });
                None
            }
        };
        // Without a service, it is the default one, which `base` has.
        edit.retain(|field, value| !(field == "service" && value.is_null()));
        let sets = |field: &str| edit.contains_key(field);
        let sets = (sets("enabled"), sets("alarms") || sets("alarm_when"));
        let Judged { job, unreadable, invalid } = drafts::judge(merged(base, &edit), "an object");
        found.extend(unreadable.into_iter().chain(invalid));
        match job.filter(|_| found.is_empty()) {
            Some(asked) => {
                let asked = Arc::new(asked);
                let code = before.as_ref().and_then(JobRow::code);
                let job = match code.filter(|_| owner == Some(Origin::Code)) {
                    Some(code) => {
                        let job = code.with_alarms_of(&asked);
                        Arc::new(Job { enabled: asked.enabled, ..job })
                    }
                    None => Arc::clone(&asked),
                };
                planned.push(Planned { job, asked, sets, at, before, owner });
            }
            None => problems.extend(found.into_iter().map(|problem| of_job(at, problem))),
        }
    }
    (planned, problems)
}

/// A problem of the job at a position of the request.
pub(super) fn of_job(at: usize, Problem { field, message }: Problem) -> Problem {
    let dot = if field.is_empty() { "" } else { "." };
    Problem { field: format!("jobs[{at}]{dot}{field}"), message }
}

/// The error of a request about one job, without the job's position.
pub(super) fn of_one_job(err: Error) -> Error {
    let Error::Invalid { problems, .. } = err else { return err };
    let problems = problems.into_iter().map(|problem| {
        let field = problem.field.strip_prefix("jobs[0]").unwrap_or(&problem.field);
        Problem { field: field.trim_start_matches('.').to_owned(), ..problem }
    });
    invalid(problems.collect())
}

pub(super) fn invalid(mut problems: Vec<Problem>) -> Error {
    problems.sort_by_key(|problem| {
        let at = problem.field.strip_prefix("jobs[").and_then(|rest| rest.split(']').next());
        at.and_then(|at| at.parse::<usize>().ok())
    });
    problems.truncate(PROBLEMS);
    let message = match problems.as_slice() {
        [Problem { field, message }] => format!("{field}: {message}"),
        [first, rest @ ..] => {
            format!("{}: {}; and {} more problems", first.field, first.message, rest.len())
        }
        [] => "the request is not valid".to_owned(),
    };
    Error::Invalid { message, problems }
}

#[cfg(test)]
mod tests;
