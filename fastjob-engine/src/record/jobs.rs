//! Jobs, as they are kept.

use std::sync::Arc;

use fastjob_core::{Job, JobId, JobName, ServiceName};
use jiff::Timestamp;

use super::{Origin, Overrides};

/// A job as it is stored.
#[derive(Clone, Debug, PartialEq)]
pub struct JobRow {
    /// Its id. A job that is deleted and created again has a new one.
    pub id: JobId,
    /// The definition in effect.
    pub job: Arc<Job>,
    /// What code declares, if that is another definition, or if a person took the definition from
    /// the code. `None` if no code declares the job, or if `job` is what it declares.
    pub declared: Option<Arc<Job>>,
    /// The jobs that its children's names meant when it was saved, in the order of the names.
    pub children: Arc<[JobId]>,
    /// Who owns the definition. While that is code, people may override
    /// [some settings](Job::is_same_definition).
    pub origin: Origin,
    /// Which settings people have set, if the origin is code.
    pub overrides: Overrides,
    /// Counts saves, from 1.
    pub revision: i64,
    /// The start of its schedule: when the schedule was set or, for a fixed delay, the last end.
    pub anchor: Timestamp,
    /// When its first revision was saved.
    pub created_at: Timestamp,
    /// When its latest revision was saved. Of a deleted job: when it was deleted, or when code last
    /// declared it again, to within a day.
    pub updated_at: Timestamp,
    /// When it was deleted; `None` while it lives. A deleted job keeps its row, because its tasks
    /// refer to it, and so that code does not create it again.
    pub deleted_at: Option<Timestamp>,
}

impl JobRow {
    /// What code declares; `None` if no code declares the job.
    pub fn code(&self) -> Option<&Arc<Job>> {
        let own = (self.origin == Origin::Code).then_some(&self.job);
        self.declared.as_ref().or(own)
    }

    /// The approximate size of its definitions in bytes.
    pub(crate) fn bytes(&self) -> u64 {
        bytes(&self.job, self.declared.as_deref())
    }
}

/// A living job with its children: what is needed to follow chains of children.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobLink {
    /// Its id, in any partition.
    pub id: JobId,
    /// Its service.
    pub service: ServiceName,
    /// Its name, unique within the service.
    pub name: JobName,
    /// The jobs that its children's names mean, as in [`JobRow::children`].
    pub children: Arc<[JobId]>,
}

impl JobLink {
    /// The link of a job; `None` if the job is deleted.
    pub fn of(row: &JobRow) -> Option<Self> {
        row.deleted_at.is_none().then(|| Self {
            id: row.id,
            service: row.job.service.clone(),
            name: row.job.name.clone(),
            children: Arc::clone(&row.children),
        })
    }
}

/// The approximate size of the definitions of a job in bytes.
pub(crate) fn bytes(job: &Job, declared: Option<&Job>) -> u64 {
    (definition_bytes(job) + declared.map_or(0, definition_bytes)) as u64
}

/// The approximate size of a definition in bytes: its texts, and a constant for the rest.
pub fn definition_bytes(job: &Job) -> usize {
    const REST: usize = 1024;
    let labels = job.labels().map(|(key, value)| key.len() + value.len());
    let children = job.children.iter().map(|child| child.job.as_str().len());
    let alarms = job.alarms.iter().map(|channel| channel.as_str().len());
    REST + job.description().len()
        + job.param.as_ref().map_or(0, |param| param.len())
        + labels.chain(children).chain(alarms).sum::<usize>()
}
