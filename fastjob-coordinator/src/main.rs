//! The `fastjob` command.

use std::process::ExitCode;

fn main() -> ExitCode {
    match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime.block_on(fastjob_coordinator::cli::main()),
        Err(err) => {
            eprintln!("error: could not start: {err}");
            ExitCode::FAILURE
        }
    }
}
