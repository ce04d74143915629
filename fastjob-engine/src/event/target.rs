//! Which job a start means.

use fastjob_core::JobPath;

/// How the job of a start is named.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// The job that the path means.
    Path(JobPath),
    /// The job of a service that the path names, and never a job whose whole name the path is. The
    /// engine of the path's partition knows all jobs that this may be; other partitions may have
    /// jobs with that whole name. See [`Partition::of_path`](fastjob_core::Partition::of_path).
    WithService(JobPath),
}

impl Target {
    /// The path, however it is read.
    pub fn path(&self) -> &JobPath {
        match self {
            Self::Path(path) | Self::WithService(path) => path,
        }
    }
}
