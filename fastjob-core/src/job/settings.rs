//! The parts of a job that several jobs can share.

use std::{collections::BTreeMap, ops::Deref, sync::Arc, time::Duration};

use super::{AlarmAfter, Job};
use crate::{
    block::Block,
    children::Child,
    id::{ChannelName, HandlerName, ServiceName},
    misfire::MisfireStrategy,
    retry::RetryPolicy,
    route::RouteStrategy,
    schedule::Timetable,
    shard::ShardStrategy,
};

/// The settings of a job that say nothing about it alone.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Settings {
    /// The service whose executors may run it.
    pub service: ServiceName,
    /// The handler.
    pub handler: HandlerName,
    /// When it fires.
    pub timetable: Timetable,
    /// What happens to missed fires.
    pub misfire: MisfireStrategy,
    /// Which executor gets an attempt.
    pub route: RouteStrategy,
    /// How many shards a task has, and where they run.
    pub shard: ShardStrategy,
    /// What happens when an attempt arrives while another one runs.
    pub block: Block,
    /// Timeout of an attempt.
    pub timeout: Option<Duration>,
    /// Time between the stop token and the abort.
    pub grace: Duration,
    /// How failed attempts are retried.
    pub retry: RetryPolicy,
    /// How long to wait for an executor that can accept an attempt.
    pub no_executor: Duration,
    /// Jobs to start when a task has ended.
    pub children: Vec<Child>,
    /// Channels to notify about problems, and when they are resolved.
    pub alarms: Vec<ChannelName>,
    /// Thresholds for slow-run and late-start alarms.
    pub alarm_after: AlarmAfter,
}

/// What a definition says to users only.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct About {
    description: Box<str>,
    /// In the order of the keys. A map would take half a kilobyte for one label.
    labels: Box<[(Box<str>, Box<str>)]>,
}

impl About {
    /// `None` if both are empty.
    pub(super) fn new(
        description: Option<String>,
        labels: BTreeMap<String, String>,
    ) -> Option<Arc<Self>> {
        let description = description.unwrap_or_default().into_boxed_str();
        let is_empty = description.is_empty() && labels.is_empty();
        let labels = labels.into_iter().map(|(key, value)| (key.into(), value.into())).collect();
        (!is_empty).then(|| Arc::new(Self { description, labels }))
    }

    /// A description for users.
    pub fn description(&self) -> &str {
        &self.description
    }

    /// Labels for users and for filters, in the order of their keys.
    pub fn labels(&self) -> impl Iterator<Item = (&str, &str)> {
        self.labels.iter().map(|(key, value)| (&**key, &**value))
    }
}

// So that users of a job need not know which of its fields are shared.
impl Deref for Job {
    type Target = Settings;

    fn deref(&self) -> &Settings {
        &self.settings
    }
}
