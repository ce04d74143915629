//! The one place where the executor reads clocks.

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

/// The wall clock in whole milliseconds, as the protocol has it.
pub(crate) fn now_ms() -> i64 {
    now().as_millisecond()
}

/// The time since the start, with the time that the machine was suspended. Exclusive attempts end by
/// it: for their coordinator the time went on.
#[derive(Clone, Debug)]
pub(crate) struct Clock {
    started: Instant,
    /// What a clock that runs on while the machine is suspended showed at the start.
    booted: Duration,
    /// A clock that a test moves follows tokio's, paused or not, and was suspended for so long.
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
        // Where no such clock is known, the uptime is the best there is.
        boot_time().saturating_sub(self.booted).max(awake)
    }
}

#[cfg(test)]
impl Clock {
    pub(crate) fn manual() -> Self {
        Self { suspended_ms: Some(Arc::default()), ..Self::default() }
    }

    /// Suspends the machine for so long.
    pub(crate) fn suspend(&self, time: Duration) {
        let millis = u64::try_from(time.as_millis()).unwrap();
        self.suspended_ms.as_ref().unwrap().fetch_add(millis, SeqCst);
    }
}

/// A clock that runs on while the machine is suspended; zero where none is known.
fn boot_time() -> Duration {
    // Linux stops the clock of `Instant` while the machine sleeps, and so do Apple's systems, whose
    // CLOCK_MONOTONIC is another one.
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
    fn the_machines_clock_goes_on() {
        let clock = Clock::default();
        let first = clock.elapsed();
        while clock.elapsed() == first {
            std::thread::yield_now();
        }
        assert!(first < Duration::from_secs(60) && clock.elapsed() > first);
    }
}
