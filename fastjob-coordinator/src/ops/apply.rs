//! Saving several jobs together, from partial definitions.
//!
//! Everything is checked before anything is saved, and the jobs of one partition are saved in one
//! transaction. In a store with one partition, which SQLite always has, that makes all of them one
//! transaction. With several partitions, the children of all jobs are checked here, and every owner
//! tries its part. Then the jobs are saved children first, in a transaction for each partition and
//! level of children. What can fail there is a store, a node or a limit that other changes reach at the
//! same time. The error says what was saved by then, and the same request completes it.

mod call;
mod groups;
mod request;

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use fastjob_core::{
    Job, JobDraft,
    job::{FieldChange, Problem, differences, param_text},
};
use fastjob_engine::{Condition, Version, check_together};
use futures_util::StreamExt;
use serde_json::{Map, Value};
use tokio::sync::SemaphorePermit;

pub(super) use self::call::ApplyJobs;
use self::{
    call::{ApplyReply, Effect, WireEdit, problems},
    groups::{by_level, in_order},
    request::{ApplyRequest, Planned, invalid, merge_all, names, of_job, of_one_job},
};
use super::{Applied, AppliedJob, Error, IfMatch, JobView, Ops, Saved, jobs::origin_word};
use crate::store::{self, Origin, Partition};

/// Maximum number of jobs of one request.
const APPLY_MOST: usize = 10_000;
/// Maximum bytes of all definitions of one request, before and after it.
const DEFINITIONS: usize = 64 * 1024 * 1024;
/// How long a request waits for its turn.
const TURN: Duration = Duration::from_secs(20);
/// How often a request is repeated because a job was changed after it was read, and the pause before
/// the first time; each further pause is twice as long.
const TRIES: u32 = 5;
const PAUSE: Duration = Duration::from_millis(20);
/// How many jobs are read from the store at the same time, and how many calls are sent.
const AT_ONCE: usize = 8;
/// Maximum bytes of the definitions in one call to another node.
const CALL_BYTES: usize = 2 * 1024 * 1024;
/// Maximum bytes of a value in the answer.
const SHOWN: usize = 1_024;

/// Why a request was not carried out.
enum Stopped {
    /// A job was changed since it was read.
    Changed,
    Failed(Error),
}

/// What was done to a job, and the job after it if it is the only one of the request.
#[derive(Clone)]
struct Noted {
    item: AppliedJob,
    view: Option<Box<JobView>>,
}

impl From<Error> for Stopped {
    fn from(err: Error) -> Self {
        Self::Failed(err)
    }
}

