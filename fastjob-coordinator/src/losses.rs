//! Executors that are gone: logs them once a node, and remembers the lost ones for a while.
//!
//! Every engine of the node reports a lost executor with what it held in its partition. The reports
//! of one executor arrive within milliseconds of each other, so they are gathered before they are
//! logged. Only memory is used: after a restart, the node has forgotten which executors were lost.

mod log;
#[cfg(test)]
mod tests;

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use fastjob_core::{ExecutorName, Incarnation, JobPath, ServiceName, TaskId};
use fastjob_engine::{Gone, GoneWhy, NAMED_MOST, Notice};
use jiff::{SignedDuration, Timestamp};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::{clock::wall_now, metrics::Metrics};

/// How long the reports of an executor are gathered before they are logged.
const GATHER: Duration = Duration::from_millis(500);
/// Maximum number of lost executors that are remembered.
const LOST_MOST: usize = 1_000;
/// Maximum number of executors whose reports are gathered at the same time: beyond the limit of
/// sessions, so that only a mistake reaches it.
const GATHERED_MOST: usize = 100_000;

/// The executors that are gone. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Losses(Arc<Inner>);

struct Inner {
    /// How long lost executors are remembered.
    keep: Duration,
    state: Mutex<State>,
    reported: Notify,
    metrics: Metrics,
}

#[derive(Default)]
struct State {
    gathered: BTreeMap<Key, Gathered>,
    /// Each with its number in `order`: a mass loss is many reports, so nothing is searched.
    lost: BTreeMap<Seat, (u64, LostExecutor)>,
    /// The oldest first.
    order: BTreeMap<u64, Seat>,
    next: u64,
}

type Seat = (ServiceName, ExecutorName);

/// One start of an executor's process.
type Key = (ServiceName, ExecutorName, Incarnation);

/// An executor that was lost.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct LostExecutor {
    pub(crate) service: ServiceName,
    pub(crate) executor: ExecutorName,
    pub(crate) incarnation: Incarnation,
    pub(crate) lost_at: Timestamp,
    /// When this node last heard from it.
    pub(crate) seen_at: Option<Timestamp>,
    /// How many attempts of this node's partitions it held.
    pub(crate) held: u32,
}

/// What was reported of one executor and is not logged yet.
struct Gathered {
    /// Why it is gone: of several reasons, that of the engine that lost most.
    why: GoneWhy,
    /// Whether an engine reported that it is gone, and not only what followed.
    is_gone: bool,
    held: u32,
    first: Vec<(TaskId, JobPath)>,
    failed: u32,
    retried: u32,
    first_failed: Vec<(TaskId, JobPath)>,
}

impl Losses {
    /// Remembers lost executors for this long.
    #[cfg(test)]
    pub(crate) fn new(keep: Duration) -> Self {
        Self::counting(keep, Metrics::default())
    }

    /// Remembers lost executors for this long, and counts them.
    pub(crate) fn counting(keep: Duration, metrics: Metrics) -> Self {
        let (state, reported) = (Mutex::default(), Notify::new());
        Self(Arc::new(Inner { keep, state, reported, metrics }))
    }

    /// Takes reports of an engine.
    pub(crate) fn report(&self, notices: impl IntoIterator<Item = Notice>) {
        let mut notices = notices.into_iter().peekable();
        if notices.peek().is_none() {
            return;
        }
        let now = wall_now();
        let mut state = self.lock();
        for notice in notices {
            state.take(notice, now);
        }
        drop(state);
        self.0.reported.notify_one();
    }

    /// An executor of this name connected: it is not lost any more.
    pub(crate) fn forget(&self, service: &ServiceName, executor: &ExecutorName) {
        self.lock().remove(&(service.clone(), executor.clone()));
    }

    /// The executors that were lost recently.
    pub(crate) fn list(&self) -> Vec<LostExecutor> {
        let mut state = self.lock();
        state.expire(wall_now(), self.0.keep);
        let lost = state.order.values().filter_map(|seat| state.lost.get(seat));
        lost.map(|(_, lost)| lost.clone()).collect()
    }

    /// How many executors were lost since the process started.
    pub(crate) fn count(&self) -> u64 {
        self.lock().next
    }

