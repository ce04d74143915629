//! The engine's maps. Their order is never relied on.

use std::{
    collections::{HashMap, HashSet},
    hash::{BuildHasherDefault, Hasher},
};

pub(crate) type Map<K, V> = HashMap<K, V, Hashing>;
pub(crate) type Set<K> = HashSet<K, Hashing>;

/// Keys that others choose are hashed with a secret.
#[cfg(not(any(test, feature = "simulation")))]
type Hashing = std::hash::RandomState;
/// A simulated history is the same each time it is run.
#[cfg(any(test, feature = "simulation"))]
type Hashing = BuildHasherDefault<std::hash::DefaultHasher>;

// Ids are numbers that the coordinator hands out itself, so that no guard against chosen keys is needed
// and a multiplication is hash enough.
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
