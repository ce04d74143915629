//! What a coordinator says at one moment: open tasks, executors, and what ended lately.

use std::time::Duration;

use fastjob_client::{
    Call, Client, ClientError, List,
    types::{Page, StatsQuery, StatsView},
};
use fastjob_core::TaskState;
use jiff::{SignedDuration, Timestamp};
use serde::{Serialize, de::DeserializeOwned};

use crate::clock::wall_now;

/// Most tasks of a list: the most that a coordinator returns at once.
const TASKS: usize = 500;
/// Most failed tasks.
const FAILED: usize = 50;
/// How far back failed tasks are listed.
const LATELY: SignedDuration = SignedDuration::from_hours(1);
/// How far back throughput is shown, by minutes.
const MINUTES: SignedDuration = SignedDuration::from_mins(15);

/// One reading.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Sample<T, E> {
    pub(super) at: Timestamp,
    /// The coordinator that answered.
    pub(super) server: String,
    pub(super) running: Listed<T>,
    pub(super) queued: Listed<T>,
    /// Tasks that failed, of those created in the last hour.
    pub(super) failed: Listed<T>,
    pub(super) executors: Listed<E>,
    /// What ended in the last 15 minutes, by minute.
    pub(super) stats: StatsView,
    /// Coordinators of the cluster that did not answer, and partitions without one.
    pub(super) unanswered: Vec<String>,
}

/// The beginning of a list.
#[derive(Clone, Debug, Default, Serialize)]
pub(super) struct Listed<T> {
    pub(super) items: Vec<T>,
    /// Whether there are more.
    pub(super) more: bool,
}

impl<T> Listed<T> {
    fn of(page: Page<T>, unanswered: &mut Vec<String>) -> Self {
        unanswered.extend(page.unanswered);
        Self { items: page.items, more: page.next_cursor.is_some() }
    }

    /// How many there are, as far as it is known: `500+` if there are more than were read.
    pub(super) fn count(&self) -> String {
        format!("{}{}", self.items.len(), if self.more { "+" } else { "" })
    }
}

impl<T: DeserializeOwned, E: DeserializeOwned> Sample<T, E> {
    /// Reads everything at the same time.
    pub(super) async fn read(client: &Client) -> Result<Self, ClientError> {
        let at = wall_now();
        let ago = |span: SignedDuration| at.checked_sub(span).unwrap_or(at);
        let tasks = |states: &[TaskState], most: usize| {
            client.tasks().states(states.iter().copied()).page_size(most)
        };
        let running: List<T> = tasks(&[TaskState::Running, TaskState::Stopping], TASKS).cast();
        let queued: List<T> = tasks(&[TaskState::Queued], TASKS).cast();
        let failed: List<T> = tasks(&[TaskState::Failed], FAILED).since(ago(LATELY)).cast();
        let executors: List<E> = client.executors().cast();
        let query = StatsQuery {
            since: Some(ago(MINUTES)),
            until: Some(at),
            bucket: Some(Duration::from_secs(60)),
            ..StatsQuery::default()
        };
        let (running, queued, failed, executors, stats) = tokio::try_join!(
            running.page(None),
            queued.page(None),
            failed.page(None),
            executors.page(None),
            client.call(Call::stats(&query)),
        )?;
        let mut unanswered = Vec::new();
        let running = Listed::of(running, &mut unanswered);
        let queued = Listed::of(queued, &mut unanswered);
        let failed = Listed::of(failed, &mut unanswered);
        let executors = Listed::of(executors, &mut unanswered);
        unanswered.sort_unstable();
        unanswered.dedup();
        let server = client.server().to_string();
        Ok(Self { at, server, running, queued, failed, executors, stats, unanswered })
    }
}
