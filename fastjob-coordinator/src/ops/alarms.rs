//! Alarms: listing past alarms and channels, and testing a channel.
//!
//! A text is looked for here and not by the store, so that upper and lower case are equal in every
//! language. A page looks at a bounded number of alarms, and says how far it came.

use fastjob_core::ChannelName;

use super::{AlarmView, ChannelView, Error, Ops, Page, Tested, jobs::page};
use crate::store::{AlarmFilter, PastAlarm};

/// How many alarms are read at once to look for a text, and how often for one page.
const LOOKED_AT: u32 = 2_000;
const LOOKS: u32 = 10;

/// The filters of a list of alarms, as the caller wrote them.
#[derive(Clone, Debug, Default)]
pub(crate) struct ListAlarms {
    pub(crate) job: Option<String>,
    pub(crate) channel: Option<String>,
    pub(crate) text: Option<String>,
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
        if let Some(text) = ask.text {
            return self.alarms_with(&text.to_lowercase(), filter, limit as usize).await;
        }
        let mut rows = self.store.past_alarms(&filter).await?;
        let more = rows.len() > limit as usize;
        rows.truncate(limit as usize);
        let last = rows.last().filter(|_| more).map(|row| row.alarm.number.to_string());
        Ok(Page::new(rows.into_iter().map(view).collect(), last))
    }

    /// Those that contain a text, which is in lower case.
    async fn alarms_with(
        &self,
        text: &str,
        mut filter: AlarmFilter,
        limit: usize,
    ) -> Result<Page<AlarmView>, Error> {
        filter.limit = LOOKED_AT;
        let (mut found, mut searched_to) = (Vec::new(), None);
        for _ in 0..LOOKS {
            let rows = self.store.past_alarms(&filter).await?;
            let is_last = rows.len() < LOOKED_AT as usize;
            if let Some(last) = rows.last() {
                filter.below = Some(last.alarm.number);
                searched_to = Some(last.alarm.at);
            }
            found.extend(rows.into_iter().filter(|row| has_text(row, text)));
            if found.len() > limit {
                found.truncate(limit);
                let last = found.last().map(|row| row.alarm.number.to_string());
                return Ok(Page::new(found.into_iter().map(view).collect(), last));
            }
            if is_last {
                return Ok(Page::new(found.into_iter().map(view).collect(), None));
            }
        }
        let below = filter.below.map(|number| number.to_string());
        Ok(Page { searched_to, ..Page::new(found.into_iter().map(view).collect(), below) })
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

/// Whether one of the texts that a list shows contains the text, which is in lower case.
fn has_text(row: &PastAlarm, text: &str) -> bool {
    let PastAlarm { alarm, last_error, .. } = row;
    let texts = [&alarm.job_name, &alarm.reason, &alarm.message].into_iter();
    let mut texts = texts.chain(&alarm.executor).chain(last_error);
    texts.any(|one| one.to_lowercase().contains(text))
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

#[cfg(test)]
mod tests {
    use fastjob_core::JobId;
    use jiff::Timestamp;

    use super::*;
    use crate::store::{AlarmKind, AlarmState, WaitingAlarm};

    #[test]
    fn a_text_is_found_in_all_that_a_list_shows_of_an_alarm() {
        let alarm = WaitingAlarm {
            number: 1,
            job: JobId(1),
            task: None,
            kind: AlarmKind::Failed,
            at: Timestamp::UNIX_EPOCH,
            job_name: "billing.Report".to_owned(),
            reason: "timed out".to_owned(),
            message: "Änderung abgelehnt".to_owned(),
            executor: Some("node-7".to_owned()),
            attempts: 1,
        };
        let row = PastAlarm {
            alarm,
            channel: "ops".parse().unwrap(),
            state: AlarmState::GivenUp,
            tries: 3,
            last_error: Some("Connection refused".to_owned()),
            done_at: None,
        };
        for text in ["billing.rep", "timed", "änderung", "node-7", "connection"] {
            assert!(has_text(&row, text), "{text}");
        }
        assert!(!has_text(&row, "ops"), "the channel has a filter of its own");
    }
}
