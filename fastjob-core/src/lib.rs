//! The words and rules of FastJob.
//!
//! A [`Job`] says what to run and how; its [`Timetable`] says when. Each start of it is a **task**,
//! each dispatch of a task to an executor an **attempt**. The rules here know nothing of time,
//! chance or I/O: they take `now` and dice, and return a decision.

pub mod attempt;
pub mod block;
pub mod children;
pub mod context;
pub mod duration;
pub mod handler;
pub mod id;
pub mod instant;
pub mod job;
pub mod misfire;
pub mod misread;
pub mod private;
pub mod retry;
pub mod route;
pub mod schedule;
pub mod shard;
pub mod task;
#[cfg(feature = "wire")]
pub mod wire;

pub use self::{
    attempt::{AttemptState, FailReason},
    context::{AttemptFacts, CheckpointError, JobContext, JobLog, JobReports, Progress, Shard},
    handler::{JobError, JobHandler, JobOutput, JobResult, ParamError},
    id::{
        AttemptId, ChannelName, ExecutorName, HandlerName, Incarnation, InvalidName, JobId,
        JobName, ServiceName, TaskId,
    },
    job::{InvalidJob, Job, JobDraft},
    schedule::{Schedule, Timetable},
    task::{Cause, TaskState},
};
