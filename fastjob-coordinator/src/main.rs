//! The `fastjob` command.

use std::process::ExitCode;

fn main() -> ExitCode {
    // One provider for all TLS of the process; that it is chosen already is as good.
    rustls::crypto::ring::default_provider().install_default().ok();
    match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime.block_on(fastjob_coordinator::cli::main()),
        Err(err) => {
            eprintln!("error: could not start: {err}");
            ExitCode::FAILURE
        }
    }
}
