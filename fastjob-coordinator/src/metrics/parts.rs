//! Counts of the smaller parts: sessions, leases, alarms and uploads of logs.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

use fastjob_core::ChannelName;
use fastjob_engine::GoneWhy;

use super::out::{In, Out};

/// Sessions of executors.
#[derive(Debug, Default)]
pub(crate) struct Sessions {
    pub(crate) opened: AtomicU64,
    /// Another process has the name of the executor.
    pub(crate) refused_name: AtomicU64,
    /// A limit of sessions is reached.
    pub(crate) refused_limit: AtomicU64,
    lost_stopped: AtomicU64,
    lost_disconnected: AtomicU64,
    lost_restarted: AtomicU64,
}

impl Sessions {
    /// An executor is gone, with attempts or without notice.
    pub(crate) fn lost(&self, why: GoneWhy) {
        let count = match why {
            GoneWhy::Stopped => &self.lost_stopped,
            GoneWhy::Disconnected => &self.lost_disconnected,
            GoneWhy::Restarted => &self.lost_restarted,
        };
        count.fetch_add(1, Relaxed);
    }

    pub(super) fn write(&self, open: u64, out: &mut Out<'_>) -> fmt::Result {
        out.gauge("fastjob_sessions", "Executors that are connected to this node", open)?;
        out.counter(
            "fastjob_sessions_opened",
            "Sessions of executors that were opened",
            self.opened.load(Relaxed),
        )?;
        out.counters_by(
            "fastjob_sessions_refused",
            "Sessions of executors that were refused, by reason",
            "reason",
            [
                ("name_taken", self.refused_name.load(Relaxed)),
                ("limit", self.refused_limit.load(Relaxed)),
            ],
        )?;
        out.counters_by(
            "fastjob_executors_gone",
            "Executors that were abandoned: stopped with attempts left, disconnected for too long, or restarted",
            "reason",
            [
                ("stopped", self.lost_stopped.load(Relaxed)),
                ("disconnected", self.lost_disconnected.load(Relaxed)),
                ("restarted", self.lost_restarted.load(Relaxed)),
            ],
        )
    }
}

/// Partitions that this node acquires and loses.
#[derive(Debug, Default)]
pub(crate) struct Leases {
    pub(crate) acquired: AtomicU64,
    pub(crate) released: AtomicU64,
    /// The node's lease ended, or another node has the partition.
    pub(crate) lost: AtomicU64,
    /// The partition could not be loaded, or its engine panicked.
    pub(crate) failed: AtomicU64,
}

impl Leases {
    pub(super) fn write(&self, out: &mut Out<'_>) -> fmt::Result {
        out.counter(
            "fastjob_partitions_acquired",
            "Partitions that this node acquired, at its start, by takeover or to balance the cluster",
            self.acquired.load(Relaxed),
        )?;
        out.counters_by(
            "fastjob_partitions_given_up",
            "Partitions that this node released, lost, or could not act on",
            "reason",
            [
                ("released", self.released.load(Relaxed)),
                ("lost", self.lost.load(Relaxed)),
                ("failed", self.failed.load(Relaxed)),
            ],
        )
    }
}

/// Alarms by channel.
#[derive(Debug, Default)]
pub(crate) struct Alarms(Mutex<BTreeMap<ChannelName, Arc<Channel>>>);

/// Alarms of one channel.
#[derive(Debug, Default)]
pub(crate) struct Channel {
    pub(crate) sent: AtomicU64,
    pub(crate) messages: AtomicU64,
    pub(crate) failures: AtomicU64,
    pub(crate) given_up: AtomicU64,
    pub(crate) silenced: AtomicU64,
    /// Alarms that wait, as far as this node has read them.
    pub(crate) waiting: AtomicU64,
}

impl Alarms {
    /// The counts of a channel.
    pub(crate) fn of(&self, channel: &ChannelName) -> Arc<Channel> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(all.entry(channel.clone()).or_default())
    }

    pub(super) fn write(&self, out: &mut Out<'_>) -> fmt::Result {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let read = |of: fn(&Channel) -> &AtomicU64| {
            all.iter().map(move |(name, channel)| (name.as_str(), of(channel).load(Relaxed)))
        };
        out.counters_by(
            "fastjob_alarms_sent",
            "Alarms that were sent, by channel; one message may have many",
            "channel",
            read(|channel| &channel.sent),
        )?;
        out.counters_by(
            "fastjob_alarm_messages",
            "Messages that were sent, by channel",
            "channel",
            read(|channel| &channel.messages),
        )?;
        out.counters_by(
            "fastjob_alarm_send_failures",
            "Messages that could not be sent, by channel; they are retried",
            "channel",
            read(|channel| &channel.failures),
        )?;
        out.counters_by(
            "fastjob_alarms_given_up",
            "Alarms that were abandoned after a day of retries, by channel",
            "channel",
            read(|channel| &channel.given_up),
        )?;
        out.counters_by(
            "fastjob_alarms_silenced",
            "Alarms that were not sent because they are silenced, by channel",
            "channel",
            read(|channel| &channel.silenced),
        )?;
        out.gauges_by(
            "fastjob_alarms_waiting",
            "Alarms that this node has to send, by channel",
            "channel",
            read(|channel| &channel.waiting),
        )
    }
}

/// Uploads of whole logs.
#[derive(Debug, Default)]
pub(crate) struct Uploads {
    kept: AtomicU64,
    refused: AtomicU64,
    failed: AtomicU64,
    bytes: AtomicU64,
    compressed: AtomicU64,
}

impl Uploads {
    /// A piece was kept, or was kept before.
    pub(crate) fn kept(&self, bytes: u32, compressed: usize) {
        self.kept.fetch_add(1, Relaxed);
        self.bytes.fetch_add(bytes.into(), Relaxed);
        self.compressed.fetch_add(compressed as u64, Relaxed);
    }

    /// A piece is not what it claims to be, or its executor may not send it.
    pub(crate) fn refused(&self) {
        self.refused.fetch_add(1, Relaxed);
    }

    /// The folder or the bucket failed.
    pub(crate) fn failed(&self) {
        self.failed.fetch_add(1, Relaxed);
    }

    pub(super) fn write(&self, out: &mut Out<'_>) -> fmt::Result {
        out.counters_by(
            "fastjob_log_pieces",
            "Pieces of logs that executors uploaded, by result",
            "result",
            [
                ("kept", self.kept.load(Relaxed)),
                ("refused", self.refused.load(Relaxed)),
                ("failed", self.failed.load(Relaxed)),
            ],
        )?;
        out.counters(In::Bytes, "fastjob_log_uploaded", "Bytes of logs that were uploaded")?
            .count(&[], self.bytes.load(Relaxed))?;
        out.counters(
            In::Bytes,
            "fastjob_log_uploaded_compressed",
            "The same bytes as they are kept, compressed",
        )?
        .count(&[], self.compressed.load(Relaxed))
    }
}
