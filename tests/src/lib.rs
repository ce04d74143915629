//! The support crate of the tests and benches: real processes, REST, and waiting for conditions.

pub mod bench;
pub mod process;
pub mod proxy;
pub mod raw;
pub mod rest;
pub mod stand_in;

pub use fastjob_postgres as postgres;

use std::time::{Duration, Instant};

/// Waits until `look` finds something, and fails after `deadline` with what was waited for.
///
/// # Panics
///
/// Panics if nothing was found in time.
pub async fn eventually<T, F: Future<Output = Option<T>>>(
    what: &str,
    deadline: Duration,
    mut look: impl FnMut() -> F,
) -> T {
    let until = Instant::now() + deadline;
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(Instant::now() < until, "not within {deadline:?}: {what}");
        tokio::time::sleep(Duration::from_millis(40)).await;
    }
}

/// The wall clock of this machine, for what is measured and counted.
#[expect(clippy::disallowed_methods, reason = "a bench measures")]
pub fn now() -> jiff::Timestamp {
    jiff::Timestamp::now()
}

/// Lets this process open as many files as it may.
///
/// # Panics
///
/// Panics if the system does not let it.
pub fn raise_file_limit() {
    use rustix::process::{Resource, getrlimit, setrlimit};
    let mut files = getrlimit(Resource::Nofile);
    files.current = files.maximum;
    setrlimit(Resource::Nofile, files).expect("the limit of files can be raised");
}
