//! How busy this machine is: the figures by which coordinators place work.
//!
//! Looked at no more than once a second, however often somebody asks. In a container the memory is
//! the container's, where the system tells its limit.

use std::{
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use sysinfo::System;

/// Between two looks; the share of busy cores is a mean over this time.
const INTERVAL: Duration = Duration::from_secs(1);

/// What a look showed.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Sample {
    /// Busy share of all cores, 0 to 1; 0 until there were two looks.
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
}

impl Figures {
    pub(crate) fn new() -> Self {
        let mut system = System::new();
        let sample = look(&mut system);
        Self(Mutex::new(State { system, looked_at: Instant::now(), sample }))
    }

    /// The last look, or a new one if that is over a second ago.
    pub(crate) fn sample(&self) -> Sample {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if state.looked_at.elapsed() >= INTERVAL {
            state.sample = look(&mut state.system);
            state.looked_at = Instant::now();
        }
        state.sample
    }
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
    fn a_second_later_there_is_a_new_look() {
        let figures = Figures::new();
        let Some(before) = Instant::now().checked_sub(2 * INTERVAL) else { return };
        figures.0.lock().unwrap().looked_at = before;
        figures.sample();
        assert!(figures.0.lock().unwrap().looked_at > before);
    }
}
