//! What the metrics of a coordinator tell apart: `[coordinator.metrics]`.

use super::{Problem, read::Section};

/// Most jobs with time series of their own. Each is six.
const JOBS_MOST: u32 = 10_000;

/// What the metrics of a coordinator tell apart.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct MetricsConfig {
    /// How many jobs have time series of their own: the first ones whose tasks end on this node. All
    /// others count together as `other`; 0 counts nothing by job. Default: 100.
    pub jobs: u32,
}

impl Default for MetricsConfig {
    fn default() -> Self {
        Self { jobs: 100 }
    }
}

impl MetricsConfig {
    pub(super) fn read(&mut self, section: &mut Section<'_>) {
        section.number("jobs", &mut self.jobs);
    }

    pub(super) fn check(&self, problems: &mut Vec<Problem>) {
        if self.jobs > JOBS_MOST {
            let message = format!("it is more than {JOBS_MOST}: each job is six time series");
            problems.push(Problem::new("coordinator.metrics.jobs", message));
        }
    }
}
