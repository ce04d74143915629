//! What one transaction writes.

use std::sync::Arc;

use fastjob_core::{AttemptId, JobId, TaskId, Trace};
use jiff::Timestamp;

use super::{
    AlarmRow, Checkpoint, ChildStart, EndedAttempt, JobRow, Lease, LifeRow, MovedTask, NewAttempt,
    Placed, RerunOf, SpreadTask,
};

/// Everything that goes into one transaction, in the order of the fields.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Commit {
    /// The lease of the engine. If the partition has a newer lease, the store rejects the
    /// whole commit.
    pub lease: Lease,
    /// Ids below this may have been assigned; only grows. `None` leaves it unchanged.
    pub ids_until: Option<i64>,
    /// Jobs to insert, or to replace if the stored revision is not higher.
    pub jobs: Vec<JobRow>,
    /// Lives to insert; existing rows stay unchanged.
    pub lives: Vec<LifeRow>,
    /// Attempts to insert; existing rows stay unchanged.
    pub planned: Vec<NewAttempt>,
    /// Cancelled attempts: removed if still planned, together with the task if it is its head.
    pub cancelled: Vec<AttemptId>,
    /// Tasks that were spread. Applied to heads that are not spread yet.
    pub spread: Vec<SpreadTask>,
    /// New placements of recorded attempts. Applied to attempts that are still open.
    pub placed: Vec<Placed>,
    /// Checkpoints to store. The last one of a shard replaces the stored one.
    pub checkpoints: Vec<Checkpoint>,
    /// Attempts that ended. Applied to attempts that are still open.
    pub ended: Vec<EndedAttempt>,
    /// Tasks that change their state. Applied to heads that are not final.
    pub moved: Vec<MovedTask>,
    /// Further notes on tasks, for users. Each is appended to the note of the head, unless that
    /// contains it already.
    pub notes: Vec<(TaskId, String)>,
    /// New anchors of fixed-delay jobs; only grow.
    pub anchors: Vec<(JobId, Timestamp)>,
    /// How far the fires of single jobs are planned, if that is beyond the watermark. The last
    /// cursor of a job replaces the stored one.
    pub cursors: Vec<(JobId, Timestamp)>,
    /// The latest fires of jobs that ended while the clock had not reached them: an earlier engine,
    /// whose clock had, may have sent them. Only grow.
    pub fired_ahead: Vec<(JobId, Timestamp)>,
    /// Alarms to insert, one row per channel; existing rows stay unchanged.
    pub alarms: Vec<AlarmRow>,
    /// Child starts to insert for other partitions; existing rows stay unchanged.
    pub child_starts: Vec<ChildStart>,
    /// Child starts of this partition to remove: this commit creates their tasks, or their jobs are
    /// deleted.
    pub children_started: Vec<i64>,
    /// Every fire up to here is recorded; only grows. `None` leaves it unchanged.
    pub watermark: Option<Timestamp>,
    /// The engine's wall clock when it handed the commit over; only grows. `None` leaves it
    /// unchanged.
    pub clock: Option<Timestamp>,
}

impl Commit {
    /// The approximate number of rows that it touches.
    pub fn rows(&self) -> usize {
        self.jobs.len()
            + self.lives.len()
            + self.planned.len()
            + self.cancelled.len()
            + self.spread.len()
            + self.placed.len()
            + self.checkpoints.len()
            + self.ended.len()
            + self.moved.len()
            + self.notes.len()
            + self.anchors.len()
            + self.cursors.len()
            + self.fired_ahead.len()
            + self.alarms.iter().map(|alarm| alarm.channels.len()).sum::<usize>()
            + self.child_starts.len()
            + self.children_started.len()
    }

    /// The approximate size of its texts in bytes. The rows themselves take a few bytes more.
    pub fn bytes(&self) -> usize {
        let text = |text: &Option<String>| text.as_ref().map_or(0, String::len);
        let param = |param: &Option<Arc<str>>| param.as_ref().map_or(0, |param| param.len());
        let ended = |ended: &EndedAttempt| {
            ended.log_tail.len()
                + text(&ended.message)
                + text(&ended.result)
                + text(&ended.task_result)
        };
        let alarm = |alarm: &AlarmRow| {
            (alarm.message.len() + alarm.reason.len() + alarm.job_name.len()) * alarm.channels.len()
        };
        let rerun = |rerun: &Option<Arc<RerunOf>>| {
            rerun.as_ref().map_or(0, |rerun| size_of_val(&*rerun.shards))
        };
        let planned = |new: &NewAttempt| {
            let trace = new.trace.as_ref().map_or(0, |trace| trace_bytes(&trace.trace));
            param(&new.param) + text(&new.note) + rerun(&new.rerun) + trace
        };
        let child =
            |child: &ChildStart| param(&child.param) + child.trace.as_ref().map_or(0, trace_bytes);
        self.planned.iter().map(planned).sum::<usize>()
            + self.checkpoints.iter().map(|point| point.value.len()).sum::<usize>()
            + self.ended.iter().map(ended).sum::<usize>()
            + self.alarms.iter().map(alarm).sum::<usize>()
            + self.child_starts.iter().map(child).sum::<usize>()
            + self.notes.iter().map(|(_, note)| note.len()).sum::<usize>()
    }
}

/// The size of a trace in a store, in bytes.
fn trace_bytes(trace: &Trace) -> usize {
    size_of_val(&trace.context) + trace.state.as_ref().map_or(0, |state| state.len())
}
