//! A store for the simulation: the journal and the history as the databases have them, in memory.
//!
//! It stages, replays, cleans and loads with the code of the databases, in the order of
//! `postgres/commit.rs`. Transactions are applied whole or not at all, and fail when the simulation
//! says so. Each node has a process of its own, with its own journals in memory. Journals are
//! cleaned when they are very small, so that most histories clean them often.

mod load;
mod tables;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use fastjob_core::{AttemptId, TaskId};
use fastjob_engine::simulation::{Fate, Rows, Store};
use rand::{RngExt, SeedableRng, rngs::SmallRng};

use self::tables::Tables;
use super::{
    Commit, Error, Lease, Loaded, Partition,
    journal::{Cleaning, Journal, Journals, Staged, stage},
};

/// A store in memory.
#[derive(Debug)]
pub(crate) struct Simulated {
    partitions: u32,
    cleaning: Cleaning,
    tables: Tables,
    backup: Option<Tables>,
    processes: Vec<Process>,
    /// Rows that were not taken yet.
    new_tasks: Vec<TaskId>,
    new_attempts: Vec<AttemptId>,
}

/// The process of a node.
#[derive(Debug, Default)]
struct Process {
    journals: Journals,
    /// The leases whose journals in memory are as they are stored, as long as the leases last.
    current: BTreeSet<Lease>,
}

impl Simulated {
    /// An empty store for the history of a seed.
    pub(crate) fn new(seed: u64, nodes: usize, partitions: u32) -> Self {
        let mut dice = SmallRng::seed_from_u64(seed);
        let small = [0, 100, 400, 2_000];
        // In half of the histories, a record carries whatever has to be carried.
        let carried = [0, 200, usize::MAX, usize::MAX];
        let cleaning = Cleaning {
            small: small[dice.random_range(0..small.len())],
            carried: carried[dice.random_range(0..carried.len())],
        };
        Self {
            partitions,
            cleaning,
            tables: Tables::default(),
            backup: None,
            processes: (0..nodes).map(|_| Process::default()).collect(),
            new_tasks: Vec::new(),
            new_attempts: Vec::new(),
        }
    }

    fn term(&self, partition: Partition) -> i64 {
        self.tables.partitions.get(&partition).map_or(0, |row| row.term)
    }

    fn replay(&self, partition: Partition) -> Result<Journal, Error> {
        let records = self.tables.journal.get(&partition).into_iter().flatten();
        let records = records.map(|(seq, bytes)| Ok((*seq, bytes.clone())));
        Ok(Journal::replay(records)?.cleaned_by(self.cleaning))
    }

    /// Writes a transaction to the journals of a process, and to the tables if it is not lost.
    fn write(&mut self, node: usize, commits: &[Commit], fate: Fate) -> Result<Vec<Lease>, String> {
        let mut journals = std::mem::take(&mut self.process(node)?.journals);
        let done = self.write_with(&mut journals, commits, fate);
        self.process(node)?.journals = journals;
        done
    }

    fn write_with(
        &mut self,
        journals: &mut Journals,
        commits: &[Commit],
        fate: Fate,
    ) -> Result<Vec<Lease>, String> {
        let leases: BTreeSet<_> = commits.iter().map(|commit| commit.lease).collect();
        let is_over = |lease: &Lease| self.term(lease.partition) != lease.term;
        let over: Vec<_> = leases.iter().filter(|lease| is_over(lease)).copied().collect();
        if !over.is_empty() {
            journals.forget(&over);
            return Ok(over);
        }
        let missing = journals.missing(commits);
        for lease in leases {
            if !journals.is_at(lease, self.tables.mark(lease.partition)) {
                return Err(format!("{lease:?} in memory is not at what is stored"));
            }
        }
        if fate == Fate::LostAtStart {
            return Ok(Vec::new());
        }
        for lease in missing {
            let journal = self.replay(lease.partition).map_err(|err| err.to_string())?;
            if !journals.keep(lease, journal) {
                return Err(format!("written records of {lease:?} are missing"));
            }
        }
        let doubtful = journals.doubtful(commits).into_iter().map(AttemptId);
        let known = doubtful.filter(|attempt| self.tables.has(*attempt)).collect();
        let staged = stage(commits, journals, &known);
        if fate.is_written() {
            self.tables.write(commits, &staged)?;
            self.note_new(&staged);
            self.check_sizes(journals, &staged)?;
        }
        if fate == Fate::Written {
            journals.written(commits);
        }
        Ok(Vec::new())
    }

    fn note_new(&mut self, staged: &Staged<'_>) {
        self.new_tasks.extend(staged.tasks.iter().map(|end| end.task));
        self.new_tasks.extend(staged.notes.iter().map(|(task, _)| *task));
        self.new_attempts.extend(staged.attempts.iter().map(|end| end.attempt));
    }

    /// A journal has at most twice the size of what is open, besides the record that cleaned it.
    fn check_sizes(&self, journals: &mut Journals, staged: &Staged<'_>) -> Result<(), String> {
        for record in &staged.records {
            let len = record.bytes.len();
            let Some((bytes, most)) = journals.sizes(record.partition) else { continue };
            // A record that has carried enough leaves the rest to the next one.
            if bytes > most + len && len < self.cleaning.carried {
                return Err(format!(
                    "the journal of {:?} has {bytes} bytes, more than {most} and {len}",
                    record.partition
                ));
            }
        }
        Ok(())
    }

