//! The call to the owner of a partition: saves jobs of it in one transaction, or tries to.

use std::sync::Arc;

use fastjob_core::{Job, JobDraft, JobId};
use fastjob_engine::{Apply, Command, Directory, Edit, Event, JobRefused, SaveDone, Version};
use serde::{Deserialize, Serialize};

use super::super::{Error, JobView, Ops, Saved, jobs::view, node_calls::NodeCall};
use crate::{
    clock::wall_now,
    store::{Origin, Overrides, Partition},
};

/// Saves jobs of one partition.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(in crate::ops) struct ApplyJobs {
    pub(super) edits: Vec<WireEdit>,
    pub(super) is_dry: bool,
    /// The children were checked by the caller.
    pub(super) ignores_children: bool,
}

#[derive(Clone, Debug, Deserialize, Serialize)]
pub(super) struct WireEdit {
    pub(super) job: Box<JobDraft>,
    /// The id and the revision of the job that was edited.
    pub(super) from: Option<(i64, i64)>,
    /// Which settings the request has: whether the job is enabled, and its alarms.
    pub(super) sets: (bool, bool),
    /// Whether the code is to own the definition.
    pub(super) by_code: Option<bool>,
}

/// What became of an [`ApplyJobs`].
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub(in crate::ops) enum ApplyReply {
    /// What each edit did.
    Done(Vec<Effect>),
    /// A job was changed since it was read.
    Changed,
    /// The edits that are not possible: the number of each, a field, and the problem.
    Refused(Vec<(usize, String, String)>),
}

/// What an edit did.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(in crate::ops) struct Effect {
    pub(super) saved: Saved,
    /// Whether the code owns the definition after it.
    pub(super) by_code: bool,
    /// The definition after it, if that is not the one of the edit.
    pub(super) other: Option<Box<JobDraft>>,
    /// The job after it, if it was the only edit.
    pub(super) view: Option<Box<JobView>>,
}

impl NodeCall for ApplyJobs {
    const NAME: &'static str = "apply-jobs";
    type Reply = ApplyReply;

    async fn answer(self, ops: &Ops, partition: Partition) -> Result<ApplyReply, Error> {
        let engine = ops.engine(partition)?;
        let mut edits = Vec::with_capacity(self.edits.len());
        for WireEdit { job, from, sets, by_code } in self.edits {
            // Its caller has checked the alarm channels that the request adds.
            let job = Job::try_from(*job).map_err(|err| Error::Invalid {
                message: err.to_string(),
                problems: err.problems,
            })?;
            if Partition::of_name(&job.service, &job.name, ops.engines.partitions()) != partition {
                return Err(Error::invalid("name", "the job belongs to another partition"));
            }
            let owner = by_code.map(|by_code| if by_code { Origin::Code } else { Origin::Api });
            let sets = Overrides { enabled: sets.0, alarms: sets.1 };
            let from = from.map(|(job, revision)| Version { job: JobId(job), revision });
            edits.push(Edit { job: Arc::new(job), from, owner, sets });
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
                let is_only = jobs.len() == 1;
                let done = done.into_iter().zip(&jobs).map(|((done, row), job)| Effect {
                    saved: saved(done),
                    by_code: row.origin == Origin::Code,
                    other: (row.job != *job).then(|| Box::new(JobDraft::from(&*row.job))),
                    view: is_only.then(|| Box::new(view(&row, wall_now()))),
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

/// The problems of an edit that is not possible: its number, a field, and the problem.
pub(super) fn problems((at, why): (usize, JobRefused)) -> Vec<(usize, String, String)> {
    let err = Error::from(why);
    if let Error::Invalid { problems, .. } = err {
        return problems.into_iter().map(|problem| (at, problem.field, problem.message)).collect();
    }
    vec![(at, String::new(), err.to_string())]
}
