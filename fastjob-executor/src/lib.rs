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
//! A handler that blocks its thread can neither be stopped nor aborted, and so may overlap with its
//! successor: move blocking work into `tokio::task::spawn_blocking`, and let it look at
//! [`JobContext::is_stopping`].

mod builtin;
mod clock;
mod config;
mod executor;
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
    builtin::CommandPolicy,
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
