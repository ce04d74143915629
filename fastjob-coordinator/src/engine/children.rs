//! Jobs that are started when a task of another has ended, in the same commit as that end: so a
//! child is started once, whichever side of the commit a crash falls on.
//!
//! Which job a child's name means is decided when its parent is saved, and kept: jobs that are saved
//! later change nothing about it. A child cannot be deleted while it is one.
//!
//! A child whose job is in another partition is written down with that end, and started by whoever
//! holds the other partition: in one commit it becomes a task and is crossed out.

use std::{collections::HashSet, sync::Arc};

use fastjob_core::{
    Cause, Job, JobId, JobName, ServiceName, TaskId, TaskState,
    children::{Child, ChildPath},
};

use super::{
    CommitId, Engine, JobPath, JobRefused, Now,
    plan::{Head, NewTask},
};
use crate::record::{ChildStart, JobRow, Partition};

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
                let full = |row: &JobRow| format!("{}.{}", row.job.service, row.job.name);
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
    fn job_anywhere(&self, id: JobId) -> Option<&JobRow> {
        if self.is_mine(self.partition_of(id)) {
            return self.jobs.get(&id).map(|entry| &entry.row).filter(|row| is_living(row));
        }
        self.directory.job(id)
    }

    fn living_jobs(&self) -> impl Iterator<Item = &JobRow> {
        let mine = self.jobs.values().map(|entry| &entry.row).filter(|row| is_living(row));
        mine.chain(self.directory.jobs().filter(|row| !self.is_mine(self.partition_of(row.id))))
    }

    /// The jobs that its children's names mean now. Refuses children that do not exist, and those
    /// that lead back to the job itself.
    pub(super) fn resolve_children(
        &self,
        id: Option<JobId>,
        job: &Job,
    ) -> Result<Arc<[JobId]>, JobRefused> {
        let resolve = |child: &Child| {
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
                | JobRefused::TooMany(_)
                | JobRefused::TooLate(_)
                | JobRefused::NeverFires(_) => refused("is not known: save it first".to_owned()),
            })?;
            if let Some(id) = id
                && self.leads_to(found, id, &mut HashSet::new())
            {
                return Err(refused("leads back to it: its tasks would never end".to_owned()));
            }
            Ok(found)
        };
        job.children.iter().map(resolve).collect()
    }

    fn leads_to(&self, from: JobId, to: JobId, seen: &mut HashSet<JobId>) -> bool {
        if from == to {
            return true;
        }
        if !seen.insert(from) {
            return false;
        }
        let Some(row) = self.job_anywhere(from) else { return false };
        row.children.iter().any(|child| self.leads_to(*child, to, seen))
    }

    /// The jobs that have it as a child.
    pub(super) fn parents(&self, id: JobId) -> Vec<String> {
        let mut parents: Vec<_> = self
            .living_jobs()
            .filter(|row| row.children.contains(&id))
            .map(|row| format!("`{}.{}`", row.job.service, row.job.name))
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
        let Some(entry) = self.jobs.get(&parent.0).filter(|entry| !entry.row.children.is_empty())
        else {
            return;
        };
        let (job, ids) = (Arc::clone(&entry.row.job), Arc::clone(&entry.row.children));
        let children = job.children.iter().zip(&*ids);
        for (child, &id) in children.filter(|(child, _)| child.on.follows(end)) {
            let param = result.filter(|_| child.pass_result).map(Arc::from);
            let partition = self.partition_of(id);
            if !self.is_mine(partition) {
                let start = self.new_id();
                let start = ChildStart { id: start, partition, job: id, parent: parent.1, param };
                self.commit.child_starts.push(start);
                continue;
            }
            if self.job_anywhere(id).is_none() {
                continue; // deleted since
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
            if self.job_anywhere(child.job).is_none() {
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

fn is_living(row: &JobRow) -> bool {
    row.deleted_at.is_none()
}
