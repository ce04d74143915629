//! Writes records.

use fastjob_core::{AttemptId, Shard, TaskId, TaskState, Trace};
use jiff::Timestamp;

use super::{
    ATTEMPT, CANCEL, END, FIRE, FIRE_IS_DUE, HAS_ROWS, HAS_STATE, HEAD_ENDED, HEADER, IS_SAMPLED,
    LIFE, LINEAGE, MOVE, NOTE, NOTED, NUMBER, PARAM, PARENT, PLACE, RERUN, SHARD, SPREAD, STATE,
    TASK, TRACE, VERSION, WANTED,
};
use crate::store::{
    Attempt, LifeId,
    binary::{seal, write_signed, write_unsigned},
    codes::{cause_code, task_state_code},
    journal::{Change, Open, OpenTask},
};

/// Writes a record.
#[derive(Debug)]
pub(in crate::store::journal) struct Writer {
    bytes: Vec<u8>,
    last_id: i64,
    last_millis: i64,
}

impl Writer {
    /// Begins the record after the one with the checksum `previous`.
    pub(in crate::store::journal) fn new(previous: u32) -> Self {
        let mut bytes = vec![VERSION];
        bytes.extend_from_slice(&previous.to_le_bytes());
        Self { bytes, last_id: 0, last_millis: 0 }
    }

    /// The size of the record so far, in bytes.
    pub(in crate::store::journal) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Whether nothing was written yet.
    pub(in crate::store::journal) fn is_empty(&self) -> bool {
        self.bytes.len() == HEADER
    }

    /// The whole record, and its checksum.
    pub(in crate::store::journal) fn complete(self) -> (Vec<u8>, u32) {
        seal(self.bytes)
    }

    /// Writes a change, and returns its length in bytes.
    pub(in crate::store::journal) fn change(&mut self, change: &Change) -> usize {
        let before = self.len();
        match change {
            Change::Task(id, task) => return self.task(*id, task),
            Change::Attempt(open) => return self.attempt(open),
            Change::End { task, attempt, state } => {
                self.bytes.push(END);
                self.attempt_of(*task, *attempt);
                self.unsigned(state.map_or(0, |state| code(task_state_code(state)) + 1));
            }
            Change::Cancel { task, attempt } => {
                self.bytes.push(CANCEL);
                self.attempt_of(*task, *attempt);
            }
            Change::Spread(task, total) => {
                self.bytes.push(SPREAD);
                self.id(task.0);
                self.unsigned(u64::from(*total));
            }
            Change::Place { task, attempt, life } => {
                self.bytes.push(PLACE);
                self.attempt_of(*task, *attempt);
                self.signed(life.map_or(0, |life| life.0));
            }
            Change::Move(task, state) => {
                self.bytes.push(MOVE);
                self.id(task.0);
                self.unsigned(code(task_state_code(*state)));
            }
            Change::Note(task, note) => {
                self.bytes.push(NOTE);
                self.id(task.0);
                self.text(note);
            }
        }
        self.len() - before
    }

    /// Writes a task without its open attempts besides the head, and returns its length in bytes.
    pub(in crate::store::journal) fn task(&mut self, id: TaskId, task: &OpenTask) -> usize {
        let before = self.len();
        let head = task.open.iter().find(|open| open.row.is_head());
        let life = head.and_then(|head| head.life);
        let is = |condition: bool, flag: u64| if condition { flag } else { 0 };
        let flags = row_flags(&task.head, life)
            | is(task.state != TaskState::Queued, STATE)
            | is(task.param.is_some(), PARAM)
            | is(task.parent.is_some(), PARENT)
            | is(task.lineage.is_some(), LINEAGE)
            | is(task.wanted.is_some(), WANTED)
            | is(task.note.is_some(), NOTED)
            | is(task.has_rows, HAS_ROWS)
            | is(head.is_none(), HEAD_ENDED)
            | is(task.rerun.is_some(), RERUN)
            | is(task.trace.is_some(), TRACE);
        self.bytes.push(TASK);
        self.unsigned(flags);
        self.id(id.0);
        self.row(&task.head, life, flags);
        if flags & STATE != 0 {
            self.unsigned(code(task_state_code(task.state)));
        }
        if let Some(param) = &task.param {
            self.text(param);
        }
        if let Some(parent) = task.parent {
            self.signed(parent.0);
        }
        if let Some(lineage) = task.lineage {
            self.unsigned(u64::from(lineage.depth));
            self.unsigned(u64::from(lineage.budget));
        }
        if let Some(wanted) = &task.wanted {
            self.text(wanted.as_str());
        }
        if let Some(note) = &task.note {
            self.text(note);
        }
        if let Some(rerun) = &task.rerun {
            self.signed(rerun.task.0);
            self.unsigned(rerun.shards.len() as u64);
            for index in &rerun.shards {
                self.unsigned(u64::from(*index));
            }
        }
        if let Some(trace) = &task.trace {
            self.trace(&trace.trace);
        }
        self.len() - before
    }