    /// Logs what is reported, until `stop` is cancelled.
    pub(crate) async fn run(self, stop: CancellationToken) {
        loop {
            tokio::select! {
                () = stop.cancelled() => break,
                () = self.0.reported.notified() => {}
            }
            tokio::select! {
                () = stop.cancelled() => break,
                () = tokio::time::sleep(GATHER) => {}
            }
            self.log();
        }
        self.log();
    }

    fn log(&self) {
        let gathered = {
            let mut state = self.lock();
            state.expire(wall_now(), self.0.keep);
            std::mem::take(&mut state.gathered)
        };
        for one in gathered.values().filter(|one| one.is_gone) {
            // An executor that drained and left nothing behind is not worth an alarm.
            if one.why != GoneWhy::Stopped || one.held > 0 {
                self.0.metrics.sessions.lost(one.why);
            }
        }
        log::all(gathered);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn take(&mut self, notice: Notice, now: Timestamp) {
        let gone = match &notice {
            Notice::Gone { gone, .. } | Notice::Ended { gone, .. } => Arc::clone(gone),
        };
        let key = (gone.service.clone(), gone.executor.clone(), gone.incarnation.clone());
        if self.gathered.len() >= GATHERED_MOST && !self.gathered.contains_key(&key) {
            return;
        }
        let all = self.gathered.entry(key).or_insert_with(|| Gathered::of(gone.why));
        match notice {
            Notice::Gone { held, first, .. } => {
                if held > all.held || !all.is_gone {
                    all.why = gone.why;
                }
                all.is_gone = true;
                all.held = all.held.saturating_add(held);
                add(&mut all.first, first);
                // What left in an orderly way, or came back, is not lost.
                match gone.why {
                    GoneWhy::Restarted => {}
                    GoneWhy::Stopped if held == 0 => {}
                    GoneWhy::Stopped | GoneWhy::Disconnected => self.remember(&gone, held, now),
                }
            }
            Notice::Ended { failed, retried, first, .. } => {
                all.failed = all.failed.saturating_add(failed);
                all.retried = all.retried.saturating_add(retried);
                add(&mut all.first_failed, first);
            }
        }
    }

    fn remember(&mut self, gone: &Gone, held: u32, now: Timestamp) {
        let seat = (gone.service.clone(), gone.executor.clone());
        if let Some((_, lost)) = self.lost.get_mut(&seat)
            && lost.incarnation == gone.incarnation
        {
            lost.held = lost.held.saturating_add(held);
            return;
        }
        self.remove(&seat);
        if self.lost.len() >= LOST_MOST
            && let Some((_, oldest)) = self.order.pop_first()
        {
            self.lost.remove(&oldest);
        }
        let ago = gone.silent_for.and_then(|ago| SignedDuration::try_from(ago).ok());
        let lost = LostExecutor {
            service: gone.service.clone(),
            executor: gone.executor.clone(),
            incarnation: gone.incarnation.clone(),
            lost_at: now,
            seen_at: ago.and_then(|ago| now.checked_sub(ago).ok()),
            held,
        };
        let number = self.next;
        self.next += 1;
        self.order.insert(number, seat.clone());
        self.lost.insert(seat, (number, lost));
    }

    fn remove(&mut self, seat: &Seat) {
        if let Some((number, _)) = self.lost.remove(seat) {
            self.order.remove(&number);
        }
    }

    fn expire(&mut self, now: Timestamp, keep: Duration) {
        let keep = SignedDuration::try_from(keep).unwrap_or(SignedDuration::MAX);
        while let Some((_, seat)) = self.order.first_key_value() {
            let lost_at = self.lost.get(seat).map(|(_, lost)| lost.lost_at);
            if lost_at.is_some_and(|at| now.duration_since(at) < keep) {
                return;
            }
            if let Some((_, seat)) = self.order.pop_first() {
                self.lost.remove(&seat);
            }
        }
    }
}

impl Gathered {
    fn of(why: GoneWhy) -> Self {
        Self {
            why,
            is_gone: false,
            held: 0,
            first: Vec::new(),
            failed: 0,
            retried: 0,
            first_failed: Vec::new(),
        }
    }
}

/// Adds tasks to those that are named.
fn add(named: &mut Vec<(TaskId, JobPath)>, more: Vec<(TaskId, JobPath)>) {
    let room = NAMED_MOST.saturating_sub(named.len());
    named.extend(more.into_iter().take(room));
}
