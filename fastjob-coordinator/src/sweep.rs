//! Removes data older than its retention: history, then deleted jobs and lives of executors.
//!
//! Each node sweeps the partitions that it holds. It works in short pieces and rests for as long as
//! each piece took, so that commits are not delayed. A sweep that falls behind uses larger pieces.
//! If the store fails, the sweep waits and tries again.

mod pace;
#[cfg(test)]
mod tests;

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::Duration,
};

use fastjob_core::{JobId, JobName, ServiceName};
use fastjob_engine::{Command, Event};
use jiff::{SignedDuration, Timestamp};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use self::pace::Pace;
use crate::{
    clock::Clock,
    cluster::Engines,
    sessions::Sessions,
    store::{LifeId, Partition, Result, RetentionStore},
};

/// Pause between two rounds over the history, if the last one removed everything.
const REST: Duration = Duration::from_secs(10);
/// Pause between two rounds over deleted jobs and lives.
const TIDY: Duration = Duration::from_secs(3600);
/// Pause between two checks of an uncertain clock.
const UNCERTAIN: Duration = Duration::from_secs(1);
/// Deleted jobs in one piece.
const JOBS: u32 = 500;
/// Deleted jobs and lives are kept at least this long. Code that declares a deleted job dates it
/// once a day, so this has to be several days.
const KEPT: SignedDuration = SignedDuration::from_hours(7 * 24);
/// A deleted job that an executor declares is dated again after this time.
const DATED_EVERY: SignedDuration = SignedDuration::from_hours(24);

/// What this node holds, and which of it is in use.
#[async_trait::async_trait]
pub(crate) trait Holder: Send + Sync {
    /// The partitions that this node may act on now.
    fn held(&self) -> Vec<Partition>;
    /// The jobs that connected executors declare, without duplicates, by partition.
    fn declared(&self) -> HashMap<Partition, Vec<(ServiceName, JobName)>>;
    /// The partitions whose engines answered, and the lives that these engines use.
    async fn current_lives(&self, partitions: &[Partition]) -> (Vec<Partition>, Vec<LifeId>);
    /// The store has removed deleted jobs that were dated before `before`.
    fn removed(&self, partition: Partition, jobs: Vec<JobId>, before: Timestamp);
}

/// This node: its engines and its sessions.
pub(crate) struct Node {
    pub(crate) engines: Engines,
    pub(crate) sessions: Sessions,
}

#[async_trait::async_trait]
impl Holder for Node {
    fn held(&self) -> Vec<Partition> {
        self.engines.loaded().into_iter().map(|lease| lease.partition).collect()
    }

    fn declared(&self) -> HashMap<Partition, Vec<(ServiceName, JobName)>> {
        let executors = self.sessions.executors();
        let jobs = executors.iter().flat_map(|executor| &executor.jobs);
        let names: HashSet<_> = jobs.map(|job| (&job.service, &job.name)).collect();
        let mut declared: HashMap<_, Vec<_>> = HashMap::new();
        for (service, name) in names {
            let partition = Partition::of_name(service, name, self.engines.partitions());
            declared.entry(partition).or_default().push((service.clone(), name.clone()));
        }
        declared
    }

    async fn current_lives(&self, partitions: &[Partition]) -> (Vec<Partition>, Vec<LifeId>) {
        let (mut answered, mut lives) = (Vec::new(), Vec::new());
        for partition in partitions {
            let Some(engine) = self.engines.at(*partition) else { continue };
            // A partition whose engine does not answer is left for the next round.
            if let Ok(current) = engine.query(|answer| Command::Lives { answer }).await {
                answered.push(*partition);
                lives.extend(current);
            }
        }
        (answered, lives)
    }

    fn removed(&self, partition: Partition, jobs: Vec<JobId>, before: Timestamp) {
        self.engines.tell(partition, Event::JobsRemoved { jobs, before });
    }
}

