//! Saving several jobs together, from partial definitions.
//!
//! Everything is checked before anything is saved, and the jobs of one partition are saved in one
//! transaction. In a store with one partition, which SQLite always has, that makes all of them one
//! transaction. With several partitions, the children of all jobs are checked here, and every owner
//! tries its part. Then the jobs are saved children first, in a transaction for each partition and
//! level of children. What can fail there is a store, a node or a limit that other changes reach at the
//! same time. The error says what was saved by then, and the same request completes it.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use fastjob_core::{
    Job, JobDraft, JobName, ServiceName,
    job::{FieldChange, Problem, differences, merged},
};
use fastjob_engine::{
    Apply, Command, Directory, Edit, Event, JobRefused, SaveDone, check_together,
};
use futures_util::StreamExt;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, value::RawValue};
use tokio::sync::SemaphorePermit;

use super::{
    Applied, AppliedJob, Error, JobView, Ops, Saved,
    jobs::origin_word,
    node_calls::NodeCall,
    order::{Cycle, children_first, levels},
};
use crate::{
    drafts::{self, Judged},
    store::{self, JobRow, Origin, Partition},
};

/// Maximum number of jobs of one request.
const APPLY_MOST: usize = 10_000;
/// Maximum bytes of one job of a request.
const JOB_BYTES: usize = 1024 * 1024;
/// Maximum bytes of all definitions of one request, before and after it.
const DEFINITIONS: usize = 64 * 1024 * 1024;
/// How often a request is repeated because a job was changed after it was read, and the pause before
/// the first time; each further pause is twice as long.
const TRIES: u32 = 5;
const PAUSE: Duration = Duration::from_millis(20);
/// How many jobs are read from the store at the same time, and how many calls are sent.
const AT_ONCE: usize = 8;
/// The service of a job that names none, as in a [`JobDraft`].
const DEFAULT_SERVICE: &str = "default";
/// Maximum number of problems that are reported.
const PROBLEMS: usize = 1_000;
/// Maximum bytes of the definitions in one call to another node.
const CALL_BYTES: usize = 2 * 1024 * 1024;
/// Maximum bytes of a value in the answer.
const SHOWN: usize = 1_024;

/// Jobs to save together, as [`types::ApplyRequest`](fastjob_client::types::ApplyRequest) is sent.
/// Each job is parsed by itself, because parsed JSON can be a hundred times as large as its text.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct ApplyRequest {
    jobs: Vec<Box<RawValue>>,
    replace: bool,
    dry_run: bool,
}

/// A job to save: its complete definition, and what it was made from.
#[derive(Debug)]
struct Planned {
    job: Arc<Job>,
    /// Its position in the request.
    at: usize,
    before: Option<JobRow>,
    owner: Option<Origin>,
}

/// Saves jobs of one partition.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(super) struct ApplyJobs {
    edits: Vec<WireEdit>,
    is_dry: bool,
    /// The children were checked by the caller.
    ignores_children: bool,
}

#[derive(Clone, Debug, Deserialize, Serialize)]
struct WireEdit {
    job: Box<JobDraft>,
    from: Option<i64>,
    /// Whether the code is to own the definition.
    by_code: Option<bool>,
}

/// What became of an [`ApplyJobs`].
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum ApplyReply {
    /// What each edit did.
    Done(Vec<Effect>),
    /// A job was changed since it was read.
    Changed,
    /// The edits that are not possible: the number of each, a field, and the problem.
    Refused(Vec<(usize, String, String)>),
}

/// What an edit did.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(super) struct Effect {
    saved: Saved,
    /// Whether the code owns the definition after it.
    by_code: bool,
    /// The definition after it, if that is not the one of the edit.
    other: Option<Box<JobDraft>>,
}

impl NodeCall for ApplyJobs {
    const NAME: &'static str = "apply-jobs";
    type Reply = ApplyReply;

