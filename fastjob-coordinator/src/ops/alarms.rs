//! Alarms: listing past alarms and channels, and testing a channel.

use fastjob_core::ChannelName;

use super::{AlarmView, ChannelView, Error, Ops, Page, Tested, jobs::page};
use crate::store::{AlarmFilter, PastAlarm};

/// The filters of a list of alarms, as the caller wrote them.
#[derive(Clone, Debug, Default)]
pub(crate) struct ListAlarms {
    pub(crate) job: Option<String>,
    pub(crate) channel: Option<String>,
    pub(crate) cursor: Option<String>,
    pub(crate) limit: Option<u32>,
}

impl Ops {
    /// Alarms and their delivery states, newest first; one item per channel.
    pub(crate) async fn list_alarms(&self, ask: ListAlarms) -> Result<Page<AlarmView>, Error> {
        let limit = page(ask.limit)?;
        let job = match &ask.job {
            Some(path) => Some(self.find(path).await?.id),
            None => None,
        };
        // The channel may no longer be configured.
        let channel = ask
            .channel
            .map(|text| text.parse::<ChannelName>().map_err(|err| Error::invalid("channel", err)))
            .transpose()?;
        let below = ask
            .cursor
            .map(|text| text.parse::<i64>().ok().filter(|number| *number > 0).ok_or(()))
            .transpose()
            .map_err(|()| Error::invalid("cursor", "it did not come from a list of alarms"))?;
        let filter = AlarmFilter { job, channel, below, limit: limit + 1 };
        let mut rows = self.store.past_alarms(&filter).await?;
        let more = rows.len() > limit as usize;
        rows.truncate(limit as usize);
        let last = rows.last().filter(|_| more).map(|row| row.alarm.number.to_string());
        Ok(Page::new(rows.into_iter().map(view).collect(), last))
    }

    /// The channels, by name.
    pub(crate) fn list_channels(&self) -> Vec<ChannelView> {
        self.channels
            .iter()
            .map(|(name, channel)| ChannelView {
                name: name.to_string(),
                kind: channel.kind.to_owned(),
                group_wait: fastjob_core::duration::to_text(channel.group_wait),
                group_interval: fastjob_core::duration::to_text(channel.group_interval),
                default_for: channel.default_for.iter().map(ToString::to_string).collect(),
            })
            .collect()
    }

    /// Sends a test message over a channel.
    pub(crate) async fn test_channel(&self, name: &str) -> Result<Tested, Error> {
        let name: ChannelName = name.parse().map_err(|err| Error::invalid("name", err))?;
        match self.channels.test(&name).await {
            Some(sent) => Ok(Tested { sent: sent.is_ok(), error: sent.err() }),
            None => Err(Error::NotFound(self.channels.unknown(&name).unwrap_or_default())),
        }
    }
}

fn view(row: PastAlarm) -> AlarmView {
    let alarm = row.alarm;
    AlarmView {
        id: alarm.number,
        kind: alarm.kind.as_str().to_owned(),
        job: alarm.job_name,
        task: alarm.task.map(|task| task.0),
        channel: row.channel.to_string(),
        state: row.state.as_str().to_owned(),
        tries: row.tries,
        last_error: row.last_error,
        reason: alarm.reason,
        message: alarm.message,
        executor: alarm.executor,
        attempts: alarm.attempts,
        at: alarm.at,
        done_at: row.done_at,
    }
}
