//! Alarms, channels and silences.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// An alarm on one channel, and its delivery state.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(not(feature = "exhaustive"), non_exhaustive)]
pub struct AlarmView {
    /// Its number; later alarms have higher numbers.
    pub id: i64,
    /// What happened: `failed`, `recovered`, `runs_long` or `starts_late`.
    pub kind: String,
    /// The job as `service.name`.
    pub job: String,
    /// The task, if it is about one.
    pub task: Option<i64>,
    /// The channel it is sent to.
    pub channel: String,
    /// `waiting`, `sent`, `given_up` or `silenced`.
    pub state: String,
    /// Number of delivery attempts.
    pub tries: u32,
    /// Why the last delivery attempt failed.
    pub last_error: Option<String>,
    /// Why it was raised, in short.
    pub reason: String,
    /// The message of the handler or the coordinator.
    pub message: String,
    /// Where the task ran, if anywhere.
    pub executor: Option<String>,
    /// How many attempts the task had.
    pub attempts: u32,
    /// When it was raised.
    pub at: Timestamp,
    /// When it was sent, abandoned or silenced.
    pub done_at: Option<Timestamp>,
}

/// A channel over which alarms are sent.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(not(feature = "exhaustive"), non_exhaustive)]
pub struct ChannelView {
    /// The name that jobs use.
    pub name: String,
    /// Its kind: `email`, `webhook` and so on; `custom` if it was added by an embedding program.
    pub kind: String,
    /// How long the first message of a group waits for more alarms.
    pub group_wait: String,
    /// Minimum time between two messages of a group.
    pub group_interval: String,
    /// The services of which jobs without channels of their own use this one.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(required))]
    pub default_for: Vec<String>,
}

/// The result of a test message.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(not(feature = "exhaustive"), non_exhaustive)]
pub struct Tested {
    /// Whether it was accepted.
    pub sent: bool,
    /// Why it was not accepted.
    pub error: Option<String>,
}

/// The request for a silence of a job, a channel, or a job on a channel.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(default, deny_unknown_fields)]
pub struct SilenceRequest {
    /// The job, as name or `service.name`; every job if omitted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub job: Option<String>,
    /// The channel; every channel if omitted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub channel: Option<String>,
    /// Its end, RFC 3339, at most 30 days away; alternative to `for`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<String>,
    /// Its length, such as `2h`, at most 30 days; alternative to `until`.
    #[serde(rename = "for", skip_serializing_if = "Option::is_none")]
    pub span: Option<String>,
    /// Why, in at most 200 characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// A silence.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(not(feature = "exhaustive"), non_exhaustive)]
pub struct SilenceView {
    /// Its number.
    pub id: i64,
    /// The job as `service.name`; `null` means every job.
    pub job: Option<String>,
    /// The channel; `null` means every channel.
    pub channel: Option<String>,
    /// When it ends.
    pub until: Timestamp,
    /// Why.
    pub reason: String,
    /// When it was created.
    pub created_at: Timestamp,
}
