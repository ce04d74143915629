//! What the engine remembers of jobs, open attempts and executors.

use std::{cmp::Ordering, collections::BTreeMap, sync::Arc, time::Duration};

use fastjob_core::{
    AttemptId, AttemptState, Cause, ExecutorName, HandlerName, Incarnation, JobId, ServiceName,
    TaskId, TaskState, route,
};
use jiff::Timestamp;

use super::{
    effect::Answer,
    event::{Beat, SessionId},
};
use crate::record::{JobRow, LifeId};

/// A job and where its schedule is.
#[derive(Debug)]
pub(crate) struct JobEntry {
    pub(crate) row: JobRow,
    /// Marks its entry among the fires; an older one means nothing.
    pub(crate) epoch: u32,
    /// Every fire of it up to here is planned.
    pub(crate) cursor: Timestamp,
    pub(crate) memory: route::Memory,
    /// Its attempts whose time has not come.
    pub(crate) planned: Vec<AttemptId>,
    /// Its open tasks that its schedule started.
    pub(crate) scheduled: u32,
}

/// An attempt that has not ended, with what is needed of its task.
#[derive(Debug)]
pub(crate) struct Open {
    pub(crate) task: TaskId,
    pub(crate) job: JobId,
    pub(crate) number: u32,
    pub(crate) cause: Cause,
    pub(crate) fire_at: Option<Timestamp>,
    pub(crate) due_at: Timestamp,
    pub(crate) created_at: Timestamp,
    pub(crate) param: Option<Arc<str>>,
    pub(crate) state: AttemptState,
    pub(crate) task_state: TaskState,
    pub(crate) step: Step,
    pub(crate) life: Option<LifeId>,
    pub(crate) started_at: Option<Timestamp>,
    /// Marks its timer; an older one means nothing.
    pub(crate) epoch: u32,
}

/// How far an attempt is on its way to an executor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// Its row is not durable yet.
    Recording,
    /// Its time has not come.
    NotDue,
    /// No executor could take it.
    Waiting,
    /// Its new placement is not durable yet.
    Placing,
    /// It may have been sent before the coordinator started anew: its executor will tell.
    Unsure,
    /// It was sent.
    Sent,
}

/// One life of an executor's process.
#[derive(Debug)]
pub(crate) struct Life {
    pub(crate) service: ServiceName,
    pub(crate) executor: ExecutorName,
    pub(crate) incarnation: Incarnation,
    pub(crate) link: u32,
    pub(crate) session: Option<SessionId>,
    /// Whether it has said that it takes no more.
    pub(crate) leaving: bool,
    /// Marks its timer; an older one means nothing.
    pub(crate) epoch: u32,
    pub(crate) since: Timestamp,
    pub(crate) address: String,
    pub(crate) version: String,
    pub(crate) capacity: u32,
    /// Attempts it was sent that have not ended.
    pub(crate) holds: u32,
    pub(crate) labels: BTreeMap<String, String>,
    pub(crate) handlers: BTreeMap<HandlerName, String>,
    pub(crate) beat: Beat,
    pub(crate) beat_at: Duration,
}

impl Life {
    /// Whether it can be sent another attempt now.
    pub(crate) fn has_place(&self) -> bool {
        self.session.is_some() && !self.leaving && self.holds < self.capacity
    }

    pub(crate) fn hosts(&self, service: &ServiceName, handler: &HandlerName) -> bool {
        self.service == *service && self.handlers.contains_key(handler)
    }
}

/// What attempts that found no executor wait for.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub(crate) struct WaitKey {
    pub(crate) service: ServiceName,
    pub(crate) handler: HandlerName,
    /// This executor and no other.
    pub(crate) executor: Option<ExecutorName>,
}

/// What goes on when a commit is durable.
#[derive(Debug)]
pub(crate) enum After {
    /// These attempts can be sent when they are due.
    Recorded(Vec<AttemptId>),
    /// The new placement of these is durable.
    Placed(Vec<AttemptId>),
    /// The outcomes of these are durable.
    Settled(Option<LifeId>, Vec<AttemptId>),
    /// Somebody waits for it.
    Answer(Answer),
}

/// What happens when a wait is over.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Timer {
    /// The executor has been away too long.
    Lost { life: LifeId, epoch: u32 },
    /// No executor came in time.
    NoExecutor { attempt: AttemptId, epoch: u32 },
}

/// A timer and its time, the earliest first in a max-heap.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct TimerEntry {
    pub(crate) at: Duration,
    pub(crate) timer: Timer,
}

impl Ord for TimerEntry {
    fn cmp(&self, other: &Self) -> Ordering {
        other.at.cmp(&self.at)
    }
}

impl PartialOrd for TimerEntry {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
