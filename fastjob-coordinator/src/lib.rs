//! The coordinator of FastJob: it decides what runs, when and where, tracks it, and records the
//! outcome.
//!
//! As a program it is `fastjob serve`. As a library it is embedded in another service:
//!
//! ```no_run
//! # async fn run() -> Result<(), Box<dyn std::error::Error>> {
//! use fastjob_coordinator::{CancellationToken, Coordinator};
//!
//! let coordinator = Coordinator::builder().sqlite("fastjob-data/fastjob.db").bind().await?;
//! coordinator.run(CancellationToken::new()).await?;
//! # Ok(())
//! # }
//! ```
//!
//! | feature, all on by default | |
//! |---|---|
//! | `cli` | the `fastjob` command, and `cli::main` for programs that embed it |
//! | `console` | the web console at `/console/` |
//! | `email` | alarm channels of the type `email` |
//! | `postgres` | the store in PostgreSQL, which several coordinators share |
//! | `s3` | whole logs in an S3-compatible bucket |
//!
//! Without a feature, settings that need it are rejected with an error that names it.

// Parts that only an absent feature uses.
#![cfg_attr(
    not(all(
        feature = "cli",
        feature = "console",
        feature = "email",
        feature = "postgres",
        feature = "s3"
    )),
    allow(dead_code, unreachable_code, reason = "an absent feature uses it")
)]

pub mod alarm;
mod api;
mod archive;
mod bounds;
#[cfg(feature = "cli")]
pub mod cli;
mod clock;
mod cluster;
pub mod config;
mod console;
mod coordinator;
mod crypto;
mod drafts;
mod files;
#[cfg(feature = "fuzzing")]
pub mod fuzzing;
mod handlers;
mod indexer;
mod losses;
mod metrics;
mod ops;
mod parts;
mod permit;
mod rpc;
mod schema;
mod server;
mod sessions;
mod shell;
#[cfg(all(feature = "postgres", any(test, feature = "simulation")))]
pub mod simulation;
mod store;
mod sweep;
mod traces;

pub use fastjob_client as client;
pub use tokio_util::sync::CancellationToken;

pub use self::{
    config::Config,
    coordinator::{Builder, Coordinator, Handle, RunError, StartError, migrate},
};
