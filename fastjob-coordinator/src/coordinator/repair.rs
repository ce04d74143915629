//! Manual repairs of a store that no coordinator uses, after a wrong clock, a restored backup or damage
//! to the index. By default they only show what they would change.

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use super::{
    StartError,
    open::{Opened, store_error},
};
use crate::{
    clock::wall_now,
    config::{Config, StoreUrl},
    store::{Marks, Store, Survey},
};

/// By how much ids are raised: more than a store assigns between two backups.
const LIFT: i64 = 1_000_000_000;
/// Maximum difference between the clocks of this machine and of the database.
const AGREE: SignedDuration = SignedDuration::from_secs(5);

/// Whether a repair is written or only shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    Show,
    Write,
}

/// Why a store was not repaired. Nothing was written.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RepairError {
    /// There is no such file, and a repair does not create one.
    #[error("there is no store at {0}: set --store or FASTJOB_STORE")]
    Missing(String),
    /// The clocks disagree, so one of them is wrong.
    #[error(
        "this machine's clock says {here} and the database's {there}: correct the one that is \
         wrong, and try again"
    )]
    Clocks { here: Timestamp, there: Timestamp },
    /// The store cannot be used.
    #[error(transparent)]
    Store(#[from] StartError),
}

/// A value before a repair and after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Change<T> {
    pub(crate) before: T,
    pub(crate) after: T,
}

/// A partition whose clock or watermark is later than now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct PartitionClock {
    pub(crate) partition: u32,
    pub(crate) clock: Change<Option<Timestamp>>,
    pub(crate) watermark: Change<Option<Timestamp>>,
}

/// What `fastjob repair clock` found and did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct ClockRepair {
    pub(crate) store: String,
    pub(crate) now: Timestamp,
    pub(crate) written: bool,
    /// Partitions whose clock or watermark is later than now.
    pub(crate) partitions: Vec<PartitionClock>,
    /// Jobs whose schedule counts from an instant later than now.
    pub(crate) jobs: u64,
    /// Open attempts whose creation time is later than now.
    pub(crate) attempts: u64,
}

/// The ids of a partition.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct PartitionIds {
    pub(crate) partition: u32,
    pub(crate) ids_until: Change<i64>,
}

/// What `fastjob repair ids` found and did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct IdsRepair {
    pub(crate) store: String,
    pub(crate) written: bool,
    pub(crate) partitions: Vec<PartitionIds>,
}

/// Sets the clocks of the store back to now.
pub(crate) async fn clock(config: &Config, mode: Mode) -> Result<ClockRepair, RepairError> {
    let (store, now) = (open(config).await?, wall_now());
    let done = set_back(&*store, now, mode).await;
    close(&*store).await;
    let survey = done?;
    let back = |before: Option<Timestamp>| Change { before, after: before.map(|at| at.min(now)) };
    let partition = |marks: Marks| PartitionClock {
        partition: marks.partition.0,
        clock: back(marks.clock),
        watermark: back(marks.watermark),
    };
    let moves = |partition: &PartitionClock| {
        let PartitionClock { clock, watermark, .. } = partition;
        clock.before != clock.after || watermark.before != watermark.after
    };
    Ok(ClockRepair {
        store: config.coordinator.store.to_string(),
        now,
        written: mode == Mode::Write,
        partitions: survey.marks.into_iter().map(partition).filter(moves).collect(),
        jobs: survey.anchors,
        attempts: survey.attempts,
    })
}

async fn set_back(store: &dyn Store, now: Timestamp, mode: Mode) -> Result<Survey, RepairError> {
    let survey = store.survey(now).await.map_err(store_error)?;
    if let Some(there) = survey.clock.filter(|there| there.duration_since(now).abs() > AGREE) {
        return Err(RepairError::Clocks { here: now, there });
    }
    match mode {
        Mode::Show => Ok(survey),
        Mode::Write => Ok(store.set_back(now).await.map_err(store_error)?),
    }
}

/// Raises the next ids of the store.
pub(crate) async fn ids(config: &Config, mode: Mode) -> Result<IdsRepair, RepairError> {
    let store = open(config).await?;
    let done = match mode {
        Mode::Show => store.survey(wall_now()).await.map(|survey| survey.marks),
        Mode::Write => store.lift_ids(LIFT).await,
    };
    close(&*store).await;
    let partition = |marks: Marks| PartitionIds {
        partition: marks.partition.0,
        ids_until: Change { before: marks.ids_until, after: marks.ids_until + LIFT },
    };
    Ok(IdsRepair {
        store: config.coordinator.store.to_string(),
        written: mode == Mode::Write,
        partitions: done.map_err(store_error)?.into_iter().map(partition).collect(),
    })
}

/// What `fastjob repair index` found and did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct IndexRepair {
    pub(crate) store: String,
    pub(crate) written: bool,
    /// How many tasks the history has.
    pub(crate) tasks: u64,
}

/// Rebuilds the index of the history.
pub(crate) async fn index(config: &Config, mode: Mode) -> Result<IndexRepair, RepairError> {
    let store = open(config).await?;
    let done = match mode {
        Mode::Show => store.count_tasks().await,
        Mode::Write => store.rebuild_index().await,
    };
    close(&*store).await;
    Ok(IndexRepair {
        store: config.coordinator.store.to_string(),
        written: mode == Mode::Write,
        tasks: done.map_err(store_error)?,
    })
}

/// Opens an existing store.
async fn open(config: &Config) -> Result<std::sync::Arc<dyn Store>, RepairError> {
    if let StoreUrl::Sqlite(path) = &config.coordinator.store
        && !path.exists()
    {
        return Err(RepairError::Missing(path.display().to_string()));
    }
    Ok(Opened::open(config).await?.whole)
}

async fn close(store: &dyn Store) {
    if let Err(err) = store.close().await {
        // The writes are durable; only SQLite's WAL was not checkpointed into the file.
        tracing::warn!(error = &err as &dyn std::error::Error, "could not close the store");
    }
}
