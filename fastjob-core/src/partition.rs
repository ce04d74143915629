//! Partitions: slices of a store's jobs, and the right of one node to act on one.

use crate::{
    id::{JobName, ServiceName},
    path::JobPath,
};

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

    /// The partition of the jobs of the services that a path names: each way to read the path gives
    /// this one, because the path is their full name. `None` if the path names no service.
    pub fn of_path(path: &JobPath, partitions: u32) -> Option<Self> {
        path.with_service().next().map(|_| Self::of_text(path.as_str(), partitions))
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

    #[test]
    fn a_path_has_the_partition_of_every_job_of_a_service_that_it_names() {
        let of = |path: &str| {
            let path: JobPath = path.parse().unwrap();
            let of_path = Partition::of_path(&path, 32);
            let of_names = path.with_service();
            let of_names = of_names.map(|(service, name)| Partition::of_name(&service, &name, 32));
            (of_path, of_names.collect::<Vec<_>>())
        };
        let mut seen = std::collections::BTreeSet::new();
        for n in 0..40 {
            let (of_path, of_names) = of(&format!("a.b{n}.c.d"));
            assert_eq!(of_names, [of_path.unwrap(); 3]);
            seen.extend(of_path);
        }
        assert!(seen.len() > 3, "{seen:?}");
        assert_eq!(of("report"), (None, Vec::new()));
    }
}
