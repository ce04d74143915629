//! Alarms: which channels there are, and whether one works.

use fastjob_core::ChannelName;

use super::{ChannelView, Error, Ops, Tested};

impl Ops {
    /// The channels, by name.
    pub(crate) fn list_channels(&self) -> Vec<ChannelView> {
        self.channels
            .iter()
            .map(|(name, channel)| ChannelView {
                name: name.to_string(),
                kind: channel.kind.to_owned(),
                group_wait: fastjob_core::duration::to_text(channel.group_wait),
                group_interval: fastjob_core::duration::to_text(channel.group_interval),
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
