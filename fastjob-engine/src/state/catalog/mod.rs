//! The jobs of the partition: by id and by name, with their parents and children, and the size of
//! their definitions. Counters and indexes change together with the jobs, and only here.
//!
//! While a command runs that depends on jobs of other partitions, the catalog has these jobs too.

mod census;
mod chain;
mod directory;
mod entry;
mod family;
mod loaded;
mod quota;
mod settings;
mod table;
mod together;

use std::{cell::Cell, sync::Arc};

use fastjob_core::{Job, JobId, JobName, JobPath, ServiceKey, ServiceName, children::CHAIN_MOST};
use jiff::Timestamp;

pub(crate) use self::entry::JobEntry;
pub(crate) use self::together::Missing;
use self::{census::Census, chain::Parents, settings::SharedSettings, table::Table};
pub use self::{
    chain::LINKS_MOST, directory::Directory, loaded::LoadedJobs, quota::JobQuota,
    together::check_together,
};
use crate::{
    Config, JobRefused,
    record::{JobRow, Origin, Partition},
};

/// The jobs of a partition.
pub(crate) struct Catalog {
    config: Config,
    jobs: Table,
    settings: SharedSettings,
    /// The total size of the definitions, in bytes.
    bytes: u64,
    parents: Parents,
    census: Census,
    /// Jobs of other partitions, while a command that needs them runs.
    others: Directory,
    /// Whether children are not looked at, while a command is tried.
    ignores_children: bool,
    /// How many links the command may still follow.
    links_left: Cell<usize>,
    next_id: i64,
}

impl Catalog {
    pub(crate) fn new(config: Config) -> Self {
        Self {
            config,
            jobs: Table::default(),
            settings: SharedSettings::default(),
            bytes: 0,
            parents: Parents::default(),
            census: Census::default(),
            others: Directory::default(),
            ignores_children: false,
            links_left: Cell::new(LINKS_MOST),
            next_id: config.id_from(1),
        }
    }

    #[cfg(test)]
    pub(crate) fn set_quota(&mut self, quota: JobQuota) {
        self.config.job_quota = quota;
    }

    pub(crate) fn get(&self, id: JobId) -> Option<&JobEntry> {
        self.jobs.get(id)
    }

    pub(crate) fn get_mut(&mut self, id: JobId) -> Option<&mut JobEntry> {
        self.jobs.get_mut(id)
    }

    pub(crate) fn job(&self, id: JobId) -> Option<&Arc<Job>> {
        self.get(id).map(JobEntry::job)
    }

    /// The key of the job's service.
    pub(crate) fn service_key(&self, id: JobId) -> Option<ServiceKey> {
        self.job(id).map(|job| job.service.key())
    }

