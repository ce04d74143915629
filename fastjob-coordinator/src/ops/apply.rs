//! Saving several jobs together, from partial definitions.
//!
//! Everything is checked before anything is saved, and the jobs of one partition are saved in one
//! transaction. In a store with one partition, which SQLite always has, that makes all of them one
//! transaction. With several partitions, every owner first tries its part. Then the jobs are saved
//! children first, in a transaction for each partition and level of children. What can fail there is
//! a store or a node, or another change at the same time; the error says what was saved by then, and
//! the same request completes it.

use std::{collections::BTreeMap, sync::Arc};

use fastjob_core::{
    Job, JobDraft, JobName, ServiceName,
    job::{Problem, differences, merged},
};
use fastjob_engine::{Apply, Command, Edit, Event, JobRefused, SaveDone};
use futures_util::{StreamExt, TryStreamExt, future::join_all};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{
    Applied, AppliedJob, ApplyRequest, Error, JobView, Ops, Saved,
    jobs::origin_word,
    node_calls::NodeCall,
    order::{Cycle, children_first, levels},
};
use crate::{
    drafts::{self, Judged},
    store::{self, JobRow, Origin, Partition},
};

/// Maximum number of jobs of one request.
pub(crate) const APPLY_MOST: usize = 10_000;
/// How often a request is repeated because a job was changed after it was read.
const TRIES: u32 = 5;
/// How many jobs are read from the store at the same time.
const READS: usize = 8;
/// The service of a job that names none, as in a [`JobDraft`].
const DEFAULT_SERVICE: &str = "default";
/// Maximum bytes of the definitions in one call to another node.
const CALL_BYTES: usize = 2 * 1024 * 1024;

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
    coming: Vec<(ServiceName, JobName)>,
    is_dry: bool,
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
    /// What each edit did, and whether the code owns the definition after it.
    Done(Vec<(Saved, bool)>),
    /// A job was changed since it was read.
    Changed,
    /// The edits that are not possible: the number of each, a field, and the problem.
    Refused(Vec<(usize, String, String)>),
}

impl NodeCall for ApplyJobs {
    const NAME: &'static str = "apply-jobs";
    type Reply = ApplyReply;

