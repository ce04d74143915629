//! How much the open tasks of a node may take: their number, and the bytes of their params.
//!
//! All engines of a node count into one [`OpenLimit`]: a job with very many tasks is in one
//! partition, so an equal share per partition would refuse it far below the limit. Each engine
//! keeps its own count, and subtracts it from the sum when it is dropped.
//!
//! What is counted is attempts that have not ended: a task over several shards counts once for each.
//! A new task is checked against the limit. Retries, shards and what a start loads from the store
//! are counted and never refused, because the tasks they belong to exist already.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use fastjob_core::{AttemptId, AttemptState, Cause, Shard, TaskId, TaskState};

use super::{Engine, Now, plan::NewTask, state::Open};
use crate::record::NewAttempt;

/// How many tasks may be open at a time, if nothing else is set.
const OPEN_TASKS: u32 = 1_000_000;
/// How many bytes their params may have, if nothing else is set.
const OPEN_BYTES: u64 = 1 << 30;
/// How many tasks may follow from one through children, if nothing else is set.
const DESCENDANTS: u32 = 100_000;

/// What is set for all engines of a node.
#[derive(Clone, Debug)]
pub(crate) struct Limits {
    /// Most tasks that may follow from one start through children.
    pub(crate) descendants: u32,
    pub(crate) open: Arc<OpenLimit>,
}

impl Default for Limits {
    fn default() -> Self {
        Self { descendants: DESCENDANTS, open: OpenLimit::new(OPEN_TASKS, OPEN_BYTES).into() }
    }
}

/// The open tasks of a node, and their limit.
#[derive(Debug)]
pub(crate) struct OpenLimit {
    most_tasks: u64,
    most_bytes: u64,
    tasks: AtomicU64,
    bytes: AtomicU64,
}

impl OpenLimit {
    pub(crate) fn new(most_tasks: u32, most_bytes: u64) -> Self {
        let (tasks, bytes) = (AtomicU64::new(0), AtomicU64::new(0));
        Self { most_tasks: most_tasks.into(), most_bytes, tasks, bytes }
    }

    /// How many are open, and the bytes of their params.
    #[cfg(test)]
    pub(crate) fn taken(&self) -> (u64, u64) {
        (self.tasks.load(Ordering::Relaxed), self.bytes.load(Ordering::Relaxed))
    }

    fn add(&self, size: Size) {
        self.tasks.fetch_add(size.tasks, Ordering::Relaxed);
        self.bytes.fetch_add(size.bytes, Ordering::Relaxed);
    }

    fn subtract(&self, size: Size) {
        self.tasks.fetch_sub(size.tasks, Ordering::Relaxed);
        self.bytes.fetch_sub(size.bytes, Ordering::Relaxed);
    }
}

/// Why a task is not started just now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum OverQuota {
    #[error(
        "{0} tasks may be open on this coordinator (coordinator.limits.max_open_tasks) and as many \
         are: wait until some have ended, or raise the limit"
    )]
    Tasks(u64),
    #[error(
        "the params of open tasks may have {0} bytes on this coordinator \
         (coordinator.limits.max_open_bytes), and with this one they would have more: wait until \
         some tasks have ended, or raise the limit"
    )]
    Bytes(u64),
}

impl OverQuota {
    /// Which limit is reached, for a note.
    pub(super) fn limit(self) -> String {
        match self {
            Self::Tasks(most) => {
                format!("{most} tasks are open (coordinator.limits.max_open_tasks)")
            }
            Self::Bytes(most) => {
                format!(
                    "the params of open tasks have {most} bytes (coordinator.limits.max_open_bytes)"
                )
            }
        }
    }
}

/// A number of open attempts and the bytes of their params.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Size {
    tasks: u64,
    bytes: u64,
}

/// What an open attempt counts for.
fn size(param: Option<&str>) -> Size {
    Size { tasks: 1, bytes: param.map_or(0, |param| param.len() as u64) }
}

/// The part of one engine.
#[derive(Debug)]
pub(super) struct Quota {
    node: Arc<OpenLimit>,
    mine: Size,
}

impl Quota {
    pub(super) fn new(node: Arc<OpenLimit>) -> Self {
        Self { node, mine: Size::default() }
    }

    /// Counts into another limit from now on.
    pub(super) fn join(&mut self, node: Arc<OpenLimit>) {
        self.node.subtract(self.mine);
        self.node = node;
        self.node.add(self.mine);
    }

    /// Whether so many tasks, with a param of their own or not, may be started now.
    ///
    /// # Errors
    ///
    /// Fails with [`OverQuota`] if not.
    pub(super) fn admit(&self, tasks: usize, param: Option<&str>) -> Result<(), OverQuota> {
        let Size { bytes, .. } = size(param);
        let OpenLimit { most_tasks, most_bytes, .. } = *self.node;
        let tasks = tasks as u64;
        if self.node.tasks.load(Ordering::Relaxed).saturating_add(tasks) > most_tasks {
            return Err(OverQuota::Tasks(most_tasks));
        }
        let bytes = bytes.saturating_mul(tasks);
        // A task without a param of its own takes no bytes.
        if bytes > 0 && self.node.bytes.load(Ordering::Relaxed).saturating_add(bytes) > most_bytes {
            return Err(OverQuota::Bytes(most_bytes));
        }
        Ok(())
    }

