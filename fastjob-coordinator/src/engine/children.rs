//! Jobs that are started when a task of another has ended, in the same commit as that end: so a
//! child is started once, whichever side of the commit a crash falls on.

use std::{collections::HashSet, sync::Arc};

use fastjob_core::{
    Cause, Job, JobId, ServiceName, TaskId, TaskState,
    children::{ChildPath, to_start},
};

use super::{
    Engine, JobPath, JobRefused, Now,
    plan::{Head, NewTask},
};

impl Engine {
    /// The job that a parent means: one of its own service first.
    fn child(&self, of: &ServiceName, path: &ChildPath) -> Result<JobId, JobRefused> {
        let beside = path.as_str().parse().ok().and_then(|name| self.living(of, &name));
        beside.map_or_else(|| self.resolve(&JobPath(path.as_str().to_owned())), Ok)
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
        let Some(entry) = self.jobs.get(&from) else { return false };
        let job = &entry.row.job;
        job.children
            .iter()
            .filter_map(|child| self.child(&job.service, &child.job).ok())
            .any(|child| self.leads_to(child, to, seen))
    }

    /// The jobs that have it as a child.
    pub(super) fn parents(&self, id: JobId) -> Vec<String> {
        let living = self.jobs.iter().filter(|(_, entry)| entry.row.deleted_at.is_none());
        let mut parents: Vec<_> = living
            .filter(|(_, entry)| {
                let job = &entry.row.job;
                let mut children = job.children.iter();
                children.any(|child| self.child(&job.service, &child.job) == Ok(id))
            })
            .map(|(_, entry)| format!("`{}.{}`", entry.row.job.service, entry.row.job.name))
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
            let head = Head { parent: Some(parent.1), ..Head::default() };
            let new = NewTask::new(id, Cause::Parent, now.wall);
            self.new_task(now, NewTask { param, head, ..new });
        }
    }
}
