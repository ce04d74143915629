//! Who the executor is, for all of its links.

use std::sync::Arc;

use fastjob_core::{ExecutorName, ServiceName, wire::ExecutorKey};

use crate::{
    config::ExecutorConfig, figures::Figures, metrics::ExecutorMetrics, registry::Registry,
};

/// The executor's identity.
pub(crate) struct Identity {
    pub(crate) service: ServiceName,
    pub(crate) name: ExecutorName,
    /// Proves to coordinators that a session belongs to this start of the process.
    pub(crate) secret: String,
    pub(crate) registry: Arc<Registry>,
    pub(crate) figures: Figures,
    pub(crate) metrics: ExecutorMetrics,
    pub(crate) config: ExecutorConfig,
    /// Derived from its token, if it has one.
    pub(crate) key: Option<ExecutorKey>,
    pub(crate) ca_cert: Option<Vec<u8>>,
}
