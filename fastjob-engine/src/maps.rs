//! The engine's maps. The engine never depends on their order.

use std::collections::{HashMap, HashSet};

pub(crate) use fastjob_core::id_map::{IdHashing, IdMap, IdSet};

pub(crate) type Map<K, V> = HashMap<K, V, Hashing>;
pub(crate) type Set<K> = HashSet<K, Hashing>;

/// Keys from outside are hashed with a random seed, to prevent collision attacks.
#[cfg(not(any(test, feature = "simulation")))]
pub(crate) type Hashing = std::hash::RandomState;
/// Not random, so that a simulated history is the same in each run.
#[cfg(any(test, feature = "simulation"))]
pub(crate) type Hashing = std::hash::BuildHasherDefault<std::hash::DefaultHasher>;
