//! A client of FastJob, for services that start jobs: it starts tasks, waits for them, stops them and
//! reads their logs. It also lists and saves jobs, and does everything else that the REST API offers.
//!
//! ```no_run
//! use std::time::Duration;
//!
//! use fastjob_client::{Client, ClientError};
//! use serde::Serialize;
//!
//! #[derive(Serialize)]
//! struct Month {
//!     month: String,
//! }
//!
//! # async fn run() -> Result<(), ClientError> {
//! // FASTJOB_SERVER, FASTJOB_TOKEN, FASTJOB_CA_CERT
//! let client = Client::from_env()?;
//!
//! // However often this is repeated, with the same key it is one task.
//! let param = Month { month: "2026-11".to_owned() };
//! let task = client.job("billing.report").start().param(&param).key("2026-11").send().await?;
//!
//! let task = task.wait(Duration::from_secs(600)).await?;
//! println!("task {} {}: {:?}", task.id, task.state, task.result);
//! # Ok(())
//! # }
//! ```
//!
//! # What is retried
//!
//! A call without an effect, or with the same effect however often it is sent, can be repeated by the
//! caller after a transient error ([`ClientError::is_transient`]). The client itself repeats only
//! starts with a [key](Start::key) and [reruns](Rerun), for up to 60 seconds
//! ([`ClientBuilder::retry_for`]). A start without a key is never repeated: the first one may have
//! started a task. Waiting for a task and following a log continue across an outage of up to 60
//! seconds, such as a restart of the coordinator.
//!
//! # Several coordinators
//!
//! A client may have the addresses of several nodes of a cluster, each of which can do every call. It
//! calls the one that answered last. If that one cannot be reached, the call is sent to the next
//! one: nothing was done. If its answer was lost, or it is unavailable, only calls that are safe to
//! repeat are: reads, starts with a key, reruns without [`again`](Rerun::again), stops, enabling and
//! disabling a job, draining and resuming an executor. The token is sent to
//! these addresses only, and each must be `https` or on this machine unless
//! [`ClientBuilder::insecure_plaintext`] is set.
//!
//! # Errors
//!
//! [`ClientError`] has a variant for each case that a caller may handle:
//!
//! ```no_run
//! # use fastjob_client::{Client, ClientError, types::ProblemKind};
//! # async fn run(client: Client) -> Result<(), ClientError> {
//! match client.job("report").start().send().await {
//!     Ok(task) => println!("task {} started", task.id()),
//!     Err(ClientError::NotFound(problem)) => println!("there is no such job: {problem}"),
//!     Err(err) if err.problem().and_then(|problem| problem.kind())
//!         == Some(ProblemKind::AmbiguousName) => println!("which service? {err}"),
//!     Err(err) if err.is_transient() => println!("try again later: {err}"),
//!     Err(err) => return Err(err),
//! }
//! # Ok(())
//! # }
//! ```
//!
//! # An embedded coordinator
//!
//! A service that embeds the coordinator needs no client: `Coordinator::handle()` has the same
//! [`JobHandle`] and [`TaskHandle`] without HTTP. Code that is generic over [`Backend`] works with
//! both.
//!
//! # Features
//!
//! `http`, on by default, is the client. Without it, the crate has the [types] and the
//! handles. `opentelemetry` makes tasks part of the trace of the current span. `exhaustive` is for the coordinator, which builds the types.

mod backend;
mod error;
#[cfg(feature = "http")]
mod http;
mod job;
mod log;
mod polling;
mod rerun;
mod task;
mod trace;
pub mod types;

pub use fastjob_core::{Trace, TraceContext};
pub use jiff;

#[cfg(feature = "http")]
pub use self::http::{
    Answer, Call, Client, ClientBuilder, Events, EventsQuery, InvalidServerUrl, InvalidServerUrls,
    InvalidToken, List, PageEvent, Pages, ServerUrl, ServerUrls, TOKEN_MIN, Token,
};
pub use self::{
    backend::{Backend, LogQuery},
    error::ClientError,
    job::{JobHandle, Start},
    log::{Log, LogFollower, LogPlace, Step},
    polling::{Polled, Polling},
    rerun::Rerun,
    task::TaskHandle,
};

// The examples of the crate's front page compile.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
mod front_page {}
