//! Reports of running attempts: checkpoints and progress.
//!
//! A handler may report as often as it likes: only the latest report is kept, and sent at a limited
//! rate. Reports that are pending when an attempt ends are sent with its outcome or just before it.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use fastjob_core::{
    Partition, Progress,
    id_map::IdMap,
    wire::{BATCH_BYTES, BATCH_MAX},
};
use tokio::time::Instant;

use super::name::Name;

/// Minimum time between two batches of checkpoints.
const CHECKPOINTS: Duration = Duration::from_millis(100);
/// Minimum time between two batches of progress.
const PROGRESS: Duration = Duration::from_millis(500);

/// The latest reports of one attempt.
pub(super) struct Said {
    name: Name,
    checkpoint: Mutex<Latest<Arc<str>>>,
    progress: Mutex<Latest<Progress>>,
}

/// The latest value, and whether it still has to be sent.
struct Latest<T> {
    value: Option<T>,
    untold: bool,
}

impl<T: Clone> Latest<T> {
    const NOTHING: Self = Self { value: None, untold: false };

    /// Stores a value. Returns true if no earlier value was pending.
    fn say(&mut self, value: T) -> bool {
        self.value = Some(value);
        !std::mem::replace(&mut self.untold, true)
    }

    /// Takes the pending value and marks it as sent.
    fn tell(&mut self) -> Option<T> {
        if std::mem::take(&mut self.untold) { self.value.clone() } else { None }
    }

    /// Marks the value as pending again. Returns whether there is one.
    fn again(&mut self) -> bool {
        self.untold = self.value.is_some();
        self.untold
    }
}

fn lock<T>(latest: &Mutex<Latest<T>>) -> MutexGuard<'_, Latest<T>> {
    latest.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Said {
    pub(super) fn new(name: Name) -> Self {
        Self {
            name,
            checkpoint: Mutex::new(Latest::NOTHING),
            progress: Mutex::new(Latest::NOTHING),
        }
    }

    /// Stores a checkpoint. Returns whether the attempt must be queued for sending.
    pub(super) fn checkpoint(&self, json: &Arc<str>) -> bool {
        lock(&self.checkpoint).say(Arc::clone(json))
    }

    /// Stores progress. Returns whether the attempt must be queued for sending.
    pub(super) fn progress(&self, progress: Progress) -> bool {
        lock(&self.progress).say(progress)
    }

    /// The latest checkpoint.
    pub(super) fn last_checkpoint(&self) -> Option<Arc<str>> {
        lock(&self.checkpoint).value.clone()
    }

    fn tell_checkpoint(&self) -> Option<(Name, Arc<str>)> {
        Some((self.name, lock(&self.checkpoint).tell()?))
    }

    fn tell_progress(&self) -> Option<(Name, Progress)> {
        Some((self.name, lock(&self.progress).tell()?))
    }
}

/// The reports of a partition to send now.
#[derive(Default)]
pub(super) struct Batch {
    /// As JSON.
    pub(super) checkpoints: Vec<(Name, Arc<str>)>,
    pub(super) progress: Vec<(Name, Progress)>,
}

/// What has to be sent, by partition.
#[derive(Default)]
pub(super) struct Reports {
    partitions: IdMap<Partition, Queue>,
}

#[derive(Default)]
struct Queue {
    checkpoints: Untold,
    progress: Untold,
    /// Progress of attempts that have ended: sent before their outcomes.
    last: VecDeque<(Name, Progress)>,
}

/// Attempts with pending reports, and when these may be sent.
#[derive(Default)]
struct Untold {
    attempts: VecDeque<Arc<Said>>,
    not_before: Option<Instant>,
}

impl Untold {
    fn is_due(&self, now: Instant) -> bool {
        !self.attempts.is_empty() && self.not_before.is_none_or(|at| at <= now)
    }

    fn due_at(&self, now: Instant) -> Option<Instant> {
        (!self.attempts.is_empty()).then(|| self.not_before.unwrap_or(now))
    }

    /// Takes what is due, up to a limit. Once everything is sent, the next batch has to wait.
    fn tell<T>(
        &mut self,
        now: Instant,
        every: Duration,
        most: usize,
        tell: impl Fn(&Said) -> Option<(T, usize)>,
    ) -> Vec<T> {
        let (mut sent, mut bytes) = (Vec::new(), 0);
        if !self.is_due(now) {
            return sent;
        }
        while sent.len() < most && bytes < BATCH_BYTES {
            let Some(said) = self.attempts.pop_front() else { break };
            if let Some((what, size)) = tell(&said) {
                sent.push(what);
                bytes += size;
            }
        }
        if self.attempts.is_empty() {
            self.not_before = Some(now + every);
        }
        sent
    }
}

