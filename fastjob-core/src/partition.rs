//! Partitions: slices of a store's jobs, and the right of one node to act on one.

use crate::id::{JobName, ServiceName};

/// A slice of the jobs, and of everything that belongs to them. The partition of an id is the
/// remainder of its division by the number of partitions. A store that one coordinator uses has one
/// partition.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Partition(pub u32);

impl Partition {
    /// The partition of an attempt, a task or a job, by its id.
    pub fn of_id(id: i64, partitions: u32) -> Self {
        Self(u32::try_from(id.rem_euclid(i64::from(partitions.max(1)))).unwrap_or_default())
    }

    /// The partition of a job, by its name. A new job gets an id of this partition.
    pub fn of_name(service: &ServiceName, name: &JobName, partitions: u32) -> Self {
        Self::of_text(&format!("{service}.{name}"), partitions)
    }

    /// The partition of a text, by its FNV-1a hash. It must stay the same in every release.
    pub fn of_text(text: &str, partitions: u32) -> Self {
        let hash = text.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
        // The low bits of FNV are its weakest.
        let mixed = hash ^ (hash >> 32);
        Self(u32::try_from(mixed % u64::from(partitions.max(1))).unwrap_or_default())
    }
}

/// The right of one node to act on a partition.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Lease {
    /// The partition.
    pub partition: Partition,
    /// Grows each time the partition gets a new owner. A lease with a lower term is lost.
    pub term: i64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_partition_of_an_id_is_the_remainder_of_its_division() {
        assert_eq!([32, 35, -1].map(|id| Partition::of_id(id, 32).0), [0, 3, 31]);
        assert_eq!(Partition::of_id(7, 0), Partition(0), "a store has at least one");
    }
}
