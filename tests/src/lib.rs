//! Support for the tests and benches: real processes, REST, and waiting for conditions.

pub mod bench;
pub mod browser;
pub mod embedded;
pub mod process;
pub mod proxy;
pub mod raw;
pub mod rest;
pub mod stand_in;

pub use fastjob_postgres as postgres;

// The code of the pages that show more than one crate compiles.
#[cfg(doctest)]
#[doc = include_str!("../../docs/client.md")]
struct ClientPage;
#[cfg(doctest)]
#[doc = include_str!("../../docs/traces.md")]
struct TracesPage;
#[cfg(doctest)]
#[doc = include_str!("../../docs/getting-started.md")]
struct GettingStartedPage;
#[cfg(doctest)]
#[doc = include_str!("../../docs/zh/getting-started.md")]
struct GettingStartedPageInChinese;

use std::time::{Duration, Instant};

/// Waits until `look` returns something. Fails after `deadline` with `what`, the condition.
///
/// # Panics
///
/// Panics if that does not happen in time.
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

/// The wall clock of this machine, for measurements.
#[expect(clippy::disallowed_methods, reason = "a bench measures")]
pub fn now() -> jiff::Timestamp {
    jiff::Timestamp::now()
}

/// Raises the soft limit of open files of this process to the hard limit.
///
/// # Panics
///
/// Panics if the limit cannot be changed.
pub fn raise_file_limit() {
    use rustix::process::{Resource, getrlimit, setrlimit};
    let mut files = getrlimit(Resource::Nofile);
    files.current = files.maximum;
    setrlimit(Resource::Nofile, files).expect("the limit of files can be raised");
}
