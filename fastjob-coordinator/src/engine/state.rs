//! What the engine remembers of jobs, open attempts and executors.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use fastjob_core::{
    AttemptId, AttemptState, Cause, ExecutorName, HandlerName, Incarnation, JobId, Progress,
    ServiceName, Shard, TaskId, TaskState,
    route::{Figures, Smoothed},
};
use jiff::Timestamp;

use super::{
    effect::Answer,
    event::{Beat, Held, SessionId},
    maps::IdSet,
    queues::Fifo,
    timers::Deadlines,
};
use crate::record::{LifeId, LifeRow, Lineage};

/// An attempt that has not ended, with what is needed of its task.
#[derive(Debug)]
pub(crate) struct Open {
    pub(crate) task: TaskId,
    pub(crate) job: JobId,
    pub(crate) number: u32,
    /// Which part of the task; [`NOT_SPREAD`](crate::record::NOT_SPREAD) while that is open.
    pub(crate) shard: Shard,
    pub(crate) cause: Cause,
    pub(crate) fire_at: Option<Timestamp>,
    pub(crate) due_at: Timestamp,
    pub(crate) created_at: Timestamp,
    pub(crate) param: Option<Arc<str>>,
    pub(crate) state: AttemptState,
    /// Of a task that is spread, its [`Spread`] knows the state.
    pub(crate) task_state: TaskState,
    pub(crate) step: Step,
    pub(crate) life: Option<LifeId>,
    /// Whether it is counted among what `life` was promised.
    pub(crate) promised: bool,
    pub(crate) started_at: Option<Timestamp>,
    /// Rarely used fields, boxed to keep `Open` small.
    pub(crate) more: Option<Box<More>>,
}

/// The rarely used fields of an open attempt.
#[derive(Clone, Debug, Default)]
pub(crate) struct More {
    /// Due at this uptime, for waits that no change of the wall clock may stretch.
    pub(crate) due_in: Option<Duration>,
    /// The executor that whoever started the task asked for.
    pub(crate) wanted: Option<ExecutorName>,
    /// It was placed before and comes back: in a lane it does not replace what came meanwhile.
    pub(crate) was_placed: bool,
    /// The executor whose shard it is, while that is there.
    pub(crate) bound: Option<LifeId>,
    /// Where the attempt before it failed.
    pub(crate) avoid: Option<ExecutorName>,
    /// How far its shard has come.
    pub(crate) checkpoint: Option<Arc<str>>,
    /// What it waits for; its timer is set to the earliest.
    pub(super) deadlines: Deadlines,
    /// Whether its late start is watched, or was.
    pub(crate) watched: bool,
    /// What its handler said last.
    pub(crate) progress: Option<Progress>,
    /// Where a task that another one started is among those that followed from the same start.
    pub(crate) lineage: Option<Lineage>,
}

impl Open {
    pub(crate) fn more(&self) -> &More {
        const NONE: &More = &More {
            due_in: None,
            wanted: None,
            was_placed: false,
            bound: None,
            avoid: None,
            checkpoint: None,
            deadlines: Deadlines::NONE,
            watched: false,
            progress: None,
            lineage: None,
        };
        self.more.as_deref().unwrap_or(NONE)
    }

    pub(crate) fn more_mut(&mut self) -> &mut More {
        self.more.get_or_insert_default()
    }

    /// Its name towards executors.
    pub(crate) fn named(&self, attempt: AttemptId) -> Held {
        Held { attempt, created_at: self.created_at }
    }

    /// Whether it may be on an executor.
    pub(crate) fn is_out(&self) -> bool {
        matches!(self.step, Step::Sent | Step::Unsure)
    }
}

/// A task that is laid out over several executors, while it is open.
#[derive(Debug)]
pub(crate) struct Spread {
    pub(crate) state: TaskState,
    /// By shard: its open attempt, or how it ended.
    pub(crate) shards: Vec<ShardAt>,
    /// How many have not ended.
    pub(crate) open: usize,
}

/// Where a shard is.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum ShardAt {
    Open(AttemptId),
    Ended { state: AttemptState, result: Option<String> },
}

/// What a job with a rule across the cluster is doing.
#[derive(Debug, Default)]
pub(crate) struct Lane {
    /// Attempts that were let through and have not ended, with their tasks.
    pub(crate) active: BTreeMap<AttemptId, TaskId>,
    /// Those that wait for their turn, in order.
    pub(super) queue: Fifo,
}

/// How far an attempt is on its way to an executor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// Its row is not durable yet.
    Recording,
    /// Its time has not come.
    NotDue,
    /// Due, and its job's rule across the cluster has it wait for its turn.
    Queued,
    /// No executor could take it.
    Waiting,
    /// Its new placement is not durable yet.
    Placing,
    /// It may have been sent before the coordinator started anew: its executor will tell.
    Unsure,
    /// It was sent.
    Sent,
}

