//! The jobs of the partition: by id and by name, with their parents and children, and the size of
//! their definitions. Counters and indexes change together with the jobs, and only here.
//!
//! While a command runs that depends on jobs of other partitions, the catalog has these jobs too.

mod chain;
mod directory;
mod family;
mod quota;

use std::sync::Arc;

use fastjob_core::{Job, JobId, JobName, JobPath, ServiceName, route};
use jiff::Timestamp;

use self::chain::Parents;
pub use self::{chain::LINKS_MOST, directory::Directory, quota::JobQuota};
use crate::{
    Config, JobRefused,
    maps::{IdMap, Map},
    record::{JobRow, Origin, Partition, definition_bytes},
};

/// The jobs of a partition.
pub(crate) struct Catalog {
    config: Config,
    jobs: IdMap<JobId, JobEntry>,
    /// The total size of the definitions, in bytes.
    bytes: u64,
    by_name: Map<(ServiceName, JobName), JobId>,
    by_bare_name: Map<JobName, Vec<JobId>>,
    parents: Parents,
    /// Jobs of other partitions, while a command that needs them runs.
    others: Directory,
    next_id: i64,
}

/// A job, and the position of its schedule.
#[derive(Debug)]
pub(crate) struct JobEntry {
    row: JobRow,
    /// Its entry in the agenda.
    pub(crate) next_fire: Option<Timestamp>,
    /// Every fire of the job up to here is planned.
    pub(crate) cursor: Timestamp,
    /// The latest fire that ended while the clock had not reached it. A change of the job does not
    /// plan it again.
    pub(crate) fired_ahead: Timestamp,
    /// Whether the current round has planned fires of it.
    pub(crate) is_in_round: bool,
    /// Whether the store has a cursor for this job, in addition to the watermark.
    pub(crate) has_stored_cursor: bool,
    memory: route::Memory,
    /// The number of its open tasks that its schedule started.
    pub(crate) scheduled: u32,
    /// Whether its last alarm about an end reported a failure.
    pub(crate) failing: bool,
}

impl JobEntry {
    fn new(row: JobRow, cursor: Timestamp) -> Self {
        Self {
            row,
            next_fire: None,
            cursor,
            fired_ahead: Timestamp::MIN,
            is_in_round: false,
            has_stored_cursor: false,
            memory: route::Memory::default(),
            scheduled: 0,
            failing: false,
        }
    }

    pub(crate) fn row(&self) -> &JobRow {
        &self.row
    }

    pub(crate) fn job(&self) -> &Arc<Job> {
        &self.row.job
    }

    /// The job, and the memory of its route.
    pub(crate) fn with_memory(&mut self) -> (&Job, &mut route::Memory) {
        (&self.row.job, &mut self.memory)
    }

    pub(crate) fn is_deleted(&self) -> bool {
        self.row.deleted_at.is_some()
    }

    /// The instant from which the schedule counts.
    pub(crate) fn anchor(&self) -> Timestamp {
        self.row.anchor
    }

    pub(crate) fn set_anchor(&mut self, anchor: Timestamp) {
        self.row.anchor = anchor;
    }

    /// Dates a deleted job, so that it is remembered for another retention.
    pub(crate) fn date(&mut self, now: Timestamp) {
        self.row.updated_at = now;
    }
}

impl Catalog {
    pub(crate) fn new(config: Config) -> Self {
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
    pub(crate) fn set_quota(&mut self, quota: JobQuota) {
        self.config.job_quota = quota;
    }

    pub(crate) fn get(&self, id: JobId) -> Option<&JobEntry> {
        self.jobs.get(&id)
    }

    pub(crate) fn get_mut(&mut self, id: JobId) -> Option<&mut JobEntry> {
        self.jobs.get_mut(&id)
    }

    pub(crate) fn job(&self, id: JobId) -> Option<&Arc<Job>> {
        self.get(id).map(JobEntry::job)
    }

    /// All jobs, including deleted ones that are still remembered.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (JobId, &JobEntry)> {
        self.jobs.iter().map(|(id, entry)| (*id, entry))
    }

