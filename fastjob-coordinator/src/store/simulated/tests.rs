//! Simulated histories with the journal. `cargo run --release -p fastjob-tests --bin simulate --
//! --journal --seeds 10000` runs more of them.

use fastjob_engine::simulation::{self, Fate, Options, Rows, Store};

use crate::store::{Commit, Lease, Loaded, Partition};

/// How many histories run; `FASTJOB_SOAK=1` runs more.
const SEEDS: u64 = 24;
const SOAK: u64 = 2_000;

#[test]
fn the_journal_has_what_the_model_has_whatever_fails() {
    let is_soak = std::env::var_os("FASTJOB_SOAK").is_some();
    let seeds = match std::env::var("FASTJOB_SEED") {
        Ok(seed) => {
            let seed = seed.parse().expect("FASTJOB_SEED is a number");
            seed..seed + 1
        }
        Err(_) => 0..if is_soak { SOAK } else { SEEDS },
    };
    let options = Options::default().beside(crate::simulation::store);
    for seed in seeds {
        if let Err(failure) = simulation::run(seed, &options) {
            panic!("replay it with FASTJOB_SEED={seed}: {failure}");
        }
    }
}

/// Loses an open attempt of each load.
struct Forgetful(Box<dyn Store>);

impl Store for Forgetful {
    fn acquire(&mut self, lease: Lease) {
        self.0.acquire(lease);
    }

    fn end_process(&mut self, node: usize) {
        self.0.end_process(node);
    }

    fn commit(
        &mut self,
        node: usize,
        commits: &[Commit],
        fate: Fate,
    ) -> Result<Vec<Lease>, String> {
        self.0.commit(node, commits, fate)
    }

    fn load(&mut self, partition: Partition, dice: u64) -> Result<Loaded, String> {
        let mut loaded = self.0.load(partition, dice)?;
        loaded.open.pop();
        Ok(loaded)
    }

    fn take_new_rows(&mut self) -> Rows {
        self.0.take_new_rows()
    }

    fn rows(&self) -> Rows {
        self.0.rows()
    }

    fn check(&mut self) -> Result<(), String> {
        self.0.check()
    }

    fn back_up(&mut self) {
        self.0.back_up();
    }

    fn restore(&mut self) {
        self.0.restore();
    }
}

#[test]
fn a_store_that_loses_an_attempt_is_noticed() {
    let forgetful = |seed, nodes, partitions| -> Box<dyn Store> {
        Box::new(Forgetful(crate::simulation::store(seed, nodes, partitions)))
    };
    let ran = simulation::run_briefly(0, &Options::default().beside(forgetful));
    let why = ran.unwrap_err();
    assert!(why.contains("other open attempts"), "{why}");
}
