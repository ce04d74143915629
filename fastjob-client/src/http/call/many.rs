//! Calls about versions of a job, and about many jobs or tasks.

use super::Call;
use crate::types::{
    Bulk, BulkJob, BulkTask, JobVersion, JobsRequest, Page, TasksRequest, VersionView,
};

impl Call<JobVersion> {
    /// Reads a version of a job.
    pub fn version(name: &str, revision: i64) -> Self {
        Self::get(&["jobs", name, "versions", &revision.to_string()])
    }
}

impl Call<Bulk<BulkJob>> {
    /// Acts on many jobs, on each by itself.
    pub fn bulk_jobs(request: &JobsRequest) -> Self {
        let call = Self::post(&["jobs", "bulk"]).body("request", request);
        if request.dry_run { call.repeatable() } else { call }
    }
}

impl Call<Bulk<BulkTask>> {
    /// Acts on many tasks, on each by itself.
    pub fn bulk_tasks(request: &TasksRequest) -> Self {
        let call = Self::post(&["tasks", "bulk"]).body("request", request);
        if request.dry_run { call.repeatable() } else { call }
    }
}

impl Call<Page<VersionView>> {
    /// The versions of a job, newest first. A page has at most 100.
    pub fn versions(name: &str) -> Self {
        Self::list(&["jobs", name, "versions"])
    }
}
