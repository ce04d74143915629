//! Runs the jobs of a service.
//!
//! Add this crate, annotate a handler, run an [`Executor`]: it dials the coordinator, says which
//! handlers it has, and runs what it is given.
//!
//! ```no_run
//! use fastjob_executor::prelude::*;
//!
//! #[job("demoJobHandler", description = "says hello", cron = "0/10 * * * * ?")]
//! async fn demo(ctx: &JobContext) -> JobResult {
//!     ctx.log("hello");
//!     Ok("done".into())
//! }
//!
//! # async fn run() -> Result<(), ExecutorError> {
//! Executor::builder("billing").run(CancellationToken::new()).await
//! # }
//! ```
//!
//! A run is promised at least once: an executor that dies takes what it ran along, and the job's
//! retry strategy decides whether it is run again. The same attempt never runs twice on one
//! executor.
//!
//! A job whose block strategy holds across the cluster is run by one executor at a time: an
//! executor that cannot hear the coordinator any more stops such attempts, and aborts them before
//! the coordinator gives it up and places them anew.
//!
//! A handler should not block its thread, by a long computation or a call such as
//! `std::thread::sleep`: while as many block as the service's runtime has threads, no other handler
//! is entered. The executor itself goes on, on a thread of its own, and says in the service's log
//! which handler blocks. Such a handler cannot be aborted. When its time is up, or it is told to
//! stop, and its grace is over, its attempt is reported as ended, though the handler may still run
//! and so overlap with a successor elsewhere; on this executor its place and its turn in the job's
//! lane stay taken until it has really ended. An attempt that is exclusive across the cluster is
//! not reported before. So move blocking work into `tokio::task::spawn_blocking`, and let it look
//! at [`JobContext::is_stopping`].

mod apart;
mod builtin;
mod clock;
mod config;
mod executor;
mod failure;
mod figures;
mod logs;
pub mod registry;
mod runtime;
mod session;

pub use async_trait::async_trait;
pub use fastjob_core::{
    AttemptId, Cause, CheckpointError, JobContext, JobError, JobHandler, JobId, JobOutput,
    JobResult, ParamError, Shard, TaskId,
};
pub use fastjob_macros::job;
pub use tokio_util::sync::CancellationToken;

pub use self::{
    builtin::CommandEntry,
    config::{ConfigError, ExecutorConfig, Problem},
    executor::{Builder, Executor, ExecutorError},
    logs::{JobLogLayer, LogError, job_log_layer},
    registry::{Discovery, RegistryError},
};

/// What a service with handlers needs.
pub mod prelude {
    pub use crate::{
        CancellationToken, Executor, ExecutorError, JobContext, JobError, JobHandler, JobOutput,
        JobResult, async_trait, job,
    };
}
