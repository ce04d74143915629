//! Maps and sets of ids.
//!
//! Coordinators assign ids in ascending order, so they need no protection against collision
//! attacks: a multiplication is a sufficient hash. Keys that users choose belong into the maps of
//! the standard library.

use std::{
    collections::{HashMap, HashSet},
    hash::{BuildHasherDefault, Hasher},
};

/// A map from ids.
pub type IdMap<K, V> = HashMap<K, V, IdHashing>;

/// A set of ids.
pub type IdSet<K> = HashSet<K, IdHashing>;

/// Makes hashers of ids.
pub type IdHashing = BuildHasherDefault<IdHasher>;

/// Hashes one number.
#[derive(Clone, Copy, Debug, Default)]
pub struct IdHasher(u64);

impl Hasher for IdHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u64(u64::from(*byte));
        }
    }

    fn write_i64(&mut self, id: i64) {
        self.write_u64(id.cast_unsigned());
    }

    fn write_u32(&mut self, id: u32) {
        self.write_u64(u64::from(id));
    }

    fn write_u64(&mut self, id: u64) {
        // Fibonacci hashing; the rotation brings the well-mixed bits where the table looks.
        self.0 = (self.0 ^ id).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(26);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{AttemptId, Partition};

    #[test]
    fn the_ids_of_one_partition_of_many_spread_over_the_table() {
        for step in [1, 2, 32, 1_024, 1 << 20] {
            let mut places: Vec<u32> = vec![0; 1_024];
            for id in 0..16_384_i64 {
                let mut hasher = IdHasher::default();
                std::hash::Hash::hash(&AttemptId(7 + id * step), &mut hasher);
                places[usize::try_from(hasher.finish() % 1_024).unwrap()] += 1;
            }
            let fullest = places.iter().max().unwrap();
            assert!(*fullest <= 64, "step {step}: {fullest} of 16 on average");
        }
    }

    #[test]
    fn a_map_of_small_ids_finds_them() {
        let map: IdMap<Partition, u32> = (0..64).map(|id| (Partition(id), id)).collect();
        assert!((0..64).all(|id| map.get(&Partition(id)) == Some(&id)));
    }
}
