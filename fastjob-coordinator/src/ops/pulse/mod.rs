//! Live pages: one computation per node, however many pages watch.
//!
//! A feed reads what the engines have counted, twice a second, and the states of the tasks that some
//! page shows, once a second. None of them waits for another. It runs while a page watches. Every watcher compares the latest reading
//! with what it has sent, so a slow one skips readings, and nothing is queued for it. The cost of a
//! feed does not depend on how many tasks there are: the engines count in any case.

mod read;
mod tasks;
#[cfg(test)]
mod tests;
mod watcher;

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, Weak,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use fastjob_client::types::Counts;
use fastjob_core::{ServiceName, TaskId};
use tokio::{
    sync::{Notify, watch},
    time::Instant,
};

pub(super) use self::read::ReadSums;
use self::tasks::Tasks;
pub(crate) use self::watcher::{PageEvent, Watcher};
use super::{Error, Ops};

/// The interval between two readings.
const BEAT: Duration = Duration::from_millis(500);
/// How soon after a reading a new watcher of a task can cause the next one.
const SOON: Duration = Duration::from_millis(100);
/// The interval between two readings of tasks.
const TASKS: Duration = Duration::from_secs(1);
/// The interval between two readings of services.
const SERVICES: Duration = Duration::from_secs(2);
/// How long a reading of tasks, and one of services, may take. The computation of services goes on
/// after it, and is there for a later reading.
const TASKS_LIMIT: Duration = Duration::from_secs(5);
const SERVICES_LIMIT: Duration = Duration::from_secs(1);
/// Most tasks that one page watches.
pub(crate) const TASKS_OF_PAGE: usize = 100;
/// Most tasks that all pages of a node watch together.
const TASKS_OF_NODE: usize = 10_000;

/// Numbers that change when a list would show something else.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Marks {
    jobs: u64,
    executors: u64,
    tasks: u64,
    alarms: u64,
    nodes: u64,
}

/// What was counted.
#[derive(Clone, Debug, PartialEq)]
struct Reading {
    counts: Counts,
    marks: Marks,
}

/// Open tasks that wait and that run, by service.
type OfServices = HashMap<ServiceName, (Option<u64>, Option<u64>)>;

/// What watchers compare with what they have sent.
#[derive(Clone, Debug, Default)]
struct Snapshot {
    /// `None` before the first reading.
    reading: Option<Reading>,
    services: Option<Arc<OfServices>>,
    /// Whether it was tried to read the services.
    has_tried_services: bool,
    tasks: Arc<tasks::Shown>,
}

/// How an open task appears to its engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Print {
    /// A number that changes with its state, its progress and what it waits for.
    Open(u64),
    /// It has ended, or does not exist.
    NotOpen,
    /// No node that acts on it answers.
    Unknown,
}

/// A task as a page shows it.
#[derive(Clone, Debug)]
struct Shot {
    task: TaskId,
    has_ended: bool,
    json: Arc<str>,
}

/// What a feed reads.
trait Source: Send + Sync + 'static {
    /// Counts. `before` is what this feed has read before.
    fn counts(&self, before: &mut read::Totals) -> impl Future<Output = Reading> + Send;
    /// Of each task how it appears.
    fn prints(
        &self,
        tasks: &[TaskId],
    ) -> impl Future<Output = Result<HashMap<TaskId, Print>, Error>> + Send;
    /// Those of the tasks that exist.
    fn shots(&self, tasks: &[TaskId]) -> impl Future<Output = Result<Vec<Shot>, Error>> + Send;
    /// The open tasks by service.
    fn services(&self) -> impl Future<Output = Result<OfServices, Error>> + Send;
}

/// The live pages of this node. Cheap to clone.
#[derive(Clone, Default)]
pub(crate) struct Pulse(Arc<Inner>);

#[derive(Default)]
struct Inner {
    state: Mutex<State>,
    /// Watchers that show the tasks of one service.
    of_service: AtomicUsize,
    /// A task is watched that was not before.
    wake_tasks: Notify,
    /// A page watches a service that did not before.
    wake_services: Notify,
    /// What was read so far: counters continue when a page opens after all others have closed.
    totals: tokio::sync::Mutex<read::Totals>,
}

#[derive(Default)]
struct State {
    feed: Weak<watch::Sender<Arc<Snapshot>>>,
    /// The tasks that are watched, and by how many watchers.
    watched: HashMap<TaskId, usize>,
}

impl Ops {
    /// Watches what happens, for a page. `service` limits the open tasks that are counted.
    ///
    /// # Errors
    ///
    /// Fails if it names too many tasks, or all pages together do.
    pub(crate) fn watch(&self, tasks: &[i64], service: Option<String>) -> Result<Watcher, Error> {
        if tasks.len() > TASKS_OF_PAGE {
            let message = format_args!("there are {}, at most {TASKS_OF_PAGE}", tasks.len());
            return Err(Error::invalid("tasks", message));
        }
        let service = service.map(|service| service.parse()).transpose();
        let service = service.map_err(|err| Error::invalid("service", err))?;
        self.pulse.watch(self.clone(), tasks.iter().copied().map(TaskId).collect(), service)
    }
}

