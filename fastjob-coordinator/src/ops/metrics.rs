//! The metrics of this node, for a scrape.
//!
//! Everything is in memory, so a scrape asks neither the engines nor the store nor other nodes, and
//! is answered also while these are stuck.

use std::time::Duration;

use super::{Error, Ops};
use crate::{
    clock::wall_now,
    metrics::{Format, Observed},
    store::writer::Health,
};

/// How long a scrape may wait for another one.
const TURN: Duration = Duration::from_secs(5);

impl Ops {
    /// The metrics of this node in a format.
    pub(crate) async fn metrics(&self, format: Format) -> Result<String, Error> {
        let turn = tokio::time::timeout(TURN, self.metrics.scraping.acquire()).await;
        let Ok(Ok(_turn)) = turn else {
            let why = "other requests are reading the metrics: scrape less often";
            return Err(Error::Unavailable(why.to_owned()));
        };
        let (metrics, observed) = (self.metrics.clone(), self.observed());
        // It reads files of the system, and writes some megabytes if there are many jobs.
        let written = tokio::task::spawn_blocking(move || metrics.exposition(format, observed));
        match written.await {
            Ok(Ok(text)) => Ok(text),
            Ok(Err(_)) | Err(_) => {
                Err(Error::Unavailable("the metrics were not written".to_owned()))
            }
        }
    }

    fn observed(&self) -> Observed {
        let engines = &self.engines;
        Observed {
            now: wall_now().as_millisecond(),
            sessions: self.sessions.count(),
            partitions_running: engines.loaded().len(),
            partitions_loading: engines.loading().len(),
            partitions: engines.partitions(),
            lease_is_valid: engines.may_act(),
            store_is_writable: *engines.health().borrow() == Health::Well,
            clock_is_paused: engines.paused_until().is_some(),
            is_ready: self.ready().is_ok(),
        }
    }
}
