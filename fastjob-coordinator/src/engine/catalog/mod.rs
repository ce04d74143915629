//! The jobs of the partition: by id and by name, who has whom as a child, and what the definitions
//! take. Counters and indexes change with the jobs, here alone.
//!
//! For a command that depends on jobs of other partitions, the catalog has these for as long as the
//! command runs.

mod chain;
mod directory;
mod family;
mod quota;

use std::{collections::BTreeSet, sync::Arc};

use fastjob_core::{AttemptId, Job, JobId, JobName, ServiceName, route};
use jiff::Timestamp;

use self::chain::Parents;
pub(crate) use self::{chain::LINKS_MOST, directory::Directory, quota::JobQuota};
use super::{
    Config, JobPath, JobRefused,
    maps::{IdMap, Map},
};
use crate::record::{JobRow, Origin, Partition, definition_bytes};

/// The jobs of a partition.
pub(super) struct Catalog {
    config: Config,
    jobs: IdMap<JobId, JobEntry>,
    /// What the definitions of all jobs take.
    bytes: u64,
    by_name: Map<(ServiceName, JobName), JobId>,
    by_bare_name: Map<JobName, Vec<JobId>>,
    parents: Parents,
    /// Jobs of other partitions, while a command runs that needs them.
    others: Directory,
    next_id: i64,
}

/// A job, and where its schedule is.
#[derive(Debug)]
pub(crate) struct JobEntry {
    row: JobRow,
    /// Its entry among the fires.
    pub(super) next_fire: Option<Timestamp>,
    /// Every fire of it up to here is planned.
    pub(super) cursor: Timestamp,
    /// The latest fire that failed before its instant, lost with an executor that may have run it:
    /// it is not planned again.
    pub(super) lost_until: Timestamp,
    /// Whether the round that is under way has planned fires of it.
    pub(super) is_in_round: bool,
    /// Whether the store keeps a cursor of its own for it, beside the watermark.
    pub(super) has_stored_cursor: bool,
    memory: route::Memory,
    /// Its open attempts.
    pub(super) open: BTreeSet<AttemptId>,
    /// Its open tasks that its schedule started.
    pub(super) scheduled: u32,
    /// Whether people were alarmed about its failure, and not yet about its recovery.
    pub(super) failing: bool,
}

impl JobEntry {
    fn new(row: JobRow, cursor: Timestamp) -> Self {
        Self {
            row,
            next_fire: None,
            cursor,
            lost_until: Timestamp::MIN,
            is_in_round: false,
            has_stored_cursor: false,
            memory: route::Memory::default(),
            open: BTreeSet::new(),
            scheduled: 0,
            failing: false,
        }
    }

    pub(super) fn row(&self) -> &JobRow {
        &self.row
    }

    pub(super) fn job(&self) -> &Arc<Job> {
        &self.row.job
    }

    /// The job, and what its route remembers.
    pub(super) fn with_memory(&mut self) -> (&Job, &mut route::Memory) {
        (&self.row.job, &mut self.memory)
    }

    pub(super) fn is_deleted(&self) -> bool {
        self.row.deleted_at.is_some()
    }

    /// From when the schedule counts.
    pub(super) fn anchor(&self) -> Timestamp {
        self.row.anchor
    }

    pub(super) fn set_anchor(&mut self, anchor: Timestamp) {
        self.row.anchor = anchor;
    }

    /// Dates a deleted job, so that it is remembered for another retention.
    pub(super) fn date(&mut self, now: Timestamp) {
        self.row.updated_at = now;
    }
}

impl Catalog {
    pub(super) fn new(config: Config) -> Self {
        Self {
            config,
            jobs: IdMap::default(),
            bytes: 0,
            by_name: Map::default(),
            by_bare_name: Map::default(),
            parents: Parents::default(),
            others: Directory::default(),
            next_id: config.id_from(1),
        }
    }

    #[cfg(test)]
    pub(super) fn set_quota(&mut self, quota: JobQuota) {
        self.config.job_quota = quota;
    }

    pub(super) fn get(&self, id: JobId) -> Option<&JobEntry> {
        self.jobs.get(&id)
    }

    pub(super) fn get_mut(&mut self, id: JobId) -> Option<&mut JobEntry> {
        self.jobs.get_mut(&id)
    }

    pub(super) fn job(&self, id: JobId) -> Option<&Arc<Job>> {
        self.get(id).map(JobEntry::job)
    }

    /// All jobs, deleted ones that are still remembered included.
    pub(super) fn iter(&self) -> impl Iterator<Item = (JobId, &JobEntry)> {
        self.jobs.iter().map(|(id, entry)| (*id, entry))
    }

    pub(super) fn entries_mut(&mut self) -> impl Iterator<Item = &mut JobEntry> {
        self.jobs.values_mut()
    }

    /// What grows with the number of jobs: jobs, and names.
    #[cfg(any(test, feature = "simulation"))]
    pub(super) fn sizes(&self) -> (usize, usize) {
        (self.jobs.len(), self.by_bare_name.len())
    }

    /// Jobs of other partitions, for the command that runs next.
    pub(super) fn set_others(&mut self, others: Directory) {
        self.others = others;
    }

    pub(super) fn is_mine(&self, partition: Partition) -> bool {
        partition == self.config.lease.partition
    }

