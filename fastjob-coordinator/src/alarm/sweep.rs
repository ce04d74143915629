//! Removes alarms that were sent, silenced or abandoned long ago, and silences that have expired.
//! Abandons alarms of channels that are no longer configured, because no sender reads them.

use std::{collections::HashSet, sync::Arc, time::Duration};

use fastjob_core::ChannelName;
use jiff::{SignedDuration, Timestamp};
use tokio_util::sync::CancellationToken;

use super::{Channels, sender::RETRY_FOR};
use crate::{
    clock::Clock,
    metrics::Metrics,
    store::{Result, Store},
};

/// How long sent, silenced and abandoned alarms are kept.
const KEPT: SignedDuration = SignedDuration::from_hours(30 * 24);
/// Pause between two rounds.
const REST: Duration = Duration::from_secs(600);
/// Pause between two pieces of a round.
const BREATH: Duration = Duration::from_millis(200);
/// Pause between two checks of an uncertain clock.
const UNCERTAIN: Duration = Duration::from_secs(1);
/// Rows that are changed at once.
const PIECE: u32 = 500;
/// The error recorded with an alarm whose channel is not configured.
const STRANGER: &str = "the channel is not configured";

/// Sweeps at once and then periodically, until `stop` is cancelled. Nothing is removed while the
/// clock is uncertain.
pub(super) async fn run(
    store: Arc<dyn Store>,
    channels: Channels,
    clock: Arc<Clock>,
    metrics: Metrics,
    stop: CancellationToken,
) {
    let configured = channels.iter().map(|(name, _)| name.clone()).collect();
    let mut sweep = Sweep { store, configured, logged: HashSet::new(), metrics };
    loop {
        let wait = match clock.settled() {
            None => UNCERTAIN,
            Some(now) => match sweep.tick(now).await {
                Ok(true) => BREATH,
                Ok(false) => REST,
                Err(err) => {
                    let error = &err as &dyn std::error::Error;
                    tracing::warn!(
                        error,
                        "could not remove old alarms and silences, retrying later"
                    );
                    REST
                }
            },
        };
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(wait) => {}
        }
    }
}

struct Sweep {
    store: Arc<dyn Store>,
    configured: Vec<ChannelName>,
    /// Unconfigured channels that have been logged.
    logged: HashSet<ChannelName>,
    metrics: Metrics,
}

impl Sweep {
    /// Returns whether there may be more to do.
    async fn tick(&mut self, now: Timestamp) -> Result<bool> {
        self.store.remove_expired_silences(now).await?;
        let strangers = self.give_up_strangers(now).await?;
        let removed = match now.checked_sub(KEPT) {
            Ok(before) => self.store.remove_alarms(before, PIECE).await?,
            Err(_) => 0,
        };
        Ok(removed > 0 || strangers >= PIECE as usize)
    }

    async fn give_up_strangers(&mut self, now: Timestamp) -> Result<usize> {
        let Ok(before) = now.checked_sub(RETRY_FOR) else { return Ok(0) };
        let configured = &self.configured;
        let given_up = self.store.give_up_alarms(configured, before, now, STRANGER, PIECE).await?;
        let count = given_up.len();
        if count > 0 {
            self.metrics.saved.alarms();
        }
        for channel in given_up {
            if !self.logged.contains(&channel) {
                tracing::error!(alarm.channel = %channel,
                    "alarms abandoned after one day: the channel is not configured");
                self.logged.insert(channel);
            }
        }
        Ok(count)
    }
}
