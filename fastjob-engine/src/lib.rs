//! The engine of a FastJob coordinator: every decision, as one deterministic state machine.
//!
//! The engine handles [`Event`]s and returns [`Effects`]. It has no clock, no I/O, and no randomness
//! but a seeded generator. The coordinator reads the clocks, writes the commits and carries the
//! messages. So a whole cluster can be simulated, and a failure replayed from its seed (feature
//! `simulation`).
//!
//! Four invariants always hold:
//! - an attempt is sent only when its row, with its placement, is durable;
//! - an outcome is acknowledged only when it is durable, together with what follows from it;
//! - an answer is given only when what it says is durable;
//! - every fire up to the watermark is recorded, in the same commit as the watermark or before.
//!
//! This crate belongs to `fastjob-coordinator`. It has no stable interface of its own.
//!
//! # Structure
//!
//! The state consists of parts with private fields: the *catalog* (jobs, and what names mean), the
//! *agenda* (when jobs fire), the *attempts* (open ones, with their queues, timers and limits), the
//! *lanes* (overlap rules across the cluster), the *fleet* (executors, and what is counted at
//! each), the *journal* (the commit, ids, and what follows when it is durable), the *keys* of
//! recent starts, and the *chores* (long work in slices). The modules in `rules` are functions over
//! these parts: `plan` turns schedules into attempts, `place` assigns them to executors, `settle`
//! handles outcomes, and so on.

mod answer;
mod effect;
mod engine;
mod event;
mod maps;
mod notice;
pub mod record;
mod rules;
#[cfg(any(test, feature = "simulation"))]
pub mod simulation;
#[cfg(any(test, feature = "simulation"))]
mod sizes;
mod state;
mod tally;
#[cfg(test)]
mod tests;
mod trace;

pub use self::{
    answer::{
        ApplyAnswer, BackfillAnswer, Backfilled, ConnectAnswer, Declared, ExecutorFigures, HeldUp,
        JobRefused, LiveAttempt, LiveTask, LongRun, OpenCount, OpenPage, SaveAnswer, SaveDone,
        ServiceCount, StartAnswer, StartedTask, StopAnswer, Survey,
    },
    effect::{Answer, Effects, Message, StartAttempt},
    engine::{Config, Engine, HORIZON},
    event::{
        Apply, Backfill, Beat, Command, CommitId, Condition, Connected, DrainedSet, Edit, Event,
        Held, Looked, Now, OpenAsk, Outcome, Part, Rerun, SaveMode, SavedRow, SessionId, Start,
        Switch, Target, Version, When,
    },
    notice::{Gone, GoneWhy, NAMED_MOST, Notice},
    state::{
        attempts::{DefaultAlarms, Limits, OpenLimit, OverQuota},
        catalog::{Directory, JobQuota, LINKS_MOST, check_together},
        keys::{OWN_KEYS, StartKey, backfill_key, rerun_key},
    },
    tally::{
        ALARM_KINDS, ATTEMPT_ENDS, DURATION_BOUNDS, Durations, Gauges, JobTally, TASK_ENDS, Tally,
    },
    trace::{AttemptSpan, Span, TaskSpan},
};
