//! Idempotency keys of starts that a caller may not see in the store yet.
//!
//! A caller looks up its key in the store first, and then asks the engine. A lookup that begins
//! after a key is durable finds it, so the engine may forget keys that are durable. Each caller
//! sends the time at which its lookup began. If the engine has forgotten keys that this lookup may
//! have missed, the caller has to look again. So it is safe to forget a key at any time after its
//! commit, which bounds the memory.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use fastjob_core::{JobId, TaskId};
use jiff::Timestamp;

use crate::{
    event::{CommitId, Now},
    maps::Map,
};

/// How long a key is remembered after it became durable: longer than calls usually take.
const AGE: Duration = Duration::from_secs(60);
/// The maximum number of durable keys that are remembered.
const KEYS_MOST: usize = 20_000;
/// The maximum bytes of these keys.
const BYTES_MOST: usize = 4 * 1024 * 1024;

/// The idempotency key of a start, and when its caller began to look it up in the store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StartKey {
    /// The key, as the caller sent it; unique within the job.
    pub text: Arc<str>,
    /// The uptime at which the lookup began, by the clock of [`Now::uptime`].
    pub looked_at: Duration,
}

/// The begin of the keys that only the coordinator uses.
pub const OWN_KEYS: &str = "fastjob:";

/// The key of the task that a backfill starts for a fire, so that another one does not start it
/// again. `key` is the one of its caller, if it has one: another key is another backfill.
pub fn backfill_key(fire_at: Timestamp, key: Option<&str>) -> Arc<str> {
    let fire = fire_at.as_millisecond();
    match key {
        None => format!("{OWN_KEYS}backfill:{fire}").into(),
        Some(key) => format!("{OWN_KEYS}backfill:{fire}:{key}").into(),
    }
}

/// The key of the task that runs another one again, so that a repeated request does not start
/// another one.
pub fn rerun_key(of: TaskId) -> Arc<str> {
    format!("{OWN_KEYS}rerun:{}", of.0).into()
}

/// A key of a job.
pub(crate) type Key = (JobId, Arc<str>);

/// What the engine knows about a key.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Found {
    /// It started this task.
    Task(TaskId),
    /// No start has used it.
    Nothing,
    /// Unknown: the lookup in the store began too early.
    LookAgain,
}

/// The keys that the engine remembers. The number of durable keys has a limit; keys that wait for
/// their commit belong to open tasks, which have limits of their own.
pub(crate) struct Keys {
    known: Map<Key, TaskId>,
    /// Keys that are not durable yet, in the order of their commits.
    young: VecDeque<(CommitId, Key)>,
    /// Durable keys in the order in which they became durable, with the uptime at which they did.
    durable: VecDeque<(Duration, Key)>,
    /// The bytes of the durable keys.
    bytes: usize,
    /// A lookup that began at this uptime or earlier may have missed a key that was forgotten.
    forgotten: Duration,
}

impl Keys {
    /// The keys of an engine that starts now: all earlier keys are in the store.
    pub(crate) fn new(now: Now) -> Self {
        Self {
            known: Map::default(),
            young: VecDeque::new(),
            durable: VecDeque::new(),
            bytes: 0,
            forgotten: now.uptime,
        }
    }

    pub(crate) fn find(&self, key: &Key, looked_at: Duration) -> Found {
        match self.known.get(key) {
            Some(task) => Found::Task(*task),
            None if self.is_too_old(looked_at) => Found::LookAgain,
            None => Found::Nothing,
        }
    }

    /// Whether a read from the store that began at this uptime may have missed a key that was
    /// forgotten since.
    pub(crate) fn is_too_old(&self, looked_at: Duration) -> bool {
        looked_at <= self.forgotten
    }

    pub(crate) fn is_known(&self, key: &Key) -> bool {
        self.known.contains_key(key)
    }

    /// Remembers the key of a start that is written with `commit`.
    pub(crate) fn remember(&mut self, key: Key, task: TaskId, commit: CommitId) {
        self.known.insert(key.clone(), task);
        self.young.push_back((commit, key));
    }

    /// Records which keys have become durable, and forgets the oldest ones beyond the limits.
    pub(crate) fn settle(&mut self, now: Now, is_durable: impl Fn(CommitId) -> bool) {
        while let Some((_, key)) = self.young.pop_front_if(|(commit, _)| is_durable(*commit)) {
            self.bytes += key.1.len();
            self.durable.push_back((now.uptime, key));
        }
        while let Some((since, _)) = self.durable.front() {
            let is_old = now.uptime.saturating_sub(*since) >= AGE;
            if !is_old && self.durable.len() <= KEYS_MOST && self.bytes <= BYTES_MOST {
                return;
            }
            let Some((since, key)) = self.durable.pop_front() else { return };
            self.bytes -= key.1.len();
            self.forgotten = self.forgotten.max(since);
            self.known.remove(&key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Now {
        Now { wall: Timestamp::UNIX_EPOCH, uptime: Duration::from_millis(millis) }
    }

    fn key(n: usize) -> Key {
        (JobId(1), format!("k{n}").into())
    }

    fn looked(keys: &Keys, n: usize, millis: u64) -> Found {
        keys.find(&key(n), Duration::from_millis(millis))
    }

    #[test]
    fn a_key_is_known_until_every_caller_sees_it_in_the_store() {
        let mut keys = Keys::new(at(1));
        keys.remember(key(1), TaskId(7), CommitId(3));
        keys.settle(at(100_000), |_| false);
        assert_eq!(looked(&keys, 1, 2), Found::Task(TaskId(7)), "it is not durable");
        keys.settle(at(100_001), |_| true);
        keys.settle(at(160_000), |_| true);
        assert_eq!(looked(&keys, 1, 2), Found::Task(TaskId(7)));
        keys.settle(at(160_001), |_| true);
        assert_eq!(looked(&keys, 1, 100_001), Found::LookAgain);
        assert_eq!(looked(&keys, 1, 100_002), Found::Nothing, "it looked after it was durable");
        assert!(keys.known.is_empty() && keys.bytes == 0);
    }

    #[test]
    fn the_memory_for_keys_is_bounded() {
        let mut keys = Keys::new(at(0));
        for n in 0..3 * KEYS_MOST {
            keys.remember(key(n), TaskId(1), CommitId(n as u64));
            keys.settle(at(n as u64 + 1), |_| true);
            assert!(keys.known.len() <= KEYS_MOST);
        }
        // A lookup before the forgotten keys were durable is unsure, a later one is not.
        let last = (2 * KEYS_MOST) as u64;
        assert_eq!(looked(&keys, 0, last), Found::LookAgain);
        assert_eq!(looked(&keys, 0, last + 1), Found::Nothing);
        assert_eq!(looked(&keys, 2 * KEYS_MOST, 0), Found::Task(TaskId(1)));
        let long = |n: usize| (JobId(1), format!("{n:>256}").into());
        for n in 0..KEYS_MOST {
            keys.remember(long(n), TaskId(2), CommitId(n as u64));
        }
        keys.settle(at(100_000), |_| true);
        assert!(keys.bytes <= BYTES_MOST && keys.known.len() < KEYS_MOST);
    }

    #[test]
    fn a_lookup_from_before_the_engine_started_is_repeated() {
        let keys = Keys::new(at(5));
        assert_eq!(looked(&keys, 1, 5), Found::LookAgain);
        assert_eq!(looked(&keys, 1, 6), Found::Nothing);
    }
}
