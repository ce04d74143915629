//! The table of jobs, and its indexes by id and by name.
//!
//! The indexes hold places in the table instead of keys, so each takes about ten bytes for a job.

use std::hash::BuildHasher;

use fastjob_core::{JobId, JobName, ServiceName};
use hashbrown::HashTable;

use super::JobEntry;
use crate::maps::{Hashing, IdHashing};

/// The number of jobs in a block. The table grows by blocks, so that it is never copied.
const BLOCK: usize = 256;

/// A place in the table.
type Place = u32;

/// Jobs by id and by name.
#[derive(Default)]
pub(super) struct Table {
    entries: Entries,
    by_id: HashTable<Place>,
    /// By service and name.
    by_name: HashTable<Place>,
    /// By name alone; jobs of several services may have the same one.
    by_bare_name: HashTable<Place>,
    hashing: Hashing,
}

/// Jobs in places that stay.
#[derive(Default)]
pub(super) struct Entries {
    blocks: Vec<Vec<Option<JobEntry>>>,
    free: Vec<Place>,
}

impl Entries {
    fn get(&self, at: Place) -> Option<&JobEntry> {
        let at = at as usize;
        self.blocks.get(at / BLOCK)?.get(at % BLOCK)?.as_ref()
    }

    fn slot(&mut self, at: Place) -> Option<&mut Option<JobEntry>> {
        let at = at as usize;
        self.blocks.get_mut(at / BLOCK)?.get_mut(at % BLOCK)
    }

