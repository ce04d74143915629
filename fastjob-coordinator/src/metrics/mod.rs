//! Metrics: what this node does, for Prometheus and what speaks its formats.
//!
//! Counters are atomics that parts increment, or that the loop of an engine adds to after a batch:
//! nothing that runs a task waits for a lock. Gauges are read when they are scraped. All of it is a
//! value and not global, so several coordinators of one process do not share anything. Counters are
//! those of this node since its start; in a cluster, sum them over the nodes.

mod engines;
mod histogram;
mod jobs;
mod out;
mod parts;
mod process;
mod requests;
mod saved;
mod store;
#[cfg(test)]
mod tests;
mod traces;

use std::{fmt, ops::Deref, sync::Arc};

use fastjob_engine::Tally;
use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, prometheus_text, text},
    registry::Registry,
};
use tokio::sync::Semaphore;

pub(crate) use self::{
    engines::{Figures, Held},
    parts::Channel,
    requests::Refused,
    store::{Commits, Index},
};
use self::{out::Out, process::Process};

/// The metrics of this node. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Metrics(Arc<Parts>);

/// What does not change while the node runs.
#[derive(Clone, Debug, Default)]
pub(crate) struct About {
    /// The id of this run of the process.
    pub(crate) node: String,
    /// `sqlite` or `postgres`.
    pub(crate) store: &'static str,
}

/// The metrics by part.
#[derive(Debug)]
pub(crate) struct Parts {
    about: About,
    pub(crate) engines: engines::Engines,
    pub(crate) jobs: jobs::Jobs,
    pub(crate) commits: Commits,
    pub(crate) saved: saved::Saved,
    pub(crate) index: Index,
    pub(crate) requests: requests::Requests,
    pub(crate) sessions: parts::Sessions,
    pub(crate) leases: parts::Leases,
    pub(crate) alarms: parts::Alarms,
    pub(crate) uploads: parts::Uploads,
    pub(crate) traces: traces::Traces,
    /// One scrape at a time.
    pub(crate) scraping: Semaphore,
}

impl Default for Metrics {
    /// Without metrics by job.
    fn default() -> Self {
        Self::new(0, About::default())
    }
}

impl Deref for Metrics {
    type Target = Parts;

    fn deref(&self) -> &Parts {
        &self.0
    }
}

/// What other parts say when the metrics are scraped.
#[derive(Clone, Debug, Default)]
pub(crate) struct Observed {
    /// In milliseconds since the Unix epoch.
    pub(crate) now: i64,
    pub(crate) sessions: usize,
    pub(crate) partitions_running: usize,
    pub(crate) partitions_loading: usize,
    /// Of the whole store.
    pub(crate) partitions: u32,
    pub(crate) lease_is_valid: bool,
    pub(crate) store_is_writable: bool,
    pub(crate) clock_is_paused: bool,
    pub(crate) is_ready: bool,
}

/// The format of an exposition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    /// OpenMetrics 1.0.
    OpenMetrics,
    /// The text format of Prometheus, version 0.0.4.
    Text,
}

impl Metrics {
    /// `jobs` is the number of jobs that are distinguished.
    pub(crate) fn new(jobs: usize, about: About) -> Self {
        Self(Arc::new(Parts {
            about,
            engines: engines::Engines::default(),
            jobs: jobs::Jobs::new(jobs),
            commits: Commits::default(),
            saved: saved::Saved::default(),
            index: Index::default(),
            requests: requests::Requests::default(),
            sessions: parts::Sessions::default(),
            leases: parts::Leases::default(),
            alarms: parts::Alarms::default(),
            uploads: parts::Uploads::default(),
            traces: traces::Traces::default(),
            scraping: Semaphore::new(1),
        }))
    }

    /// Adds what an engine has counted, and clears it.
    pub(crate) fn take(&self, tally: &mut Tally) {
        if tally.is_changed() {
            self.engines.add(tally);
            self.jobs.add(tally);
            tally.clear();
        }
    }

    /// Everything, in a format. Reads files of the system, so it may block for some milliseconds.
    pub(crate) fn exposition(
        &self,
        format: Format,
        observed: Observed,
    ) -> Result<String, fmt::Error> {
        let mut registry = Registry::default();
        let process = Process::read();
        registry.register_collector(Box::new(Scrape { metrics: self.clone(), observed, process }));
        let mut text = String::new();
        match format {
            Format::OpenMetrics => text::encode(&mut text, &registry)?,
            Format::Text => prometheus_text::encode(&mut text, &registry)?,
        }
        Ok(text)
    }
}

/// One scrape.
#[derive(Debug)]
struct Scrape {
    metrics: Metrics,
    observed: Observed,
    process: Process,
}

impl Collector for Scrape {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let Self { metrics, observed, process } = self;
        let out = &mut Out(encoder);
        metrics.about.write(out)?;
        observed.write(out)?;
        metrics.engines.write(observed.now, out)?;
        metrics.jobs.write(out)?;
        metrics.commits.write(out)?;
        metrics.index.write(out)?;
        metrics.sessions.write(observed.sessions as u64, out)?;
        metrics.leases.write(out)?;
        metrics.alarms.write(out)?;
        metrics.uploads.write(out)?;
        metrics.traces.write(out)?;
        metrics.requests.write(out)?;
        process.write(out)
    }
}

impl About {
    fn write(&self, out: &mut Out<'_>) -> fmt::Result {
        out.info(
            "fastjob_build",
            "The release of this coordinator, the id of this run of its process, and the kind of its store",
            &[
                ("version", env!("CARGO_PKG_VERSION")),
                ("node", self.node.as_str()),
                ("store", self.store),
            ],
        )
    }
}

impl Observed {
    fn write(&self, out: &mut Out<'_>) -> fmt::Result {
        out.flag(
            "fastjob_ready",
            "Whether this node can do its work, as /readyz says",
            self.is_ready,
        )?;
        out.flag(
            "fastjob_store_writable",
            "Whether the last write to the store succeeded",
            self.store_is_writable,
        )?;
        out.flag(
            "fastjob_lease_valid",
            "Whether this node may act: its lease has not expired",
            self.lease_is_valid,
        )?;
        out.flag(
            "fastjob_clock_paused",
            "Whether schedules are paused because the clock of this machine was set back",
            self.clock_is_paused,
        )?;
        out.gauges_by(
            "fastjob_partitions",
            "Partitions that this node holds",
            "state",
            [
                ("running", self.partitions_running as u64),
                ("loading", self.partitions_loading as u64),
            ],
        )?;
        out.gauge(
            "fastjob_store_partitions",
            "Partitions of the whole store: the sum over all nodes of those that run should be this",
            self.partitions.into(),
        )
    }
}
