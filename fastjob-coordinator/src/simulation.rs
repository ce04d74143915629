//! The journal in simulated histories, for the `simulate` program of the tests.

use fastjob_engine::simulation::Store;

use crate::store::simulated::Simulated;

/// An empty store in memory that uses the journal, for
/// [`Options::beside`](fastjob_engine::simulation::Options::beside).
pub fn store(seed: u64, nodes: usize, partitions: u32) -> Box<dyn Store> {
    Box::new(Simulated::new(seed, nodes, partitions))
}
