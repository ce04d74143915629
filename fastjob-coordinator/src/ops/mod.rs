//! Every use-case, one noun a file: what all edges call.
//!
//! An edge turns words into these calls and their answers into words; it decides nothing.

mod alarms;
mod credential;
mod declare;
mod executors;
mod family;
mod follow;
mod forward;
mod handshake;
mod jobs;
mod log;
mod nodes;
mod pages;
mod peers;
mod preview;
mod silences;
mod start;
mod tasks;
mod views;

use std::sync::Arc;

use fastjob_core::job::Problem;

pub use self::views::{
    AlarmView, AttemptView, BackfillAsk, Backfilled, ChannelView, ExecutorView, Fires, JobView,
    LogView, NodeView, Page, ProgressView, Saved, SilenceAsk, SilenceView, StartAsk, Started,
    StopAnswer, TaskView, Tested,
};
pub(crate) use self::{
    alarms::ListAlarms,
    credential::{Credential, HEADER as NODE_HEADER, Question},
    follow::{Feeds, Follower, LogKey},
    forward::{Ask, INTERNAL, PATH as ASK_PATH, Reply},
    handshake::{Handshakes, NotProven, Use},
    jobs::SaveMode,
    log::LogChoice,
    pages::PAGE_BYTES,
    peers::{Peers, Transport},
    tasks::ListTasks,
};
use crate::{
    alarm::Channels,
    cluster::{ClusterMap, Engines},
    sessions::Sessions,
    store::{self, writer::Health},
};

/// Most items of a page.
pub(crate) const PAGE_MAX: u32 = 500;
/// Items of a page where the caller does not say.
pub(crate) const PAGE_DEFAULT: u32 = 50;

/// Reads the size of a page.
///
/// # Errors
///
/// Says what is wrong with the text, and what would do.
pub(crate) fn page_size(text: &str) -> Result<u32, String> {
    how_many(text, PAGE_MAX)
}

/// Reads how many things are wanted, at least one and at most `most`.
///
/// # Errors
///
/// Says what is wrong with the text, and what would do.
pub(crate) fn how_many(text: &str, most: u32) -> Result<u32, String> {
    match text.parse::<i128>() {
        Ok(number) => match u32::try_from(number) {
            Ok(number) if (1..=most).contains(&number) => Ok(number),
            _ => Err(out_of_bounds(number, most)),
        },
        Err(_) => Err(format!("`{text}` is not a whole number between 1 and {most}")),
    }
}

fn out_of_bounds(number: impl std::fmt::Display, most: u32) -> String {
    format!("{number} is not between 1 and {most}")
}

/// Everything that can be asked of a coordinator.
#[derive(Clone)]
pub(crate) struct Ops {
    pub(crate) engines: Engines,
    pub(crate) map: ClusterMap,
    pub(crate) peers: Peers,
    pub(crate) store: Arc<dyn store::Store>,
    pub(crate) sessions: Sessions,
    pub(crate) channels: Channels,
    pub(crate) feeds: Feeds,
}

/// Why something that was asked was not done.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// There is no such thing.
    #[error("{0}")]
    NotFound(String),
    /// A name alone does not tell which job is meant.
    #[error("{name} is the name of jobs of several services: say which, as {}", choices.join(" or "))]
    Ambiguous { name: String, choices: Vec<String> },
    /// It does not fit with what is there.
    #[error("{0}")]
    Conflict(String),
    /// What was asked is not right; nothing was done.
    #[error("{message}")]
    Invalid { message: String, problems: Vec<Problem> },
    /// A limit of what may be open is reached; nothing was done.
    #[error("{0}")]
    OverQuota(String),
    /// It cannot be done just now; nothing was done, or the answer is not known.
    #[error("{0}")]
    Unavailable(String),
    /// Another node acts on it by now; nothing was done.
    #[error("another node acts on it by now")]
    Moved,
    /// The store failed.
    #[error("the store failed")]
    Store(#[from] store::Error),
}

impl Error {
    pub(crate) fn invalid(field: &str, message: impl std::fmt::Display) -> Self {
        let problem = Problem { field: field.to_owned(), message: message.to_string() };
        Self::Invalid { message: format!("{field}: {message}"), problems: vec![problem] }
    }
}

impl Ops {
    /// Whether the coordinator can do its work: the reason if not.
    pub(crate) fn ready(&self) -> Result<(), Error> {
        if let Health::Failing { why } = &*self.engines.health().borrow() {
            return Err(Error::Unavailable(format!("the store cannot be written: {why}")));
        }
        if !self.engines.may_act() {
            return Err(Error::Unavailable("this node could not renew its lease".to_owned()));
        }
        if let Some((partition, why)) = self.map.unloaded() {
            return Err(Error::Unavailable(format!(
                "nobody acts on partition {}, this node cannot load it: {why}",
                partition.0
            )));
        }
        if let Some(until) = self.engines.paused_until() {
            return Err(Error::Unavailable(format!(
                "this machine's clock was set back: schedules are paused until it shows {until} \
                 again"
            )));
        }
        Ok(())
    }
}
