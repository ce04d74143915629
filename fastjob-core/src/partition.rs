//! Partitions: slices of a store's jobs, and the right of one node to act on one.

/// A slice of the jobs, and of everything that belongs to them. The partition of an id is the
/// remainder of its division by the number of partitions.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Partition(pub u32);

impl Partition {
    /// The partition of an attempt, a task or a job, by its id.
    pub fn of_id(id: i64, partitions: u32) -> Self {
        Self(u32::try_from(id.rem_euclid(i64::from(partitions.max(1)))).unwrap_or_default())
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
