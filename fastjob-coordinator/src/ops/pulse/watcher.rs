//! What one page is sent: what differs from what it was sent before, and not too often.

use std::{sync::Arc, time::Duration};

use fastjob_client::types::{Changed, Counts};
use fastjob_core::{ServiceName, TaskId};
use tokio::{sync::watch, time::Instant};

use super::{Marks, Pulse, Snapshot, is_same};

/// The shortest time between two events `counts`.
const COUNTS: Duration = Duration::from_millis(500);
/// The shortest time between two events `changed`, and between two events of a task.
const REST: Duration = Duration::from_secs(1);

/// Something to send to a page.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum PageEvent {
    Counts(Counts),
    Changed(Changed),
    /// A task, as JSON.
    Task(Arc<str>),
}

/// What a page watches, and what it was sent.
pub(crate) struct Watcher {
    pulse: Pulse,
    feed: watch::Receiver<Arc<Snapshot>>,
    service: Option<ServiceName>,
    tasks: Vec<Watched>,
    counts: Option<Counts>,
    counts_at: Option<Instant>,
    marks: Option<Marks>,
    /// What has changed since the last event about it.
    changed: Changed,
    changed_at: Option<Instant>,
}

/// A task that the page shows.
struct Watched {
    task: TaskId,
    /// The number of the shot that was sent, and when.
    sent: Option<(u64, Instant)>,
}

impl Drop for Watcher {
    fn drop(&mut self) {
        let tasks = self.tasks.iter().map(|watched| watched.task);
        self.pulse.leave(tasks, self.service.as_ref());
    }
}

impl Watcher {
    pub(super) fn new(
        pulse: Pulse,
        mut feed: watch::Receiver<Arc<Snapshot>>,
        tasks: Vec<TaskId>,
        service: Option<ServiceName>,
    ) -> Self {
        feed.mark_changed();
        Self {
            pulse,
            feed,
            service,
            tasks: tasks.into_iter().map(|task| Watched { task, sent: None }).collect(),
            counts: None,
            counts_at: None,
            marks: None,
            changed: Changed::default(),
            changed_at: None,
        }
    }

    /// The next event: the counts first. `None` if nothing more can be read: the page has to connect
    /// again.
    pub(crate) async fn next(&mut self) -> Option<PageEvent> {
        loop {
            let snapshot = Arc::clone(&self.feed.borrow_and_update());
            let now = Instant::now();
            if let Some(event) = self.event(&snapshot, now) {
                return Some(event);
            }
            let again = self.again_at(&snapshot, now);
            tokio::select! {
                changed = self.feed.changed() => changed.ok()?,
                () = until(again) => {}
            }
        }
    }

    fn event(&mut self, snapshot: &Snapshot, now: Instant) -> Option<PageEvent> {
        let reading = snapshot.reading.as_ref()?;
        let counts = self.counts_of(snapshot)?;
        // What changes from the first counts on is said, also to a page that reads them late.
        self.marks.get_or_insert(reading.marks);
        let is_new = self.counts.as_ref().is_none_or(|sent| !is_same(sent, &counts));
        if is_new && is_over(self.counts_at, COUNTS, now) {
            (self.counts, self.counts_at) = (Some(counts.clone()), Some(now));
            return Some(PageEvent::Counts(counts));
        }
        let before = self.marks.replace(reading.marks).unwrap_or(reading.marks);
        let differs = |of: fn(&Marks) -> u64| of(&before) != of(&reading.marks);
        self.changed.jobs |= differs(|marks| marks.jobs);
        self.changed.executors |= differs(|marks| marks.executors);
        self.changed.tasks |= differs(|marks| marks.tasks);
        self.changed.alarms |= differs(|marks| marks.alarms);
        self.changed.nodes |= differs(|marks| marks.nodes);
        if self.changed != Changed::default() && is_over(self.changed_at, REST, now) {
            self.changed_at = Some(now);
            return Some(PageEvent::Changed(std::mem::take(&mut self.changed)));
        }
        self.tasks.iter_mut().find_map(|watched| {
            let (number, json) = snapshot.tasks.get(&watched.task)?;
            let (sent, at) = watched.sent.unzip();
            if sent == Some(*number) || !is_over(at, REST, now) {
                return None;
            }
            watched.sent = Some((*number, now));
            Some(PageEvent::Task(Arc::clone(json)))
        })
    }

    /// When there is something to send that has to wait.
    fn again_at(&self, snapshot: &Snapshot, now: Instant) -> Option<Instant> {
        let counts = self.counts_of(snapshot);
        let has_counts = counts
            .is_some_and(|counts| self.counts.as_ref().is_some_and(|sent| !is_same(sent, &counts)));
        let counts = self.counts_at.filter(|_| has_counts).map(|at| at + COUNTS);
        let changed = self.changed_at.filter(|_| self.changed != Changed::default());
        let tasks = self.tasks.iter().filter_map(|watched| {
            let (number, _) = snapshot.tasks.get(&watched.task)?;
            watched.sent.filter(|(sent, _)| sent != number).map(|(_, at)| at + REST)
        });
        let first = counts.into_iter().chain(changed.map(|at| at + REST)).chain(tasks).min();
        first.map(|at| at.max(now))
    }

    /// The counts for this page; `None` before they are known.
    fn counts_of(&self, snapshot: &Snapshot) -> Option<Counts> {
        let counts = snapshot.reading.as_ref()?.counts.clone();
        let Some(service) = &self.service else { return Some(counts) };
        let (queued, running) = match &snapshot.services {
            Some(services) => services.get(service).copied().unwrap_or((Some(0), Some(0))),
            // They cannot be read at the moment: the page is told the rest.
            None if snapshot.has_tried_services => (None, None),
            None => return None,
        };
        Some(Counts { queued, running, ..counts })
    }
}

fn is_over(at: Option<Instant>, rest: Duration, now: Instant) -> bool {
    at.is_none_or(|at| now >= at + rest)
}

async fn until(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}