    /// All jobs, including deleted ones that are still remembered.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (JobId, &JobEntry)> {
        self.jobs.iter().map(|entry| (entry.id(), entry))
    }

    pub(crate) fn entries_mut(&mut self) -> impl Iterator<Item = &mut JobEntry> {
        self.jobs.iter_mut()
    }

    /// How many jobs each service has, deleted ones left out.
    pub(crate) fn census(&self) -> &Census {
        &self.census
    }

    /// The sizes of the collections that grow with the number of jobs: jobs, names, and settings.
    #[cfg(any(test, feature = "simulation"))]
    pub(crate) fn sizes(&self) -> (usize, usize, usize) {
        (self.jobs.len(), self.jobs.names(), self.settings.len())
    }

    /// Sets the jobs of other partitions for the next command.
    pub(crate) fn set_others(&mut self, others: Directory) {
        self.others = others;
    }

    /// Whether the jobs that are saved from now on keep the children that they have.
    pub(crate) fn ignore_children(&mut self, ignores: bool) {
        self.ignores_children = ignores;
    }

    /// Begins a command, which may follow [`LINKS_MOST`] links, and a chain for each of its jobs.
    pub(crate) fn allow_links(&self, jobs: usize) {
        self.links_left.set(LINKS_MOST + jobs * CHAIN_MOST);
    }

    pub(crate) fn is_mine(&self, partition: Partition) -> bool {
        partition == self.config.lease.partition
    }

    pub(crate) fn partition_of(&self, job: JobId) -> Partition {
        Partition::of_id(job.0, self.config.partitions)
    }

    /// The job of this name, which may be deleted.
    pub(crate) fn named(&self, service: &ServiceName, name: &JobName) -> Option<&JobEntry> {
        self.jobs.named(service, name)
    }

    /// The job of this name that is not deleted.
    fn living(&self, service: &ServiceName, name: &JobName) -> Option<JobId> {
        self.named(service, name).filter(|entry| !entry.is_deleted()).map(JobEntry::id)
    }

    /// The job that a path means: `service.name`, or a name that only one job has.
    pub(crate) fn resolve(&self, path: &JobPath) -> Result<JobId, JobRefused> {
        self.meant(path, |name| self.jobs.bare(name).collect())
    }

    /// The job of a service that a path names, and never a job whose whole name the path is.
    pub(crate) fn resolve_with_service(&self, path: &JobPath) -> Result<JobId, JobRefused> {
        self.meant(path, |_| Vec::new())
    }

    fn meant(
        &self,
        path: &JobPath,
        bare: impl FnOnce(&JobName) -> Vec<JobId>,
    ) -> Result<JobId, JobRefused> {
        let found = path.find(|service, name| self.living(service, name), bare);
        only(path, &found, |id| self.job(id).map(|job| job.path()))
    }

    /// Whether saving a declared job requires a lookup of its children's names.
    pub(crate) fn has_new_children(&self, job: &Job) -> bool {
        let follows_code = |known: &JobEntry| known.origin() == Origin::Code && !known.is_deleted();
        !job.children.is_empty()
            && self.named(&job.service, &job.name).is_none_or(|known| {
                follows_code(known) && known.code().is_none_or(|code| **code != *job)
            })
    }

    /// The id of the next job that is admitted.
    pub(crate) fn next_id(&self) -> JobId {
        JobId(self.next_id)
    }

    /// Begins with the jobs of the store; every fire of them up to `cursor` is planned.
    pub(crate) fn load(&mut self, jobs: LoadedJobs, cursor: Timestamp) {
        let LoadedJobs(mut entries) = jobs;
        for entry in entries.iter_mut() {
            entry.set_cursor(cursor);
            self.bytes += entry.bytes();
            self.settings.share(entry.job_mut());
            self.next_id = self.next_id.max(self.config.id_from(entry.id().0 + 1));
            if !entry.is_deleted() {
                self.parents.change(entry.id(), &[], entry.children());
            }
            self.census.add(entry);
        }
        self.jobs = Table::of(entries);
    }

    /// Adds a job; every fire of it up to `cursor` is planned.
    pub(crate) fn admit(&mut self, mut row: JobRow, cursor: Timestamp) {
        self.bytes += row.bytes();
        self.settings.share(&mut row.job);
        self.next_id = self.next_id.max(self.config.id_from(row.id.0 + 1));
        if row.deleted_at.is_none() {
            self.parents.change(row.id, &[], &row.children);
        }
        let entry = JobEntry::new(row, cursor);
        self.census.add(&entry);
        self.jobs.insert(entry);
    }

    /// Takes back the last admission. Its name may have been that of a deleted job.
    pub(crate) fn undo_admit(&mut self, id: JobId, deleted: Option<JobId>) {
        let Some(entry) = self.jobs.remove(id) else { return };
        self.census.remove(&entry);
        self.bytes -= entry.bytes();
        self.parents.change(id, entry.children(), &[]);
        self.next_id = id.0;
        // It is found by its name again.
        if let Some(entry) = deleted.and_then(|deleted| self.jobs.remove(deleted)) {
            self.jobs.insert(entry);
        }
    }

    /// Replaces the row of a job.
    pub(crate) fn update(&mut self, mut row: JobRow) {
        self.settings.share(&mut row.job);
        let Some(entry) = self.jobs.get_mut(row.id) else { return };
        self.parents.change(row.id, entry.children(), &row.children);
        self.bytes = self.bytes - entry.bytes() + row.bytes();
        self.census.remove(entry);
        entry.set_row(row);
        self.census.add(entry);
    }

    /// Marks a job as deleted by a user.
    pub(crate) fn delete(&mut self, id: JobId, now: Timestamp) -> Option<&JobEntry> {
        let entry = self.jobs.get_mut(id)?;
        self.bytes -= entry.bytes();
        self.census.remove(entry);
        entry.delete(now);
        self.bytes += entry.bytes();
        self.parents.change(id, entry.children(), &[]);
        self.jobs.remove_bare(id);
        self.jobs.get(id)
    }

    /// Forgets a deleted job, unless it was dated at or after `before`.
    pub(crate) fn forget(&mut self, id: JobId, before: Timestamp) {
        let Some(entry) = self.jobs.get(id) else { return };
        if !entry.is_deleted() || entry.updated_at() >= before {
            return;
        }
        self.bytes -= entry.bytes();
        self.jobs.remove(id);
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
