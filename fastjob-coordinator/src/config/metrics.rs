//! What the metrics of a coordinator tell apart: `[coordinator.metrics]`.

use super::setting::{at_most, settings};

/// Most jobs with time series of their own. Each is six.
const JOBS_MOST: u32 = 10_000;

settings! {
    /// What `/metrics` tells apart.
    pub struct MetricsConfig {
        /// How many jobs have time series of their own, six for each job: the first jobs whose
        /// tasks end on this node. All others count together as `other`; 0 counts nothing by job.
        pub jobs: u32 = 100, at_most(JOBS_MOST);
    }
}
