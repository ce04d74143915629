//! What carries out the calls.

use std::{fmt, future::Future, time::Duration};

use crate::{
    ClientError,
    types::{JobView, LogView, RerunRequest, StartRequest, Started, StopAnswer, TaskView},
};

/// What carries out the calls of a [`JobHandle`](crate::JobHandle) and a
/// [`TaskHandle`](crate::TaskHandle): a [`Client`](crate::Client), or the handle of an embedded
/// coordinator.
///
/// Code that is generic over it works with both. Only these two implement it: later releases add
/// methods.
pub trait Backend: Clone + fmt::Debug + Send + Sync + 'static {
    /// Starts a task of a job.
    fn start_job(
        &self,
        job: &str,
        request: &StartRequest,
    ) -> impl Future<Output = Result<Started, ClientError>> + Send;

    /// Reads a job.
    fn read_job(&self, job: &str) -> impl Future<Output = Result<JobView, ClientError>> + Send;

    /// Reads a task.
    fn read_task(&self, task: i64) -> impl Future<Output = Result<TaskView, ClientError>> + Send;

    /// Stops a task.
    fn stop_task(&self, task: i64) -> impl Future<Output = Result<StopAnswer, ClientError>> + Send;

    /// Runs a task again that has ended.
    fn rerun_task(
        &self,
        task: i64,
        request: &RerunRequest,
    ) -> impl Future<Output = Result<Started, ClientError>> + Send;

    /// Reads a piece of a log.
    fn read_log(
        &self,
        task: i64,
        piece: &LogQuery,
    ) -> impl Future<Output = Result<LogView, ClientError>> + Send;
}

/// Which piece of which of a task's logs to read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct LogQuery {
    /// The shard, from 0; the first if omitted.
    pub shard: Option<u32>,
    /// The number of an attempt within its shard, from 1; the last if omitted. A task with several
    /// shards needs the shard too.
    pub attempt: Option<u32>,
    /// Where the piece begins, in bytes.
    pub offset: u64,
    /// Maximum number of bytes; 64 KiB if omitted.
    pub limit: Option<u32>,
    /// How long to wait for new text instead of answering with an empty piece.
    pub wait: Option<Duration>,
}