    async fn answer(self, ops: &Ops, partition: Partition) -> Result<ApplyReply, Error> {
        let engine = ops.engine(partition)?;
        let mut edits = Vec::with_capacity(self.edits.len());
        for WireEdit { job, from, by_code } in self.edits {
            let job = ops.valid(*job)?;
            if Partition::of_name(&job.service, &job.name, ops.engines.partitions()) != partition {
                return Err(Error::invalid("name", "the job belongs to another partition"));
            }
            let owner = by_code.map(|by_code| if by_code { Origin::Code } else { Origin::Api });
            edits.push(Edit { job: Arc::new(job), from, owner });
        }
        let jobs: Vec<_> = edits.iter().map(|edit| &*edit.job).collect();
        let others = ops.relatives_of(&jobs).await?;
        let ask = Apply { edits, coming: self.coming, is_dry: self.is_dry };
        let apply = |answer| Event::CommandWith(others, Command::Apply { ask, answer });
        Ok(match engine.ask_with(apply).await? {
            Ok(done) => ApplyReply::Done(
                done.into_iter()
                    .map(|(done, row)| (saved(done), row.origin == Origin::Code))
                    .collect(),
            ),
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
    /// A job was changed since it was read, and nothing is saved.
    Changed,
    Failed(Error),
}

impl From<Error> for Stopped {
    fn from(err: Error) -> Self {
        Self::Failed(err)
    }
}

impl Ops {
    /// Saves several jobs: all of them, or none.
    pub(crate) async fn apply(&self, request: ApplyRequest) -> Result<Applied, Error> {
        if request.jobs.is_empty() || request.jobs.len() > APPLY_MOST {
            let count = request.jobs.len();
            let message = format!("there are {count}, 1 to {APPLY_MOST} are allowed");
            return Err(Error::invalid("jobs", message));
        }
        // Many large definitions in memory at the same time could exhaust it.
        let _one = self.applying.acquire().await.ok();
        let request = Arc::new(request);
        for _ in 0..TRIES {
            match self.try_apply(&request).await {
                Ok(applied) => return Ok(applied),
                Err(Stopped::Changed) => {}
                Err(Stopped::Failed(err)) => return Err(err),
            }
        }
        Err(Error::Conflict("the jobs are changed by others at the same time: try again".into()))
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
        let request = ApplyRequest { jobs: vec![edit], ..ApplyRequest::default() };
        let applied = self.apply(request).await.map_err(of_one_job)?;
        let saved = applied.items.first().map_or(Saved::Unchanged, |item| match &item.saved {
            fastjob_client::types::Word::Known(saved) => *saved,
            fastjob_client::types::Word::Unknown(_) => Saved::Updated,
        });
        Ok((saved, self.job(row.job.path().as_str(), None).await?))
    }

    async fn try_apply(&self, request: &Arc<ApplyRequest>) -> Result<Applied, Stopped> {
        let planned = self.plan(request).await?;
        let mut items: Vec<Option<AppliedJob>> = vec![None; planned.len()];
        let is_alone = self.engines.partitions() == 1;
        if request.dry_run || !is_alone {
            let coming = match is_alone {
                true => Vec::new(),
                false => planned.iter().map(|plan| plan.name()).collect(),
            };
            let tried = self.call_parts(self.parts(planned.iter().collect()), &coming, true).await;
            let tried = judged(tried).map_err(|(stopped, _)| stopped)?;
            if request.dry_run {
                note(&mut items, tried);
                return Ok(Applied { items: items.into_iter().flatten().collect() });
            }
        }
        let mut saved = 0;
        for level in by_level(&planned, is_alone) {
            let size = level.len();
            let done = self.call_parts(self.parts(level), &[], false).await;
            let done = judged(done).map_err(|(stopped, count)| match stopped {
                Stopped::Failed(err) => partly(err, saved + count, planned.len()).into(),
                Stopped::Changed => Stopped::Changed,
            })?;
            note(&mut items, done);
            saved += size;
        }
        Ok(Applied { items: items.into_iter().flatten().collect() })
    }

    /// Reads the jobs, merges the edits into them, and checks the results. Children come first.
    async fn plan(&self, request: &Arc<ApplyRequest>) -> Result<Vec<Planned>, Error> {
        let names = names(request)?;
        let mut reads = Vec::with_capacity(names.len());
        for (service, name) in &names {
            reads.push(self.store.job(service, name));
        }
        let rows: Vec<Option<JobRow>> =
            futures_util::stream::iter(reads).buffered(READS).try_collect().await?;
        let edits = Arc::clone(request);
        let merging = tokio::task::spawn_blocking(move || merge_all(&edits, names, rows));
        let merged = merging.await.map_err(|err| Error::Unavailable(err.to_string()))?;
        let (planned, mut problems) = merged;
        for plan in &planned {
            let unknown = self.unknown_channels(&plan.job);
            problems.extend(unknown.into_iter().map(|problem| of_job(plan.at, problem)));
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
            let bytes = store::definition_bytes(&plan.job);
            let calls = parts.entry(partition).or_default();
            match calls.last_mut() {
                Some((size, call)) if partitions == 1 || *size + bytes <= CALL_BYTES => {
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
        coming: &[(ServiceName, JobName)],
        is_dry: bool,
    ) -> Vec<(Vec<&'p Planned>, Result<ApplyReply, Error>)> {
        let calls = parts.into_iter().map(|(partition, part)| async move {
            let edits = part.iter().map(|plan| WireEdit {
                job: Box::new(JobDraft::from(&*plan.job)),
                from: plan.before.as_ref().map(|row| row.revision),
                by_code: plan.owner.map(|owner| owner == Origin::Code),
            });
            let call = ApplyJobs { edits: edits.collect(), coming: coming.to_vec(), is_dry };
            let reply = self.call_owner(partition, call).await;
            (part, reply)
        });
        join_all(calls).await
    }
}

/// What was done to each job: what, and whether the code owns it afterwards.
type Done<'p> = Vec<(&'p Planned, Saved, bool)>;

/// What was done to each job; or why not, and how many jobs are saved.
fn judged(
    replies: Vec<(Vec<&Planned>, Result<ApplyReply, Error>)>,
) -> Result<Done<'_>, (Stopped, usize)> {
    let (mut done, mut refused, mut failed, mut changed) = (Vec::new(), Vec::new(), None, false);
    for (part, reply) in replies {
        match reply {
            Ok(ApplyReply::Done(did)) => {
                let did = part.into_iter().zip(did);
                done.extend(did.map(|(plan, (saved, by_code))| (plan, saved, by_code)));
            }
            Ok(ApplyReply::Changed) => changed = true,
            Ok(ApplyReply::Refused(problems)) => {
                refused.extend(problems.into_iter().filter_map(|(at, field, message)| {
                    Some(of_job(part.get(at)?.at, Problem { field, message }))
                }));
            }
            Err(err) => failed = Some(err),
        }
    }
    let stopped = match failed {
        Some(err) => Stopped::Failed(err),
        None if !refused.is_empty() => Stopped::Failed(invalid(refused)),
        None if changed => Stopped::Changed,
        None => return Ok(done),
    };
    Err((stopped, done.len()))
}

/// Adds how many jobs are saved to an error.
fn partly(err: Error, saved: usize, all: usize) -> Error {
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

fn note(items: &mut [Option<AppliedJob>], done: Done<'_>) {
    for (plan, saved, by_code) in done {
        let before = plan.before.as_ref();
        let changes = before.map(|row| differences(&row.job, &plan.job)).unwrap_or_default();
        let (changes, ignored) = match saved {
            Saved::Unchanged => (Vec::new(), changes),
            Saved::Created | Saved::Updated => (changes, Vec::new()),
        };
        let item = AppliedJob {
            job: plan.job.path().to_string(),
            saved: saved.into(),
            changes,
            origin: origin_word(if by_code { Origin::Code } else { Origin::Api }).to_owned(),
            was_code: !by_code && before.is_some_and(|row| row.origin == Origin::Code),
            ignored,
        };
        if let Some(place) = items.get_mut(plan.at) {
            *place = Some(item);
        }
    }
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
    fn name(&self) -> (ServiceName, JobName) {
        (self.job.service.clone(), self.job.name.clone())
    }
}

/// The service and name of each job.
fn names(request: &ApplyRequest) -> Result<Vec<(ServiceName, JobName)>, Error> {
    let (mut names, mut problems) = (Vec::with_capacity(request.jobs.len()), Vec::new());
    let mut seen = BTreeMap::new();
    for (at, edit) in request.jobs.iter().enumerate() {
        let service = edit.get("service").filter(|service| !service.is_null());
        let service = service.map_or(Ok(DEFAULT_SERVICE), |service| text(service));
        let name = edit.get("name").map_or(Err("it is missing".to_owned()), text);
        let service = service.and_then(|text| text.parse().map_err(|err| format!("{err}")));
        let name = name.and_then(|text| text.parse().map_err(|err| format!("{err}")));
        match (service, name) {
            (Ok(service), Ok(name)) => {
                let name: (ServiceName, JobName) = (service, name);
                if let Some(first) = seen.insert(name.clone(), at) {
                    let message = format!("`{}.{}` is jobs[{first}] already", name.0, name.1);
                    problems.push(of_job(at, Problem { field: "name".to_owned(), message }));
                }
                names.push(name);
            }
            (service, name) => {
                let fields = [("service", service.err()), ("name", name.err())];
                problems.extend(fields.into_iter().filter_map(|(field, message)| {
                    Some(of_job(at, Problem { field: field.to_owned(), message: message? }))
                }));
            }
        }
    }
    if problems.is_empty() { Ok(names) } else { Err(invalid(problems)) }
}

fn text(value: &Value) -> Result<&str, String> {
    value.as_str().ok_or_else(|| format!("found {value}, expected a text"))
}

/// The complete definitions, and all problems of all jobs.
fn merge_all(
    request: &ApplyRequest,
    names: Vec<(ServiceName, JobName)>,
    rows: Vec<Option<JobRow>>,
) -> (Vec<Planned>, Vec<Problem>) {
    let (mut planned, mut problems) = (Vec::with_capacity(rows.len()), Vec::new());
    for (at, ((edit, (service, name)), before)) in
        request.jobs.iter().zip(names).zip(rows).enumerate()
    {
        let base = match &before {
            // Its fields are texts, numbers and lists of these.
            Some(row) if !request.replace => {
                serde_json::to_value(JobDraft::from(&*row.job)).unwrap_or_default()
            }
            _ => serde_json::json!({ "service": service.as_str(), "name": name.as_str() }),
        };
        let mut edit = edit.clone();
        let mut found = Vec::new();
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
        // These are the ones that were read, also if they are null.
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
