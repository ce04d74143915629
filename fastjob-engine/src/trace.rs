//! What tasks and attempts of a recorded trace did, for tracing systems. Nothing depends on it.
//!
//! The engine only says what has ended. It hands that out when the end is durable, so an end that is
//! lost with a lease is reported once, by the next owner.

use std::sync::Arc;

use fastjob_core::{
    Cause, ExecutorName, Job, JobId, TaskId, TaskState, Trace, TraceContext, attempt::End,
};
use jiff::Timestamp;
use rand::RngExt;

use crate::{
    engine::Engine,
    event::Now,
    record::{Attempt, EndedAttempt, NewAttempt, TaskTrace},
    rules::plan::NewTask,
    state::attempts::Open,
};

/// The longest message of a span, in bytes.
const MESSAGE_MOST: usize = 1_024;

/// Something of a recorded trace that has ended.
#[derive(Clone, Debug, PartialEq)]
pub enum Span {
    /// An attempt: from its dispatch to its end.
    Attempt(Box<AttemptSpan>),
    /// A task: from its creation to its end.
    Task(Box<TaskSpan>),
}

/// An attempt of a recorded trace.
#[derive(Clone, Debug, PartialEq)]
pub struct AttemptSpan {
    /// The trace of its task.
    pub trace: Arc<TaskTrace>,
    /// The attempt.
    pub row: Attempt,
    /// The definition of its job; `None` if that is not known any more.
    pub job: Option<Arc<Job>>,
    /// The executor that it was placed on; `None` if it was on none.
    pub executor: Option<ExecutorName>,
    /// When it was sent; `None` if it was not, or if an earlier engine has sent it.
    pub sent_at: Option<Timestamp>,
    /// When its handler was entered; `None` if it never was.
    pub started_at: Option<Timestamp>,
    /// When it ended.
    pub ended_at: Timestamp,
    /// How it ended.
    pub end: End,
    /// Why it ended like this.
    pub message: Option<String>,
}

/// A task of a recorded trace.
#[derive(Clone, Debug, PartialEq)]
pub struct TaskSpan {
    /// Its trace.
    pub trace: Arc<TaskTrace>,
    /// The task.
    pub task: TaskId,
    /// Its job.
    pub job_id: JobId,
    /// The definition of its job; `None` if that is not known any more.
    pub job: Option<Arc<Job>>,
    /// Why it was started.
    pub cause: Cause,
    /// Its fire; `None` if it has none.
    pub fire_at: Option<Timestamp>,
    /// How it ended.
    pub state: TaskState,
    /// When it ended.
    pub ended_at: Timestamp,
    /// Why it ended like this.
    pub message: Option<String>,
}

impl AttemptSpan {
    /// The ids of the span, and those of its parent.
    pub fn contexts(&self) -> (TraceContext, TraceContext) {
        let trace = self.trace.trace.context;
        (trace.of_attempt(self.row.attempt), trace.of_task(self.row.task))
    }
}

impl TaskSpan {
    /// The ids of the span, and those of its parent; `None` if the trace begins with this span.
    pub fn contexts(&self) -> (TraceContext, Option<TraceContext>) {
        let parent = self.trace.trace.context;
        let own = parent.of_task(self.task);
        (own, Some(parent).filter(|parent| parent.span != own.span))
    }
}

impl Engine {
    /// The trace of a new task. That of a fire begins with the task, if it is recorded.
    pub(crate) fn trace_of(
        &mut self,
        now: Now,
        task: TaskId,
        new: &NewTask,
    ) -> Option<Arc<TaskTrace>> {
        let trace = match (&new.trace, new.cause) {
            (Some(trace), _) => trace.clone(),
            (None, Cause::Schedule | Cause::Misfire) => {
                let sampler = self.traces?;
                let root = TraceContext::root(self.dice.random(), 1);
                root.of_task(task).into_recorded(sampler)?.into()
            }
            // What started it decides whether it is part of a trace.
            (None, Cause::Manual | Cause::Api | Cause::Parent | Cause::Backfill) => return None,
        };
        Some(Arc::new(TaskTrace { trace, since: now.wall }))
    }

    /// The trace of what an attempt causes: its handler, and children.
    pub(crate) fn trace_below(&self, open: &Open) -> Option<Trace> {
        let trace = &open.rare().trace.as_deref()?.trace;
        // A span that is not exported must not be a parent: what comes below would have none.
        Some(match self.traces.filter(|_| trace.context.is_sampled) {
            Some(_) => trace.at(trace.context.of_attempt(open.id())),
            None => trace.clone(),
        })
    }

    /// Whether spans of this trace are handed out.
    fn is_recorded(&self, trace: &TaskTrace) -> bool {
        self.traces.is_some() && trace.trace.context.is_sampled
    }

    /// Reports the end of an attempt, and of its task if that has ended.
    pub(crate) fn trace_end(&mut self, open: &Open, end: End, row: &EndedAttempt) {
        let Some(trace) = open.rare().trace.as_ref().filter(|trace| self.is_recorded(trace)) else {
            return;
        };
        let job = self.catalog.job(open.row.job).cloned();
        let message = row.message.as_deref().map(shortened);
        let attempt = Span::Attempt(Box::new(AttemptSpan {
            trace: Arc::clone(trace),
            row: open.row,
            job: job.clone(),
            executor: self.fleet.at(open.life()).map(|life| life.executor().clone()),
            sent_at: open.rare().sent_at,
            started_at: row.started_at,
            ended_at: row.ended_at,
            end,
            message: message.clone(),
        }));
        let task = row.task_state.filter(|state| state.is_final()).map(|state| {
            Span::Task(Box::new(TaskSpan {
                trace: Arc::clone(trace),
                task: open.row.task,
                job_id: open.row.job,
                job,
                cause: open.row.cause,
                fire_at: open.row.fire_at,
                state,
                ended_at: row.ended_at,
                message: message.filter(|_| state != TaskState::Succeeded),
            }))
        });
        self.journal.follow_spans([Some(attempt), task].into_iter().flatten());
    }

    /// Reports a task that is over when it is planned.
    pub(crate) fn trace_skipped(&mut self, new: &NewAttempt) {
        let Some(trace) = new.trace.as_ref().filter(|trace| self.is_recorded(trace)) else {
            return;
        };
        let span = Span::Task(Box::new(TaskSpan {
            trace: Arc::clone(trace),
            task: new.row.task,
            job_id: new.row.job,
            job: self.catalog.job(new.row.job).cloned(),
            cause: new.row.cause,
            fire_at: new.row.fire_at,
            state: new.task_state,
            ended_at: new.row.created_at,
            message: new.note.as_deref().map(shortened),
        }));
        self.journal.follow_spans([span]);
    }
}

fn shortened(text: &str) -> String {
    text[..text.floor_char_boundary(MESSAGE_MOST)].to_owned()
}
