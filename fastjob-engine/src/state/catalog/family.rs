//! Checks of children when a job is saved or deleted.
//!
//! A child's name is resolved to a job when its parent is saved. Jobs that are saved later do not
//! change that. A job cannot be deleted while it is a child of another one. A save that would close
//! a cycle, or make a chain of jobs too long, is rejected.

use std::sync::Arc;

use fastjob_core::{
    Job, JobId, JobName, JobPath, ServiceName,
    children::{CHAIN_MOST, Child},
};

use super::{
    Catalog, JobRefused,
    chain::{Endless, LINKS_MOST, Walk},
    only,
};
use crate::{
    maps::Set,
    record::{JobRow, Origin, Partition},
};

/// The number of jobs at each end of a chain that a message names.
const SHOWN: usize = 3;

/// A living job of any partition.
struct Relative<'a> {
    service: &'a ServiceName,
    name: &'a JobName,
    children: &'a [JobId],
}

impl Catalog {
    /// The job that a parent's child name means; jobs of its own service have precedence.
    fn child(&self, of: &ServiceName, path: &JobPath) -> Result<JobId, JobRefused> {
        let beside = path.bare().and_then(|name| self.anywhere(of, &name));
        beside.map_or_else(|| self.resolve_anywhere(path), Ok)
    }

    /// The living job of this name, in any partition.
    fn anywhere(&self, service: &ServiceName, name: &JobName) -> Option<JobId> {
        if self.is_mine(Partition::of_name(service, name, self.config.partitions)) {
            return self.living(service, name);
        }
        self.others.named(service, name)
    }

    /// The living job that a path means, in any partition.
    fn resolve_anywhere(&self, path: &JobPath) -> Result<JobId, JobRefused> {
        if self.config.partitions == 1 {
            return self.resolve(path);
        }
        let bare = |name: &JobName| {
            let mine = self.jobs.bare(name);
            let others = self.others.bare(name);
            let others = others.filter(|id| !self.is_mine(self.partition_of(*id)));
            mine.chain(others).collect()
        };
        let found = path.find(|service, name| self.anywhere(service, name), bare);
        only(path, &found, |id| self.relative(id).map(|job| job.path()))
    }

