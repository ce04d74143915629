//! What users rely on, over real processes and real sockets.

mod bad_input;
mod crashes;
mod runs;

use fastjob_tests::process::Coordinator;

const FASTJOB: &str = env!("CARGO_BIN_EXE_fastjob_under_test");
const EXECUTOR: &str = env!("CARGO_BIN_EXE_test_executor");

async fn coordinator() -> Coordinator {
    Coordinator::start(FASTJOB).await
}