/// Removes what is older than `history`, until `stop` is cancelled; zero keeps everything. Nothing
/// is removed while the clock is uncertain.
pub(crate) async fn run<S: RetentionStore + ?Sized>(
    store: Arc<S>,
    holder: impl Holder,
    history: Duration,
    clock: Arc<Clock>,
    stop: CancellationToken,
) {
    if history.is_zero() {
        return stop.cancelled().await;
    }
    let history = SignedDuration::try_from(history).unwrap_or(SignedDuration::MAX);
    let mut sweep = Sweep { store, holder, history, clock, pace: Pace::default(), stop };
    let mut tidy_at = Instant::now() + REST;
    while !sweep.stop.is_cancelled() {
        let mut wait = sweep.history().await.unwrap_or_else(|err| {
            tracing::warn!(
                error = &err as &dyn std::error::Error,
                "could not remove old history, retrying"
            );
            REST
        });
        if Instant::now() >= tidy_at && !sweep.stop.is_cancelled() {
            match sweep.tidy().await {
                Ok(Tidied::Later) => wait = UNCERTAIN,
                Ok(Tidied::Now) => tidy_at = Instant::now() + TIDY,
                Err(err) => {
                    let error = &err as &dyn std::error::Error;
                    tracing::warn!(
                        error,
                        "could not remove deleted jobs and old executors, retrying later"
                    );
                    tidy_at = Instant::now() + TIDY;
                    wait = REST;
                }
            }
        }
        sweep.rest(wait).await;
    }
}

struct Sweep<S: ?Sized, H> {
    history: SignedDuration,
    clock: Arc<Clock>,
    pace: Pace,
    stop: CancellationToken,
    holder: H,
    store: Arc<S>,
}

/// Whether deleted jobs and lives were looked through.
enum Tidied {
    Now,
    /// The clock was uncertain.
    Later,
}

impl<S: RetentionStore + ?Sized, H: Holder> Sweep<S, H> {
    /// Removes one piece of each partition, and returns how long to wait before the next round.
    async fn history(&mut self) -> Result<Duration> {
        let mut wait = REST;
        let mut failure = None;
        for partition in self.holder.held() {
            if self.stop.is_cancelled() {
                break;
            }
            // A round may be long, so the clock is read for each piece.
            let Some(now) = self.clock.settled() else { return Ok(UNCERTAIN) };
            let Ok(before) = now.checked_sub(self.history) else { return Ok(REST) };
            let began = Instant::now();
            let rows = self.pace.rows();
            let removed = match self.store.remove_ended(partition, before, rows).await {
                Ok(removed) => removed,
                Err(err) => {
                    // The other partitions may be well.
                    failure.get_or_insert(err);
                    continue;
                }
            };
            if removed > 0 {
                tracing::debug!(partition = partition.0, removed, "old tasks removed");
                let pause = self.pace.took(began.elapsed(), removed);
                self.rest(pause).await;
                wait = Duration::ZERO;
            }
        }
        failure.map_or(Ok(wait), Err)
    }

    /// Removes deleted jobs and lives that nothing refers to.
    async fn tidy(&mut self) -> Result<Tidied> {
        let Some(now) = self.clock.settled() else { return Ok(Tidied::Later) };
        let Ok(before) = now.checked_sub(self.history.max(KEPT)) else { return Ok(Tidied::Now) };
        let since = now.checked_sub(DATED_EVERY).unwrap_or(Timestamp::MIN);
        let held = self.holder.held();
        let declared = self.holder.declared();
        for partition in &held {
            if let Some(declared) = declared.get(partition) {
                self.store.date_deleted_jobs(*partition, declared, since, now).await?;
            }
            loop {
                let began = Instant::now();
                let jobs = self.store.remove_deleted_jobs(*partition, before, JOBS).await?;
                if jobs.is_empty() || self.stop.is_cancelled() {
                    break;
                }
                tracing::debug!(
                    partition = partition.0,
                    removed = jobs.len(),
                    "deleted jobs removed"
                );
                self.holder.removed(*partition, jobs, before);
                self.rest(began.elapsed()).await;
            }
        }
        let (answered, current) = self.holder.current_lives(&held).await;
        let removed = self.store.remove_lives(&answered, &current, before).await?;
        if removed > 0 {
            tracing::debug!(removed, "old executors removed");
        }
        Ok(Tidied::Now)
    }

    async fn rest(&self, wait: Duration) {
        tokio::select! {
            () = self.stop.cancelled() => {}
            () = tokio::time::sleep(wait) => {}
        }
    }
}
