//! The second store of the simulated world, if it has one: it has what the model has.

use std::collections::BTreeSet;

use rand::RngExt;

use super::{
    invariants::{see_all_rows, see_loaded, see_rows},
    store::Fate,
    world::World,
};
use crate::record::{Commit, Lease, Loaded, Partition};

impl World {
    /// What an engine of the partition starts with.
    pub(super) fn load(&mut self, partition: Partition) -> Loaded {
        let expected = self.store.load_partition(partition);
        let Some(beside) = &mut self.beside else { return expected };
        let loaded = match beside.load(partition, self.luck.random()) {
            Ok(loaded) => loaded,
            Err(why) => panic!("{partition:?} cannot be loaded: {why}"),
        };
        see_loaded(partition, &expected, &loaded);
        loaded
    }

    /// The store sees a transaction of a node before the model does. It must find that the same
    /// leases have ended.
    pub(super) fn see_transaction(
        &mut self,
        m: usize,
        commits: &[Commit],
        fate: Fate,
        over: &BTreeSet<Lease>,
    ) {
        let Some(beside) = &mut self.beside else { return };
        match beside.commit(m, commits, fate) {
            Ok(found) => {
                let found: BTreeSet<_> = found.into_iter().collect();
                assert_eq!(found, *over, "leases that the store considers over");
            }
            Err(why) => panic!("{why}"),
        }
    }

    /// Compares all that is stored with the model.
    pub(super) fn see_store(&mut self) {
        let Some(beside) = &mut self.beside else { return };
        if let Err(why) = beside.check() {
            panic!("{why}");
        }
        see_rows(&beside.take_new_rows(), &self.store);
        for partition in (0..self.shape.partitions).map(Partition) {
            self.load(partition);
        }
    }

    /// Compares the whole history with the model.
    pub(super) fn see_history(&mut self) {
        self.see_store();
        if let Some(beside) = &self.beside {
            see_all_rows(&beside.rows(), &self.store);
        }
    }

    /// Keeps a copy of all that is stored.
    pub(super) fn back_up(&mut self) {
        self.backup = Some(self.store.clone());
        if let Some(beside) = &mut self.beside {
            beside.back_up();
        }
    }
}