    pub(super) fn len(&self) -> usize {
        let places = self.blocks.iter().map(Vec::len).sum::<usize>();
        places - self.free.len()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &JobEntry> {
        self.blocks.iter().flatten().flatten()
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut JobEntry> {
        self.blocks.iter_mut().flatten().flatten()
    }

    pub(super) fn insert(&mut self, entry: JobEntry) -> Place {
        if let Some(at) = self.free.pop()
            && let Some(slot) = self.slot(at)
        {
            *slot = Some(entry);
            return at;
        }
        if self.blocks.last().is_none_or(|block| block.len() == BLOCK) {
            self.blocks.push(Vec::with_capacity(BLOCK));
        }
        let full = (self.blocks.len() - 1) * BLOCK;
        let last = self.blocks.last_mut().map_or(0, |block| {
            block.push(Some(entry));
            block.len() - 1
        });
        // There are at most as many jobs as a quota of 32 bits allows.
        (full + last) as Place
    }

    fn remove(&mut self, at: Place) -> Option<JobEntry> {
        let entry = self.slot(at)?.take()?;
        self.free.push(at);
        Some(entry)
    }

    fn has_id(&self, at: Place, id: JobId) -> bool {
        self.get(at).is_some_and(|entry| entry.id() == id)
    }

    fn is_named(&self, at: Place, service: &ServiceName, name: &JobName) -> bool {
        self.get(at)
            .is_some_and(|entry| entry.job().name == *name && entry.job().service == *service)
    }
}

fn id_hash(id: JobId) -> u64 {
    IdHashing::default().hash_one(id)
}

impl Table {
    pub(super) fn len(&self) -> usize {
        self.by_id.len()
    }

    /// The number of names of jobs, without services.
    #[cfg(any(test, feature = "simulation"))]
    pub(super) fn names(&self) -> usize {
        self.by_bare_name.len()
    }

    /// The table of these jobs, of which no two have the same id.
    pub(super) fn of(entries: Entries) -> Self {
        let mut table = Self { entries, ..Self::default() };
        // Growing an index reads every job.
        table.reserve(table.entries.len());
        let places = table.entries.blocks.iter().map(Vec::len).sum::<usize>();
        (0..places as Place).for_each(|at| table.index(at));
        table
    }

    fn reserve(&mut self, more: usize) {
        let Self { entries, by_id, by_name, by_bare_name, hashing } = self;
        by_id.reserve(more, |at| id_hash_at(entries, *at));
        by_name.reserve(more, |at| full_hash(hashing, entries, *at));
        by_bare_name.reserve(more, |at| bare_hash(hashing, entries, *at));
    }

    pub(super) fn get(&self, id: JobId) -> Option<&JobEntry> {
        self.entries.get(self.place(id)?)
    }

    pub(super) fn get_mut(&mut self, id: JobId) -> Option<&mut JobEntry> {
        let at = self.place(id)?;
        self.entries.slot(at)?.as_mut()
    }

    fn place(&self, id: JobId) -> Option<Place> {
        self.by_id.find(id_hash(id), |at| self.entries.has_id(*at, id)).copied()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &JobEntry> {
        self.entries.iter()
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut JobEntry> {
        self.entries.iter_mut()
    }

    /// The job that has this name, or had it last.
    pub(super) fn named(&self, service: &ServiceName, name: &JobName) -> Option<&JobEntry> {
        let hash = self.hashing.hash_one((service, name));
        let found = self.by_name.find(hash, |at| self.entries.is_named(*at, service, name));
        self.entries.get(*found?)
    }

    /// The jobs of any service with this name, without those that
    /// [`remove_bare`](Self::remove_bare) removed.
    pub(super) fn bare(&self, name: &JobName) -> impl Iterator<Item = JobId> {
        let found = self.by_bare_name.iter_hash(self.hashing.hash_one(name));
        let found = found.filter_map(|at| self.entries.get(*at));
        found.filter(move |entry| entry.job().name == *name).map(JobEntry::id)
    }

    /// Adds a job. A deleted job has its name until another one takes it, whichever is added first;
    /// it is not found by its name alone.
    pub(super) fn insert(&mut self, entry: JobEntry) {
        self.remove(entry.id());
        let mine = self.entries.insert(entry);
        self.index(mine);
    }

    /// Adds the job at this place to the indexes.
    fn index(&mut self, mine: Place) {
        let Self { entries, by_id, by_name, by_bare_name, hashing } = self;
        let Some(entry) = entries.get(mine) else { return };
        let (id, is_deleted, job) = (entry.id(), entry.is_deleted(), entry.job());
        debug_assert!(
            by_id.find(id_hash(id), |at| entries.has_id(*at, id)).is_none(),
            "{id:?} is there already"
        );
        by_id.insert_unique(id_hash(id), mine, |at| id_hash_at(entries, *at));
        let hash = hashing.hash_one((&job.service, &job.name));
        match by_name.find_mut(hash, |at| entries.is_named(*at, &job.service, &job.name)) {
            Some(at) => {
                let yields = |other: &JobEntry| other.is_deleted() && other.id() < id;
                if !is_deleted || entries.get(*at).is_none_or(yields) {
                    *at = mine;
                }
            }
            None => {
                by_name.insert_unique(hash, mine, |at| full_hash(hashing, entries, *at));
            }
        }
        if !is_deleted {
            let hash = hashing.hash_one(&job.name);
            by_bare_name.insert_unique(hash, mine, |at| bare_hash(hashing, entries, *at));
        }
    }

    /// Lets a job no longer be found by its name alone.
    pub(super) fn remove_bare(&mut self, id: JobId) {
        let Some(mine) = self.place(id) else { return };
        let hash = bare_hash(&self.hashing, &self.entries, mine);
        if let Ok(found) = self.by_bare_name.find_entry(hash, |at| *at == mine) {
            found.remove();
        }
    }

    /// Removes a job. If another job has its name, it keeps it.
    pub(super) fn remove(&mut self, id: JobId) -> Option<JobEntry> {
        let mine = self.place(id)?;
        self.remove_bare(id);
        let hash = full_hash(&self.hashing, &self.entries, mine);
        if let Ok(found) = self.by_name.find_entry(hash, |at| *at == mine) {
            found.remove();
        }
        if let Ok(found) = self.by_id.find_entry(id_hash(id), |at| *at == mine) {
            found.remove();
        }
        self.entries.remove(mine)
    }
}

fn id_hash_at(entries: &Entries, at: Place) -> u64 {
    entries.get(at).map_or(0, |entry| id_hash(entry.id()))
}

fn full_hash(hashing: &Hashing, entries: &Entries, at: Place) -> u64 {
    let job = entries.get(at).map(JobEntry::job);
    job.map_or(0, |job| hashing.hash_one((&job.service, &job.name)))
}

fn bare_hash(hashing: &Hashing, entries: &Entries, at: Place) -> u64 {
    entries.get(at).map_or(0, |entry| hashing.hash_one(&entry.job().name))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use fastjob_core::{Job, JobDraft};
    use jiff::Timestamp;

    use super::*;
    use crate::{record::JobRow, state::catalog::together::new_row};

    fn entry(id: i64, service: &str, name: &str) -> JobEntry {
        let draft = JobDraft {
            name: name.to_owned(),
            service: Some(service.to_owned()),
            ..JobDraft::default()
        };
        let new = new_row(Arc::new(Job::try_from(draft).unwrap()));
        JobEntry::new(JobRow { id: JobId(id), ..new }, Timestamp::UNIX_EPOCH)
    }

    fn add(table: &mut Table, id: i64, service: &str, name: &str) {
        table.insert(entry(id, service, name));
    }

    fn named(table: &Table, service: &str, name: &str) -> Option<i64> {
        let found = table.named(&service.parse().unwrap(), &name.parse().unwrap());
        found.map(|entry| entry.id().0)
    }

    fn bare(table: &Table, name: &str) -> Vec<i64> {
        let mut found: Vec<_> = table.bare(&name.parse().unwrap()).map(|id| id.0).collect();
        found.sort_unstable();
        found
    }

    #[test]
    fn jobs_are_found_by_id_and_by_name_while_others_come_and_go() {
        let mut table = Table::default();
        let jobs = 3 * BLOCK as i64;
        for id in 1..=jobs {
            add(&mut table, id, &format!("s{}", id % 7), &format!("n{}", id / 7));
        }
        for id in (1..=jobs).filter(|id| id % 3 == 0) {
            assert_eq!(table.remove(JobId(id)).map(|entry| entry.id()), Some(JobId(id)));
        }
        for id in 1..=jobs {
            let stays = (id % 3 != 0).then_some(id);
            assert_eq!(table.get(JobId(id)).map(|entry| entry.id().0), stays);
            assert_eq!(named(&table, &format!("s{}", id % 7), &format!("n{}", id / 7)), stays);
            assert_eq!(bare(&table, &format!("n{}", id / 7)).contains(&id), stays.is_some());
        }
        let left = table.len();
        assert_eq!((left, table.names(), table.iter().count()), (2 * BLOCK, left, left));
        // Free places are used again.
        for id in jobs + 1..=jobs + BLOCK as i64 {
            add(&mut table, id, "s", &format!("later{id}"));
        }
        assert_eq!((table.len(), table.entries.blocks.len()), (3 * BLOCK, 3));
        assert_eq!(named(&table, "s", &format!("later{}", jobs + 9)), Some(jobs + 9));
    }

    #[test]
    fn a_name_belongs_to_the_job_that_took_it_last() {
        let mut table = Table::default();
        add(&mut table, 1, "s", "a");
        add(&mut table, 2, "t", "a");
        assert_eq!(bare(&table, "a"), [1, 2]);
        table.remove_bare(JobId(1));
        assert_eq!((bare(&table, "a"), named(&table, "s", "a")), (vec![2], Some(1)));
        add(&mut table, 3, "s", "a");
        assert_eq!((bare(&table, "a"), named(&table, "s", "a")), (vec![2, 3], Some(3)));
        table.remove(JobId(1));
        assert_eq!(named(&table, "s", "a"), Some(3));
        table.remove(JobId(3));
        assert_eq!((bare(&table, "a"), named(&table, "s", "a")), (vec![2], None));
    }

    #[test]
    fn a_deleted_job_has_its_name_only_while_no_other_job_does() {
        for order in [[1, 2, 3], [3, 1, 2], [2, 3, 1], [3, 2, 1]] {
            let mut table = Table::default();
            let mut found = Vec::new();
            for id in order {
                let mut entry = entry(id, "s", "a");
                if id != 2 {
                    entry.delete(Timestamp::UNIX_EPOCH);
                }
                table.insert(entry);
                found.push(named(&table, "s", "a"));
            }
            assert_eq!((found.last(), bare(&table, "a")), (Some(&Some(2)), vec![2]), "{order:?}");
            // Without the living job, the last deleted one.
            let mut table = Table::default();
            for id in order.into_iter().filter(|id| *id != 2) {
                let mut entry = entry(id, "s", "a");
                entry.delete(Timestamp::UNIX_EPOCH);
                table.insert(entry);
            }
            assert_eq!((named(&table, "s", "a"), bare(&table, "a")), (Some(3), vec![]));
        }
    }
}
