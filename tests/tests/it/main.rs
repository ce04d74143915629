//! End-to-end tests of what users rely on, over real processes and real sockets.

#![expect(clippy::unwrap_used, reason = "what a test cannot do without ends it")]

mod alarms;
mod answers;
mod bad_input;
mod blocking;
mod children;
mod client;
mod cluster;
mod code_first;
mod command_line;
mod console;
mod crashes;
mod disk;
mod documents;
mod drains;
mod edits;
mod events;
mod executors;
mod handlers;
mod jobs_as_code;
mod kills;
mod kills_under_load;
mod limits;
mod load;
mod logs;
mod metrics;
mod packages;
mod pages;
mod private_files;
mod release;
mod reruns;
mod rolling;
mod routes;
mod runs;
mod schedules;
mod servers;
mod sigterm;
mod stats;
mod stops;
mod strangers;
mod strategies;
mod tls;
mod tokens;
mod traces;
mod trust;
mod whole_logs;

use fastjob_tests::process::Coordinator;

const FASTJOB: &str = env!("CARGO_BIN_EXE_fastjob_under_test");
const EXECUTOR: &str = env!("CARGO_BIN_EXE_test_executor");
const EMBEDDED: &str = env!("CARGO_BIN_EXE_test_embedded");
const STRANGERS: &str = env!("CARGO_BIN_EXE_strangers");

/// The number of open attempts in a SQLite store.
const OPEN_IN_SQLITE: &str =
    "select cast(coalesce((select value from meta where key = 'open'), '0') as integer)";

async fn coordinator() -> Coordinator {
    Coordinator::start(FASTJOB).await
}

/// Whether to run the long forms of the tests.
fn soak() -> bool {
    std::env::var_os("FASTJOB_SOAK").is_some()
}
