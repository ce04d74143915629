//! The jobs of other partitions that an engine needs to save or delete a job: its ancestors and
//! descendants. Reading all jobs for each call would make many calls quadratic.

use std::collections::{BTreeMap, BTreeSet};

use fastjob_core::{Job, JobId, JobPath, children::CHAIN_MOST};
use fastjob_engine::{Directory, LINKS_MOST};

use super::{Error, Ops};
use crate::store::JobLink;

type Links = BTreeMap<JobId, JobLink>;

impl Ops {
    /// The jobs that the children of a job can refer to, their descendants, and the ancestors of
    /// the job itself. In a store with one partition, the engine knows them all.
    pub(super) async fn relatives(&self, job: &Job) -> Result<Directory, Error> {
        Ok(Directory::new(self.relatives_of(&[job]).await?))
    }

    /// The same for several jobs.
    pub(super) async fn relatives_of(&self, jobs: &[&Job]) -> Result<Vec<JobLink>, Error> {
        let mut links = Links::new();
        if self.engines.partitions() > 1 {
            for job in jobs {
                self.add_relatives(job, &mut links).await?;
                bounded(links.len())?;
            }
        }
        Ok(links.into_values().collect())
    }

    async fn add_relatives(&self, job: &Job, known: &mut Links) -> Result<(), Error> {
        if job.children.is_empty() {
            return Ok(());
        }
        let mut links = Links::new();
        for child in &job.children {
            let mut rows = match child.job.bare() {
                Some(name) => self.store.jobs_named(&name).await?,
                None => Vec::new(),
            };
            for (service, name) in child.job.with_service() {
                rows.extend(self.store.job(&service, &name).await?);
            }
            links.extend(rows.iter().filter_map(JobLink::of).map(|link| (link.id, link)));
        }
        let mut next = children(links.values(), &links);
        for _ in 0..=CHAIN_MOST {
            let found = self.links(&next, &links).await?;
            links.extend(found.iter().map(|link| (link.id, link.clone())));
            next = children(&found, &links);
        }
        if let Some(row) = self.store.job(&job.service, &job.name).await? {
            // Tracked separately from the descendants: a job may be known by name before its
            // parents are known.
            let mut above = BTreeSet::from([row.id]);
            let mut next = vec![row.id];
            for _ in 0..=CHAIN_MOST {
                if next.is_empty() {
                    break;
                }
                let found = self.store.parents_of(&next, LIMIT).await?;
                bounded(found.len() + above.len())?;
                next = found.iter().map(|link| link.id).filter(|id| above.insert(*id)).collect();
                links.extend(found.into_iter().map(|link| (link.id, link)));
            }
        }
        known.extend(links);
        Ok(())
    }

    async fn links(&self, jobs: &[JobId], known: &Links) -> Result<Vec<JobLink>, Error> {
        bounded(jobs.len() + known.len())?;
        match jobs {
            [] => Ok(Vec::new()),
            [_, ..] => Ok(self.store.links(jobs).await?),
        }
    }

    /// The jobs that have a job as a child.
    pub(super) async fn parents(&self, path: &JobPath) -> Result<Directory, Error> {
        if self.engines.partitions() == 1 {
            return Ok(Directory::default());
        }
        match self.find_path(path).await {
            // A few parents are enough to reject the deletion and to say why.
            Ok(row) => Ok(Directory::new(self.store.parents_of(&[row.id], SHOWN).await?)),
            // The engine decides: it may know a newer job.
            Err(Error::NotFound(_) | Error::Ambiguous { .. }) => Ok(Directory::default()),
            Err(err) => Err(err),
        }
    }
}

/// Maximum number of parents in the error of a rejected deletion.
const SHOWN: u32 = 20;
/// One more than the maximum, to detect that it is exceeded.
const LIMIT: u32 = LINKS_MOST as u32 + 1;

/// The children of these jobs that are not known yet.
fn children<'a>(of: impl IntoIterator<Item = &'a JobLink>, known: &Links) -> Vec<JobId> {
    let children: BTreeSet<_> = of.into_iter().flat_map(|link| link.children.iter()).collect();
    children.into_iter().copied().filter(|id| !known.contains_key(id)).collect()
}

fn bounded(jobs: usize) -> Result<(), Error> {
    if jobs <= LINKS_MOST {
        return Ok(());
    }
    let message = format!("more than {LINKS_MOST} jobs are chained with it: too many to check");
    Err(Error::invalid("children", message))
}
