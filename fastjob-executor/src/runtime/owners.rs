//! Partition owners: for each partition, the link of the node that claimed it last.
//!
//! A node that lost a partition may not know it yet. Its messages have a lower term and are
//! rejected, so two nodes never start the same attempts.

use std::collections::HashMap;

use fastjob_core::wire::v1;

/// The owner of each partition.
pub(super) struct Owners {
    /// The number of partitions.
    total: u32,
    owners: HashMap<u32, Owner>,
    /// By partition, the highest term rejected since a node took it, so that each is logged once.
    refused: HashMap<u32, i64>,
    /// By partition, the highest attempt id that was ever sent here.
    highest: HashMap<u32, i64>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
struct Owner {
    /// `None` after its session has ended, until it claims the partition again.
    link: Option<u32>,
    term: i64,
}

impl Default for Owners {
    fn default() -> Self {
        Self { total: 1, owners: HashMap::new(), refused: HashMap::new(), highest: HashMap::new() }
    }
}

impl Owners {
    /// Sets the number of partitions, from a coordinator's welcome. It is the same for the whole
    /// cluster.
    pub(super) fn set_total(&mut self, partitions: u32) {
        self.total = partitions.max(1);
    }

    /// The partition of an attempt.
    pub(super) fn partition(&self, attempt: i64) -> u32 {
        u32::try_from(attempt.rem_euclid(i64::from(self.total))).unwrap_or_default()
    }

    /// Records that an attempt with this id was sent here.
    pub(super) fn seen(&mut self, attempt: i64) {
        let highest = self.highest.entry(self.partition(attempt)).or_insert(attempt);
        *highest = attempt.max(*highest);
    }

    /// The highest attempt id of a partition that was ever sent here.
    pub(super) fn highest(&self, partition: u32) -> Option<i64> {
        self.highest.get(&partition).copied()
    }

    /// A node now acts on a partition.
    ///
    /// # Errors
    ///
    /// Fails with the known lease if another node has claimed the partition in a later term.
    pub(super) fn take(&mut self, link: u32, lease: &v1::Lease) -> Result<(), v1::Lease> {
        let v1::Lease { partition, term } = *lease;
        let known = self.owners.get(&partition).map(|known| known.term);
        if let Some(known) = known.filter(|known| *known > term) {
            if self.refused.get(&partition).is_none_or(|refused| *refused < term) {
                self.refused.insert(partition, term);
                tracing::warn!(
                    partition,
                    term,
                    known_term = known,
                    "rejected a coordinator's claim of a partition: another node has a later term"
                );
            }
            return Err(v1::Lease { partition, term: known });
        }
        self.refused.remove(&partition);
        self.owners.insert(partition, Owner { link: Some(link), term });
        Ok(())
    }

    /// The link's session has ended.
    pub(super) fn leave(&mut self, link: u32) {
        for owner in self.owners.values_mut().filter(|owner| owner.link == Some(link)) {
            owner.link = None;
        }
    }

    /// Whether attempts that arrive over the link with this lease are accepted.
    pub(super) fn allows(&self, link: u32, lease: &v1::Lease) -> bool {
        self.owners.get(&lease.partition) == Some(&Owner { link: Some(link), term: lease.term })
    }

    /// Whether the attempt is in a partition that the link's node acts on.
    pub(super) fn has(&self, link: u32, attempt: i64) -> bool {
        self.link(self.partition(attempt)) == Some(link)
    }

    /// The link of the partition's owner.
    pub(super) fn link(&self, partition: u32) -> Option<u32> {
        self.owners.get(&partition).and_then(|owner| owner.link)
    }

    /// The partitions that the link's node acts on.
    pub(super) fn partitions(&self, link: u32) -> Vec<u32> {
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
                owners.take(0, &v1::Lease { partition, term }).ok();
            }
        });
        let told: Vec<_> =
            log.lines().filter_map(|line| Some(line.split_once("partition=")?.1)).collect();
        let rest =
            ["3 term=2", "3 term=4", "4 term=2"].map(|claim| format!("{claim} known_term=5"));
        assert_eq!(told, rest, "{log}");
    }

    #[test]
    fn the_highest_id_of_each_partition_is_known() {
        let mut owners = Owners::default();
        owners.set_total(32);
        for id in [35, 67, 3, 36] {
            owners.seen(id);
        }
        assert_eq!([3, 4, 5].map(|p| owners.highest(p)), [Some(67), Some(36), None]);
    }

    #[test]
    fn a_node_that_lost_a_partition_cannot_start_its_attempts() {
        let mut owners = Owners::default();
        owners.set_total(32);
        let lease = |partition, term| v1::Lease { partition, term };
        assert!(!owners.allows(0, &lease(3, 1)), "no node has claimed it");
        owners.take(0, &lease(3, 1)).unwrap();
        owners.take(0, &lease(4, 1)).unwrap();
        assert!(owners.allows(0, &lease(3, 1)) && !owners.allows(1, &lease(3, 1)));
        owners.take(1, &lease(3, 2)).unwrap();
        assert!(!owners.allows(0, &lease(3, 1)) && owners.allows(1, &lease(3, 2)));
        assert_eq!(owners.take(0, &lease(3, 1)), Err(lease(3, 2)), "a node that does not know yet");
        assert!(owners.has(1, 35) && !owners.has(0, 35) && owners.has(0, 36));
        assert_eq!((owners.partitions(0), owners.partitions(1)), (vec![4], vec![3]));
    }
}
