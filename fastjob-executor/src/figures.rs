//! Load of this machine: the figures that coordinators use to place work.
//!
//! Measured at most once per second, no matter how often they are read. The CPU share is that of
//! the whole machine, smoothed so that a short spike does not affect placement. In a container, the
//! memory is the container's if the system reports its limit.

use std::{
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use sysinfo::System;

/// Minimum time between two measurements.
const INTERVAL: Duration = Duration::from_secs(1);
/// Time constant of the smoothing: after this time, about two thirds of a lasting change show.
const SMOOTH: Duration = Duration::from_secs(5);

/// One measurement.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Sample {
    /// Busy share of all cores, 0 to 1. The first value is the mean since the machine started if
    /// the system reports it, otherwise 0.
    pub(crate) cpu: f64,
    /// Bytes available for new work.
    pub(crate) memory_free: u64,
    /// Total bytes.
    pub(crate) memory_total: u64,
}

/// Measures the machine's load.
pub(crate) struct Figures(Mutex<State>);

struct State {
    system: System,
    looked_at: Instant,
    sample: Sample,
    /// Whether there was a second measurement. The first one has no interval.
    has_mean: bool,
}

impl Figures {
    pub(crate) fn new() -> Self {
        let mut system = System::new();
        let sample = look(&mut system);
        Self(Mutex::new(State { system, looked_at: Instant::now(), sample, has_mean: false }))
    }

    /// The last measurement, or a new one if that is more than a second old.
    pub(crate) fn sample(&self) -> Sample {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let elapsed = state.looked_at.elapsed();
        if elapsed >= INTERVAL {
            let mut fresh = look(&mut state.system);
            if state.has_mean {
                fresh.cpu = smooth(state.sample.cpu, fresh.cpu, elapsed);
            }
            state.sample = fresh;
            state.has_mean = true;
            state.looked_at = Instant::now();
        }
        state.sample
    }
}

/// Moves a figure towards the value measured over `elapsed`.
fn smooth(old: f64, new: f64, elapsed: Duration) -> f64 {
    old + (new - old) * (1.0 - (-elapsed.as_secs_f64() / SMOOTH.as_secs_f64()).exp())
}

fn look(system: &mut System) -> Sample {
    system.refresh_cpu_usage();
    system.refresh_memory();
    let (mut free, mut total) = (system.available_memory(), system.total_memory());
    if let Some(limits) = system.cgroup_limits() {
        total = total.min(limits.total_memory);
        // Not the cgroup's own free memory, which counts the page cache as used.
        free = free.min(total.saturating_sub(limits.rss));
    }
    let cpu = f64::from(system.global_cpu_usage()) / 100.0;
    Sample {
        cpu: if cpu.is_finite() { cpu.clamp(0.0, 1.0) } else { 0.0 },
        memory_free: free.min(total),
        memory_total: total,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_figures_are_within_their_bounds_and_kept_for_a_while() {
        let figures = Figures::new();
        let first = figures.sample();
        assert!((0.0..=1.0).contains(&first.cpu));
        assert!(first.memory_total > 0 && first.memory_free <= first.memory_total);
        let looked_at = figures.0.lock().unwrap().looked_at;
        for _ in 0..100 {
            figures.sample();
        }
        let state = figures.0.lock().unwrap();
        assert!(looked_at.elapsed() > INTERVAL || state.looked_at == looked_at);
    }

    #[test]
    fn the_busy_share_is_smoothed_by_the_measured_interval() {
        let second = Duration::from_secs(1);
        let mut share = 0.0;
        for _ in 0..5 {
            share = smooth(share, 1.0, second);
        }
        assert!((share - smooth(0.0, 1.0, SMOOTH)).abs() < 1e-9);
        assert!((0.6..0.7).contains(&share));
        assert_eq!(smooth(0.5, 0.5, second), 0.5);
        assert!((smooth(0.0, 1.0, second * 3_600) - 1.0).abs() < 1e-9);
    }

    #[test]
    fn after_a_second_there_is_a_new_measurement() {
        let figures = Figures::new();
        let Some(before) = Instant::now().checked_sub(2 * INTERVAL) else { return };
        figures.0.lock().unwrap().looked_at = before;
        figures.sample();
        assert!(figures.0.lock().unwrap().looked_at > before);
    }
}
