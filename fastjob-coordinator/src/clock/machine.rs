//! The machine's clocks, and their test doubles.

use std::{
    fmt::Debug,
    time::{Duration, Instant},
};

use jiff::Timestamp;

/// The clocks of a machine.
pub(super) trait Machine: Debug + Send + Sync {
    /// The wall clock, in milliseconds since the Unix epoch.
    fn wall(&self) -> i64;
    /// The time since the start, excluding time that the machine was suspended.
    fn uptime(&self) -> Duration;
    /// The time since the start, including time that the machine was suspended.
    fn elapsed(&self) -> Duration;
}

/// The machine that this process runs on.
#[derive(Debug)]
pub(super) struct System {
    started: Instant,
    booted: Duration,
}

impl System {
    pub(super) fn start() -> Self {
        Self { started: Instant::now(), booted: boot_time() }
    }
}

impl Machine for System {
    fn wall(&self) -> i64 {
        wall().as_millisecond()
    }

    fn uptime(&self) -> Duration {
        self.started.elapsed()
    }

    fn elapsed(&self) -> Duration {
        let elapsed = boot_time().saturating_sub(self.booted);
        // Without such a clock, the uptime is the closest value.
        elapsed.max(self.started.elapsed())
    }
}

/// A clock that keeps running while the machine is suspended; zero if the system has none.
fn boot_time() -> Duration {
    // Linux stops the clock of `Instant` while the machine sleeps. Apple's systems do too, and
    // their CLOCK_MONOTONIC is a different clock.
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

#[expect(clippy::disallowed_methods, reason = "this is where the clock is read")]
pub(super) fn wall() -> Timestamp {
    Timestamp::now()
}

/// A machine whose clocks a test controls. They also follow tokio's clock, paused or not.
#[cfg(test)]
#[derive(Clone, Debug)]
pub(crate) struct Manual(std::sync::Arc<Moved>);

#[cfg(test)]
#[derive(Debug)]
struct Moved {
    started: tokio::time::Instant,
    wall: std::sync::atomic::AtomicI64,
    asleep: std::sync::atomic::AtomicU64,
    each_look: std::sync::atomic::AtomicU64,
}

#[cfg(test)]
impl Manual {
    pub(super) fn start() -> Self {
        Self(std::sync::Arc::new(Moved {
            started: tokio::time::Instant::now(),
            wall: 1_800_000_000_000.into(),
            asleep: 0.into(),
            each_look: 0.into(),
        }))
    }

    /// Sets the wall clock forward or back.
    pub(crate) fn step(&self, millis: i64) {
        self.0.wall.fetch_add(millis, std::sync::atomic::Ordering::SeqCst);
    }

    /// Suspends the machine for this long: its uptime stops, its wall clock does not.
    pub(crate) fn sleep(&self, time: Duration) {
        let millis = u64::try_from(time.as_millis()).unwrap();
        self.0.asleep.fetch_add(millis, std::sync::atomic::Ordering::SeqCst);
    }

    /// Makes each reading of the elapsed time take this long, as if the process were stopped there.
    pub(crate) fn each_look_takes(&self, time: Duration) {
        let millis = u64::try_from(time.as_millis()).unwrap();
        self.0.each_look.store(millis, std::sync::atomic::Ordering::SeqCst);
    }
}

#[cfg(test)]
impl Machine for Manual {
    fn wall(&self) -> i64 {
        let set = self.0.wall.load(std::sync::atomic::Ordering::SeqCst);
        let asleep = self.0.asleep.load(std::sync::atomic::Ordering::SeqCst);
        set + i64::try_from(self.uptime().as_millis()).unwrap() + i64::try_from(asleep).unwrap()
    }

    fn uptime(&self) -> Duration {
        self.0.started.elapsed()
    }

    fn elapsed(&self) -> Duration {
        use std::sync::atomic::Ordering::SeqCst;
        let each = self.0.each_look.load(SeqCst);
        let asleep = self.0.asleep.fetch_add(each, SeqCst) + each;
        self.uptime() + Duration::from_millis(asleep)
    }
}
