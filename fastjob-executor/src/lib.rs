//! Runs the jobs of a service.
//!
//! Add this crate, annotate a handler and run an [`Executor`]. It connects to the coordinator,
//! registers its handlers, and runs the attempts that the coordinator dispatches.
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
//! Executor::builder("billing").run().await // until Ctrl-C or SIGTERM
//! # }
//! ```
//!
//! Execution is at-least-once: attempts on a crashed executor are lost, and the job's retry
//! strategy decides whether they are retried. The same attempt never runs twice on one executor.
//!
//! A job whose block strategy is cluster-wide runs on one executor at a time. An executor that
//! loses contact with the coordinator stops such attempts, and aborts them before the coordinator
//! abandons them and dispatches them elsewhere.
//!
//! A handler should not block its thread, for example with a long computation or with
//! `std::thread::sleep`. If handlers block all threads of the service's runtime, no other handler
//! is entered. The executor itself keeps running on its own thread, and logs which handler blocks.
//! A blocking handler cannot be aborted. When it has been stopped or has timed out, and its grace
//! period is over, its attempt is reported as ended. The handler may still run, and so overlap with
//! a successor on another executor. On this executor, its place and its turn in the job's lane stay
//! occupied until it has really ended. An attempt that is exclusive across the cluster is not
//! reported before that. So move blocking work to `tokio::task::spawn_blocking`, and check
//! [`JobContext::is_stopping`] there.

#[path = "private.rs"]
#[doc(hidden)]
pub mod __private;
mod builtin;
mod clock;
mod config;
mod executor;
mod failure;
mod figures;
mod guard;
mod handler;
mod logs;
mod metrics;
mod middleware;
mod own_thread;
mod registration;
mod registry;
mod runtime;
mod session;
mod signal;
mod state;
mod trace;

pub use fastjob_core::{
    AttemptId, Cause, CheckpointError, Fatal, FatalExt, JobContext, JobError, JobHandler, JobId,
    JobOutput, JobResult, ParamError, Progress, Shard, TaskId, TestContext, TestContextBuilder,
};
pub use fastjob_macros::{async_trait, job};
/// The instants of [`JobContext::fire_at`] are of this crate.
pub use jiff;
pub use tokio_util::sync::CancellationToken;

pub use self::{
    builtin::CommandEntry,
    config::{ConfigError, ExecutorConfig, Problem},
    executor::{Builder, Executor, ExecutorError},
    logs::{JobLogLayer, LogError, job_log_layer},
    metrics::{ExecutorMetrics, HandlerMetrics, MetricsSnapshot, RunTimes},
    middleware::{Middleware, Next},
    registration::IntoHandler,
    registry::{Discovery, RegistryError},
    signal::{StopSignal, stop_on_signal},
    state::State,
};

// The code of `#[job]` names this crate.
#[cfg(test)]
extern crate self as fastjob_executor;

/// Everything that a service with handlers needs.
pub mod prelude {
    pub use crate::{
        CancellationToken, Executor, ExecutorError, Fatal, FatalExt, JobContext, JobError,
        JobHandler, JobOutput, JobResult, State, TaskId, async_trait, job,
    };
}

// The examples of the documentation compile.
#[cfg(doctest)]
#[doc = include_str!("../../docs/handlers.md")]
mod handlers_page {}
#[cfg(doctest)]
#[doc = include_str!("../../docs/testing.md")]
mod testing_page {}
#[cfg(all(doctest, feature = "metrics"))]
#[doc = include_str!("../../docs/metrics.md")]
mod metrics_page {}
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
mod front_page {}
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
mod project_page {}
#[cfg(doctest)]
#[doc = include_str!("../../README.zh-CN.md")]
mod project_page_in_chinese {}
