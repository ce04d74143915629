//! What an engine keeps of a job. There may be a million jobs, of which few run at a time: fields
//! are small, and what few jobs have is in a box.

use std::sync::Arc;

use fastjob_core::{Job, JobId, route};
use jiff::Timestamp;

use crate::{
    record::{JobRow, Origin, Overrides, bytes},
    state::millis::Millis,
};

/// A job, and the position of its schedule.
#[derive(Debug)]
pub(crate) struct JobEntry {
    id: JobId,
    job: Arc<Job>,
    memory: route::Memory,
    rare: Option<Box<Rare>>,
    /// The low half of its revision; the high half is in `rare`.
    revision: u32,
    anchor: Millis,
    created_at: Millis,
    updated_at: Millis,
    next_fire: Millis,
    cursor: Millis,
    /// The number of its open tasks that its schedule started.
    pub(crate) scheduled: u32,
    origin: Origin,
    overrides: Overrides,
    /// Whether the current round has planned fires of it.
    pub(crate) is_in_round: bool,
    /// Whether the store has a cursor for this job, in addition to the watermark.
    pub(crate) has_stored_cursor: bool,
    /// Whether its last alarm about an end reported a failure.
    pub(crate) failing: bool,
}

/// Rarely used fields.
#[derive(Debug)]
struct Rare {
    children: Arc<[JobId]>,
    declared: Option<Arc<Job>>,
    deleted_at: Millis,
    fired_ahead: Millis,
    /// The high half of its revision.
    revision: u32,
}

impl Default for Rare {
    fn default() -> Self {
        let children = Arc::default();
        Self {
            children,
            declared: None,
            deleted_at: Millis::NEVER,
            fired_ahead: Millis::MIN,
            revision: 0,
        }
    }
}

impl JobEntry {
    /// A job of which every fire up to `cursor` is planned.
    pub(super) fn new(row: JobRow, cursor: Timestamp) -> Self {
        let mut entry = Self {
            id: row.id,
            job: Arc::clone(&row.job),
            memory: route::Memory::default(),
            rare: None,
            revision: 0,
            anchor: row.anchor.into(),
            created_at: row.created_at.into(),
            updated_at: row.updated_at.into(),
            next_fire: Millis::NEVER,
            cursor: cursor.into(),
            scheduled: 0,
            origin: row.origin,
            overrides: row.overrides,
            is_in_round: false,
            has_stored_cursor: false,
            failing: false,
        };
        entry.set_row(row);
        entry
    }

    /// Replaces what is stored of the job.
    pub(super) fn set_row(&mut self, row: JobRow) {
        let JobRow {
            id,
            job,
            declared,
            children,
            origin,
            overrides,
            revision,
            anchor,
            created_at,
            updated_at,
            deleted_at,
        } = row;
        (self.id, self.job) = (id, job);
        (self.origin, self.overrides) = (origin, overrides);
        self.anchor = anchor.into();
        (self.created_at, self.updated_at) = (created_at.into(), updated_at.into());
        let is_rare = !children.is_empty() || declared.is_some() || deleted_at.is_some();
        if self.rare.is_some() || is_rare {
            let rare = self.rare.get_or_insert_default();
            (rare.children, rare.declared) = (children, declared);
            rare.deleted_at = deleted_at.into();
        }
        self.set_revision(revision);
    }

    fn revision(&self) -> i64 {
        let high = self.rare.as_ref().map_or(0, |rare| rare.revision);
        (u64::from(high) << 32 | u64::from(self.revision)).cast_signed()
    }

    fn set_revision(&mut self, revision: i64) {
        let revision = revision.cast_unsigned();
        let high = (revision >> 32) as u32;
        self.revision = revision as u32;
        if high != 0 || self.rare.is_some() {
            self.rare.get_or_insert_default().revision = high;
        }
    }

    /// The job as it is stored.
    pub(crate) fn row(&self) -> JobRow {
        JobRow {
            id: self.id,
            job: Arc::clone(&self.job),
            declared: self.rare.as_ref().and_then(|rare| rare.declared.clone()),
            children: self.rare.as_ref().map(|rare| Arc::clone(&rare.children)).unwrap_or_default(),
            origin: self.origin,
            overrides: self.overrides,
            revision: self.revision(),
            anchor: self.anchor(),
            created_at: self.created_at.into(),
            updated_at: self.updated_at(),
            deleted_at: self.rare.as_ref().and_then(|rare| rare.deleted_at.instant()),
        }
    }

    pub(crate) fn id(&self) -> JobId {
        self.id
    }

    pub(crate) fn job(&self) -> &Arc<Job> {
        &self.job
    }

    /// Its job, to share what equal jobs have in common.
    pub(super) fn job_mut(&mut self) -> &mut Arc<Job> {
        &mut self.job
    }

    /// The approximate size of its definitions in bytes.
    pub(super) fn bytes(&self) -> u64 {
        let declared = self.rare.as_ref().and_then(|rare| rare.declared.as_deref());
        bytes(&self.job, declared)
    }