    pub(crate) fn entries_mut(&mut self) -> impl Iterator<Item = &mut JobEntry> {
        self.jobs.values_mut()
    }

    /// The sizes of the collections that grow with the number of jobs: jobs, and names.
    #[cfg(any(test, feature = "simulation"))]
    pub(crate) fn sizes(&self) -> (usize, usize) {
        (self.jobs.len(), self.by_bare_name.len())
    }

    /// Sets the jobs of other partitions for the next command.
    pub(crate) fn set_others(&mut self, others: Directory) {
        self.others = others;
    }

    pub(crate) fn is_mine(&self, partition: Partition) -> bool {
        partition == self.config.lease.partition
    }

    pub(crate) fn partition_of(&self, job: JobId) -> Partition {
        Partition::of_id(job.0, self.config.partitions)
    }

    /// The job of this name, which may be deleted.
    pub(crate) fn named(&self, service: &ServiceName, name: &JobName) -> Option<&JobEntry> {
        self.get(*self.by_name.get(&(service.clone(), name.clone()))?)
    }

    /// The job of this name that is not deleted.
    fn living(&self, service: &ServiceName, name: &JobName) -> Option<JobId> {
        self.named(service, name).filter(|entry| !entry.is_deleted()).map(|entry| entry.row.id)
    }

    /// The job that a path means: `service.name`, or a name that only one job has.
    pub(crate) fn resolve(&self, path: &JobPath) -> Result<JobId, JobRefused> {
        let found = path.find(
            |service, name| self.living(service, name),
            |name| self.by_bare_name.get(name).cloned().unwrap_or_default(),
        );
        only(path, &found, |id| self.job(id).map(|job| job.path()))
    }

    /// Whether saving a declared job requires a lookup of its children's names.
    pub(crate) fn has_new_children(&self, job: &Job) -> bool {
        let follows_code = |row: &JobRow| row.origin == Origin::Code && row.deleted_at.is_none();
        !job.children.is_empty()
            && self
                .named(&job.service, &job.name)
                .is_none_or(|known| follows_code(&known.row) && *known.row.job != *job)
    }

    /// An id for a new job.
    pub(crate) fn new_id(&mut self) -> JobId {
        let id = JobId(self.next_id);
        self.next_id += self.config.step();
        id
    }

    /// Adds a job; every fire of it up to `cursor` is planned.
    pub(crate) fn admit(&mut self, row: JobRow, cursor: Timestamp) {
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

    /// Replaces the row of a job.
    pub(crate) fn update(&mut self, row: JobRow) {
        let Some(entry) = self.jobs.get_mut(&row.id) else { return };
        self.parents.change(row.id, &entry.row.children, &row.children);
        self.bytes -= definition_bytes(&entry.row.job) as u64;
        self.bytes += definition_bytes(&row.job) as u64;
        entry.row = row;
    }

    /// Marks a job as deleted by a user.
    pub(crate) fn delete(&mut self, id: JobId, now: Timestamp) -> Option<&JobEntry> {
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

    /// Forgets a deleted job, unless it was dated at or after `before`.
    pub(crate) fn forget(&mut self, id: JobId, before: Timestamp) {
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

/// The only job that a path means.
fn only(
    path: &JobPath,
    found: &[JobId],
    named: impl Fn(JobId) -> Option<JobPath>,
) -> Result<JobId, JobRefused> {
    match found {
        [id] => Ok(*id),
        [] => Err(JobRefused::Unknown(path.to_string())),
        [_, ..] => {
            let choices = found.iter().filter_map(|id| named(*id));
            let mut choices: Vec<_> = choices.map(|path| path.to_string()).collect();
            choices.sort();
            Err(JobRefused::Ambiguous { name: path.to_string(), choices })
        }
    }
}