    /// A living job, in any partition.
    fn relative(&self, id: JobId) -> Option<Relative<'_>> {
        if self.is_mine(self.partition_of(id)) {
            let entry = self.get(id).filter(|entry| !entry.is_deleted())?;
            let job = entry.job();
            return Some(Relative {
                service: &job.service,
                name: &job.name,
                children: entry.children(),
            });
        }
        let link = self.others.job(id)?;
        Some(Relative { service: &link.service, name: &link.name, children: &link.children })
    }

    fn children_of(&self, id: JobId) -> Vec<JobId> {
        self.relative(id).map_or_else(Vec::new, |job| job.children.to_vec())
    }

    /// The living jobs that have it as a child.
    fn parents_of(&self, id: JobId) -> Vec<JobId> {
        let others = self.others.parents(id);
        let others = others.filter(|id| !self.is_mine(self.partition_of(*id)));
        self.parents.of(id).chain(others).collect()
    }

    /// Resolves the names of a job's children. Rejects children that do not exist, that lead back
    /// to the job itself, or that make a chain too long. If code declares the job, it also rejects
    /// children of other services, because an executor may declare jobs of its own service only.
    pub(crate) fn resolve_children(
        &self,
        before: Option<&JobRow>,
        job: &Job,
        origin: Origin,
    ) -> Result<Arc<[JobId]>, JobRefused> {
        let resolve = |child: &Child| {
            self.child(&job.service, &child.job).map_err(|err| match err {
                JobRefused::Ambiguous { choices, .. } => {
                    refused(child, format!("is ambiguous: write one of {}", choices.join(", ")))
                }
                JobRefused::Unknown(_)
                | JobRefused::Exists(_)
                | JobRefused::Child { .. }
                | JobRefused::NoChild(_)
                | JobRefused::IsChild { .. }
                | JobRefused::NoBackfill(_)
                | JobRefused::NoCode(_)
                | JobRefused::Changed(_)
                | JobRefused::Stale { .. }
                | JobRefused::TooMany(_)
                | JobRefused::TooLate(_)
                | JobRefused::NeverFires(_)
                | JobRefused::OverQuota(_)
                | JobRefused::JobOfTaskDeleted(_)
                | JobRefused::LookAgain => JobRefused::NoChild(child.job.as_str().to_owned()),
            })
        };
        if self.ignores_children {
            return Ok(before.map_or_else(Arc::default, |before| Arc::clone(&before.children)));
        }
        let found = job.children.iter().map(|child| Ok((child, resolve(child)?)));
        let found = found.collect::<Result<Vec<_>, JobRefused>>()?;
        if origin == Origin::Code {
            self.check_services(job, &found)?;
        }
        let ids: Arc<[JobId]> = found.iter().map(|(_, id)| *id).collect();
        // Only a change of children can close a cycle or lengthen a chain.
        if before.is_none_or(|before| before.children != ids) {
            self.check_chains(before.map(|before| before.id), job, &found)?;
        }
        Ok(ids)
    }

    fn check_services(&self, job: &Job, found: &[(&Child, JobId)]) -> Result<(), JobRefused> {
        for (child, id) in found {
            if self.relative(*id).is_none_or(|relative| *relative.service != job.service) {
                return Err(refused(
                    child,
                    format!(
                        "is not a job of service `{}`: code declares children of its own service \
                         only; add it over REST or with `fastjob job apply`",
                        job.service
                    ),
                ));
            }
        }
        Ok(())
    }

    /// Rejects children that would make a chain through the job endless or too long.
    fn check_chains(
        &self,
        id: Option<JobId>,
        job: &Job,
        found: &[(&Child, JobId)],
    ) -> Result<(), JobRefused> {
        let many = || format!("leads to more than {LINKS_MOST} jobs, which are too many to check");
        let cycle = || "leads back to itself: its tasks would never end".to_owned();
        // The job already counts with its new children, so that a path back to it closes a cycle.
        let next = |of| match id {
            Some(id) if id == of => found.iter().map(|(_, id)| *id).collect(),
            Some(_) | None => self.children_of(of),
        };
        let mut down = Walk::new(next, &self.links_left);
        let mut longest: Option<(&Child, Vec<JobId>)> = None;
        for (child, first) in found {
            let chain = down.longest(*first).map_err(|endless| match endless {
                Endless::TooMany => refused(child, many()),
                Endless::Cycle if id.is_some_and(|id| self.leads_to(*first, id)) => {
                    refused(child, "leads back to it: its tasks would never end".to_owned())
                }
                Endless::Cycle => refused(child, cycle()),
            })?;
            if longest.as_ref().is_none_or(|(_, longest)| longest.len() < chain.len()) {
                longest = Some((child, chain));
            }
        }
        let Some((child, below)) = longest else { return Ok(()) };
        let mut above = match id {
            Some(id) => {
                // A path up to the job itself goes through its old children, which are replaced.
                let parents = |of| self.parents_of(of).into_iter().filter(|of| *of != id).collect();
                let chain = Walk::new(parents, &self.links_left).longest(id);
                chain.map_err(|endless| match endless {
                    Endless::TooMany => refused(child, format!(
                        "cannot follow a job that more than {LINKS_MOST} others lead to, which are \
                         too many to check"
                    )),
                    Endless::Cycle => refused(child, "cannot follow a job in a cycle: \
                        remove a job of the cycle from its parent's children first".to_owned()),
                })?
            }
            None => Vec::new(),
        };
        // Sorted from the first job of the chain down to this one, which is last.
        above.reverse();
        above.pop();
        let total = above.len() + 1 + below.len();
        if total <= CHAIN_MOST {
            return Ok(());
        }
        let full =
            |id: &JobId| self.relative(*id).map(|job| job.path().to_string()).unwrap_or_default();
        let own = job.path().to_string();
        let ends = |chain: &[JobId]| match chain {
            _ if chain.len() <= 2 * SHOWN => chain.iter().map(full).collect::<Vec<_>>(),
            _ => {
                let (first, last) = (&chain[..SHOWN], &chain[chain.len() - SHOWN..]);
                let dots = std::iter::once("…".to_owned());
                first.iter().map(full).chain(dots).chain(last.iter().map(full)).collect()
            }
        };
        let chain = [ends(&above), vec![own], ends(&below)].concat().join(" → ");
        Err(refused(
            child,
            format!(
                "makes a chain of {total} jobs, at most {CHAIN_MOST} may follow each other: {chain}"
            ),
        ))
    }

    /// Whether `to` is among the jobs that follow `from`. Visits each job once, and a bounded
    /// number of them.
    fn leads_to(&self, from: JobId, to: JobId) -> bool {
        let (mut seen, mut left) = (Set::from_iter([from]), vec![from]);
        while let Some(job) = left.pop() {
            if job == to || seen.len() > LINKS_MOST {
                return job == to;
            }
            left.extend(self.children_of(job).into_iter().filter(|child| seen.insert(*child)));
        }
        false
    }

    /// The names of the jobs that have it as a child.
    pub(crate) fn parents(&self, id: JobId) -> Vec<String> {
        let parents = self.parents_of(id).into_iter().filter_map(|id| self.relative(id));
        let mut parents: Vec<_> = parents.map(|job| format!("`{}`", job.path())).collect();
        parents.sort();
        parents
    }
}

impl Relative<'_> {
    fn path(&self) -> JobPath {
        JobPath::of(self.service, self.name)
    }
}

fn refused(child: &Child, why: String) -> JobRefused {
    JobRefused::Child { child: child.job.as_str().to_owned(), why }
}
