//! Partition owners: for each partition, the link of the node that claimed it last.
//!
//! A node that lost a partition may not know it yet. Its messages have a lower term and are
//! rejected, so two nodes never start the same attempts.

use std::collections::hash_map::Entry;

use fastjob_core::{AttemptId, Lease, Partition, id_map::IdMap};

use super::links::LinkId;

/// The owner of each partition.
pub(super) struct Owners {
    /// The number of partitions.
    total: u32,
    owners: IdMap<Partition, Owner>,
    /// By partition, the highest term rejected since a node took it, so that each is logged once.
    refused: IdMap<Partition, i64>,
    /// By partition, the highest attempt id that was ever sent here.
    highest: IdMap<Partition, AttemptId>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
struct Owner {
    /// `None` after its session has ended, until it claims the partition again.
    link: Option<LinkId>,
    term: i64,
}

impl Default for Owners {
    fn default() -> Self {
        let (owners, refused, highest) = (IdMap::default(), IdMap::default(), IdMap::default());
        Self { total: 1, owners, refused, highest }
    }
}

impl Owners {
    /// Sets the number of partitions, from a coordinator's welcome. It is the same for the whole
    /// cluster.
    pub(super) fn set_total(&mut self, partitions: u32) {
        self.total = partitions.max(1);
    }

    /// The partition of an attempt.
    pub(super) fn partition(&self, attempt: AttemptId) -> Partition {
        Partition::of_id(attempt.0, self.total)
    }

    /// Records that an attempt with this id was sent here. Returns whether its id is higher than
    /// all others of its partition, so that it was certainly never here before.
    pub(super) fn seen(&mut self, attempt: AttemptId) -> bool {
        match self.highest.entry(self.partition(attempt)) {
            Entry::Vacant(none) => {
                none.insert(attempt);
                true
            }
            Entry::Occupied(mut highest) => {
                let is_new = attempt > *highest.get();
                if is_new {
                    highest.insert(attempt);
                }
                is_new
            }
        }
    }

    /// The highest attempt id of a partition that was ever sent here.
    pub(super) fn highest(&self, partition: Partition) -> Option<AttemptId> {
        self.highest.get(&partition).copied()
    }

    /// A node now acts on a partition.
    ///
    /// # Errors
    ///
    /// Fails with the known lease if another node has claimed the partition in a later term.
    pub(super) fn take(&mut self, link: LinkId, lease: Lease) -> Result<(), Lease> {
        let Lease { partition, term } = lease;
        let known = self.owners.get(&partition).map(|known| known.term);
        if let Some(known) = known.filter(|known| *known > term) {
            if self.refused.get(&partition).is_none_or(|refused| *refused < term) {
                self.refused.insert(partition, term);
                tracing::warn!(
                    partition = partition.0,
                    term,
                    known_term = known,
                    "rejected a coordinator's claim of a partition: another node has a later term"
                );
            }
            return Err(Lease { partition, term: known });
        }
        self.refused.remove(&partition);
        self.owners.insert(partition, Owner { link: Some(link), term });
        Ok(())
    }

    /// The link's session has ended.
    pub(super) fn leave(&mut self, link: LinkId) {
        for owner in self.owners.values_mut().filter(|owner| owner.link == Some(link)) {
            owner.link = None;
        }
    }

    /// Whether attempts that arrive over the link with this lease are accepted.
    pub(super) fn allows(&self, link: LinkId, lease: Lease) -> bool {
        self.owners.get(&lease.partition) == Some(&Owner { link: Some(link), term: lease.term })
    }

    /// Whether the attempt is in a partition that the link's node acts on.
    pub(super) fn has(&self, link: LinkId, attempt: AttemptId) -> bool {
        self.link(self.partition(attempt)) == Some(link)
    }

    /// The link of the partition's owner.
    pub(super) fn link(&self, partition: Partition) -> Option<LinkId> {
        self.owners.get(&partition).and_then(|owner| owner.link)
    }

    /// The partitions that the link's node acts on.
    pub(super) fn partitions(&self, link: LinkId) -> Vec<Partition> {
        let mine = self.owners.iter().filter(|(_, owner)| owner.link == Some(link));
        let mut partitions: Vec<_> = mine.map(|(partition, _)| *partition).collect();
        partitions.sort_unstable();
        partitions
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    const ONE: LinkId = LinkId(0);
    const OTHER: LinkId = LinkId(1);

    fn lease(partition: u32, term: i64) -> Lease {
        Lease { partition: Partition(partition), term }
    }

    /// The log output of `what`.
    fn logged(what: impl FnOnce()) -> String {
        let file = tempfile::NamedTempFile::new().unwrap();
        let writer = Mutex::new(file.reopen().unwrap());
        let log = tracing_subscriber::fmt().with_ansi(false).with_writer(writer).finish();
        tracing::subscriber::with_default(log, what);
        std::fs::read_to_string(file.path()).unwrap()
    }

    #[test]
    fn each_rejected_claim_is_logged_once() {
        let mut owners = Owners::default();
        owners.set_total(32);
        let log = logged(|| {
            for (partition, term) in [(3, 5), (4, 5), (3, 2), (3, 2), (3, 4), (4, 2), (3, 2)] {
                // The results are checked in the log.
                owners.take(ONE, lease(partition, term)).ok();
            }
        });
        let reported: Vec<_> =
            log.lines().filter_map(|line| Some(line.split_once("partition=")?.1)).collect();
        let rest =
            ["3 term=2", "3 term=4", "4 term=2"].map(|claim| format!("{claim} known_term=5"));
        assert_eq!(reported, rest, "{log}");
    }

    #[test]
    fn the_highest_id_of_each_partition_is_known() {
        let mut owners = Owners::default();
        owners.set_total(32);
        for id in [35, 67, 3, 36] {
            owners.seen(AttemptId(id));
        }
        let highest = [3, 4, 5].map(|partition| owners.highest(Partition(partition)));
        assert_eq!(highest, [Some(AttemptId(67)), Some(AttemptId(36)), None]);
    }

    #[test]
    fn a_node_that_lost_a_partition_cannot_start_its_attempts() {
        let mut owners = Owners::default();
        owners.set_total(32);
        assert!(!owners.allows(ONE, lease(3, 1)), "no node has claimed it");
        owners.take(ONE, lease(3, 1)).unwrap();
        owners.take(ONE, lease(4, 1)).unwrap();
        assert!(owners.allows(ONE, lease(3, 1)) && !owners.allows(OTHER, lease(3, 1)));
        owners.take(OTHER, lease(3, 2)).unwrap();
        assert!(!owners.allows(ONE, lease(3, 1)) && owners.allows(OTHER, lease(3, 2)));
        assert_eq!(
            owners.take(ONE, lease(3, 1)),
            Err(lease(3, 2)),
            "a node that does not know yet"
        );
        let has = |link, id| owners.has(link, AttemptId(id));
        assert!(has(OTHER, 35) && !has(ONE, 35) && has(ONE, 36));
        let partitions = [ONE, OTHER].map(|link| owners.partitions(link));
        assert_eq!(partitions, [[Partition(4)], [Partition(3)]]);
    }
}
