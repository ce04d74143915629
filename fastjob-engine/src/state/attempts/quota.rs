//! Limits of the open tasks of a node: their number, and the bytes of their params.
//!
//! All engines of a node count into one [`OpenLimit`]: a job with very many tasks is in one
//! partition, so an equal share per partition would reject it far below the limit. Each engine
//! keeps its own count, and subtracts it from the sum when it is dropped.
//!
//! Attempts that have not ended are counted: a task with several shards counts once for each. A new
//! task is checked against the limit. Retries, shards and attempts that a restart loads from the
//! store are counted and never rejected, because the tasks they belong to exist already.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use fastjob_core::{ChannelName, ServiceName};

/// The default for the maximum number of open tasks.
const OPEN_TASKS: u32 = 1_000_000;
/// The default for the maximum bytes of their params.
const OPEN_BYTES: u64 = 1 << 30;
/// The default for the maximum number of tasks that follow from one through children.
const DESCENDANTS: u32 = 100_000;

/// The alarm channels of jobs that name none, by service.
pub type DefaultAlarms = Arc<BTreeMap<ServiceName, Vec<ChannelName>>>;

/// The limits of all engines of a node, and its default alarm channels.
#[derive(Clone, Debug)]
pub struct Limits {
    /// The maximum number of tasks that may follow from one start through children.
    pub descendants: u32,
    /// The count and the limit of open tasks, shared by all engines of the node.
    pub open: Arc<OpenLimit>,
    /// The alarm channels of jobs that name none.
    pub default_alarms: DefaultAlarms,
}

impl Default for Limits {
    fn default() -> Self {
        let open = OpenLimit::new(OPEN_TASKS, OPEN_BYTES).into();
        Self { descendants: DESCENDANTS, open, default_alarms: Arc::default() }
    }
}

/// The count of a node's open tasks, and its limit.
#[derive(Debug)]
pub struct OpenLimit {
    most_tasks: u64,
    most_bytes: u64,
    tasks: AtomicU64,
    bytes: AtomicU64,
}

impl OpenLimit {
    /// A limit of `most_tasks` open tasks, whose params may have `most_bytes` bytes together. The
    /// count begins at zero.
    pub fn new(most_tasks: u32, most_bytes: u64) -> Self {
        let (tasks, bytes) = (AtomicU64::new(0), AtomicU64::new(0));
        Self { most_tasks: most_tasks.into(), most_bytes, tasks, bytes }
    }

    /// The number of open attempts, and the bytes of their params.
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

/// Why a task cannot be started at present.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OverQuota {
    /// This many attempts may be open, and the new tasks would exceed it.
    #[error(
        "this would exceed the limit of {0} open tasks on this coordinator \
         (coordinator.limits.max_open_tasks): wait until some have ended, or raise the limit"
    )]
    Tasks(u64),
    /// The params of open attempts may have this many bytes, and the new tasks would exceed it.
    #[error(
        "this would exceed the limit of {0} bytes for the params of open tasks on this coordinator \
         (coordinator.limits.max_open_bytes): wait until some have ended, or raise the limit"
    )]
    Bytes(u64),
}

impl OverQuota {
    /// Which limit is reached, for a note.
    pub(crate) fn limit(self) -> String {
        match self {
            Self::Tasks(most) => {
                format!(
                    "the limit of {most} open tasks is reached (coordinator.limits.max_open_tasks)"
                )
            }
            Self::Bytes(most) => {
                format!(
                    "the limit of {most} bytes for the params of open tasks is reached \
                     (coordinator.limits.max_open_bytes)"
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

/// How much an open attempt counts.
fn size(param: Option<&str>) -> Size {
    Size { tasks: 1, bytes: param.map_or(0, |param| param.len() as u64) }
}

/// The count of one engine, which is also part of the node's count.
#[derive(Debug)]
pub(crate) struct Quota {
    node: Arc<OpenLimit>,
    mine: Size,
}

impl Quota {
    pub(crate) fn new(node: Arc<OpenLimit>) -> Self {
        Self { node, mine: Size::default() }
    }

    /// Moves the count to another limit.
    #[cfg(test)]
    pub(crate) fn join(&mut self, node: Arc<OpenLimit>) {
        self.node.subtract(self.mine);
        self.node = node;
        self.node.add(self.mine);
    }

    /// Whether `tasks` new tasks may be started now. `param` is the own param of each, if they have
    /// one.
    ///
    /// # Errors
    ///
    /// Fails with [`OverQuota`] if they would exceed a limit.
    pub(crate) fn admit(&self, tasks: usize, param: Option<&str>) -> Result<(), OverQuota> {
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

    /// Counts an open attempt with this param.
    pub(crate) fn add(&mut self, param: Option<&str>) {
        let size = size(param);
        self.mine.tasks += size.tasks;
        self.mine.bytes += size.bytes;
        self.node.add(size);
    }

    /// Removes an attempt that was added and has ended.
    pub(crate) fn remove(&mut self, param: Option<&str>) {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_applies_to_all_engines_of_a_node_together() {
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
    fn loaded_attempts_count_and_are_never_rejected() {
        let node = Arc::new(OpenLimit::new(1, 1));
        let mut quota = Quota::new(Arc::clone(&node));
        for _ in 0..3 {
            quota.add(Some("ab"));
        }
        assert_eq!(node.taken(), (3, 6));
        assert_eq!(quota.admit(1, None), Err(OverQuota::Tasks(1)));
    }

    #[test]
    fn a_task_without_a_param_is_not_rejected_by_the_limit_of_bytes() {
        let node = Arc::new(OpenLimit::new(10, 1));
        let mut quota = Quota::new(node);
        quota.add(Some("ab"));
        assert_eq!(quota.admit(1, None), Ok(()));
        assert_eq!(quota.admit(1, Some("a")), Err(OverQuota::Bytes(1)));
    }

    #[test]
    fn an_engine_that_ends_or_moves_no_longer_counts_towards_its_former_limit() {
        let (node, next) = (Arc::new(OpenLimit::new(9, 9)), Arc::new(OpenLimit::new(9, 9)));
        let mut quota = Quota::new(Arc::clone(&node));
        quota.add(Some("abc"));
        quota.join(Arc::clone(&next));
        assert_eq!((node.taken(), next.taken()), ((0, 0), (1, 3)));
        drop(quota);
        assert_eq!(next.taken(), (0, 0));
    }
}