    /// Writes an open attempt that is not a head, and returns its length in bytes.
    pub(in crate::store::journal) fn attempt(&mut self, open: &Open) -> usize {
        let before = self.len();
        self.bytes.push(ATTEMPT);
        let flags = row_flags(&open.row, open.life);
        self.unsigned(flags);
        self.attempt_of(open.row.task, open.row.attempt);
        self.row(&open.row, open.life, flags);
        self.len() - before
    }

    fn trace(&mut self, trace: &Trace) {
        let context = trace.context;
        let is = |condition: bool, flag: u64| if condition { flag } else { 0 };
        self.unsigned(is(context.is_sampled, IS_SAMPLED) | is(trace.state.is_some(), HAS_STATE));
        self.bytes.extend_from_slice(&context.trace.get().to_be_bytes());
        self.bytes.extend_from_slice(&context.span.get().to_be_bytes());
        if let Some(state) = &trace.state {
            self.text(state);
        }
    }

    fn row(&mut self, row: &Attempt, life: Option<LifeId>, flags: u64) {
        self.signed(row.job.0);
        self.unsigned(code(cause_code(row.cause)));
        self.instant(row.due_at);
        self.instant(row.created_at);
        if flags & FIRE != 0 {
            self.instant(row.fire_at.unwrap_or(row.due_at));
        }
        if let Some(life) = life {
            self.signed(life.0);
        }
        if flags & SHARD != 0 {
            self.unsigned(u64::from(row.shard.index));
            self.unsigned(u64::from(row.shard.total));
        }
        if flags & NUMBER != 0 {
            self.unsigned(u64::from(row.number));
        }
    }

    /// An attempt, and how far its id is from its task's.
    fn attempt_of(&mut self, task: TaskId, attempt: AttemptId) {
        self.id(attempt.0);
        self.signed(attempt.0.wrapping_sub(task.0));
    }

    fn id(&mut self, id: i64) {
        self.signed(id.wrapping_sub(self.last_id));
        self.last_id = id;
    }

    fn instant(&mut self, at: Timestamp) {
        let millis = at.as_millisecond();
        self.signed(millis.wrapping_sub(self.last_millis));
        self.last_millis = millis;
    }

    fn text(&mut self, text: &str) {
        self.unsigned(text.len() as u64);
        self.bytes.extend_from_slice(text.as_bytes());
    }

    fn signed(&mut self, value: i64) {
        write_signed(&mut self.bytes, value);
    }

    fn unsigned(&mut self, value: u64) {
        write_unsigned(&mut self.bytes, value);
    }
}

fn row_flags(row: &Attempt, life: Option<LifeId>) -> u64 {
    let fire = match row.fire_at {
        Some(at) if at == row.due_at => FIRE_IS_DUE,
        Some(_) => FIRE,
        None => 0,
    };
    let is = |condition: bool, flag: u64| if condition { flag } else { 0 };
    fire | is(life.is_some(), LIFE)
        | is(row.shard != Shard::WHOLE, SHARD)
        | is(row.number != 1, NUMBER)
}

/// A code as a number to write. Codes are small and never negative.
fn code(code: i64) -> u64 {
    code.unsigned_abs()
}