    async fn answer(self, ops: &Ops, partition: Partition) -> Result<ApplyReply, Error> {
        let engine = ops.engine(partition)?;
        let mut edits = Vec::with_capacity(self.edits.len());
        for WireEdit { job, from, by_code } in self.edits {
            let job = Job::try_from(*job).map_err(|err| Error::Invalid {
                message: err.to_string(),
                problems: err.problems,
            })?;
            if Partition::of_name(&job.service, &job.name, ops.engines.partitions()) != partition {
                return Err(Error::invalid("name", "the job belongs to another partition"));
            }
            let owner = by_code.map(|by_code| if by_code { Origin::Code } else { Origin::Api });
            edits.push(Edit { job: Arc::new(job), from, owner });
        }
        let jobs: Vec<_> = edits.iter().map(|edit| Arc::clone(&edit.job)).collect();
        let others = match self.ignores_children {
            true => Vec::new(),
            false => ops.relatives_of(&jobs.iter().map(|job| &**job).collect::<Vec<_>>()).await?,
        };
        let ask = Apply { edits, is_dry: self.is_dry, ignores_children: self.ignores_children };
        let others = Directory::new(others);
        let apply = |answer| Event::CommandWith(others, Command::Apply { ask, answer });
        Ok(match engine.ask_with(apply).await? {
            Ok(done) => {
                let done = done.into_iter().zip(&jobs).map(|((done, row), job)| Effect {
                    saved: saved(done),
                    by_code: row.origin == Origin::Code,
                    other: (row.job != *job).then(|| Box::new(JobDraft::from(&*row.job))),
                });
                ApplyReply::Done(done.collect())
            }
            Err(refused) if refused.iter().any(|(_, why)| is_changed(why)) => ApplyReply::Changed,
            Err(refused) => ApplyReply::Refused(refused.into_iter().flat_map(problems).collect()),
        })
    }
}

fn is_changed(why: &JobRefused) -> bool {
    matches!(why, JobRefused::Changed(_))
}

fn saved(done: SaveDone) -> Saved {
    match done {
        SaveDone::Created => Saved::Created,
        SaveDone::Updated | SaveDone::Deleted => Saved::Updated,
        SaveDone::Unchanged | SaveDone::Noted => Saved::Unchanged,
    }
}

fn problems((at, why): (usize, JobRefused)) -> Vec<(usize, String, String)> {
    match Error::from(why) {
        Error::Invalid { problems, .. } => {
            problems.into_iter().map(|problem| (at, problem.field, problem.message)).collect()
        }
        other => vec![(at, String::new(), other.to_string())],
    }
}

/// Why a request was not carried out.
enum Stopped {
    /// A job was changed since it was read.
    Changed,
    Failed(Error),
}

impl From<Error> for Stopped {
    fn from(err: Error) -> Self {
        Self::Failed(err)
    }
}

