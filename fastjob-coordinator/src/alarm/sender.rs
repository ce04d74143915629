//! The loops that send: one a channel, so that one that is down holds up no other.
//!
//! The store is asked every second for what is new. Whether an alarm is silenced is judged when it
//! is about to be sent, by the store, which marks it. Sent and given up is what the store was told;
//! while it cannot be told, nothing more is sent to that channel, so that nothing is sent twice.

use std::{sync::Arc, time::Duration};

use fastjob_core::ChannelName;
use jiff::{SignedDuration, Timestamp};
use tokio::{task::JoinSet, time::Instant};
use tokio_util::sync::CancellationToken;

use super::{
    Channel, Channels, Message,
    group::{Group, Groups, HELD},
    sweep,
};
use crate::{clock::Clock, store::Store};

/// Rows that are read at once.
const PAGE: u32 = 1_000;
/// Between two looks into the store.
const LOOK: Duration = Duration::from_secs(1);
/// How long after it was raised an alarm is tried again.
pub(super) const GIVE_UP: SignedDuration = SignedDuration::from_hours(24);
/// How long a message that is on its way may take once the coordinator stops.
const LAST: Duration = Duration::from_secs(1);

/// Whether it is this node's turn to send to a channel: of several nodes it is one's.
pub(crate) type Turn = Arc<dyn Fn(&ChannelName) -> bool + Send + Sync>;

/// Sends what waits to all channels until told to stop. A sender that panics ends it: alarms that
/// no one sends would not be missed.
pub(crate) async fn run(
    store: Arc<dyn Store>,
    channels: Channels,
    turn: Turn,
    clock: Arc<Clock>,
    stop: CancellationToken,
) {
    let mut loops = JoinSet::new();
    for (name, channel) in channels.iter() {
        let sender = Sender::new(
            Arc::clone(&store),
            name.clone(),
            channel.clone(),
            Arc::clone(&turn),
            Arc::clone(&clock),
        );
        loops.spawn(sender.run(stop.clone()));
    }
    loops.spawn(sweep::run(store, channels, clock, stop.clone()));
    while let Some(ended) = loops.join_next().await {
        if let Err(err) = ended
            && let Ok(panic) = err.try_into_panic()
        {
            std::panic::resume_unwind(panic);
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
    turn: Turn,
    clock: Arc<Clock>,
    groups: Groups,
    /// Read up to this number.
    read: i64,
    started: Instant,
    untold: Option<Done>,
}

impl Sender {
    fn new(
        store: Arc<dyn Store>,
        name: ChannelName,
        channel: Channel,
        turn: Turn,
        clock: Arc<Clock>,
    ) -> Self {
        let groups = Groups::new(channel.group_wait, channel.group_interval);
        let (read, started, untold) = (0, Instant::now(), None);
        Self { store, name, channel, turn, clock, groups, read, started, untold }
    }

    async fn run(mut self, stop: CancellationToken) {
        while !stop.is_cancelled() {
            let wait = match self.step(&stop).await {
                Ok(()) => {
                    let due = self.groups.next();
                    let due = due.map(|at| at.saturating_sub(self.started.elapsed()));
                    due.map_or(LOOK, |due| due.min(LOOK)).max(Duration::from_millis(10))
                }
                Err(err) => {
                    let error = &err as &dyn std::error::Error;
                    tracing::warn!(error, alarm.channel = %self.name, "alarms wait for the store");
                    LOOK
                }
            };
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(wait) => {}
            }
        }
    }

    /// Tells the store, reads what is new, and sends at most one message.
    async fn step(&mut self, stop: &CancellationToken) -> Result<(), crate::store::Error> {
        self.tell().await?;
        if !(self.turn)(&self.name) {
            if self.read > 0 {
                // Another node goes on with what waits.
                self.groups = Groups::new(self.channel.group_wait, self.channel.group_interval);
                self.read = 0;
            }
            return Ok(());
        }
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
            match self.without_silenced(&group).await {
                Ok(Some(group)) => self.send(group, stop).await,
                Ok(None) => {}
                Err(err) => {
                    self.groups.put_back(group);
                    return Err(err);
                }
            }
            self.tell().await?;
        }
        Ok(())
    }

    /// What is left of a group once the store has marked what is silenced; `None` if nothing is.
    async fn without_silenced(&self, group: &Group) -> Result<Option<Group>, crate::store::Error> {
        let numbers = &group.numbers;
        let now = self.clock.now().wall;
        let left = match self.store.silence_alarms(&self.name, numbers, now).await? {
            None => return Ok(Some(group.clone())),
            Some(left) => left,
        };
        let silenced = numbers.len().saturating_sub(left.len());
        if silenced > 0 {
            tracing::debug!(alarm.channel = %self.name, alarms = silenced, "alarms silenced");
        }
        Ok(group.with_only(left))
    }

    async fn send(&mut self, group: Group, stop: &CancellationToken) {
        let message = Message::of(&group);
        let sent = tokio::select! {
            sent = self.channel.send(&message) => sent,
            () = stopped(stop) => {
                tracing::warn!(alarm.channel = %self.name, alarms = group.numbers.len(),
                    "a message was cut off by the stop, its alarms are sent at the next start");
                return;
            }
        };
        let (now, at) = (self.started.elapsed(), self.clock.now().wall);
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

/// Ends a moment after the coordinator was told to stop.
async fn stopped(stop: &CancellationToken) {
    stop.cancelled().await;
    tokio::time::sleep(LAST).await;
}
