//! An attempt that has not ended.

use std::{sync::Arc, time::Duration};

use fastjob_core::{AttemptId, AttemptState, ExecutorName, Progress, TaskState};
use jiff::Timestamp;

use crate::{
    event::Held,
    record::{Attempt, LifeId, Lineage, RerunOf, TaskTrace},
    state::{fleet::Placement, timers::Deadlines},
};

/// An attempt that has not ended, with the data of its task that it needs.
#[derive(Debug)]
pub(crate) struct Open {
    pub(crate) row: Attempt,
    pub(crate) param: Option<Arc<str>>,
    pub(crate) state: AttemptState,
    /// The state of its task, unless the task is spread over executors.
    pub(super) task_state: TaskState,
    pub(super) step: Step,
    /// When it is due, while it is in the queue for that.
    pub(super) due: Option<Timestamp>,
    /// Its placement, which only the [`Fleet`](crate::state::fleet::Fleet) changes.
    pub(crate) placement: Placement,
    pub(crate) started_at: Option<Timestamp>,
    /// Rarely used fields, boxed to keep `Open` small.
    rare: Option<Box<Rare>>,
}

/// The rarely used fields of an open attempt.
#[derive(Clone, Debug, Default)]
pub(crate) struct Rare {
    /// The uptime at which it is due, for delays that must not depend on the wall clock.
    pub(crate) due_in: Option<Duration>,
    /// The only executor that its task may run on.
    pub(crate) wanted: Option<ExecutorName>,
    /// It was placed before and was returned: in a lane, it does not replace tasks that came later.
    pub(crate) was_placed: bool,
    /// The executor that the shard is bound to, while that executor is connected.
    pub(crate) bound: Option<LifeId>,
    /// The executor on which the previous attempt failed.
    pub(crate) avoid: Option<ExecutorName>,
    /// The latest checkpoint of its shard.
    pub(crate) checkpoint: Option<Arc<str>>,
    /// Its deadlines; its timer is set to the earliest.
    pub(super) deadlines: Deadlines,
    /// Whether its start is or was monitored for being late.
    pub(crate) watched: bool,
    /// The latest progress report of its handler.
    pub(crate) progress: Option<Progress>,
    /// The lineage of its task; `None` for the root of a tree.
    pub(crate) lineage: Option<Lineage>,
    /// What its task runs again.
    pub(crate) rerun: Option<Arc<RerunOf>>,
    /// The trace that its task is part of.
    pub(crate) trace: Option<Arc<TaskTrace>>,
    /// When it was sent, if it is part of a trace and this engine has sent it.
    pub(crate) sent_at: Option<Timestamp>,
}

impl Rare {
    const NONE: &Self = &Self {
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
        rerun: None,
        trace: None,
        sent_at: None,
    };
}

/// The steps of an attempt on its way to an executor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// Its row is not durable yet.
    Recording,
    /// It is not due yet.
    NotDue,
    /// It is due, and waits for its turn in its job's lane across the cluster.
    Queued,
    /// It is due, and no executor could take it.
    Waiting,
    /// Its new placement is not durable yet.
    Placing,
    /// An earlier engine may have sent it: its executor will report whether it holds it.
    Unsure,
    /// It was sent.
    Sent,
}

impl Step {
    /// Whether the attempt's executor counts it: it may hold it, or is about to be sent it.
    pub(crate) fn is_held(self) -> bool {
        matches!(self, Self::Placing | Self::Unsure | Self::Sent)
    }
}

impl Open {
    /// A new attempt whose row is not durable yet, on no executor.
    pub(crate) fn new(row: Attempt, param: Option<Arc<str>>, task_state: TaskState) -> Self {
        Self {
            row,
            param,
            state: AttemptState::Planned,
            task_state,
            step: Step::Recording,
            due: None,
            placement: Placement::default(),
            started_at: None,
            rare: None,
        }
    }

    /// An attempt that an earlier engine has recorded, with its placement.
    pub(crate) fn loaded(
        row: Attempt,
        param: Option<Arc<str>>,
        task_state: TaskState,
        life: Option<LifeId>,
        step: Step,
    ) -> Self {
        let placement = Placement::loaded(life);
        Self { step, placement, ..Self::new(row, param, task_state) }
    }

    /// The retry of an attempt that has ended.
    pub(crate) fn retry(self, row: Attempt) -> Self {
        let rare = self.rare.map(|mut rare| {
            rare.deadlines = Deadlines::NONE;
            rare.sent_at = None;
            rare
        });
        Self { rare, ..Self::new(row, self.param, TaskState::Running) }
    }

    /// A shard of the task of this head.
    pub(crate) fn shard(&self, row: Attempt) -> Self {
        let mut shard = Self::new(row, self.param.clone(), self.task_state);
        shard.rare.clone_from(&self.rare);
        if let Some(rare) = &mut shard.rare {
            rare.deadlines = Deadlines::NONE;
        }
        shard
    }

    pub(crate) fn rare(&self) -> &Rare {
        self.rare.as_deref().unwrap_or(Rare::NONE)
    }

    pub(crate) fn rare_mut(&mut self) -> &mut Rare {
        self.rare.get_or_insert_default()
    }

    pub(crate) fn id(&self) -> AttemptId {
        self.row.attempt
    }

    /// How it is identified to executors.
    pub(crate) fn held(&self) -> Held {
        Held { attempt: self.row.attempt, created_at: self.row.created_at }
    }

    pub(crate) fn step(&self) -> Step {
        self.step
    }

    /// The state of its task when it was created or last moved, unless the task is spread over
    /// executors.
    pub(crate) fn task_state(&self) -> TaskState {
        self.task_state
    }

    pub(crate) fn life(&self) -> Option<LifeId> {
        self.placement.life()
    }

    pub(crate) fn deadlines(&self) -> Deadlines {
        self.rare().deadlines
    }

    /// Whether it may be on an executor.
    pub(crate) fn is_out(&self) -> bool {
        matches!(self.step, Step::Sent | Step::Unsure)
    }

    /// Whether it is placed on this life and is the attempt that `held` identifies.
    pub(crate) fn is_at(&self, life: LifeId, held: Held) -> bool {
        self.life() == Some(life) && held.names(self.row.created_at)
    }
}