impl Ops {
    /// Waits for the only turn to read and save many jobs.
    pub(crate) async fn turn_to_apply(&self) -> Option<SemaphorePermit<'_>> {
        // It is never closed.
        self.applying.acquire().await.ok()
    }

    /// Saves several jobs: all of them, or none.
    pub(crate) async fn apply(&self, request: ApplyRequest) -> Result<Applied, Error> {
        if request.jobs.is_empty() || request.jobs.len() > APPLY_MOST {
            let count = request.jobs.len();
            let message = format!("there are {count}, 1 to {APPLY_MOST} are allowed");
            return Err(Error::invalid("jobs", message));
        }
        let (request, mut pause) = (Arc::new(request), PAUSE);
        // What was done stays done if the rest is repeated.
        let mut items: Vec<Option<AppliedJob>> = vec![None; request.jobs.len()];
        for _ in 0..TRIES {
            match self.try_apply(&request, &mut items).await {
                Ok(()) => return Ok(Applied { items: items.into_iter().flatten().collect() }),
                Err(Stopped::Changed) => {}
                Err(Stopped::Failed(err)) => return Err(partly(err, &items)),
            }
            tokio::time::sleep(pause).await;
            pause *= 2;
        }
        let changed = "the jobs are changed by others at the same time: try again";
        Err(partly(Error::Conflict(changed.to_owned()), &items))
    }

    /// Changes fields of an existing job.
    pub(crate) async fn edit_job(
        &self,
        path: &str,
        mut edit: Map<String, Value>,
    ) -> Result<(Saved, JobView), Error> {
        let row = self.find(path).await?;
        for (field, own) in [("service", row.job.service.as_str()), ("name", row.job.name.as_str())]
        {
            let value = edit.entry(field).or_insert_with(|| own.into());
            if value.as_str() != Some(own) {
                let message = format!("it is `{own}` and cannot be changed");
                return Err(Error::invalid(field, message));
            }
        }
        let edit = serde_json::value::to_raw_value(&edit);
        let edit = edit.map_err(|err| Error::invalid("body", err))?;
        let request = ApplyRequest { jobs: vec![edit], ..ApplyRequest::default() };
        let applied = self.apply(request).await.map_err(of_one_job)?;
        let saved = applied.items.first().map_or(Saved::Unchanged, |item| match &item.saved {
            fastjob_client::types::Word::Known(saved) => *saved,
            fastjob_client::types::Word::Unknown(_) => Saved::Updated,
        });
        Ok((saved, self.job(row.job.path().as_str(), None).await?))
    }

    async fn try_apply(
        &self,
        request: &Arc<ApplyRequest>,
        items: &mut [Option<AppliedJob>],
    ) -> Result<(), Stopped> {
        let planned = self.plan(request).await?;
        let is_alone = self.engines.partitions() == 1;
        if !is_alone {
            self.check_children(&planned).await?;
        }
        if request.dry_run || !is_alone {
            let parts = self.parts(planned.iter().collect());
            let mut tried = Vec::new();
            judged(self.call_parts(parts, true).await, &mut tried)?;
            if request.dry_run {
                note(items, tried);
                return Ok(());
            }
        }
        for level in by_level(&planned, is_alone) {
            let mut done = Vec::new();
            let result = judged(self.call_parts(self.parts(level), false).await, &mut done);
            note(items, done);
            result?;
        }
        Ok(())
    }

    /// Checks children across partitions, as one engine would.
    async fn check_children(&self, planned: &[Planned]) -> Result<(), Error> {
        let jobs: Vec<_> = planned.iter().filter(|plan| plan.changes_definition()).collect();
        let all: Vec<_> = jobs.iter().map(|plan| &*plan.job).collect();
        let links = self.relatives_of(&all).await?;
        let checked: Vec<_> = jobs
            .iter()
            .map(|plan| (&plan.job, plan.before.as_ref(), plan.owner.unwrap_or(Origin::Api)))
            .collect();
        let refused = check_together(links, &checked).into_iter().flat_map(problems);
        let refused: Vec<_> = refused
            .filter_map(|(at, field, message)| {
                Some(of_job(jobs.get(at)?.at, Problem { field, message }))
            })
            .collect();
        if refused.is_empty() { Ok(()) } else { Err(invalid(refused)) }
    }

    /// Reads the jobs, merges the edits into them, and checks the results. Children come first.
    async fn plan(&self, request: &Arc<ApplyRequest>) -> Result<Vec<Planned>, Error> {
        let names = names(request)?;
        let mut reads = Vec::with_capacity(names.len());
        for (service, name) in &names {
            reads.push(self.store.job(service, name));
        }
        let mut reads = futures_util::stream::iter(reads).buffered(AT_ONCE);
        let (mut rows, mut bytes) = (Vec::with_capacity(names.len()), 0);
        while let Some(row) = reads.next().await {
            let row = row?;
            bytes += row.as_ref().map_or(0, |row| store::definition_bytes(&row.job));
            within(bytes)?;
            rows.push(row);
        }
        drop(reads);
        let edits = Arc::clone(request);
        let merging = tokio::task::spawn_blocking(move || merge_all(&edits, names, rows));
        let merged = merging.await.map_err(|err| Error::Unavailable(err.to_string()))?;
        let (planned, mut problems) = merged;
        within(planned.iter().map(|plan| store::definition_bytes(&plan.job)).sum())?;
        for plan in &planned {
            // What the job has already is no problem of this request.
            let before = plan.before.as_ref();
            let is_new = |problem: &Problem| {
                let at = problem.field.strip_prefix("alarms[").and_then(|at| at.strip_suffix(']'));
                let channel = at.and_then(|at| plan.job.alarms.get(at.parse::<usize>().ok()?));
                let has = |channel| before.is_some_and(|row| row.job.alarms.contains(channel));
                !channel.is_some_and(has)
            };
            let unknown = self.unknown_channels(&plan.job).into_iter().filter(is_new);
            problems.extend(unknown.map(|problem| of_job(plan.at, problem)));
        }
        match problems.is_empty() {
            true => in_order(planned),
            false => Err(invalid(problems)),
        }
    }

    /// The jobs of each partition, in calls of a limited size.
    fn parts<'p>(&self, planned: Vec<&'p Planned>) -> Vec<(Partition, Vec<&'p Planned>)> {
        let partitions = self.engines.partitions();
        let mut parts: BTreeMap<_, Vec<(usize, Vec<&Planned>)>> = BTreeMap::new();
        for plan in planned {
            let partition = Partition::of_name(&plan.job.service, &plan.job.name, partitions);
            let bytes = if partitions == 1 { 0 } else { plan.json_bytes() };
            let calls = parts.entry(partition).or_default();
            match calls.last_mut() {
                Some((size, call)) if *size + bytes <= CALL_BYTES => {
                    *size += bytes;
                    call.push(plan);
                }
                _ => calls.push((bytes, vec![plan])),
            }
        }
        let calls = parts.into_iter();
        calls.flat_map(|(at, calls)| calls.into_iter().map(move |(_, call)| (at, call))).collect()
    }

    async fn call_parts<'p>(
        &self,
        parts: Vec<(Partition, Vec<&'p Planned>)>,
        is_dry: bool,
    ) -> Vec<(Vec<&'p Planned>, Result<ApplyReply, Error>)> {
        let ignores_children = is_dry && self.engines.partitions() > 1;
        let mut calls = Vec::with_capacity(parts.len());
        for (partition, part) in parts {
            calls.push(async move {
                let edits = part.iter().map(|plan| WireEdit {
                    job: Box::new(JobDraft::from(&*plan.job)),
                    from: plan.before.as_ref().map(|row| row.revision),
                    by_code: plan.owner.map(|owner| owner == Origin::Code),
                });
                let call = ApplyJobs { edits: edits.collect(), is_dry, ignores_children };
                let reply = self.call_owner(partition, call).await;
                (part, reply)
            });
        }
        futures_util::stream::iter(calls).buffered(AT_ONCE).collect().await
    }
}

