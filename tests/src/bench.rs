//! Shared by the benches: the processes that they start, the search for a limit, the comparison of
//! builds, and figures about processes and the machine.
//!
//! A bench starts itself again as the coordinator and the executor, so that all three are the same
//! build; with `--against`, it starts the program of another build in the same way.

mod args;
mod build;
mod callers;
mod compared;
mod fill;
mod kept;
mod overviews;
mod processes;
mod report;
mod search;
mod store;
mod usage;

use std::path::{Path, PathBuf};

use fastjob_executor::CancellationToken;

pub use self::{
    args::{Args, refuse},
    build::{Build, Turns},
    callers::starts_of,
    compared::{Compared, Figure},
    fill::{Fill, TASK_SPAN},
    overviews::{Overviews, Seen},
    processes::{Bench, start},
    report::{Percentiles, Summary, keep, machine, write},
    search::{Search, Verdict},
    store::{Counted, Pool, Store},
    usage::{Snapshot, Usage},
};

// These variables are how builds of other commits are started: they never change.
const ROLE: &str = "FASTJOB_BENCH_ROLE";
const PORT: &str = "FASTJOB_BENCH_PORT";
const FOLDER: &str = "FASTJOB_BENCH_FOLDER";
const STORE: &str = "FASTJOB_BENCH_STORE";
/// The role of a process that is the `fastjob` command.
const FASTJOB: &str = "fastjob";

/// Which store is measured, with how many coordinators.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// One coordinator with a file.
    Sqlite,
    /// Several coordinators on one database that syncs to disk.
    Postgres {
        /// The number of coordinators.
        nodes: usize,
    },
}

impl Kind {
    /// The number of coordinators.
    pub fn nodes(self) -> usize {
        match self {
            Self::Sqlite => 1,
            Self::Postgres { nodes } => nodes,
        }
    }

    /// One word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Sqlite => "sqlite",
            Self::Postgres { .. } => "postgres",
        }
    }

    /// A description with the durability settings.
    pub fn name(self) -> &'static str {
        match self {
            Self::Sqlite => "sqlite, WAL, synchronous=FULL",
            Self::Postgres { .. } => "postgres on this machine, fsync=on, synchronous_commit=on",
        }
    }
}

/// Runs the coordinator or the executor if this process was started as one, and returns whether it
/// was.
///
/// # Panics
///
/// Panics if the coordinator or the executor fails.
pub fn play_role() -> bool {
    let Ok(role) = std::env::var(ROLE) else { return false };
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    if role == FASTJOB {
        let code = runtime.block_on(fastjob_coordinator::cli::main());
        assert_eq!(code, std::process::ExitCode::SUCCESS, "the command failed");
        return true;
    }
    let port = std::env::var(PORT).expect("a port");
    let folder = PathBuf::from(std::env::var(FOLDER).expect("a folder"));
    runtime.block_on(async {
        let stop = CancellationToken::new();
        if role == "coordinator" {
            let store = std::env::var(STORE).expect("a store");
            let coordinator = fastjob_coordinator::Coordinator::builder()
                .listen(format!("127.0.0.1:{port}").parse().expect("an address"))
                .store(store.parse().expect("a store"))
                .bind()
                .await
                .expect("a coordinator");
            coordinator.run(stop).await.expect("it runs");
        } else {
            fastjob_executor::Executor::builder("default")
                .coordinators([format!("http://127.0.0.1:{port}")])
                .executor_name("bench")
                .capacity(500_000)
                .log_path(folder.join("logs"))
                .run_until(stop)
                .await
                .expect("it runs");
        }
    });
    true
}

/// Kibibytes of resident memory of a process; 0 if it has ended.
pub fn rss_kib(process: u32) -> u64 {
    status_kib(process, "VmRSS:")
}

/// A field of a process's status that is in kibibytes; 0 if it has ended.
fn status_kib(process: u32, field: &str) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix(field));
    let kib = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
    kib.unwrap_or(0)
}

/// The build folder.
pub fn target() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../target")
}

/// The value after a flag, if it is there.
pub fn flag(name: &str) -> Option<String> {
    std::env::args().skip_while(|word| word != name).nth(1)
}
