//! The channels by name: those of the configuration and those that the program provides.

use std::{collections::BTreeMap, fmt, sync::Arc, time::Duration};

use fastjob_core::{ChannelName, ServiceName, error::chain, job::NO_ALARMS};
use fastjob_engine::DefaultAlarms;
use tokio_util::task::AbortOnDropHandle;

#[cfg(feature = "email")]
use super::email::Email;
use super::{Alarm, Error, Message, chat::Chat, http::SEND, webhook::Webhook};
use crate::{
    clock::wall_now,
    config::{AlarmConfig, AlarmTo},
};

/// A channel, and how messages to it are grouped.
#[derive(Clone)]
pub(crate) struct Channel {
    /// The kind in the configuration; `custom` if the program provides it.
    pub(crate) kind: &'static str,
    pub(crate) group_wait: Duration,
    pub(crate) group_interval: Duration,
    /// The services of which jobs without channels of their own use this one.
    pub(crate) default_for: Vec<ServiceName>,
    pub(super) alarm: Arc<dyn Alarm>,
}

impl fmt::Debug for Channel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Channel").field("kind", &self.kind).finish_non_exhaustive()
    }
}

impl Channel {
    /// A channel that the program provides.
    pub(crate) fn custom(alarm: impl Alarm + 'static) -> Self {
        let defaults = AlarmConfig::default();
        Self {
            kind: "custom",
            group_wait: defaults.group_wait,
            group_interval: defaults.group_interval,
            default_for: Vec::new(),
            alarm: Arc::new(alarm),
        }
    }

    fn configured(config: &AlarmConfig) -> Result<Self, Error> {
        let alarm: Arc<dyn Alarm> = match &config.to {
            #[cfg(feature = "email")]
            AlarmTo::Email(email) => Arc::new(Email::new(email)?),
            // The check of the configuration rejects it before.
            #[cfg(not(feature = "email"))]
            AlarmTo::Email(_) => return Err("this build sends no e-mail".into()),
            AlarmTo::Webhook(webhook) => Arc::new(Webhook::new(webhook.clone())?),
            AlarmTo::Chat(chat) => Arc::new(Chat::new(chat.clone())?),
        };
        let (group_wait, group_interval) = (config.group_wait, config.group_interval);
        let (kind, default_for) = (config.to.name(), config.default_for.clone());
        Ok(Self { kind, group_wait, group_interval, default_for, alarm })
    }

    /// Sends a message within the time limit; the error is text with all its causes. Dropping the
    /// future aborts the send.
    pub(super) async fn send(&self, message: &Message) -> Result<(), String> {
        let alarm = Arc::clone(&self.alarm);
        let message = message.clone();
        // In a task of its own, so that a panic in a channel only fails that channel.
        let sending = tokio::spawn(async move { alarm.send(&message).await });
        match tokio::time::timeout(SEND, AbortOnDropHandle::new(sending)).await {
            Ok(Ok(Ok(()))) => Ok(()),
            Ok(Ok(Err(err))) => Err(causes(&*err)),
            Ok(Err(_)) => Err("the channel panicked".to_owned()),
            Err(_) => Err(format!("it took longer than {} s", SEND.as_secs())),
        }
    }
}

fn causes(err: &(dyn std::error::Error + 'static)) -> String {
    chain(err).chars().take(1_000).collect()
}

/// All channels.
#[derive(Clone, Debug, Default)]
pub(crate) struct Channels(BTreeMap<ChannelName, Channel>);

impl Channels {
    /// The channels of the configuration and the given ones, which take precedence.
    pub(crate) fn new(
        configs: &BTreeMap<ChannelName, AlarmConfig>,
        custom: &BTreeMap<ChannelName, Channel>,
    ) -> Result<Self, String> {
        let mut all = custom.clone();
        for (name, config) in configs {
            if !all.contains_key(name) {
                let channel = Channel::configured(config)
                    .map_err(|err| format!("alarms.{name}: {}", causes(&*err)))?;
                all.insert(name.clone(), channel);
            }
        }
        Ok(Self(all))
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&ChannelName, &Channel)> {
        self.0.iter()
    }

    /// The error for an unknown channel, with the known ones; `None` if the channel exists.
    pub(crate) fn unknown(&self, name: &ChannelName) -> Option<String> {
        if self.0.contains_key(name) || name.as_str() == NO_ALARMS {
            return None;
        }
        let names: Vec<_> = self.0.keys().map(ChannelName::as_str).collect();
        let there = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
        Some(format!("no alarm channel is named `{name}`; there are {there}"))
    }

    /// The channels of jobs without channels of their own, by service.
    pub(crate) fn defaults(&self) -> DefaultAlarms {
        let mut defaults = BTreeMap::<ServiceName, Vec<ChannelName>>::new();
        for (name, channel) in &self.0 {
            for service in &channel.default_for {
                defaults.entry(service.clone()).or_default().push(name.clone());
            }
        }
        defaults.into()
    }

    /// Sends a test message; `None` if there is no such channel.
    pub(crate) async fn test(&self, name: &ChannelName) -> Option<Result<(), String>> {
        let channel = self.0.get(name)?;
        Some(channel.send(&Message::test(name.as_str(), wall_now())).await)
    }
}