impl Pulse {
    fn watch(
        &self,
        source: impl Source,
        mut tasks: Vec<TaskId>,
        service: Option<ServiceName>,
    ) -> Result<Watcher, Error> {
        tasks.sort_unstable();
        tasks.dedup();
        let mut state = self.lock();
        let new = tasks.iter().filter(|task| !state.watched.contains_key(task)).count();
        if new > 0 && state.watched.len() + new > TASKS_OF_NODE {
            let why = format!("pages watch {TASKS_OF_NODE} tasks already: try again later");
            return Err(Error::Unavailable(why));
        }
        for task in &tasks {
            *state.watched.entry(*task).or_default() += 1;
        }
        self.0.of_service.fetch_add(usize::from(service.is_some()), Ordering::Relaxed);
        let feed = match state.feed.upgrade() {
            Some(feed) => feed.subscribe(),
            None => {
                let (sender, receiver) = watch::channel(Arc::default());
                let sender = Arc::new(sender);
                state.feed = Arc::downgrade(&sender);
                tokio::spawn(self.clone().run(source, sender));
                receiver
            }
        };
        drop(state);
        if new > 0 {
            self.0.wake_tasks.notify_one();
        }
        if service.is_some() {
            self.0.wake_services.notify_one();
        }
        Ok(Watcher::new(self.clone(), feed, tasks, service))
    }

    /// A watcher has ended.
    fn leave(&self, tasks: impl Iterator<Item = TaskId>, service: Option<&ServiceName>) {
        let mut state = self.lock();
        for task in tasks {
            if let Some(count) = state.watched.get_mut(&task) {
                *count -= 1;
                if *count == 0 {
                    state.watched.remove(&task);
                }
            }
        }
        self.0.of_service.fetch_sub(usize::from(service.is_some()), Ordering::Relaxed);
    }

    /// Reads until no page watches. What is read slowly delays nothing else.
    async fn run(self, source: impl Source, sender: Arc<watch::Sender<Arc<Snapshot>>>) {
        tokio::select! {
            () = self.read_counts(&source, &sender) => {}
            () = self.read_tasks(&source, &sender) => {}
            () = self.read_services(&source, &sender) => {}
        }
    }

    /// Ends when no page watches.
    async fn read_counts(&self, source: &impl Source, sender: &watch::Sender<Arc<Snapshot>>) {
        loop {
            let begun = Instant::now();
            let reading = source.counts(&mut *self.0.totals.lock().await).await;
            publish(sender, |snapshot| snapshot.reading = Some(reading));
            tokio::time::sleep_until(begun + BEAT).await;
            // Under the lock, so that no page subscribes to a feed that has just ended.
            let mut state = self.lock();
            if sender.receiver_count() == 0 {
                state.feed = Weak::new();
                return;
            }
        }
    }

    /// Does not end.
    async fn read_tasks(&self, source: &impl Source, sender: &watch::Sender<Arc<Snapshot>>) {
        let mut tasks = Tasks::default();
        loop {
            let begun = Instant::now();
            let watched = self.lock().watched.keys().copied().collect();
            match tokio::time::timeout(TASKS_LIMIT, tasks.read(source, watched)).await {
                Ok(Ok(())) => {}
                Ok(Err(err)) => {
                    tracing::debug!(%err, "could not read the tasks that pages show, trying again");
                }
                Err(_) => tracing::debug!("could not read the tasks that pages show in time"),
            }
            let shown = tasks.shown();
            publish(sender, |snapshot| snapshot.tasks = shown);
            rest(begun, TASKS, &self.0.wake_tasks).await;
        }
    }

    /// Does not end.
    async fn read_services(&self, source: &impl Source, sender: &watch::Sender<Arc<Snapshot>>) {
        loop {
            let begun = Instant::now();
            if self.0.of_service.load(Ordering::Relaxed) == 0 {
                publish(sender, |snapshot| {
                    (snapshot.services, snapshot.has_tried_services) = (None, false);
                });
            } else {
                let services = match tokio::time::timeout(SERVICES_LIMIT, source.services()).await {
                    Ok(Ok(services)) => Some(Arc::new(services)),
                    Ok(Err(err)) => {
                        tracing::debug!(%err, "could not read the services that pages show");
                        None
                    }
                    Err(_) => {
                        tracing::debug!("could not read the services that pages show in time");
                        None
                    }
                };
                publish(sender, |snapshot| {
                    snapshot.has_tried_services = true;
                    if services.is_some() {
                        snapshot.services = services;
                    }
                });
            }
            rest(begun, SERVICES, &self.0.wake_services).await;
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing panics while the lock is held.
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Snapshot {
    /// Whether another one says the same, but for when it was read.
    fn is_like(&self, other: &Self) -> bool {
        let reading = match (&self.reading, &other.reading) {
            (Some(one), Some(other)) => {
                one.marks == other.marks && is_same(&one.counts, &other.counts)
            }
            (None, None) => true,
            (Some(_), None) | (None, Some(_)) => false,
        };
        reading
            && self.services == other.services
            && self.has_tried_services == other.has_tried_services
            && Arc::ptr_eq(&self.tasks, &other.tasks)
    }
}

/// Changes what watchers see, and wakes them if it says something else then.
fn publish(sender: &watch::Sender<Arc<Snapshot>>, change: impl FnOnce(&mut Snapshot)) {
    sender.send_if_modified(|snapshot| {
        let mut next = Snapshot::clone(snapshot);
        change(&mut next);
        let is_new = !snapshot.is_like(&next);
        if is_new {
            *snapshot = Arc::new(next);
        }
        is_new
    });
}

/// Waits for the next reading after one that began then.
async fn rest(begun: Instant, every: Duration, wake: &Notify) {
    tokio::select! {
        () = tokio::time::sleep_until(begun + every) => {}
        () = wake.notified() => tokio::time::sleep_until(begun + SOON).await,
    }
}

/// Whether counts are the same, whenever they were read.
fn is_same(one: &Counts, other: &Counts) -> bool {
    *one == Counts { at: one.at, ..other.clone() }
}
