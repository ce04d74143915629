//! The types and rules of FastJob.
//!
//! A [`Job`] defines what to run and how; its [`Timetable`] defines when. Each start of a job is a
//! **task**, and each dispatch of a task to an executor is an **attempt**. The rules in this crate
//! are pure functions: they receive the current time and random numbers as arguments, and do no
//! I/O.

pub mod attempt;
pub mod block;
pub mod children;
pub mod context;
pub mod duration;
pub mod environment;
pub mod error;
pub mod handler;
pub mod id;
pub mod id_map;
pub mod instant;
pub mod job;
pub mod lane;
pub mod misfire;
pub mod misread;
pub mod partition;
pub mod path;
pub mod private;
pub mod retry;
pub mod route;
pub mod schedule;
pub mod settings;
pub mod shard;
pub mod task;
pub mod trace;
#[cfg(feature = "wire")]
pub mod wire;

pub use self::{
    attempt::{AttemptState, FailReason},
    context::{
        AttemptFacts, CheckpointError, JobContext, JobLog, JobReports, Progress, Shard,
        TestContext, TestContextBuilder,
    },
    handler::{Fatal, FatalExt, JobError, JobHandler, JobOutput, JobResult, ParamError},
    id::{
        AttemptId, ChannelName, ExecutorName, HandlerName, Incarnation, InvalidName, JobId,
        JobName, ServiceKey, ServiceName, TaskId,
    },
    job::{InvalidJob, Job, JobDraft},
    partition::{Lease, Partition},
    path::JobPath,
    schedule::{Schedule, Timetable},
    task::{Cause, TaskState},
    trace::{Trace, TraceContext},
};