    /// An attempt with this param is open.
    pub(super) fn add(&mut self, param: Option<&str>) {
        let size = size(param);
        self.mine.tasks += size.tasks;
        self.mine.bytes += size.bytes;
        self.node.add(size);
    }

    /// An attempt that was added has ended.
    pub(super) fn remove(&mut self, param: Option<&str>) {
        let size = size(param);
        debug_assert!(self.mine.tasks >= size.tasks && self.mine.bytes >= size.bytes);
        let size =
            Size { tasks: size.tasks.min(self.mine.tasks), bytes: size.bytes.min(self.mine.bytes) };
        self.mine.tasks -= size.tasks;
        self.mine.bytes -= size.bytes;
        self.node.subtract(size);
    }
}

impl Drop for Quota {
    fn drop(&mut self) {
        self.node.subtract(self.mine);
    }
}

impl Engine {
    /// Applies the limits that all engines of a node share.
    pub(crate) fn limited(mut self, limits: Limits) -> Self {
        self.descendants = limits.descendants;
        self.quota.join(limits.open);
        self
    }

    /// Whether a new task is within the limits. Starts by callers were checked earlier, and rejected.
    pub(super) fn admit_task(&self, new: &NewTask) -> Result<(), OverQuota> {
        match new.cause {
            Cause::Schedule | Cause::Misfire | Cause::Parent => {
                self.quota.admit(1, new.param.as_deref())
            }
            Cause::Manual | Cause::Api => Ok(()),
        }
    }

    /// Records a fire or a child that exceeds the limits as a skipped task, whose note says why.
    pub(super) fn skip_task(&mut self, now: Now, task: TaskId, new: NewTask, over: OverQuota) {
        let note = format!("not started: {}", over.limit());
        let note = match &new.head.note {
            Some(first) => format!("{first}; {note}"),
            None => note,
        };
        if let Some(entry) = self.catalog.get_mut(new.job)
            && entry.job().timetable.follows_the_last_end()
            && let Some(fire_at) = new.fire_at
        {
            // There will be no end to count from; the fire may have been planned ahead.
            entry.set_anchor(entry.anchor().max(now.wall).max(fire_at));
            entry.cursor = entry.cursor.max(entry.anchor());
            self.commit.anchors.push((new.job, entry.anchor()));
        }
        self.tell_missed(now, new.job, task, &note);
        self.commit.planned.push(NewAttempt {
            attempt: task.first_attempt(),
            task,
            job: new.job,
            number: 1,
            shard: Shard::WHOLE,
            cause: new.cause,
            parent: new.head.parent,
            lineage: new.lineage,
            wanted: None,
            key: new.head.key,
            fire_at: new.fire_at,
            due_at: new.due_at,
            created_at: now.wall,
            life: None,
            param: None,
            note: Some(note),
            state: AttemptState::Skipped,
            task_state: TaskState::Skipped,
        });
    }

    /// Inserts an open attempt and counts it. All inserts go through here.
    pub(super) fn enter(&mut self, attempt: AttemptId, open: Open) {
        self.quota.add(open.param.as_deref());
        if let Some(before) = self.open.insert(attempt, open) {
            self.quota.remove(before.param.as_deref());
        }
    }

    /// Removes an open attempt and its count. All removals go through here.
    pub(super) fn take_out(&mut self, attempt: AttemptId) -> Option<Open> {
        let open = self.open.remove(&attempt)?;
        self.quota.remove(open.param.as_deref());
        Some(open)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_admits_what_all_its_engines_together_have_room_for() {
        let node = Arc::new(OpenLimit::new(3, 100));
        let (mut one, mut other) = (Quota::new(Arc::clone(&node)), Quota::new(Arc::clone(&node)));
        one.add(Some("0123456789"));
        other.add(None);
        assert_eq!(one.admit(1, Some(&"x".repeat(90))), Ok(()));
        assert_eq!(one.admit(1, Some(&"x".repeat(91))), Err(OverQuota::Bytes(100)));
        assert_eq!(one.admit(2, None), Err(OverQuota::Tasks(3)));
        other.remove(None);
        assert_eq!(one.admit(2, None), Ok(()));
        assert_eq!(node.taken(), (1, 10));
    }

    #[test]
    fn what_is_loaded_counts_and_is_never_refused() {
        let node = Arc::new(OpenLimit::new(1, 1));
        let mut quota = Quota::new(Arc::clone(&node));
        for _ in 0..3 {
            quota.add(Some("ab"));
        }
        assert_eq!(node.taken(), (3, 6));
        assert_eq!(quota.admit(1, None), Err(OverQuota::Tasks(1)));
    }

    #[test]
    fn a_task_without_a_param_is_not_refused_for_the_bytes_of_others() {
        let node = Arc::new(OpenLimit::new(10, 1));
        let mut quota = Quota::new(node);
        quota.add(Some("ab"));
        assert_eq!(quota.admit(1, None), Ok(()));
        assert_eq!(quota.admit(1, Some("a")), Err(OverQuota::Bytes(1)));
    }

    #[test]
    fn an_engine_that_ends_or_moves_takes_its_part_along() {
        let (node, next) = (Arc::new(OpenLimit::new(9, 9)), Arc::new(OpenLimit::new(9, 9)));
        let mut quota = Quota::new(Arc::clone(&node));
        quota.add(Some("abc"));
        quota.join(Arc::clone(&next));
        assert_eq!((node.taken(), next.taken()), ((0, 0), (1, 3)));
        drop(quota);
        assert_eq!(next.taken(), (0, 0));
    }
}
