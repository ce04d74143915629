//! `fastjob alarm`: sent alarms, channels and silences.

mod list;
mod silence;

use clap::Subcommand;
use fastjob_client::{
    Call, Client,
    types::{Page, Tested},
};

use super::{error::Error, out::Out, table::Table};

#[derive(Subcommand)]
pub(super) enum Alarm {
    /// List alarms, newest first, with their state
    List(list::List),
    /// List the channels
    Channels,
    /// Send a test message over a channel
    Test {
        /// The channel, as `fastjob alarm channels` shows it
        name: String,
    },
    /// Silence the alarms of a job or a channel for a while
    Silence(silence::Silence),
    /// List silences
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
    let answer = client.answer(Call::channels()).await?;
    if out.is_json() {
        return out.line(answer.text());
    }
    let Page { items: channels, .. } = answer.read()?;
    if channels.is_empty() {
        return out.line("no alarm channels: configure them in fastjob.toml as [alarms.NAME]");
    }
    let mut table = Table::new(&["CHANNEL", "KIND", "WAITS", "AT MOST EVERY", "DEFAULT OF"]);
    for channel in channels {
        let services = channel.default_for.join(", ");
        table.row([
            channel.name,
            channel.kind,
            channel.group_wait,
            channel.group_interval,
            services,
        ]);
    }
    out.table(&table)
}

async fn test(name: &str, client: &Client, out: &mut Out<'_>) -> Result<(), Error> {
    let answer = client.answer(Call::test_channel(name)).await?;
    let Tested { sent, error } = answer.read()?;
    match (out.is_json(), sent) {
        (true, _) => out.line(answer.text())?,
        (false, true) => out.line(format_args!("{name} accepted the message"))?,
        (false, false) => {
            let why = error.unwrap_or_else(|| "unknown reason".to_owned());
            return Err(Error::failed(format!("{name} did not accept the message: {why}")));
        }
    }
    if sent { Ok(()) } else { Err(Error::Reported) }
}
