//! How many files the process may open, and whether the connections that are allowed fit in.
//!
//! Each connection is an open file. If they run out, no connection can be accepted, not even of an
//! executor. So the limits of connections are lowered at start where the system allows fewer.

use super::{CLOSING, Limits};

/// Files for everything but connections of clients: the store, connections to the database, to
/// other nodes and to alarm channels, and what the runtime needs.
const RESERVED: u64 = 128;
/// Fewest files for connections.
const CONNECTIONS_MIN: u64 = 64;

/// How many files this process may open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FileLimit(Option<u64>);

/// Why the port cannot be served with so few files.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "this process may open {0} files, and each connection is one: at least {least} are needed; \
     raise the limit with `ulimit -n`, or LimitNOFILE= in the systemd unit",
    least = RESERVED + CLOSING as u64 + CONNECTIONS_MIN
)]
pub(crate) struct TooFewFiles(u64);

impl FileLimit {
    /// Raises the soft limit of the process to what `limits` need, or as far as the hard one lets it,
    /// and returns what holds then. Not beyond: programs that the process starts inherit it, and some
    /// close every file that they may have.
    #[cfg(unix)]
    pub(crate) fn raise(limits: &Limits) -> Self {
        use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
        let before = getrlimit(Resource::Nofile);
        let needed = needed(limits);
        let wanted = before.maximum.map_or(needed, |maximum| maximum.min(needed));
        if before.current.is_some_and(|current| current < wanted) {
            let wanted = Rlimit { current: Some(wanted), maximum: before.maximum };
            if let Err(err) = setrlimit(Resource::Nofile, wanted) {
                tracing::debug!(error = %err, "the limit of open files could not be raised");
            }
        }
        Self(getrlimit(Resource::Nofile).current)
    }

    /// There is no such limit.
    #[cfg(not(unix))]
    pub(crate) fn raise(_: &Limits) -> Self {
        Self(None)
    }

    /// What the system would let the process raise it to.
    #[cfg(unix)]
    pub(crate) fn highest() -> Self {
        use rustix::process::{Resource, getrlimit};
        Self(getrlimit(Resource::Nofile).maximum)
    }

    /// There is no such limit.
    #[cfg(not(unix))]
    pub(crate) fn highest() -> Self {
        Self(None)
    }

    /// The limits as they are if they fit, else lower ones in the same proportion, and what to say.
    ///
    /// # Errors
    ///
    /// Fails if hardly any connection fits.
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

/// Most connections at the same time.
fn connections(limits: &Limits) -> u64 {
    (limits.connections as u64).saturating_add(limits.unauthenticated as u64)
}

/// Most files at the same time.
fn needed(limits: &Limits) -> u64 {
    connections(limits).saturating_add(RESERVED + CLOSING as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_that_fit_stay_as_they_are() {
        let limits = Limits::default();
        for files in [None, Some(u64::MAX), Some(14_000 + 128 + 64)] {
            assert_eq!(FileLimit(files).fit(limits.clone()), Ok((limits.clone(), None)));
        }
    }

    #[test]
    fn limits_that_do_not_fit_are_lowered_and_that_is_said() {
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