impl Reports {
    /// An attempt has a new checkpoint.
    pub(super) fn checkpoint(&mut self, partition: Partition, said: &Arc<Said>) {
        self.queue(partition).checkpoints.attempts.push_back(Arc::clone(said));
    }

    /// An attempt has new progress.
    pub(super) fn progress(&mut self, partition: Partition, said: &Arc<Said>) {
        self.queue(partition).progress.attempts.push_back(Arc::clone(said));
    }

    /// An attempt has ended. Its outcome includes its checkpoint.
    pub(super) fn ended(&mut self, partition: Partition, said: &Said) {
        // Not sent separately: an unsuccessful outcome includes it. The attempt stays in the queue
        // while no coordinator is connected, but its checkpoint does not have to.
        *lock(&said.checkpoint) = Latest::NOTHING;
        let progress = said.tell_progress();
        *lock(&said.progress) = Latest::NOTHING;
        if let Some(progress) = progress {
            let last = &mut self.queue(partition).last;
            // While no coordinator is connected, the latest entries are enough.
            if last.len() == BATCH_MAX {
                last.pop_front();
            }
            last.push_back(progress);
        }
    }

    /// A new session knows nothing: the latest reports of running attempts are sent again.
    pub(super) fn again<'a>(
        &mut self,
        partition: Partition,
        running: impl Iterator<Item = &'a Arc<Said>>,
    ) {
        let queue = self.queue(partition);
        (queue.checkpoints, queue.progress) = (Untold::default(), Untold::default());
        for said in running {
            if lock(&said.checkpoint).again() {
                queue.checkpoints.attempts.push_back(Arc::clone(said));
            }
            if lock(&said.progress).again() {
                queue.progress.attempts.push_back(Arc::clone(said));
            }
        }
    }

    /// The reports of a partition to send now, bounded.
    pub(super) fn next(&mut self, partition: Partition, now: Instant) -> Batch {
        let Some(queue) = self.partitions.get_mut(&partition) else { return Batch::default() };
        let checkpoints = queue.checkpoints.tell(now, CHECKPOINTS, BATCH_MAX, |said| {
            let (name, json) = said.tell_checkpoint()?;
            let size = json.len();
            Some(((name, json), size))
        });
        // The same bound as for outcomes, so that no outcome overtakes its attempt's last progress.
        let last = queue.last.len().min(BATCH_MAX);
        let mut progress: Vec<_> = queue.last.drain(..last).collect();
        progress.extend(queue.progress.tell(now, PROGRESS, BATCH_MAX - last, |said| {
            let (name, progress) = said.tell_progress()?;
            let size = progress.note.len();
            Some(((name, progress), size))
        }));
        Batch { checkpoints, progress }
    }

    /// When a report of a partition is due.
    pub(super) fn due_at(&self, partition: Partition, now: Instant) -> Option<Instant> {
        let queue = self.partitions.get(&partition)?;
        let last = (!queue.last.is_empty()).then_some(now);
        let rest = [queue.checkpoints.due_at(now), queue.progress.due_at(now)];
        rest.into_iter().chain([last]).flatten().min()
    }

    fn queue(&mut self, partition: Partition) -> &mut Queue {
        self.partitions.entry(partition).or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const IT: Partition = Partition(0);

    /// An attempt of a partition that reports.
    struct Speaker(Arc<Said>);

    impl Speaker {
        fn new(attempt: i64) -> Self {
            Self(Arc::new(Said::new(Name::of(attempt, 7))))
        }

        fn progress(&self, reports: &mut Reports, done: u64) {
            if self.0.progress(Progress { done, ..Progress::default() }) {
                reports.progress(IT, &self.0);
            }
        }

        fn checkpoint(&self, reports: &mut Reports, json: &str) {
            if self.0.checkpoint(&json.into()) {
                reports.checkpoint(IT, &self.0);
            }
        }
    }

    fn progress(reports: &mut Reports, now: Instant) -> Vec<(i64, u64)> {
        let sent = reports.next(IT, now).progress;
        sent.iter().map(|(name, progress)| (name.id.0, progress.done)).collect()
    }

    fn checkpoints(reports: &mut Reports, now: Instant) -> Vec<(i64, String)> {
        let sent = reports.next(IT, now).checkpoints;
        sent.iter().map(|(name, json)| (name.id.0, json.to_string())).collect()
    }

    #[test]
    fn only_the_latest_progress_is_sent_and_at_a_limited_rate() {
        let (mut reports, now) = (Reports::default(), Instant::now());
        let (one, two) = (Speaker::new(1), Speaker::new(2));
        for done in 0..1_000 {
            one.progress(&mut reports, done);
        }
        two.progress(&mut reports, 5);
        assert_eq!(progress(&mut reports, now), [(1, 999), (2, 5)]);
        one.progress(&mut reports, 1_000);
        one.progress(&mut reports, 1_001);
        assert!(progress(&mut reports, now + PROGRESS / 2).is_empty());
        assert_eq!(reports.due_at(IT, now), Some(now + PROGRESS));
        assert_eq!(progress(&mut reports, now + PROGRESS), [(1, 1_001)]);
        assert_eq!(reports.due_at(IT, now), None);
    }

    #[test]
    fn an_attempt_that_ended_while_disconnected_does_not_keep_its_checkpoint() {
        let (mut reports, now) = (Reports::default(), Instant::now());
        let one = Speaker::new(1);
        one.checkpoint(&mut reports, "1");
        reports.ended(IT, &one.0);
        assert_eq!(one.0.last_checkpoint(), None);
        assert!(checkpoints(&mut reports, now).is_empty());
    }

    #[test]
    fn the_last_progress_is_sent_at_once_when_an_attempt_ends() {
        let (mut reports, now) = (Reports::default(), Instant::now());
        let one = Speaker::new(1);
        one.progress(&mut reports, 1);
        assert_eq!(progress(&mut reports, now), [(1, 1)]);
        one.progress(&mut reports, 2);
        one.checkpoint(&mut reports, "7");
        reports.ended(IT, &one.0);
        assert_eq!(reports.due_at(IT, now), Some(now));
        let sent = reports.next(IT, now);
        assert!(sent.checkpoints.is_empty(), "the outcome includes it");
        assert_eq!(sent.progress[0].1.done, 2);
        assert!(progress(&mut reports, now + PROGRESS).is_empty());
    }

    #[test]
    fn progress_of_ended_attempts_goes_first_and_shares_the_bound_with_running_ones() {
        let (mut reports, now) = (Reports::default(), Instant::now());
        let speakers: Vec<_> = (0..BATCH_MAX as i64 + 10).map(Speaker::new).collect();
        for speaker in &speakers {
            speaker.progress(&mut reports, 1);
        }
        let most = BATCH_MAX - 5;
        for speaker in &speakers[10..10 + most] {
            reports.ended(IT, &speaker.0);
        }
        let first = progress(&mut reports, now);
        assert_eq!(first.len(), BATCH_MAX);
        assert_eq!((first[0], first[most]), ((10, 1), (0, 1)));
        assert_eq!(progress(&mut reports, now).len(), 10 + 5 - 5);
        assert_eq!(reports.due_at(IT, now), None);
    }

    #[test]
    fn after_a_reconnect_the_latest_reports_of_running_attempts_are_sent_again() {
        let (mut reports, now) = (Reports::default(), Instant::now());
        let (one, silent) = (Speaker::new(1), Speaker::new(2));
        one.checkpoint(&mut reports, "1");
        assert_eq!(checkpoints(&mut reports, now), [(1, "1".to_owned())]);
        one.checkpoint(&mut reports, "2");
        one.checkpoint(&mut reports, "3");
        reports.again(IT, [&one.0, &silent.0].into_iter());
        assert_eq!(checkpoints(&mut reports, now), [(1, "3".to_owned())]);
        assert!(checkpoints(&mut reports, now + CHECKPOINTS).is_empty());
    }

    #[test]
    fn a_batch_of_checkpoints_is_bounded_in_bytes_and_the_rest_follows_at_once() {
        let (mut reports, now) = (Reports::default(), Instant::now());
        let long = "x".repeat(fastjob_core::context::CHECKPOINT_MAX);
        let speakers: Vec<_> = (0..40).map(Speaker::new).collect();
        for speaker in &speakers {
            speaker.checkpoint(&mut reports, &long);
        }
        assert_eq!(checkpoints(&mut reports, now).len(), BATCH_BYTES / long.len());
        assert_eq!(checkpoints(&mut reports, now).len(), 8);
    }
}
