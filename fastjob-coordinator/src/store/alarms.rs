//! Alarms and silences: their records, and what a store does with them.

use fastjob_core::{ChannelName, JobId, TaskId};
use jiff::Timestamp;

use super::{AlarmKind, Result};

/// An alarm that waits for its channel.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct WaitingAlarm {
    /// Numbers the alarms of a channel; grows with every commit.
    pub(crate) number: i64,
    pub(crate) job: JobId,
    pub(crate) task: Option<TaskId>,
    pub(crate) kind: AlarmKind,
    pub(crate) at: Timestamp,
    pub(crate) job_name: String,
    pub(crate) reason: String,
    pub(crate) message: String,
    pub(crate) executor: Option<String>,
    pub(crate) attempts: u32,
}

/// The state of an alarm on its channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AlarmState {
    Waiting,
    Sent,
    GivenUp,
    Silenced,
}

impl AlarmState {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Sent => "sent",
            Self::GivenUp => "given_up",
            Self::Silenced => "silenced",
        }
    }
}

/// An alarm for display.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct PastAlarm {
    pub(crate) alarm: WaitingAlarm,
    pub(crate) channel: ChannelName,
    pub(crate) state: AlarmState,
    pub(crate) tries: u32,
    pub(crate) last_error: Option<String>,
    pub(crate) done_at: Option<Timestamp>,
}

/// Which alarms to list, newest first.
#[derive(Clone, Debug, Default)]
pub(crate) struct AlarmFilter {
    pub(crate) job: Option<JobId>,
    pub(crate) channel: Option<ChannelName>,
    /// Below this number: where the last page ended.
    pub(crate) below: Option<i64>,
    /// The maximum number.
    pub(crate) limit: u32,
}

/// Suppresses alarms for a limited time.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Silence {
    /// The job with its `service.name`; `None` means every job.
    pub(crate) job: Option<(JobId, String)>,
    /// `None` means every channel.
    pub(crate) channel: Option<ChannelName>,
    pub(crate) until: Timestamp,
    pub(crate) reason: String,
}

/// A silence for display.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct SilenceRow {
    pub(crate) id: i64,
    pub(crate) silence: Silence,
    pub(crate) created_at: Timestamp,
}

/// Alarms and their delivery.
#[async_trait::async_trait]
pub(crate) trait AlarmStore: Send + Sync {
    /// Alarms above the number that are waiting for the channel, in order; at most `limit`.
    async fn waiting_alarms(
        &self,
        channel: &ChannelName,
        after: i64,
        limit: u32,
    ) -> Result<Vec<WaitingAlarm>>;
    /// Alarms that match the filter, newest first.
    async fn past_alarms(&self, filter: &AlarmFilter) -> Result<Vec<PastAlarm>>;
    /// Marks those that are still waiting as sent, and returns how many there were.
    async fn alarms_sent(&self, numbers: &[i64], at: Timestamp) -> Result<u64>;
    /// Records a failed attempt to send; with an instant, the alarms are abandoned.
    async fn alarms_failed(
        &self,
        numbers: &[i64],
        given_up: Option<Timestamp>,
        error: &str,
    ) -> Result<()>;
    /// Abandons at most `limit` alarms that have waited since before `before` for a channel other
    /// than the given ones, and returns their channels.
    async fn give_up_alarms(
        &self,
        configured: &[ChannelName],
        before: Timestamp,
        now: Timestamp,
        error: &str,
        limit: u32,
    ) -> Result<Vec<ChannelName>>;
    /// Removes at most `limit` alarms that were done before `before`, and returns how many.
    async fn remove_alarms(&self, before: Timestamp, limit: u32) -> Result<u64>;
}

/// Silences, which suppress alarms.
#[async_trait::async_trait]
pub(crate) trait SilenceStore: Send + Sync {
    /// Saves a silence and returns its id; `None` if there are `most` silences already.
    async fn add_silence(
        &self,
        silence: &Silence,
        now: Timestamp,
        most: u32,
    ) -> Result<Option<i64>>;
    /// Those that have not expired, oldest first.
    async fn silences(&self, now: Timestamp) -> Result<Vec<SilenceRow>>;
    /// Ends a silence; `false` if it does not exist or has expired.
    async fn remove_silence(&self, id: i64, now: Timestamp) -> Result<bool>;
    /// Marks those of the channel's alarms that a silence covers now as silenced, and returns the
    /// ones that still wait, in order. Returns `None` if no silence applies to the channel.
    async fn silence_alarms(
        &self,
        channel: &ChannelName,
        numbers: &[i64],
        now: Timestamp,
    ) -> Result<Option<Vec<WaitingAlarm>>>;
    /// Removes expired silences, and returns how many.
    async fn remove_expired_silences(&self, now: Timestamp) -> Result<u64>;
}