    /// The job, and the memory of its route.
    pub(crate) fn with_memory(&mut self) -> (&Job, &mut route::Memory) {
        (&self.job, &mut self.memory)
    }

    pub(crate) fn origin(&self) -> Origin {
        self.origin
    }

    /// The jobs that its children's names meant when it was saved.
    pub(crate) fn children(&self) -> &[JobId] {
        self.rare.as_ref().map_or(&[], |rare| &rare.children)
    }

    pub(crate) fn is_deleted(&self) -> bool {
        self.rare.as_ref().is_some_and(|rare| rare.deleted_at != Millis::NEVER)
    }

    /// The definition that code declares; `None` if no code declares the job.
    pub(crate) fn code(&self) -> Option<&Arc<Job>> {
        let declared = self.rare.as_ref().and_then(|rare| rare.declared.as_ref());
        declared.or((self.origin == Origin::Code).then_some(&self.job))
    }

    /// Marks it as deleted by a user.
    pub(super) fn delete(&mut self, now: Timestamp) {
        let code = self.code().cloned();
        let rare = self.rare.get_or_insert_default();
        (rare.declared, rare.deleted_at) = (code, now.into());
        self.updated_at = now.into();
        self.set_revision(self.revision() + 1);
        (self.origin, self.overrides) = (Origin::Api, Overrides::default());
    }

    pub(crate) fn updated_at(&self) -> Timestamp {
        self.updated_at.into()
    }

    /// Dates a deleted job, so that it is remembered for another retention.
    pub(crate) fn date(&mut self, now: Timestamp) {
        self.updated_at = now.into();
    }

    /// The instant from which the schedule counts.
    pub(crate) fn anchor(&self) -> Timestamp {
        self.anchor.into()
    }

    pub(crate) fn set_anchor(&mut self, anchor: Timestamp) {
        self.anchor = anchor.into();
    }

    /// Every fire of the job up to here is planned.
    pub(crate) fn cursor(&self) -> Timestamp {
        self.cursor.into()
    }

    pub(crate) fn set_cursor(&mut self, cursor: Timestamp) {
        self.cursor = cursor.into();
    }

    /// Its entry in the agenda.
    pub(crate) fn next_fire(&self) -> Option<Timestamp> {
        self.next_fire.instant()
    }

    pub(crate) fn set_next_fire(&mut self, at: Option<Timestamp>) {
        self.next_fire = at.into();
    }

    /// The latest fire that ended while the clock had not reached it. A change of the job does not
    /// plan it again.
    pub(crate) fn fired_ahead(&self) -> Timestamp {
        self.rare.as_ref().map_or(Timestamp::MIN, |rare| rare.fired_ahead.into())
    }

    /// Notes a fire that ended while the clock had not reached it.
    pub(crate) fn note_fired_ahead(&mut self, fire_at: Timestamp) {
        let rare = self.rare.get_or_insert_default();
        rare.fired_ahead = rare.fired_ahead.max(fire_at.into());
    }
}

#[cfg(test)]
mod tests {
    use fastjob_core::JobDraft;

    use super::*;

    #[test]
    fn a_job_at_rest_takes_little_memory() {
        assert!(size_of::<Option<JobEntry>>() <= 96, "{}", size_of::<Option<JobEntry>>());
        assert!(size_of::<Job>() <= 56, "{}", size_of::<Job>());
    }

    #[test]
    fn what_is_stored_of_a_job_is_kept() {
        let at = |ms| Timestamp::from_millisecond(ms).unwrap();
        let draft = JobDraft { name: "job".to_owned(), ..JobDraft::default() };
        let plain = JobRow {
            id: JobId(7),
            job: Arc::new(draft.try_into().unwrap()),
            declared: None,
            children: Arc::default(),
            origin: Origin::Code,
            overrides: Overrides::default(),
            revision: 3,
            anchor: at(1),
            created_at: at(2),
            updated_at: at(3),
            deleted_at: None,
        };
        let deleted = JobRow { deleted_at: Some(at(4)), origin: Origin::Api, ..plain.clone() };
        let parent = JobRow { children: vec![JobId(8)].into(), revision: 4, ..plain.clone() };
        let mut entry = JobEntry::new(plain.clone(), at(5));
        let overrides = Overrides { enabled: true, alarms: true };
        let declared = Some(Arc::clone(&plain.job));
        let overridden = JobRow { declared, overrides, ..plain.clone() };
        let [often, negative] = [1 << 40, -1].map(|revision| JobRow { revision, ..plain.clone() });
        for row in [plain.clone(), deleted, parent, overridden, often, negative, plain] {
            assert_eq!(JobEntry::new(row.clone(), at(5)).row(), row);
            entry.set_row(row.clone());
            assert_eq!(entry.row(), row);
            assert_eq!(entry.is_deleted(), row.deleted_at.is_some());
        }
    }
}
