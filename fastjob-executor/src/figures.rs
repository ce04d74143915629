//! How busy this machine is: the figures by which coordinators place work.
//!
//! Looked at no more than once a second, however often somebody asks. The share of busy cores is
//! that of the whole machine, smoothed so that one busy moment does not turn a choice round. In a
//! container the memory is the container's, where the system tells its limit.

use std::{
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use sysinfo::System;

/// Between two looks.
const INTERVAL: Duration = Duration::from_secs(1);
/// After this time about two thirds of a lasting change of the busy share are seen.
const SMOOTH: Duration = Duration::from_secs(5);

/// What a look showed.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Sample {
    /// Busy share of all cores, 0 to 1. At first the mean since the machine started, where the
    /// system tells it, or 0.
    pub(crate) cpu: f64,
    /// Bytes that new work could use.
    pub(crate) memory_free: u64,
    /// Bytes there are.
    pub(crate) memory_total: u64,
}

/// Looks at the machine.
pub(crate) struct Figures(Mutex<State>);

struct State {
    system: System,
    looked_at: Instant,
    sample: Sample,
    /// Whether there was a look after the first, which has no time of its own.
    has_mean: bool,
}

impl Figures {
    pub(crate) fn new() -> Self {
        let mut system = System::new();
        let sample = look(&mut system);
        Self(Mutex::new(State { system, looked_at: Instant::now(), sample, has_mean: false }))
    }

    /// The last look, or a new one if that is over a second ago.
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

/// Moves a figure towards what was measured over `elapsed`.
fn smooth(old: f64, new: f64, elapsed: Duration) -> f64 {
    old + (new - old) * (1.0 - (-elapsed.as_secs_f64() / SMOOTH.as_secs_f64()).exp())
}

fn look(system: &mut System) -> Sample {
    system.refresh_cpu_usage();
    system.refresh_memory();
    let (mut free, mut total) = (system.available_memory(), system.total_memory());
    if let Some(limits) = system.cgroup_limits() {
        total = total.min(limits.total_memory);
        // Not the group's own free memory: that counts the page cache as taken.
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
    fn the_busy_share_moves_by_the_time_that_was_measured() {
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
    fn a_second_later_there_is_a_new_look() {
        let figures = Figures::new();
        let Some(before) = Instant::now().checked_sub(2 * INTERVAL) else { return };
        figures.0.lock().unwrap().looked_at = before;
        figures.sample();
        assert!(figures.0.lock().unwrap().looked_at > before);
    }
}
