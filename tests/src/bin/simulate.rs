//! Tells simulated histories of the engine, one a seed, and checks what must hold.
//!
//! `cargo run --release -p fastjob-tests --bin simulate -- --seeds 10000 [--from 0] [--steps 3000]`
//! exits with 0 if all hold, else with 1 after the shortest story that breaks something. It ends
//! with one line of figures.

use std::{process::ExitCode, time::Instant};

use fastjob_coordinator::simulation;

fn main() -> ExitCode {
    let number = |flag: &str, default: u64| match fastjob_tests::bench::flag(flag) {
        None => Ok(default),
        Some(text) => text.parse().map_err(|_| format!("{flag} takes a number, not `{text}`")),
    };
    let asked = || Ok((number("--seeds", 1_000)?, number("--from", 0)?, number("--steps", 3_000)?));
    let (seeds, from, steps) = match asked() {
        Ok(asked) => asked,
        Err::<_, String>(why) => {
            eprintln!("simulate: {why}");
            return ExitCode::from(2);
        }
    };
    // Shortening a story meets many panics; the last one is told.
    std::panic::set_hook(Box::new(|_| {}));
    let started = Instant::now();
    let mut all = simulation::Figures::default();
    let mut failed = 0_u64;
    for seed in from..from.saturating_add(seeds) {
        match simulation::run(seed, usize::try_from(steps).unwrap_or(usize::MAX)) {
            Ok(figures) => {
                all.tasks += figures.tasks;
                all.attempts += figures.attempts;
                all.events += figures.events;
            }
            Err(failure) => {
                failed += 1;
                println!("{failure}replay it with --from {seed} --seeds 1");
            }
        }
    }
    let took = started.elapsed().as_secs_f64();
    let rate = all.tasks as f64 / took;
    println!(
        "{seeds} seeds, {failed} failed, {} tasks, {} attempts, {} events in {took:.1} s: \
         {rate:.0} tasks a second",
        all.tasks, all.attempts, all.events
    );
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
