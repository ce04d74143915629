//! Limits the number of connected executors and the size of their descriptions.

use std::collections::HashMap;

use fastjob_core::ServiceName;
use fastjob_engine::Connected;

use crate::store::definition_bytes;

/// The limits of one node.
#[derive(Clone, Debug)]
pub(crate) struct Limits {
    /// Maximum number of sessions.
    pub(crate) sessions: usize,
    /// Maximum number of sessions of one service.
    pub(crate) per_service: usize,
    /// Maximum total size of all hellos in bytes.
    pub(crate) hellos: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { sessions: 10_000, per_service: 5_000, hellos: 256 << 20 }
    }
}

/// Which limit another executor would exceed.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum TooMany {
    #[error(
        "{0} executors are already connected to this coordinator: raise \
         coordinator.limits.max_sessions, or start another coordinator"
    )]
    Sessions(usize),
    #[error(
        "{count} executors of service `{service}` are connected to this coordinator: raise \
         coordinator.limits.max_sessions_per_service"
    )]
    OfService { service: ServiceName, count: usize },
    #[error(
        "connected executors described {0} bytes of handlers, labels and jobs: raise \
         coordinator.limits.max_hellos, or shorten the descriptions"
    )]
    Hellos(usize),
}

/// What the open sessions use.
#[derive(Debug, Default)]
pub(super) struct Used {
    sessions: usize,
    by_service: HashMap<ServiceName, usize>,
    hellos: usize,
}

impl Used {
    pub(super) fn check(&self, limits: &Limits, new: &Connected) -> Result<(), TooMany> {
        if self.sessions >= limits.sessions {
            return Err(TooMany::Sessions(self.sessions));
        }
        let count = self.by_service.get(&new.service).copied().unwrap_or(0);
        if count >= limits.per_service {
            return Err(TooMany::OfService { service: new.service.clone(), count });
        }
        if self.hellos + bytes(new) > limits.hellos {
            return Err(TooMany::Hellos(self.hellos));
        }
        Ok(())
    }

    pub(super) fn add(&mut self, new: &Connected) {
        self.sessions += 1;
        *self.by_service.entry(new.service.clone()).or_default() += 1;
        self.hellos += bytes(new);
    }

    pub(super) fn remove(&mut self, gone: &Connected) {
        self.sessions -= 1;
        self.hellos -= bytes(gone);
        if let Some(count) = self.by_service.get_mut(&gone.service) {
            *count -= 1;
            if *count == 0 {
                self.by_service.remove(&gone.service);
            }
        }
    }
}

/// Approximate size of an executor's description in bytes.
fn bytes(executor: &Connected) -> usize {
    /// Size of a label without its texts.
    const LABEL: usize = 64;
    /// Size of a handler without its texts: every engine has an entry for it.
    const HANDLER: usize = 512;
    let labels = executor.labels.iter().map(|(key, value)| key.len() + value.len() + LABEL);
    let handlers =
        executor.handlers.iter().map(|(name, text)| name.as_str().len() + text.len() + HANDLER);
    let jobs = executor.jobs.iter().map(|job| definition_bytes(job));
    executor.address.len()
        + executor.version.len()
        + labels.chain(handlers).chain(jobs).sum::<usize>()
}
