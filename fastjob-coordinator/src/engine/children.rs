//! Jobs that are started when a task of another has ended, in the same commit as that end: so a
//! child is started once, whichever side of the commit a crash falls on.
//!
//! A child whose job is in another partition is written down with that end, and started by whoever
//! holds the other partition: in one commit it becomes a task and is crossed out.

use std::{collections::HashSet, sync::Arc};

use fastjob_core::{
    Cause, Job, JobId, JobName, ServiceName, TaskId, TaskState,
    children::{ChildPath, to_start},
};

use super::{
    CommitId, Engine, JobPath, JobRefused, Now,
    plan::{Head, NewTask},
};
use crate::record::{ChildStart, Partition};

impl Engine {
    /// The job that a parent means: one of its own service first.
    fn child(&self, of: &ServiceName, path: &ChildPath) -> Result<JobId, JobRefused> {
        let beside = path.as_str().parse().ok().and_then(|name| self.anywhere(of, &name));
        beside.map_or_else(|| self.resolve_anywhere(&JobPath(path.as_str().to_owned())), Ok)
    }

    /// The living job of this name, whatever its partition.
    fn anywhere(&self, service: &ServiceName, name: &JobName) -> Option<JobId> {
        if self.is_mine(Partition::of_name(service, name, self.config.partitions)) {
            return self.living(service, name);
        }
        self.directory.named(service, name)
    }

    fn is_mine(&self, partition: Partition) -> bool {
        partition == self.config.lease.partition
    }

    fn partition_of(&self, job: JobId) -> Partition {
        Partition::of_id(job.0, self.config.partitions)
    }

    /// The living job that is meant, whatever its partition.
    fn resolve_anywhere(&self, path: &JobPath) -> Result<JobId, JobRefused> {
        if self.config.partitions == 1 {
            return self.resolve(path);
        }
        let text = path.0.as_str();
        let unknown = || JobRefused::Unknown(text.to_owned());
        let bare = text.parse::<JobName>().map_err(|_| unknown())?;
        let mine = self.by_bare_name.get(&bare).into_iter().flatten().copied();
        let others = self.directory.bare(&bare).iter().copied();
        let others = others.filter(|id| !self.is_mine(self.partition_of(*id)));
        let found: Vec<_> = mine.chain(others).collect();
        match found.as_slice() {
            [id] => return Ok(*id),
            [] => {}
            [_, ..] => {
                let full = |job: &Arc<Job>| format!("{}.{}", job.service, job.name);
                let mut choices: Vec<_> =
                    found.iter().filter_map(|id| self.job_anywhere(*id)).map(full).collect();
                choices.sort();
                return Err(JobRefused::Ambiguous { name: text.to_owned(), choices });
            }
        }
        text.match_indices('.')
            .find_map(|(dot, _)| {
                let service = text[..dot].parse::<ServiceName>().ok()?;
                let name = text[dot + 1..].parse::<JobName>().ok()?;
                self.anywhere(&service, &name)
            })
            .ok_or_else(unknown)
    }

    /// A living job, whatever its partition.
    fn job_anywhere(&self, id: JobId) -> Option<&Arc<Job>> {
        if self.is_mine(self.partition_of(id)) {
            let living = self.jobs.get(&id).filter(|entry| entry.row.deleted_at.is_none());
            return living.map(|entry| &entry.row.job);
        }
        self.directory.job(id)
    }

    fn living_jobs(&self) -> impl Iterator<Item = (JobId, &Arc<Job>)> {
        let mine = self.jobs.iter().filter(|(_, entry)| entry.row.deleted_at.is_none());
        let mine = mine.map(|(id, entry)| (*id, &entry.row.job));
        let others = self.directory.jobs();
        mine.chain(others.filter(|(id, _)| !self.is_mine(self.partition_of(*id))))
    }

