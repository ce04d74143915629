//! What the examples share: an end on a signal, errors in words, and a few calls over REST.

mod rest;
mod signal;
mod stage;

use std::{error::Error, process::ExitCode};

pub use self::{
    rest::{Rest, RestError},
    signal::stop_on_signal,
    stage::{Stage, StageError},
};

/// The exit status of a run: 0, or 1 with the error and its causes on the standard error.
pub fn exit(run: Result<(), Box<dyn Error>>) -> ExitCode {
    let Err(err) = run else { return ExitCode::SUCCESS };
    eprint!("error: {err}");
    let mut cause = err.source();
    while let Some(err) = cause {
        eprint!(": {err}");
        cause = err.source();
    }
    eprintln!();
    ExitCode::FAILURE
}
