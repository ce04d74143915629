//! Live pages: one computation per node, however many pages watch.
//!
//! A feed reads what the engines have counted, twice a second, and the states of the tasks that some
//! page shows, once a second. It runs while a page watches. Every watcher compares the latest reading
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
    wake: Notify,
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
        if new > 0 || service.is_some() {
            self.0.wake.notify_one();
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

    /// Reads until nobody watches.
    async fn run(self, source: impl Source, sender: Arc<watch::Sender<Arc<Snapshot>>>) {
        let mut tasks = Tasks::default();
        let (mut tasks_at, mut services_at): (Option<Instant>, Option<Instant>) = (None, None);
        let mut services = None;
        let mut is_woken = false;
        loop {
            let begun = Instant::now();
            let is_time =
                |at: Option<Instant>, every: Duration| at.is_none_or(|at| begun - at >= every);
            let reading = source.counts(&mut *self.0.totals.lock().await).await;
            if is_woken || is_time(tasks_at, TASKS) {
                tasks_at = Some(begun);
                let watched = self.lock().watched.keys().copied().collect();
                if let Err(err) = tasks.read(&source, watched).await {
                    tracing::debug!(%err, "could not read the tasks that pages show, trying again");
                }
            }
            if self.0.of_service.load(Ordering::Relaxed) == 0 {
                services = None;
            } else if services.is_none() || is_time(services_at, SERVICES) {
                services_at = Some(begun);
                match source.services().await {
                    Ok(read) => services = Some(Arc::new(read)),
                    Err(err) => {
                        tracing::debug!(%err, "could not read the services that pages show");
                    }
                }
            }
            let (services, tasks) = (services.clone(), tasks.shown());
            let next = Snapshot { reading: Some(reading), services, tasks };
            sender.send_if_modified(|snapshot| {
                let is_new = !snapshot.is_like(&next);
                if is_new {
                    *snapshot = Arc::new(next);
                }
                is_new
            });
            is_woken = tokio::select! {
                () = tokio::time::sleep_until(begun + BEAT) => false,
                () = self.0.wake.notified() => true,
            };
            if is_woken {
                tokio::time::sleep_until(begun + SOON).await;
            }
            // Under the lock, so that nobody subscribes to a feed that has just ended.
            let mut state = self.lock();
            if sender.receiver_count() == 0 {
                state.feed = Weak::new();
                return;
            }
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
        reading && self.services == other.services && Arc::ptr_eq(&self.tasks, &other.tasks)
    }
}

/// Whether counts are the same, whenever they were read.
fn is_same(one: &Counts, other: &Counts) -> bool {
    *one == Counts { at: one.at, ..other.clone() }
}
