//! The only place where the executor reads clocks.

#[cfg(test)]
use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering::SeqCst},
};
use std::time::Duration;

use jiff::Timestamp;
use tokio::time::Instant;

/// The wall clock.
#[expect(clippy::disallowed_methods, reason = "this is where the clock is read")]
pub(crate) fn now() -> Timestamp {
    Timestamp::now()
}

/// The wall clock in whole milliseconds, as in the protocol.
pub(crate) fn now_ms() -> i64 {
    now().as_millisecond()
}

/// The time since the start, including the time that the machine was suspended. Exclusive attempts
/// are timed by it, because the coordinator's clock continues during a suspension.
#[derive(Clone, Debug)]
pub(crate) struct Clock {
    started: Instant,
    /// The boot-time clock's value at the start. It continues while the machine is suspended.
    booted: Duration,
    /// In tests, the clock follows tokio's, paused or not, plus this simulated suspension.
    #[cfg(test)]
    suspended_ms: Option<Arc<AtomicU64>>,
}

impl Default for Clock {
    fn default() -> Self {
        Self {
            started: Instant::now(),
            booted: boot_time(),
            #[cfg(test)]
            suspended_ms: None,
        }
    }
}

impl Clock {
    pub(crate) fn elapsed(&self) -> Duration {
        let awake = self.started.elapsed();
        #[cfg(test)]
        if let Some(suspended) = &self.suspended_ms {
            return awake + Duration::from_millis(suspended.load(SeqCst));
        }
        // Where no boot-time clock exists, use the uptime.
        boot_time().saturating_sub(self.booted).max(awake)
    }
}

#[cfg(test)]
impl Clock {
    pub(crate) fn manual() -> Self {
        Self { suspended_ms: Some(Arc::default()), ..Self::default() }
    }

    /// Simulates a suspension of the machine.
    pub(crate) fn suspend(&self, time: Duration) {
        let millis = u64::try_from(time.as_millis()).unwrap();
        self.suspended_ms.as_ref().unwrap().fetch_add(millis, SeqCst);
    }
}

/// A clock that continues while the machine is suspended; zero where no such clock exists.
fn boot_time() -> Duration {
    // On Linux and Apple systems, the clock behind `Instant` stops while the machine sleeps.
    // Apple's CLOCK_MONOTONIC is a different clock, which continues.
    #[cfg(any(target_os = "linux", target_os = "android"))]
    let id = rustix::time::ClockId::Boottime;
    #[cfg(target_vendor = "apple")]
    let id = rustix::time::ClockId::Monotonic;
    #[cfg(any(target_os = "linux", target_os = "android", target_vendor = "apple"))]
    {
        let time = rustix::time::clock_gettime(id);
        let seconds = u64::try_from(time.tv_sec).unwrap_or_default();
        Duration::new(seconds, u32::try_from(time.tv_nsec).unwrap_or_default())
    }
    #[cfg(not(any(target_os = "linux", target_os = "android", target_vendor = "apple")))]
    Duration::ZERO
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_machines_clock_advances() {
        let clock = Clock::default();
        let first = clock.elapsed();
        while clock.elapsed() == first {
            std::thread::yield_now();
        }
        assert!(first < Duration::from_secs(60) && clock.elapsed() > first);
    }
}
