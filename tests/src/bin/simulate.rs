//! Runs simulated histories of the engine, one per seed, and checks its invariants.
//!
//! `cargo run --release -p fastjob-tests --bin simulate -- --seeds 10000 [--from 0] [--steps 3000]`
//! exits with 0 if all invariants hold. Otherwise it prints the shortest failing history and exits
//! with 1. The last line of output is a summary.
//!
//! | flag | |
//! |---|---|
//! | `--only a,b` | extended histories have only these faults |
//! | `--without a,b` | these faults and checks are off |
//! | `--journal` | a store with the journal runs beside the model, and is compared with it |
//! | `--known` | also enables features that the engine is known to fail with |
//! | `--brief` | failing histories are reported in one line each, not shortened |
//! | `--features` | lists the names of faults and checks |

use std::{process::ExitCode, time::Instant};

use fastjob_engine::simulation::{self, Figures, Options};
use fastjob_tests::bench::flag;

/// The options of the command line.
struct Asked {
    seeds: u64,
    from: u64,
    brief: bool,
    options: Options,
}

fn main() -> ExitCode {
    if has("--features") {
        simulation::features().for_each(|name| println!("{name}"));
        return ExitCode::SUCCESS;
    }
    let asked = match asked() {
        Ok(asked) => asked,
        Err(why) => {
            eprintln!("simulate: {why}");
            return ExitCode::from(2);
        }
    };
    // Shortening a history causes many panics; only the last one is printed.
    std::panic::set_hook(Box::new(|_| {}));
    let started = Instant::now();
    let mut all = Figures::default();
    let mut failed = 0_u64;
    for seed in asked.from..asked.from.saturating_add(asked.seeds) {
        match run(seed, &asked) {
            Ok(figures) => {
                all.tasks += figures.tasks;
                all.attempts += figures.attempts;
                all.events += figures.events;
            }
            Err(what) => {
                failed += 1;
                println!("{what}");
            }
        }
    }
    let took = started.elapsed().as_secs_f64();
    let rate = all.tasks as f64 / took;
    println!(
        "{} seeds, {failed} failed, {} tasks, {} attempts, {} events in {took:.1} s: \
         {rate:.0} tasks/s",
        asked.seeds, all.tasks, all.attempts, all.events
    );
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn run(seed: u64, asked: &Asked) -> Result<Figures, String> {
    if asked.brief {
        return simulation::run_briefly(seed, &asked.options);
    }
    simulation::run(seed, &asked.options)
        .map_err(|failure| format!("{failure}replay it with --from {seed} --seeds 1"))
}

fn asked() -> Result<Asked, String> {
    let number = |name: &str, default: u64| match flag(name) {
        None => Ok(default),
        Some(text) => text.parse().map_err(|_| format!("{name} takes a number, not `{text}`")),
    };
    let unknown = |name: String| format!("`{name}` is not a feature: see --features");
    let steps = number("--steps", simulation::STEPS as u64)?;
    let mut options = Options::default().steps(usize::try_from(steps).unwrap_or(usize::MAX));
    if has("--journal") {
        options = options.beside(fastjob_coordinator::simulation::store);
    }
    if has("--known") {
        options = options.known();
    }
    if let Some(names) = flag("--only") {
        options = options.only(&names).map_err(unknown)?;
    }
    if let Some(names) = flag("--without") {
        options = options.without(&names).map_err(unknown)?;
    }
    Ok(Asked {
        seeds: number("--seeds", 1_000)?,
        from: number("--from", 0)?,
        brief: has("--brief"),
        options,
    })
}

fn has(name: &str) -> bool {
    std::env::args().any(|word| word == name)
}
