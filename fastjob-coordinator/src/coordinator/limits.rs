//! Converts the configured limits for each part.

use std::{sync::Arc, time::Duration};

use fastjob_engine::{DefaultAlarms, JobQuota, Limits, OpenLimit};
use tokio::sync::Semaphore;

use super::StartError;
use crate::{
    bounds::{Bounds, Budget},
    config::{CoordinatorConfig, LimitsConfig},
    rpc::HelloLimits,
    server::{self, FileLimit},
    sessions,
};

/// How long a client may leave a response unread, in addition to the time for its size.
const UNREAD: Duration = Duration::from_secs(30);
/// Minimum rate in bytes per second at which a client must read.
const SLOWEST: u64 = 64 * 1024;

/// Most live pages: each costs a connection and a few kilobytes.
const PAGES: usize = 500;

pub(super) fn sessions(limits: &LimitsConfig) -> sessions::Limits {
    sessions::Limits {
        sessions: limits.max_sessions as usize,
        per_service: limits.max_sessions_per_service as usize,
        hellos: usize::try_from(limits.max_hellos.0).unwrap_or(usize::MAX),
    }
}

pub(super) fn hello(limits: &LimitsConfig) -> HelloLimits {
    HelloLimits { bytes: limits.max_hello.0, jobs: limits.max_declared_jobs as usize }
}

pub(super) fn jobs(limits: &LimitsConfig) -> JobQuota {
    JobQuota { jobs: limits.max_jobs, bytes: limits.max_job_definitions.0 }
}

pub(super) fn tasks(limits: &LimitsConfig, default_alarms: DefaultAlarms) -> Limits {
    Limits {
        default_alarms,
        descendants: limits.max_descendants,
        open: OpenLimit::new(limits.max_open_tasks, limits.max_open_bytes.0).into(),
    }
}

/// The connection limits of the port.
pub(crate) fn connections(config: &CoordinatorConfig) -> server::Limits {
    let limits = &config.limits;
    server::Limits {
        connections: config.max_connections as usize,
        unauthenticated: limits.max_unauthenticated as usize,
        unauthenticated_per_address: limits
            .max_unauthenticated_per_address
            .min(limits.max_unauthenticated) as usize,
        authenticate: limits.authenticate_within,
        ..server::Limits::default()
    }
}

/// The connection limits of the port, lowered if the process may not open so many files.
///
/// # Errors
///
/// Fails if the process may open too few files.
pub(super) fn connections_that_fit(
    config: &CoordinatorConfig,
) -> Result<server::Limits, StartError> {
    let wanted = connections(config);
    let (limits, lowered) = FileLimit::raise(&wanted)
        .fit(wanted)
        .map_err(|err| StartError::TooFewFiles(err.to_string()))?;
    if let Some(message) = lowered {
        tracing::warn!("{message}");
    }
    Ok(limits)
}

/// The memory bounds of requests.
pub(super) fn requests(limits: &LimitsConfig) -> Bounds {
    let followers = Arc::new(Semaphore::new(limits.max_log_followers as usize));
    Bounds {
        requests: Budget::new(limits.max_request_memory.0, "coordinator.limits.max_request_memory"),
        responses: Budget::new(
            limits.max_response_memory.0,
            "coordinator.limits.max_response_memory",
        ),
        followers,
        pages: Arc::new(Semaphore::new(PAGES)),
        unread: UNREAD,
        slowest: SLOWEST,
    }
}