    /// Refuses children that do not exist, and those that lead back to the job itself.
    pub(super) fn check_children(&self, id: Option<JobId>, job: &Job) -> Result<(), JobRefused> {
        for child in &job.children {
            let refused =
                |why: String| JobRefused::Child { child: child.job.as_str().to_owned(), why };
            let found = self.child(&job.service, &child.job).map_err(|err| match err {
                JobRefused::Ambiguous { choices, .. } => {
                    refused(format!("could be one of {}: say which", choices.join(", ")))
                }
                JobRefused::Unknown(_)
                | JobRefused::Exists(_)
                | JobRefused::Child { .. }
                | JobRefused::IsChild { .. }
                | JobRefused::NoBackfill(_)
                | JobRefused::TooLate(_)
                | JobRefused::NeverFires(_) => refused("is not known: save it first".to_owned()),
            })?;
            if let Some(id) = id
                && self.leads_to(found, id, &mut HashSet::new())
            {
                return Err(refused("leads back to it: its tasks would never end".to_owned()));
            }
        }
        Ok(())
    }

    fn leads_to(&self, from: JobId, to: JobId, seen: &mut HashSet<JobId>) -> bool {
        if from == to {
            return true;
        }
        if !seen.insert(from) {
            return false;
        }
        let Some(job) = self.job_anywhere(from) else { return false };
        job.children
            .iter()
            .filter_map(|child| self.child(&job.service, &child.job).ok())
            .any(|child| self.leads_to(child, to, seen))
    }

    /// The jobs that have it as a child.
    pub(super) fn parents(&self, id: JobId) -> Vec<String> {
        let mut parents: Vec<_> = self
            .living_jobs()
            .filter(|(_, job)| {
                let mut children = job.children.iter();
                children.any(|child| self.child(&job.service, &child.job) == Ok(id))
            })
            .map(|(_, job)| format!("`{}.{}`", job.service, job.name))
            .collect();
        parents.sort();
        parents
    }

    /// Starts what is to follow the end of a task.
    pub(super) fn start_children(
        &mut self,
        now: Now,
        parent: (JobId, TaskId),
        end: TaskState,
        result: Option<&str>,
    ) {
        let Some(entry) =
            self.jobs.get(&parent.0).filter(|entry| !entry.row.job.children.is_empty())
        else {
            return;
        };
        let job = Arc::clone(&entry.row.job);
        for child in to_start(&job.children, end) {
            // Known when the parent was saved, and not to be deleted while it is a child.
            let Ok(id) = self.child(&job.service, &child.job) else { continue };
            let param = result.filter(|_| child.pass_result).map(Arc::from);
            let partition = self.partition_of(id);
            if !self.is_mine(partition) {
                let start = self.new_id();
                let start = ChildStart { id: start, partition, job: id, parent: parent.1, param };
                self.commit.child_starts.push(start);
                continue;
            }
            let head = Head { parent: Some(parent.1), ..Head::default() };
            let new = NewTask::new(id, Cause::Parent, now.wall);
            self.new_task(now, NewTask { param, head, ..new });
        }
    }

    /// Starts children of tasks of other partitions, each once.
    pub(super) fn start_handed_over(&mut self, now: Now, children: Vec<ChildStart>) {
        for child in children {
            let key = (child.job, child.key());
            if self.keys.is_known(&key) {
                continue; // it was read before its commit was durable
            }
            self.commit.children_started.push(child.id);
            let living = |entry: &super::JobEntry| entry.row.deleted_at.is_none();
            if !self.jobs.get(&child.job).is_some_and(living) {
                continue; // deleted since
            }
            let head = Head {
                parent: Some(child.parent),
                key: Some(Arc::clone(&key.1)),
                ..Head::default()
            };
            let new = NewTask::new(child.job, Cause::Parent, now.wall);
            let task = self.new_task(now, NewTask { param: child.param, head, ..new });
            self.keys.remember(now, key, task, CommitId(self.next_commit));
        }
    }
}