    pub(super) fn partition_of(&self, job: JobId) -> Partition {
        Partition::of_id(job.0, self.config.partitions)
    }

    /// The job of this name, which may be deleted.
    pub(super) fn named(&self, service: &ServiceName, name: &JobName) -> Option<&JobEntry> {
        self.get(*self.by_name.get(&(service.clone(), name.clone()))?)
    }

    /// The job of this name that is not deleted.
    fn living(&self, service: &ServiceName, name: &JobName) -> Option<JobId> {
        self.named(service, name).filter(|entry| !entry.is_deleted()).map(|entry| entry.row.id)
    }

    /// The job that a path means: `service.name`, or a name that only one job has.
    pub(super) fn resolve(&self, path: &JobPath) -> Result<JobId, JobRefused> {
        let text = path.0.as_str();
        let unknown = || JobRefused::Unknown(text.to_owned());
        let bare = text.parse::<JobName>().map_err(|_| unknown())?;
        let full: Vec<_> =
            with_service(text).filter_map(|(service, name)| self.living(&service, &name)).collect();
        // Another service may have a job whose name alone looks like this one's with its service.
        let ids = match full.as_slice() {
            [] => self.by_bare_name.get(&bare).map_or(&[][..], Vec::as_slice),
            full => full,
        };
        match ids {
            [id] => Ok(*id),
            [] => Err(unknown()),
            ids => {
                let full = |id: &JobId| self.job(*id).map(|job| full_name(job));
                Err(JobRefused::Ambiguous {
                    name: text.to_owned(),
                    choices: ids.iter().filter_map(full).collect(),
                })
            }
        }
    }

    /// Whether to save a job that code declares means to look up what its children's names mean.
    pub(super) fn has_new_children(&self, job: &Job) -> bool {
        let follows_code = |row: &JobRow| row.origin == Origin::Code && row.deleted_at.is_none();
        !job.children.is_empty()
            && self
                .named(&job.service, &job.name)
                .is_none_or(|known| follows_code(&known.row) && *known.row.job != *job)
    }

    /// An id for a job that is to be admitted.
    pub(super) fn new_id(&mut self) -> JobId {
        let id = JobId(self.next_id);
        self.next_id += self.config.step();
        id
    }

    /// Adds a job; every fire of it up to `cursor` is planned.
    pub(super) fn admit(&mut self, row: JobRow, cursor: Timestamp) {
        let (id, job) = (row.id, Arc::clone(&row.job));
        self.next_id = self.next_id.max(self.config.id_from(id.0 + 1));
        // A deleted job keeps its name until another one takes it.
        let is_taken = self.named(&job.service, &job.name).is_some_and(|other| !other.is_deleted());
        if !(row.deleted_at.is_some() && is_taken) {
            self.by_name.insert((job.service.clone(), job.name.clone()), id);
        }
        if row.deleted_at.is_none() {
            self.parents.change(id, &[], &row.children);
            let ids = self.by_bare_name.entry(job.name.clone()).or_default();
            if !ids.contains(&id) {
                ids.push(id);
            }
        }
        self.bytes += definition_bytes(&job) as u64;
        self.jobs.insert(id, JobEntry::new(row, cursor));
    }

    /// Replaces what is known of a job.
    pub(super) fn update(&mut self, row: JobRow) {
        let Some(entry) = self.jobs.get_mut(&row.id) else { return };
        self.parents.change(row.id, &entry.row.children, &row.children);
        self.bytes -= definition_bytes(&entry.row.job) as u64;
        self.bytes += definition_bytes(&row.job) as u64;
        entry.row = row;
    }

    /// Marks a job as deleted, by a person.
    pub(super) fn delete(&mut self, id: JobId, now: Timestamp) -> Option<&JobEntry> {
        let entry = self.jobs.get_mut(&id)?;
        let row = &mut entry.row;
        row.deleted_at = Some(now);
        row.updated_at = now;
        row.revision += 1;
        row.origin = Origin::Api;
        self.parents.change(id, &row.children, &[]);
        if let Some(ids) = self.by_bare_name.get_mut(&row.job.name) {
            ids.retain(|other| *other != id);
            if ids.is_empty() {
                self.by_bare_name.remove(&row.job.name);
            }
        }
        Some(entry)
    }

    /// Forgets a deleted job, unless it was dated since `before`.
    pub(super) fn forget(&mut self, id: JobId, before: Timestamp) {
        let Some(entry) = self.jobs.get(&id) else { return };
        if !entry.is_deleted() || entry.row.updated_at >= before {
            return;
        }
        let job = &entry.row.job;
        let key = (job.service.clone(), job.name.clone());
        if self.by_name.get(&key) == Some(&id) {
            self.by_name.remove(&key);
        }
        self.bytes -= definition_bytes(job) as u64;
        self.jobs.remove(&id);
    }
}

/// Every way to read a path as a service and a job of it.
fn with_service(path: &str) -> impl Iterator<Item = (ServiceName, JobName)> {
    path.match_indices('.')
        .filter_map(|(dot, _)| Some((path[..dot].parse().ok()?, path[dot + 1..].parse().ok()?)))
}

pub(super) fn full_name(job: &Job) -> String {
    format!("{}.{}", job.service, job.name)
}
