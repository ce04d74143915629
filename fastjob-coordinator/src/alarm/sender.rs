//! The loops that send: one a channel, so that one that is down holds up no other.
//!
//! The store is asked every second for what is new. Sent and given up is what the store was told;
//! while it cannot be told, nothing more is sent to that channel, so that nothing is sent twice.

use std::{sync::Arc, time::Duration};

use fastjob_core::ChannelName;
use jiff::{SignedDuration, Timestamp};
use tokio::{task::JoinSet, time::Instant};
use tokio_util::sync::CancellationToken;

use super::{
    Channel, Channels, Message,
    group::{Group, Groups, HELD},
};
use crate::{clock::wall_now, store::Store};

/// Rows that are read at once.
const PAGE: u32 = 1_000;
/// Between two looks into the store.
const LOOK: Duration = Duration::from_secs(1);
/// How long after it was raised an alarm is tried again.
const GIVE_UP: SignedDuration = SignedDuration::from_hours(24);
/// How long alarms that are done are kept.
const KEPT: SignedDuration = SignedDuration::from_hours(30 * 24);
/// Between two looks for old alarms.
const SWEEP: Duration = Duration::from_secs(600);
/// Rows that are removed at once.
const PIECE: u32 = 500;

/// Sends what waits to all channels until told to stop.
pub(crate) async fn run(store: Arc<dyn Store>, channels: Channels, stop: CancellationToken) {
    let mut loops = JoinSet::new();
    for (name, channel) in channels.iter() {
        let sender = Sender::new(Arc::clone(&store), name.clone(), channel.clone());
        loops.spawn(sender.run(stop.clone()));
    }
    loops.spawn(sweep(store, stop.clone()));
    while let Some(ended) = loops.join_next().await {
        if let Err(err) = ended
            && err.is_panic()
        {
            // The others go on; the coordinator as well.
            tracing::error!("the sender of an alarm channel panicked, it sends no more");
        }
    }
    stop.cancelled().await;
}

async fn sweep(store: Arc<dyn Store>, stop: CancellationToken) {
    loop {
        let wait = match wall_now().checked_sub(KEPT) {
            Ok(before) => match store.remove_alarms(before, PIECE).await {
                Ok(removed) if removed > 0 => Duration::from_millis(200),
                Ok(_) => SWEEP,
                Err(err) => {
                    let error = &err as &dyn std::error::Error;
                    tracing::warn!(error, "old alarms not removed");
                    SWEEP
                }
            },
            Err(_) => SWEEP,
        };
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(wait) => {}
        }
    }
}

/// What became of a group, until the store knows it.
struct Done {
    numbers: Vec<i64>,
    /// The error of a message that did not go out.
    error: Option<String>,
    given_up: bool,
    at: Timestamp,
}

struct Sender {
    store: Arc<dyn Store>,
    name: ChannelName,
    channel: Channel,
    groups: Groups,
    /// Read up to this number.
    read: i64,
    started: Instant,
    untold: Option<Done>,
}

impl Sender {
    fn new(store: Arc<dyn Store>, name: ChannelName, channel: Channel) -> Self {
        let groups = Groups::new(channel.group_wait, channel.group_interval);
        Self { store, name, channel, groups, read: 0, started: Instant::now(), untold: None }
    }

    async fn run(mut self, stop: CancellationToken) {
        while !stop.is_cancelled() {
            if let Err(err) = self.step().await {
                let error = &err as &dyn std::error::Error;
                tracing::warn!(error, alarm.channel = %self.name, "alarms wait for the store");
            }
            let due = self.groups.next().map(|at| at.saturating_sub(self.started.elapsed()));
            let wait = due.map_or(LOOK, |due| due.min(LOOK)).max(Duration::from_millis(10));
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(wait) => {}
            }
        }
    }

    /// Tells the store, reads what is new, and sends at most one message.
    async fn step(&mut self) -> Result<(), crate::store::Error> {
        self.tell().await?;
        while self.groups.held() < HELD {
            let page = self.store.waiting_alarms(&self.name, self.read, PAGE).await?;
            let more = page.len() == PAGE as usize;
            for alarm in page {
                self.read = self.read.max(alarm.number);
                self.groups.add(alarm, self.started.elapsed());
            }
            if !more {
                break;
            }
        }
        if let Some(group) = self.groups.due(self.started.elapsed()) {
            self.send(group).await;
            self.tell().await?;
        }
        Ok(())
    }

    async fn send(&mut self, group: Group) {
        let sent = self.channel.send(&Message::of(&group)).await;
        let (now, at) = (self.started.elapsed(), wall_now());
        let numbers = group.numbers.clone();
        let error = sent.err();
        let mut given_up = false;
        match &error {
            None => self.groups.sent(group.key, now),
            Some(error) => {
                given_up = at.duration_since(group.last.at) > GIVE_UP;
                if given_up {
                    tracing::error!(error, alarm.channel = %self.name, alarms = numbers.len(),
                        "alarms given up after a day");
                } else {
                    if group.tries == 0 {
                        tracing::warn!(error, alarm.channel = %self.name, alarms = numbers.len(),
                            "alarms not sent, they are tried again");
                    }
                    self.groups.failed(group, now);
                }
            }
        }
        self.untold = Some(Done { numbers, error, given_up, at });
    }

    async fn tell(&mut self) -> Result<(), crate::store::Error> {
        let Some(done) = &self.untold else { return Ok(()) };
        match &done.error {
            None => self.store.alarms_sent(&done.numbers, done.at).await.map(drop)?,
            Some(error) => {
                let given_up = done.given_up.then_some(done.at);
                self.store.alarms_failed(&done.numbers, given_up, error).await?;
            }
        }
        self.untold = None;
        Ok(())
    }
}