impl Ops {
    /// Waits for the only turn to read and save many jobs.
    pub(crate) async fn turn_to_apply(&self) -> Result<SemaphorePermit<'_>, Error> {
        match tokio::time::timeout(TURN, self.applying.acquire()).await {
            Ok(Ok(turn)) => Ok(turn),
            // It is never closed.
            Ok(Err(_)) | Err(_) => {
                let why = "other requests save many jobs at the moment: try again later";
                Err(Error::Unavailable(why.to_owned()))
            }
        }
    }

    /// Saves several jobs: all of them, or none.
    pub(crate) async fn apply(&self, request: ApplyRequest) -> Result<Applied, Error> {
        let noted = self.apply_all(request).await?;
        Ok(Applied { items: noted.into_iter().map(|noted| noted.item).collect() })
    }

    async fn apply_all(&self, request: ApplyRequest) -> Result<Vec<Noted>, Error> {
        if request.jobs.is_empty() || request.jobs.len() > APPLY_MOST {
            let count = request.jobs.len();
            let message = format!("there are {count}, 1 to {APPLY_MOST} are allowed");
            return Err(Error::invalid("jobs", message));
        }
        let (request, mut pause) = (Arc::new(request), PAUSE);
        // What was done stays done if the rest is repeated.
        let mut items: Vec<Option<Noted>> = vec![None; request.jobs.len()];
        for _ in 0..TRIES {
            match self.try_apply(&request, &mut items).await {
                Ok(()) => return Ok(items.into_iter().flatten().collect()),
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
        if_match: IfMatch,
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
        let request = ApplyRequest { jobs: vec![edit], if_match, ..ApplyRequest::default() };
        let noted = self.apply_all(request).await.map_err(of_one_job)?.into_iter().next();
        let saved = noted.as_ref().map_or(Saved::Unchanged, |noted| match &noted.item.saved {
            fastjob_client::types::Word::Known(saved) => *saved,
            fastjob_client::types::Word::Unknown(_) => Saved::Updated,
        });
        // Another read could show what someone else has saved since.
        match noted.and_then(|noted| noted.view) {
            Some(view) => Ok((saved, *view)),
            None => Ok((saved, self.job(row.job.path().as_str(), None).await?)),
        }
    }

    async fn try_apply(
        &self,
        request: &Arc<ApplyRequest>,
        items: &mut [Option<Noted>],
    ) -> Result<(), Stopped> {
        let planned = self.plan(request).await?;
        let is_alone = self.engines.partitions() == 1;
        if request.dry_run || !is_alone {
            let of_children = match is_alone {
                true => Vec::new(),
                false => self.check_children(&planned).await?,
            };
            let parts = self.parts(planned.iter().collect());
            let mut tried = Vec::new();
            let result = judged(self.call_parts(parts, true).await, &mut tried);
            match result {
                Err(Stopped::Failed(Error::Invalid { problems, .. })) => {
                    return Err(invalid([problems, of_children].concat()).into());
                }
                Ok(()) if !of_children.is_empty() => return Err(invalid(of_children).into()),
                result => result?,
            }
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
    async fn check_children(&self, planned: &[Planned]) -> Result<Vec<Problem>, Error> {
        let jobs: Vec<_> = planned.iter().filter(|plan| plan.changes_definition()).collect();
        let all: Vec<_> = jobs.iter().map(|plan| &*plan.job).collect();
        let links = self.relatives_of(&all).await?;
        let checked: Vec<_> = jobs
            .iter()
            .map(|plan| (&plan.job, plan.before.as_ref(), plan.owner.unwrap_or(Origin::Api)))
            .collect();
        let refused = check_together(links, &checked).into_iter().flat_map(problems);
        let refused = refused.filter_map(|(at, field, message)| {
            Some(of_job(jobs.get(at)?.at, Problem { field, message }))
        });
        Ok(refused.collect())
    }

    /// Reads the jobs, merges the edits into them, and checks the results. Children come first.
    async fn plan(&self, request: &Arc<ApplyRequest>) -> Result<Vec<Planned>, Error> {
        let names = names(request)?;
        let condition = Condition::from(request.if_match.clone());
        let mut reads = Vec::with_capacity(names.len());
        for (service, name) in &names {
            reads.push(self.store.job(service, name));
        }
        let mut reads = futures_util::stream::iter(reads).buffered(AT_ONCE);
        let (mut rows, mut bytes) = (Vec::with_capacity(names.len()), 0);
        while let Some(row) = reads.next().await {
            let row = row?;
            // The engine rejects the edit if the job has changed by then.
            let current = row.as_ref().and_then(Version::of);
            let (service, name) = &names[rows.len()];
            condition.check(format_args!("{service}.{name}"), current)?;
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
            let misfits = self.param_problems(&plan.job, before.map(|row| &*row.job)).await?;
            problems.extend(misfits.into_iter().map(|problem| of_job(plan.at, problem)));
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
                    from: plan.before.as_ref().map(|row| (row.id.0, row.revision)),
                    sets: plan.sets,
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
fn partly(err: Error, items: &[Option<Noted>]) -> Error {
    let (saved, all) = (items.iter().flatten().count(), items.len());
    if saved == 0 {
        return err;
    }
    let so_far = format!(
        "{saved} of {all} jobs are saved, the others are not: repeat the request to complete it"
    );
    if let Error::Invalid { message, problems } = err {
        return Error::Invalid { message: format!("{so_far}: {message}"), problems };
    }
    Error::Unavailable(format!("{so_far}: {err}"))
}

fn note(items: &mut [Option<Noted>], done: Vec<(&Planned, Effect)>) {
    for (plan, Effect { saved, by_code, other, view }) in done {
        let Some(place) = items.get_mut(plan.at) else { continue };
        if place.is_some() && saved == Saved::Unchanged {
            // It was saved before the request was repeated.
            continue;
        }
        let before = plan.before.as_ref();
        let after = other.and_then(|draft| Job::try_from(*draft).ok()).map(Arc::new);
        let after = after.as_ref().unwrap_or(&plan.job);
        let item = AppliedJob {
            job: plan.job.path().to_string(),
            saved: saved.into(),
            changes: before.map(|row| changes(&row.job, after)).unwrap_or_default(),
            origin: origin_word(if by_code { Origin::Code } else { Origin::Api }).to_owned(),
            was_code: !by_code && before.is_some_and(|row| row.origin == Origin::Code),
            ignored: changes(after, &plan.asked),
        };
        *place = Some(Noted { item, view });
    }
}

/// How two definitions differ. Long values are shortened.
fn changes(from: &Job, to: &Job) -> Vec<FieldChange> {
    differences(from, to).into_iter().map(shortened).collect()
}

/// A change for an answer, which shows the beginning of long values.
pub(super) fn shortened(change: FieldChange) -> FieldChange {
    let shorten = |value: Value| {
        let text = param_text(&value).unwrap_or_default();
        match text.char_indices().nth(SHOWN / 4) {
            Some((end, _)) if text.len() > SHOWN => format!("{}…", &text[..end]).into(),
            _ => value,
        }
    };
    FieldChange { from: change.from.map(shorten), to: change.to.map(shorten), ..change }
}