fn within(bytes: usize) -> Result<(), Error> {
    if bytes <= DEFINITIONS {
        return Ok(());
    }
    let most = DEFINITIONS >> 20;
    Err(Error::invalid("jobs", format!("their definitions have more than {most} MiB: send fewer")))
}

/// Adds what was done to each job, also if another one failed.
fn judged<'p>(
    replies: Vec<(Vec<&'p Planned>, Result<ApplyReply, Error>)>,
    done: &mut Vec<(&'p Planned, Effect)>,
) -> Result<(), Stopped> {
    let (mut refused, mut failed, mut changed) = (Vec::new(), None, false);
    for (part, reply) in replies {
        match reply {
            Ok(ApplyReply::Done(effects)) => done.extend(part.into_iter().zip(effects)),
            Ok(ApplyReply::Changed) => changed = true,
            Ok(ApplyReply::Refused(problems)) => {
                refused.extend(problems.into_iter().filter_map(|(at, field, message)| {
                    Some(of_job(part.get(at)?.at, Problem { field, message }))
                }));
            }
            Err(err) => failed = Some(err),
        }
    }
    match failed {
        Some(err) => Err(Stopped::Failed(err)),
        None if !refused.is_empty() => Err(Stopped::Failed(invalid(refused))),
        None if changed => Err(Stopped::Changed),
        None => Ok(()),
    }
}

/// Adds how many jobs are saved to an error.
fn partly(err: Error, items: &[Option<AppliedJob>]) -> Error {
    let (saved, all) = (items.iter().flatten().count(), items.len());
    if saved == 0 {
        return err;
    }
    let so_far = format!(
        "{saved} of {all} jobs are saved, the others are not: repeat the request to complete it"
    );
    match err {
        Error::Invalid { message, problems } => {
            Error::Invalid { message: format!("{so_far}: {message}"), problems }
        }
        other => Error::Unavailable(format!("{so_far}: {other}")),
    }
}

fn note(items: &mut [Option<AppliedJob>], done: Vec<(&Planned, Effect)>) {
    for (plan, Effect { saved, by_code, other }) in done {
        let Some(place) = items.get_mut(plan.at) else { continue };
        if place.is_some() && saved == Saved::Unchanged {
            // It was saved before the request was repeated.
            continue;
        }
        let before = plan.before.as_ref();
        let after = other.and_then(|draft| Job::try_from(*draft).ok()).map(Arc::new);
        let after = after.as_ref().unwrap_or(&plan.job);
        *place = Some(AppliedJob {
            job: plan.job.path().to_string(),
            saved: saved.into(),
            changes: before.map(|row| changes(&row.job, after)).unwrap_or_default(),
            origin: origin_word(if by_code { Origin::Code } else { Origin::Api }).to_owned(),
            was_code: !by_code && before.is_some_and(|row| row.origin == Origin::Code),
            ignored: changes(after, &plan.job),
        });
    }
}

/// How two definitions differ. Long values are shortened.
fn changes(from: &Job, to: &Job) -> Vec<FieldChange> {
    let shorten = |value: Value| {
        let text = match &value {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        match text.char_indices().nth(SHOWN / 4) {
            Some((end, _)) if text.len() > SHOWN => format!("{}…", &text[..end]).into(),
            _ => value,
        }
    };
    let changes = differences(from, to).into_iter();
    let changes = changes.map(|change| FieldChange {
        from: change.from.map(shorten),
        to: change.to.map(shorten),
        ..change
    });
    changes.collect()
}

/// The jobs in groups that are saved one after the other.
fn by_level(planned: &[Planned], is_alone: bool) -> Vec<Vec<&Planned>> {
    if is_alone {
        return vec![planned.iter().collect()];
    }
    let jobs: Vec<_> = planned.iter().map(|plan| &*plan.job).collect();
    let mut groups: BTreeMap<usize, Vec<&Planned>> = BTreeMap::new();
    for (plan, level) in planned.iter().zip(levels(&jobs)) {
        groups.entry(level).or_default().push(plan);
    }
    groups.into_values().collect()
}

/// Sorts the jobs, children first.
fn in_order(planned: Vec<Planned>) -> Result<Vec<Planned>, Error> {
    let jobs: Vec<_> = planned.iter().map(|plan| &*plan.job).collect();
    match children_first(&jobs) {
        Ok(order) => {
            let mut planned: Vec<_> = planned.into_iter().map(Some).collect();
            Ok(order.into_iter().filter_map(|at| planned[at].take()).collect())
        }
        Err(Cycle(places)) => {
            let round = places.iter().chain(places.first());
            let names: Vec<_> = round.map(|at| planned[*at].job.path().to_string()).collect();
            let message = format!(
                "these children form a cycle, so their tasks would never end: {}",
                names.join(" -> ")
            );
            let at = places.first().map_or(0, |at| planned[*at].at);
            Err(invalid(vec![of_job(at, Problem { field: "children".to_owned(), message })]))
        }
    }
}

impl Planned {
    /// Whether it changes more than what people may override: then its children are looked at.
    fn changes_definition(&self) -> bool {
        self.before.as_ref().is_none_or(|row| !row.job.is_same_definition(&self.job))
    }

    /// The bytes of its definition in a call.
    fn json_bytes(&self) -> usize {
        serde_json::to_string(&JobDraft::from(&*self.job)).map_or(0, |text| text.len())
    }
}

/// The service and name of each job.
fn names(request: &ApplyRequest) -> Result<Vec<(ServiceName, JobName)>, Error> {
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
fn merge_all(
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
        let Judged { job, unreadable, invalid } = drafts::judge(merged(base, &edit), "an object");
        found.extend(unreadable.into_iter().chain(invalid));
        match job.filter(|_| found.is_empty()) {
            Some(job) => planned.push(Planned { job: Arc::new(job), at, before, owner }),
            None => problems.extend(found.into_iter().map(|problem| of_job(at, problem))),
        }
    }
    (planned, problems)
}

/// A problem of the job at a position of the request.
fn of_job(at: usize, Problem { field, message }: Problem) -> Problem {
    let dot = if field.is_empty() { "" } else { "." };
    Problem { field: format!("jobs[{at}]{dot}{field}"), message }
}

/// The error of a request about one job, without the job's position.
fn of_one_job(err: Error) -> Error {
    let Error::Invalid { problems, .. } = err else { return err };
    let problems = problems.into_iter().map(|problem| {
        let field = problem.field.strip_prefix("jobs[0]").unwrap_or(&problem.field);
        Problem { field: field.trim_start_matches('.').to_owned(), ..problem }
    });
    invalid(problems.collect())
}

fn invalid(mut problems: Vec<Problem>) -> Error {
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
