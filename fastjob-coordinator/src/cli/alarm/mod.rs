//! `fastjob alarm`: what people were told, over which channels, and what they do not want to hear.

mod list;
mod silence;

use clap::Subcommand;

use super::{client::Client, error::Error, out::Out, table::Table};
use crate::{ChannelView, Page, Tested};

#[derive(Subcommand)]
pub(super) enum Alarm {
    /// List alarms, newest first, with what became of them
    List(list::List),
    /// List the channels
    Channels,
    /// Send a test message over a channel
    Test {
        /// The channel, as `fastjob alarm channels` shows it
        name: String,
    },
    /// Tell nothing of a job or over a channel for a while
    Silence(silence::Silence),
    /// List what is silenced
    Silences,
    /// End a silence
    Unsilence(silence::Unsilence),
}

impl Alarm {
    pub(super) async fn run(self, client: &Client, out: &mut Out<'_>) -> Result<(), Error> {
        match self {
            Self::List(list) => list.run(client, out).await,
            Self::Channels => channels(client, out).await,
            Self::Test { name } => test(&name, client, out).await,
            Self::Silence(silence) => silence.run(client, out).await,
            Self::Silences => silence::list(client, out).await,
            Self::Unsilence(unsilence) => unsilence.run(client, out).await,
        }
    }
}

async fn channels(client: &Client, out: &mut Out<'_>) -> Result<(), Error> {
    let answer = client.get(&["alarms", "channels"], &[]).await?;
    if out.is_json() {
        return out.line(&answer.body);
    }
    let Page { items: channels, .. } = answer.read::<Page<ChannelView>>()?;
    if channels.is_empty() {
        return out.line("no alarm channels: they are configured as [alarms.NAME]");
    }
    let mut table = Table::new(&["CHANNEL", "KIND", "WAITS", "AT MOST EVERY"]);
    for channel in channels {
        table.row([channel.name, channel.kind, channel.group_wait, channel.group_interval]);
    }
    out.line(table)
}

async fn test(name: &str, client: &Client, out: &mut Out<'_>) -> Result<(), Error> {
    let nothing = serde_json::Value::Null;
    let answer = client.post(&["alarms", "channels", name, "test"], &nothing).await?;
    let Tested { sent, error } = answer.read()?;
    match (out.is_json(), sent) {
        (true, _) => out.line(&answer.body)?,
        (false, true) => out.line(format_args!("{name} took the message"))?,
        (false, false) => {
            let why = error.unwrap_or_else(|| "no reason was given".to_owned());
            return Err(Error::failed(format!("{name} did not take the message: {why}")));
        }
    }
    if sent { Ok(()) } else { Err(Error::Told) }
}
