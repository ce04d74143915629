//! A coordinator with executors, jobs and a history, for browser tests of the console and for people
//! who look at it. It prints one line of JSON with the address and the token, and ends when its
//! standard input is closed.
//!
//! ```text
//! console_scene [--port N] [--token TOKEN] [--empty] [--tasks N] [--storm N] [--stay]
//!               [--console-dir DIR]
//! ```
//!
//! | | |
//! |---|---|
//! | `--port` | the coordinator's port; a free one if omitted |
//! | `--token` | the token; none if omitted, so that the console needs no login |
//! | `--empty` | a new installation: no jobs, no executors, no history |
//! | `--tasks` | the number of tasks of the history; 400 if omitted |
//! | `--storm` | also runs this many tasks per second, of as many jobs |
//! | `--stay` | ends on Ctrl-C or SIGTERM only, not with its standard input |
//! | `--console-dir` | serves the console from this folder |
//!
//! Lines on standard input are orders, each answered with one line of JSON: `kill` kills the
//! coordinator, `up` starts it again on the same port and store, `restart` stops and starts it,
//! `leave SERVICE` stops the executors of a service, `join SERVICE` starts them.

mod handlers;
mod history;
mod jobs;
mod orders;
mod sink;
mod stage;

use std::process::ExitCode;

use self::stage::{Stage, Wishes};

fn main() -> ExitCode {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    // The coordinator is this program again, as `fastjob serve`, so that it can be killed.
    if std::env::args().nth(1).is_some_and(|word| word == "serve") {
        return runtime.block_on(fastjob_coordinator::cli::main());
    }
    let wishes = match Wishes::read(std::env::args().skip(1)) {
        Ok(wishes) => wishes,
        Err(problem) => {
            eprintln!("console_scene: {problem}");
            return ExitCode::FAILURE;
        }
    };
    hide_panics_of_handlers();
    runtime.block_on(async {
        let stop = fastjob_executor::stop_on_signal().expect("signals can be received");
        let mut stage = Stage::open(&wishes).await;
        if !wishes.empty {
            jobs::save(&stage).await;
            history::make(&stage, wishes.tasks).await;
            history::leave_open(&mut stage).await;
        }
        if wishes.storm > 0 {
            jobs::storm(&mut stage, wishes.storm).await;
        }
        orders::say(&stage.introduction());
        tokio::select! {
            () = stop.cancelled() => {}
            () = orders::follow(&mut stage, wishes.stay) => {}
        }
        stage.close().await;
    });
    runtime.shutdown_background();
    ExitCode::SUCCESS
}

/// One of the handlers panics on purpose, often.
fn hide_panics_of_handlers() {
    let report = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        if !panic.location().is_some_and(|at| at.file().ends_with("handlers.rs")) {
            report(panic);
        }
    }));
}
