//! The engine's maps. The engine never depends on their order.

use std::{
    collections::{HashMap, HashSet},
    hash::{BuildHasherDefault, Hasher},
};

pub(crate) type Map<K, V> = HashMap<K, V, Hashing>;
pub(crate) type Set<K> = HashSet<K, Hashing>;

/// Keys from outside are hashed with a random seed, to prevent collision attacks.
#[cfg(not(any(test, feature = "simulation")))]
type Hashing = std::hash::RandomState;
/// Not random, so that a simulated history is the same in each run.
#[cfg(any(test, feature = "simulation"))]
type Hashing = BuildHasherDefault<std::hash::DefaultHasher>;

// The coordinator assigns the ids itself, so they need no protection against collision attacks: a
// multiplication is a sufficient hash.
pub(crate) type IdMap<K, V> = HashMap<K, V, BuildHasherDefault<IdHasher>>;
pub(crate) type IdSet<K> = HashSet<K, BuildHasherDefault<IdHasher>>;

#[derive(Clone, Copy, Default)]
pub(crate) struct IdHasher(u64);

impl Hasher for IdHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_i64(i64::from(*byte));
        }
    }

    fn write_i64(&mut self, id: i64) {
        // Fibonacci hashing; the rotation brings the well-mixed bits where the table looks.
        let mixed = (self.0 ^ id.cast_unsigned()).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        self.0 = mixed.rotate_left(26);
    }
}