    /// A journal whose last record is cut off or damaged must not be loaded.
    fn check_torn(&self, partition: Partition, dice: &mut SmallRng) -> Result<(), String> {
        let Some(records) = self.tables.journal.get(&partition) else { return Ok(()) };
        let mut torn: Vec<_> = records.iter().map(|(seq, bytes)| (*seq, bytes.clone())).collect();
        let Some((seq, last)) = torn.last_mut() else { return Ok(()) };
        let (seq, at) = (*seq, dice.random_range(0..last.len()));
        let how = if dice.random() {
            last.truncate(at);
            "cut off at"
        } else {
            last[at] ^= 1 << dice.random_range(0..8);
            "damaged at"
        };
        match Journal::replay(torn.into_iter().map(Ok)) {
            Err(Error::Corrupt { .. }) => Ok(()),
            Err(err) => Err(format!("the record {seq} is {how} byte {at}: {err}")),
            Ok(_) => Err(format!("the record {seq}, {how} byte {at}, was loaded")),
        }
    }

    fn process(&mut self, node: usize) -> Result<&mut Process, String> {
        self.processes.get_mut(node).ok_or_else(|| format!("there is no node {node}"))
    }
}

impl Store for Simulated {
    fn acquire(&mut self, lease: Lease) {
        self.tables.partitions.entry(lease.partition).or_default().term = lease.term;
    }

    fn end_process(&mut self, node: usize) {
        if let Some(process) = self.processes.get_mut(node) {
            *process = Process::default();
        }
    }

    fn commit(
        &mut self,
        node: usize,
        commits: &[Commit],
        fate: Fate,
    ) -> Result<Vec<Lease>, String> {
        let over = self.write(node, commits, fate)?;
        let is_written = over.is_empty() && fate == Fate::Written;
        let process = self.process(node)?;
        for commit in commits {
            process.current.retain(|lease| lease.partition != commit.lease.partition);
            if is_written {
                process.current.insert(commit.lease);
            }
        }
        Ok(over)
    }

    fn load(&mut self, partition: Partition, dice: u64) -> Result<Loaded, String> {
        self.check_torn(partition, &mut SmallRng::seed_from_u64(dice))?;
        let journal = self.replay(partition).map_err(|err| err.to_string())?;
        let open = self.tables.partitions.get(&partition).map_or(0, |row| row.open);
        if journal.attempts() != open {
            return Err(format!("{} open attempts, {open} counted", journal.attempts()));
        }
        let loaded = self.loaded(partition, &journal);
        match loaded.open.iter().find(|open| self.tables.has_ended(open)) {
            Some(open) => Err(format!("{open:?} is in the history")),
            None => Ok(loaded),
        }
    }

    fn take_new_rows(&mut self) -> Rows {
        let (tasks, attempts) =
            (std::mem::take(&mut self.new_tasks), std::mem::take(&mut self.new_attempts));
        let rows = tasks.iter().filter_map(|task| self.tables.tasks.get(task));
        let (tasks, mut only) = self.shown(rows);
        let rows = attempts.iter().filter_map(|attempt| self.tables.attempts.get(attempt));
        only.extend(rows.map(|row| self.with_log(row)));
        Rows { tasks, attempts: only }
    }

    fn rows(&self) -> Rows {
        let (tasks, mut attempts) = self.shown(self.tables.tasks.values());
        attempts.extend(self.tables.attempts.values().map(|row| self.with_log(row)));
        Rows { tasks, attempts }
    }

    fn check(&mut self) -> Result<(), String> {
        if let Some((job, revision)) = self.tables.wrong_version() {
            return Err(format!("the version {revision} of job {job:?} is missing, or is too old"));
        }
        let mut stored: BTreeMap<Partition, Journal> = BTreeMap::new();
        for partition in (0..self.partitions).map(Partition) {
            stored.insert(partition, self.replay(partition).map_err(|err| err.to_string())?);
        }
        let terms: BTreeMap<_, _> =
            stored.keys().map(|partition| (*partition, self.term(*partition))).collect();
        for (node, process) in self.processes.iter_mut().enumerate() {
            let current = process.current.iter();
            let current = current.filter(|lease| terms.get(&lease.partition) == Some(&lease.term));
            for Lease { partition, .. } in current {
                let Some(stored) = stored.get(partition) else { continue };
                if let Some(difference) = process.journals.difference(*partition, stored) {
                    return Err(format!(
                        "the journal of {partition:?} on node {node}: {difference}"
                    ));
                }
            }
        }
        Ok(())
    }

    fn back_up(&mut self) {
        self.backup = Some(self.tables.clone());
    }

    fn restore(&mut self) {
        if let Some(backup) = self.backup.clone() {
            self.tables = backup;
        }
        (self.new_tasks, self.new_attempts) = (Vec::new(), Vec::new());
    }
}
