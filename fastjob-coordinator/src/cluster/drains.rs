//! Executors that users drain, as this node last read them from the store.
//!
//! The store decides. A node reads all of them before it starts an engine, when another node has
//! changed one, and every few seconds in case that node could not reach it. Reads are serialized, so
//! that a late answer never replaces a newer one.

use std::{
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use fastjob_core::error::chain;
use tokio::{sync::Mutex, time::Instant};
use tokio_util::sync::CancellationToken;

use super::{Engines, keeper::in_time};
use crate::store::{DrainRow, DrainStore, Result};

/// How often a node reads them without being asked to. `docs/cluster.md` promises it.
const POLL: Duration = Duration::from_secs(5);
/// Timeout of a read.
const READ: Duration = Duration::from_secs(5);

/// The drained executors. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Drains(Arc<Inner>);

struct Inner {
    store: Arc<dyn DrainStore>,
    engines: Engines,
    rows: RwLock<Vec<DrainRow>>,
    reading: Mutex<()>,
}

impl Drains {
    pub(crate) fn new(store: Arc<dyn DrainStore>, engines: Engines) -> Self {
        let (rows, reading) = (RwLock::default(), Mutex::default());
        Self(Arc::new(Inner { store, engines, rows, reading }))
    }

    /// The drained executors as this node knows them, those that were drained first come first.
    pub(crate) fn known(&self) -> Vec<DrainRow> {
        self.0.rows.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Reads the drained executors, and notifies the engines of this node. What was stored before the
    /// call is read.
    pub(crate) async fn refresh(&self) -> Result<()> {
        let Inner { store, engines, rows, reading } = &*self.0;
        let _turn = reading.lock().await;
        let read = in_time(READ, "read the drained executors", store.drains()).await?;
        let names = read.iter().map(|row| (row.service.clone(), row.executor.clone())).collect();
        engines.set_drained(names);
        *rows.write().unwrap_or_else(PoisonError::into_inner) = read;
        Ok(())
    }

    /// Reads them every few seconds, until `stop` is cancelled.
    pub(crate) async fn run(self, stop: CancellationToken) {
        let mut fails_since = None;
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(POLL) => {}
            }
            let refreshed = tokio::select! {
                () = stop.cancelled() => return,
                refreshed = self.refresh() => refreshed,
            };
            match refreshed {
                Ok(()) => fails_since = None,
                // Logged once an outage: the store's other users report it as well.
                Err(err) if fails_since.is_none() => {
                    fails_since = Some(Instant::now());
                    tracing::warn!(
                        error = chain(&err),
                        "could not read the drained executors, retrying: until then, this node acts \
                         on those that it knows"
                    );
                }
                Err(_) => {}
            }
        }
    }
}
