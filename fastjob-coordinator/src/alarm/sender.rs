//! The loops that send alarms: one per channel, so that a channel that is down does not delay the
//! others.
//!
//! Each loop reads new alarms from the store every second. Just before alarms are sent, the store
//! marks the silenced ones. The store also records what was sent or abandoned. While it cannot be
//! written, nothing more is sent to that channel, so that nothing is sent twice.

use std::{
    sync::{Arc, atomic::Ordering::Relaxed},
    time::Duration,
};

use fastjob_core::ChannelName;
use jiff::{SignedDuration, Timestamp};
use tokio::{task::JoinSet, time::Instant};
use tokio_util::sync::CancellationToken;

use super::{
    Channel, Channels, Message,
    group::{Group, Groups, HELD},
    sweep,
};
use crate::{
    clock::Clock,
    metrics::{self, Metrics},
    store::Store,
};

/// Rows per read.
const PAGE: u32 = 1_000;
/// Interval between two reads of the store.
const LOOK: Duration = Duration::from_secs(1);
/// Alarms are retried until this long after they were raised.
pub(super) const RETRY_FOR: SignedDuration = SignedDuration::from_hours(24);
/// How long a message in flight may take once the coordinator stops.
const LAST: Duration = Duration::from_secs(1);

/// Whether this node sends to a channel: of several nodes exactly one does.
pub(crate) type Turn = Arc<dyn Fn(&ChannelName) -> bool + Send + Sync>;

/// Sends waiting alarms to all channels until `stop` is cancelled. A panic in a sender ends this as
/// well, because otherwise unsent alarms would go unnoticed.
pub(crate) async fn run(
    store: Arc<dyn Store>,
    channels: Channels,
    turn: Turn,
    clock: Arc<Clock>,
    metrics: Metrics,
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
            metrics.clone(),
        );
        loops.spawn(sender.run(stop.clone()));
    }
    loops.spawn(sweep::run(store, channels, clock, metrics, stop.clone()));
    while let Some(ended) = loops.join_next().await {
        if let Err(err) = ended
            && let Ok(panic) = err.try_into_panic()
        {
            std::panic::resume_unwind(panic);
        }
    }
}

/// The result of a group, until the store has recorded it.
struct Done {
    numbers: Vec<i64>,
    /// Why the message was not sent.
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
    /// Alarms up to this number have been read.
    read: i64,
    started: Instant,
    unrecorded: Option<Done>,
    counts: Arc<metrics::Channel>,
    metrics: Metrics,
}

impl Sender {
    fn new(
        store: Arc<dyn Store>,
        name: ChannelName,
        channel: Channel,
        turn: Turn,
        clock: Arc<Clock>,
        metrics: Metrics,
    ) -> Self {
        let counts = metrics.alarms.of(&name);
        let groups = Groups::new(channel.group_wait, channel.group_interval);
        let (read, started, unrecorded) = (0, Instant::now(), None);
        Self {
            store,
            name,
            channel,
            turn,
            clock,
            groups,
            read,
            started,
            unrecorded,
            counts,
            metrics,
        }
    }

    async fn run(mut self, stop: CancellationToken) {
        while !stop.is_cancelled() {
            let step = self.step(&stop).await;
            self.counts.waiting.store(self.groups.held() as u64, Relaxed);
            let wait = match step {
                Ok(()) => {
                    let due = self.groups.next();
                    let due = due.map(|at| at.saturating_sub(self.started.elapsed()));
                    due.map_or(LOOK, |due| due.min(LOOK)).max(Duration::from_millis(10))
                }
                Err(err) => {
                    let error = &err as &dyn std::error::Error;
                    tracing::warn!(error, alarm.channel = %self.name,
                        "alarms are delayed: the store failed, retrying");
                    LOOK
                }
            };
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(wait) => {}
            }
        }
    }

    /// Records results in the store, reads new alarms, and sends at most one message.
    async fn step(&mut self, stop: &CancellationToken) -> Result<(), crate::store::Error> {
        self.tell().await?;
        if !(self.turn)(&self.name) {
            if self.read > 0 {
                // Another node takes over the waiting alarms.
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

    /// The alarms of a group that are left once the store has marked the silenced ones; `None` if
    /// there are none.
    async fn without_silenced(&self, group: &Group) -> Result<Option<Group>, crate::store::Error> {
        let numbers = &group.numbers;
        let now = self.clock.now().wall;
        let left = match self.store.silence_alarms(&self.name, numbers, now).await? {
            None => return Ok(Some(group.clone())),
            Some(left) => left,
        };
        let silenced = numbers.len().saturating_sub(left.len());
        if silenced > 0 {
            self.counts.silenced.fetch_add(silenced as u64, Relaxed);
            self.metrics.saved.alarms();
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
                    "sending interrupted by shutdown, the alarms are sent after the next start");
                return;
            }
        };
        let (now, at) = (self.started.elapsed(), self.clock.now().wall);
        let numbers = group.numbers.clone();
        let error = sent.err();
        let mut given_up = false;
        let alarms = numbers.len() as u64;
        match &error {
            None => {
                self.counts.sent.fetch_add(alarms, Relaxed);
                self.counts.messages.fetch_add(1, Relaxed);
                self.groups.sent(group.key, now);
            }
            Some(error) => {
                self.counts.failures.fetch_add(1, Relaxed);
                given_up = at.duration_since(group.last.at) > RETRY_FOR;
                if given_up {
                    self.counts.given_up.fetch_add(alarms, Relaxed);
                    tracing::error!(error, alarm.channel = %self.name, alarms = numbers.len(),
                        "alarms abandoned after one day");
                } else {
                    if group.tries == 0 {
                        tracing::warn!(error, alarm.channel = %self.name, alarms = numbers.len(),
                            "could not send alarms, retrying");
                    }
                    self.groups.failed(group, now);
                }
            }
        }
        self.unrecorded = Some(Done { numbers, error, given_up, at });
    }

    async fn tell(&mut self) -> Result<(), crate::store::Error> {
        let Some(done) = &self.unrecorded else { return Ok(()) };
        match &done.error {
            None => self.store.alarms_sent(&done.numbers, done.at).await.map(drop)?,
            Some(error) => {
                let given_up = done.given_up.then_some(done.at);
                self.store.alarms_failed(&done.numbers, given_up, error).await?;
            }
        }
        self.unrecorded = None;
        self.metrics.saved.alarms();
        Ok(())
    }
}

/// Returns shortly after the coordinator started to stop.
async fn stopped(stop: &CancellationToken) {
    stop.cancelled().await;
    tokio::time::sleep(LAST).await;
}
