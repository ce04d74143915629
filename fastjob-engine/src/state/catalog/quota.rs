//! Limits of the jobs of a partition: their number, and the total size of their definitions.
//!
//! Deleted jobs count as long as they are stored, so that saving and deleting jobs in turn is
//! bounded too.

use super::{Catalog, JobRefused};
use crate::record::JobRow;

/// The limits of a whole store. With several partitions, each engine enforces a share of them.
#[derive(Clone, Copy, Debug)]
pub struct JobQuota {
    /// The maximum number of jobs, deleted ones included. Default: 1,000,000.
    pub jobs: u32,
    /// The maximum size of all definitions together, in bytes, by
    /// [`definition_bytes`](crate::record::definition_bytes). Default: 1 GiB.
    pub bytes: u64,
}

impl Default for JobQuota {
    fn default() -> Self {
        Self { jobs: 1_000_000, bytes: 1 << 30 }
    }
}

impl JobQuota {
    /// The share of one partition. Names hash unevenly: a margin of four standard deviations keeps
    /// a partition from being full before the store is.
    fn jobs_of(self, partitions: u32) -> usize {
        let jobs = self.jobs as usize;
        match partitions {
            0 | 1 => jobs,
            _ => {
                let mean = jobs.div_ceil(partitions as usize);
                (mean + 4 * mean.isqrt()).min(jobs)
            }
        }
    }

    fn bytes_of(self, partitions: u32) -> u64 {
        // A few large definitions may be in one partition.
        match partitions {
            0 | 1 => self.bytes,
            _ => (self.bytes / u64::from(partitions) * 2).min(self.bytes),
        }
    }
}

impl Catalog {
    /// Checks that there is room for a job. `before` is the row that it replaces.
    pub(crate) fn has_room(&self, row: &JobRow, before: Option<&JobRow>) -> Result<(), JobRefused> {
        let (quota, partitions) = (self.config.job_quota, self.config.partitions);
        let share = if partitions > 1 { "the partition's share of " } else { "" };
        if before.is_none() && self.jobs.len() >= quota.jobs_of(partitions) {
            return Err(JobRefused::TooMany(format!(
                "there are {} jobs, {share}the {} that coordinator.limits.max_jobs allows, \
                 including deleted ones until they are removed: delete jobs, or raise it",
                self.jobs.len(),
                quota.jobs
            )));
        }
        let (more, less) = (row.bytes(), before.map_or(0, JobRow::bytes));
        // An existing definition may always keep its size or become smaller.
        if more > less && self.bytes + more - less > quota.bytes_of(partitions) {
            return Err(JobRefused::TooMany(format!(
                "the definitions of jobs take {} bytes, {share}the {} bytes that \
                 coordinator.limits.max_job_definitions allows: delete jobs, or raise it",
                self.bytes, quota.bytes
            )));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_partition_has_its_share_and_a_margin() {
        let share = |jobs, partitions| JobQuota { jobs, ..JobQuota::default() }.jobs_of(partitions);
        assert_eq!(share(1_000_000, 1), 1_000_000);
        assert_eq!(share(1_000_000, 32), 31_250 + 4 * 176);
        assert_eq!(share(10, 32), 5, "so many of one partition, whatever the others have");
        assert_eq!(share(1, 32), 1);
    }
}
