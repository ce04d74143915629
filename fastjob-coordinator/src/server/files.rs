//! The process's limit of open files, and whether the connection limits fit in it.
//!
//! Each connection is an open file. If the process runs out of file descriptors, it cannot accept
//! any connection, not even of an executor. So the connection limits are lowered at start if the
//! system allows fewer files.

use super::{CLOSING, Limits};

/// Files for everything except client connections: the store, connections to the database, to other
/// nodes and to alarm channels, and what the runtime needs.
const RESERVED: u64 = 128;
/// Minimum number of files for connections.
const CONNECTIONS_MIN: u64 = 64;

/// How many files this process may open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FileLimit(Option<u64>);

/// The process may open too few files to serve the port.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "this process may open {0} files, and each connection is one: at least {least} are needed; \
     raise the limit with `ulimit -n`, or LimitNOFILE= in the systemd unit",
    least = RESERVED + CLOSING as u64 + CONNECTIONS_MIN
)]
pub(crate) struct TooFewFiles(u64);

impl FileLimit {
    /// Raises the soft limit of the process to what `limits` need, as far as the hard limit allows,
    /// and returns the resulting limit. It is not raised further: programs that the process starts
    /// inherit it, and some of them close every possible file descriptor.
    #[cfg(unix)]
    pub(crate) fn raise(limits: &Limits) -> Self {
        use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
        let before = getrlimit(Resource::Nofile);
        let needed = needed(limits);
        let wanted = before.maximum.map_or(needed, |maximum| maximum.min(needed));
        if before.current.is_some_and(|current| current < wanted) {
            let wanted = Rlimit { current: Some(wanted), maximum: before.maximum };
            if let Err(err) = setrlimit(Resource::Nofile, wanted) {
                tracing::debug!(error = %err, "could not raise the limit of open files");
            }
        }
        Self(getrlimit(Resource::Nofile).current)
    }

    /// This system has no such limit.
    #[cfg(not(unix))]
    pub(crate) fn raise(_: &Limits) -> Self {
        Self(None)
    }

    /// The highest limit that the system allows the process.
    #[cfg(unix)]
    pub(crate) fn highest() -> Self {
        use rustix::process::{Resource, getrlimit};
        Self(getrlimit(Resource::Nofile).maximum)
    }

    /// This system has no such limit.
    #[cfg(not(unix))]
    pub(crate) fn highest() -> Self {
        Self(None)
    }

    /// Returns the limits unchanged if they fit, otherwise lowered in proportion with a message
    /// that says so.
    ///
    /// # Errors
    ///
    /// Fails if fewer connections fit than the minimum.
    pub(crate) fn fit(self, limits: Limits) -> Result<(Limits, Option<String>), TooFewFiles> {
        let Some(files) = self.0 else { return Ok((limits, None)) };
        let available = files.saturating_sub(RESERVED + CLOSING as u64);
        if available < CONNECTIONS_MIN {
            return Err(TooFewFiles(files));
        }
        let wanted = connections(&limits);
        if wanted <= available {
            return Ok((limits, None));
        }
        let share = |limit: usize| {
            let share = u128::from(available) * limit as u128 / u128::from(wanted);
            usize::try_from(share).unwrap_or(limit).max(1)
        };
        let lowered = Limits {
            connections: share(limits.connections),
            unauthenticated: share(limits.unauthenticated),
            unauthenticated_per_address: share(limits.unauthenticated_per_address),
            ..limits
        };
        let needed = needed(&limits);
        let message = format!(
            "this process may open {files} files, and the limits of connections need {needed}: \
             max_connections is lowered from {} to {}, max_unauthenticated from {} to {}, \
             max_unauthenticated_per_address from {} to {}; raise the limit with `ulimit -n`, or \
             LimitNOFILE= in the systemd unit",
            limits.connections,
            lowered.connections,
            limits.unauthenticated,
            lowered.unauthenticated,
            limits.unauthenticated_per_address,
            lowered.unauthenticated_per_address,
        );
        Ok((lowered, Some(message)))
    }
}

/// Maximum number of concurrent connections.
fn connections(limits: &Limits) -> u64 {
    (limits.connections as u64).saturating_add(limits.unauthenticated as u64)
}

/// Maximum number of files that are open at the same time.
fn needed(limits: &Limits) -> u64 {
    connections(limits).saturating_add(RESERVED + CLOSING as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_that_fit_are_unchanged() {
        let limits = Limits::default();
        for files in [None, Some(u64::MAX), Some(14_000 + 128 + 64)] {
            assert_eq!(FileLimit(files).fit(limits.clone()), Ok((limits.clone(), None)));
        }
    }

    #[test]
    fn limits_that_do_not_fit_are_lowered_with_a_message() {
        let (lowered, message) = FileLimit(Some(1_024)).fit(Limits::default()).unwrap();
        let Limits { connections, unauthenticated, unauthenticated_per_address, .. } = lowered;
        assert_eq!((connections, unauthenticated), (594, 237));
        assert_eq!(unauthenticated_per_address, 118);
        let message = message.unwrap();
        assert!(message.contains("may open 1024 files") && message.contains("14192"), "{message}");
        assert!(message.contains("from 10000 to 594"), "{message}");
        let most = Limits { connections: usize::MAX, ..Limits::default() };
        let (lowered, _) = FileLimit(Some(1_024)).fit(most).unwrap();
        assert!(lowered.connections <= 832 && lowered.unauthenticated >= 1);
    }

    #[test]
    fn too_few_files_are_an_error_that_says_what_to_do() {
        let err = FileLimit(Some(255)).fit(Limits::default()).unwrap_err().to_string();
        assert!(err.contains("255 files") && err.contains("256 are needed"), "{err}");
        assert!(FileLimit(Some(256)).fit(Limits::default()).is_ok());
    }
}