impl Step {
    /// Whether the attempt's executor counts it: it may hold it, or is about to be sent it.
    pub(super) fn is_held(self) -> bool {
        matches!(self, Self::Placing | Self::Unsure | Self::Sent)
    }
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
    pub(crate) since: Timestamp,
    pub(crate) address: String,
    pub(crate) version: String,
    pub(crate) capacity: u32,
    /// Attempts that it may hold or is about to be sent: [`Step::Sent`], [`Step::Unsure`] and
    /// [`Step::Placing`].
    held: IdSet<AttemptId>,
    /// Attempts that are planned for it and not sent.
    pub(crate) promised: u32,
    pub(crate) labels: Arc<BTreeMap<String, String>>,
    pub(crate) handlers: Arc<BTreeMap<HandlerName, String>>,
    /// `None` before the first.
    pub(crate) beat: Option<Beat>,
    pub(crate) beat_at: Duration,
    pub(crate) round_trip: Smoothed,
    pub(crate) run_time: Smoothed,
    /// When the two were measured last.
    pub(crate) answered_at: Duration,
}

/// After how long an answer says nothing any more about how fast the next will be.
const ANSWER_AGE: Duration = Duration::from_secs(60);

impl Life {
    /// What routes and filters go by.
    pub(crate) fn figures(&self, uptime: Duration) -> Figures {
        let beat = self.beat.unwrap_or_default();
        let fresh = uptime.saturating_sub(self.answered_at) < ANSWER_AGE;
        let response = || match (self.round_trip.get(), self.run_time.get()) {
            (None, None) => None,
            (trip, run) => Some(trip.unwrap_or(0.0) + run.unwrap_or(0.0)),
        };
        Figures {
            cpu: self.beat.map(|beat| beat.cpu),
            memory_free: self.beat.map(|beat| beat.memory_free),
            memory_total: self.beat.map(|beat| beat.memory_total),
            response_ms: if fresh { response() } else { None },
            running: beat.running,
            waiting: beat.waiting,
            holds: self.holds().saturating_add(self.promised),
        }
    }

    /// An executor that is not connected.
    pub(super) fn new(row: &LifeRow, uptime: Duration) -> Self {
        Self {
            service: row.service.clone(),
            executor: row.executor.clone(),
            incarnation: row.incarnation.clone(),
            link: 0,
            session: None,
            leaving: false,
            since: row.since,
            address: String::new(),
            version: String::new(),
            capacity: 0,
            held: IdSet::default(),
            promised: 0,
            labels: Arc::default(),
            handlers: Arc::default(),
            beat: None,
            beat_at: uptime,
            round_trip: Smoothed::default(),
            run_time: Smoothed::default(),
            answered_at: uptime,
        }
    }

    /// How many attempts it may hold or is about to be sent.
    pub(crate) fn holds(&self) -> u32 {
        u32::try_from(self.held.len()).unwrap_or(u32::MAX)
    }

    /// The attempts that it may hold or is about to be sent, in the order of their ids.
    pub(super) fn held(&self) -> Vec<AttemptId> {
        let mut held: Vec<_> = self.held.iter().copied().collect();
        held.sort_unstable();
        held
    }

    /// Counts an attempt as held.
    pub(super) fn hold(&mut self, attempt: AttemptId) {
        self.held.insert(attempt);
    }

    /// The attempt is not held any more.
    pub(super) fn release(&mut self, attempt: AttemptId) {
        self.held.remove(&attempt);
    }

    /// Whether it takes attempts at all.
    pub(crate) fn is_live(&self) -> bool {
        self.session.is_some() && !self.leaving
    }

    /// Whether it can be sent another attempt now.
    pub(crate) fn has_place(&self) -> bool {
        self.is_live() && self.holds() < self.capacity
    }

    /// Whether its last beat said that all its places are taken: other engines send to it, too.
    pub(crate) fn is_crowded(&self) -> bool {
        self.beat.is_some_and(|beat| beat.running.saturating_add(beat.waiting) >= self.capacity)
    }

    pub(crate) fn hosts(&self, service: &ServiceName, handler: &HandlerName) -> bool {
        self.service == *service && self.handlers.contains_key(handler)
    }
}

/// What goes on when a commit is durable.
#[derive(Debug)]
pub(crate) enum After {
    /// These attempts can be sent when they are due.
    Recorded(Vec<AttemptId>),
    /// The new placement of these is durable.
    Placed(Vec<AttemptId>),
    /// The outcomes of these are durable.
    Settled(Option<LifeId>, Vec<Held>),
    /// These checkpoints are durable: newer ones of the same shards can be written.
    Checkpointed(Vec<(TaskId, u32)>),
    /// A caller waits for it.
    Answer(Answer),
}
