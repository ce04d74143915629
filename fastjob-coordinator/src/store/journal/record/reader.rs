//! Reads records.

use fastjob_core::{
    AttemptId, Cause, JobId, Shard, TaskId, TaskState, Trace, TraceContext,
    trace::{SpanId, TraceId},
};
use jiff::Timestamp;

use super::{
    ATTEMPT, CANCEL, END, FIRE, FIRE_IS_DUE, HAS_ROWS, HAS_STATE, HEAD_ENDED, IS_SAMPLED, LIFE,
    LINEAGE, MOVE, NOTE, NOTED, NUMBER, OF_ATTEMPTS, OF_TASKS, OF_TRACES, PARAM, PARENT, PLACE,
    RERUN, SHARD, SPREAD, STATE, TASK, TRACE, VERSION, WANTED,
};
use crate::store::{
    Attempt, LifeId, Lineage, RerunOf, TaskTrace,
    binary::{Read, read_signed, read_unsigned, torn, unseal},
    codes::{cause, task_state},
    journal::{Change, Open, OpenTask},
};

/// Reads the changes of a record.
#[derive(Debug)]
pub(in crate::store::journal) struct Reader<'a> {
    /// The checksum of the record before it.
    pub(in crate::store::journal) previous: u32,
    /// Its own checksum.
    pub(in crate::store::journal) check: u32,
    rest: &'a [u8],
    last_id: i64,
    last_millis: i64,
}

impl<'a> Reader<'a> {
    pub(in crate::store::journal) fn new(bytes: &'a [u8]) -> Read<Self> {
        let (sealed, check) = unseal(bytes, VERSION)?;
        let (previous, rest) = sealed.split_first_chunk().ok_or_else(torn)?;
        let previous = u32::from_le_bytes(*previous);
        Ok(Self { previous, check, rest, last_id: 0, last_millis: 0 })
    }

    /// The next change, with its length in bytes; `None` at the end.
    pub(in crate::store::journal) fn next(&mut self) -> Read<Option<(Change, usize)>> {
        let before = self.rest.len();
        let Some((kind, rest)) = self.rest.split_first() else { return Ok(None) };
        self.rest = rest;
        let change = match *kind {
            TASK => self.task()?,
            ATTEMPT => {
                let flags = self.flags(OF_ATTEMPTS)?;
                let (task, attempt) = self.attempt_of()?;
                let (row, life) = self.row(task, attempt, flags)?;
                Change::Attempt(Open { row, life, bytes: 0 })
            }
            END => {
                let (task, attempt) = self.attempt_of()?;
                let state = match self.unsigned()? {
                    0 => None,
                    code => Some(state(code - 1)?),
                };
                Change::End { task, attempt, state }
            }
            CANCEL => {
                let (task, attempt) = self.attempt_of()?;
                Change::Cancel { task, attempt }
            }
            SPREAD => Change::Spread(TaskId(self.id()?), self.count()?),
            PLACE => {
                let (task, attempt) = self.attempt_of()?;
                let life = Some(LifeId(self.signed()?)).filter(|life| life.0 != 0);
                Change::Place { task, attempt, life }
            }
            MOVE => Change::Move(TaskId(self.id()?), state(self.unsigned()?)?),
            NOTE => Change::Note(TaskId(self.id()?), self.text()?.to_owned()),
            other => return Err(format!("it has the unknown change {other}")),
        };
        Ok(Some((change, before - self.rest.len())))
    }

    fn task(&mut self) -> Read<Change> {
        let flags = self.flags(OF_TASKS)?;
        let id = TaskId(self.id()?);
        let (head, life) = self.row(id, id.first_attempt(), flags)?;
        let state = if flags & STATE != 0 { state(self.unsigned()?)? } else { TaskState::Queued };
        let has = |flag: u64| flags & flag != 0;
        let param = if has(PARAM) { Some(self.text()?.into()) } else { None };
        let parent = if has(PARENT) { Some(TaskId(self.signed()?)) } else { None };
        let lineage = if has(LINEAGE) {
            Some(Lineage { depth: self.count()?, budget: self.count()? })
        } else {
            None
        };
        let wanted = if has(WANTED) {
            let name = self.text()?;
            Some(name.parse().map_err(|_| format!("it has the executor `{name}`"))?)
        } else {
            None
        };
        let note = if has(NOTED) { Some(self.text()?.to_owned()) } else { None };
        let rerun = if has(RERUN) { Some(self.rerun()?.into()) } else { None };
        let trace = match has(TRACE) {
            true => Some(TaskTrace { trace: self.trace()?, since: head.created_at }.into()),
            false => None,
        };
        let open =
            if has(HEAD_ENDED) { Vec::new() } else { vec![Open { row: head, life, bytes: 0 }] };
        let task = OpenTask {
            head,
            parent,
            lineage,
            rerun,
            trace,
            wanted,
            param,
            note,
            state,
            open,
            has_rows: has(HAS_ROWS),
            ended: Vec::new(),
            base: 0,
            bytes: 0,
        };
        Ok(Change::Task(id, Box::new(task)))
    }

    fn rerun(&mut self) -> Read<RerunOf> {
        let task = TaskId(self.signed()?);
        let many = self.count()?;
        // Each takes at least a byte: what is collected is bounded by the record.
        let shards = (0..many).map(|_| self.count()).collect::<Read<_>>()?;
        Ok(RerunOf { task, shards })
    }

    fn trace(&mut self) -> Read<Trace> {
        let flags = self.flags(OF_TRACES)?;
        let trace = TraceId::new(u128::from_be_bytes(self.array()?));
        let span = SpanId::new(u64::from_be_bytes(self.array()?));
        let (Some(trace), Some(span)) = (trace, span) else {
            return Err("it has a trace without an id".to_owned());
        };
        let context = TraceContext { trace, span, is_sampled: flags & IS_SAMPLED != 0 };
        let state = if flags & HAS_STATE != 0 { Some(self.text()?.into()) } else { None };
        Ok(Trace { context, state })
    }

    fn row(
        &mut self,
        task: TaskId,
        attempt: AttemptId,
        flags: u64,
    ) -> Read<(Attempt, Option<LifeId>)> {
        let job = JobId(self.signed()?);
        let cause: Cause = self.unsigned()?.try_into().map_or_else(
            |_| Err("it has an unknown cause".to_owned()),
            |code| cause(code).map_err(|err| err.to_string()),
        )?;
        let due_at = self.instant()?;
        let created_at = self.instant()?;
        let fire_at = if flags & FIRE_IS_DUE != 0 {
            Some(due_at)
        } else if flags & FIRE != 0 {
            Some(self.instant()?)
        } else {
            None
        };
        let life = if flags & LIFE != 0 { Some(LifeId(self.signed()?)) } else { None };
        let shard = if flags & SHARD != 0 {
            Shard { index: self.count()?, total: self.count()? }
        } else {
            Shard::WHOLE
        };
        let number = if flags & NUMBER != 0 { self.count()? } else { 1 };
        let row = Attempt { attempt, task, job, number, shard, cause, fire_at, due_at, created_at };
        Ok((row, life))
    }

    fn flags(&mut self, known: u64) -> Read<u64> {
        let flags = self.unsigned()?;
        if flags & !known == 0 {
            Ok(flags)
        } else {
            Err(format!("it has the unknown flags {flags}"))
        }
    }

    fn attempt_of(&mut self) -> Read<(TaskId, AttemptId)> {
        let attempt = self.id()?;
        let task = attempt.wrapping_sub(self.signed()?);
        Ok((TaskId(task), AttemptId(attempt)))
    }

    fn id(&mut self) -> Read<i64> {
        self.last_id = self.last_id.wrapping_add(self.signed()?);
        Ok(self.last_id)
    }

    fn instant(&mut self) -> Read<Timestamp> {
        self.last_millis = self.last_millis.wrapping_add(self.signed()?);
        let millis = self.last_millis;
        Timestamp::from_millisecond(millis).map_err(|_| format!("it has the instant {millis}"))
    }

    fn count(&mut self) -> Read<u32> {
        let value = self.unsigned()?;
        u32::try_from(value).map_err(|_| format!("it has the number {value}"))
    }

    fn array<const N: usize>(&mut self) -> Read<[u8; N]> {
        let (array, rest) = self.rest.split_first_chunk().ok_or_else(torn)?;
        self.rest = rest;
        Ok(*array)
    }

    fn text(&mut self) -> Read<&'a str> {
        let len = usize::try_from(self.unsigned()?).unwrap_or(usize::MAX);
        let (text, rest) = self.rest.split_at_checked(len).ok_or_else(torn)?;
        self.rest = rest;
        std::str::from_utf8(text).map_err(|err| format!("it has a text that is not UTF-8: {err}"))
    }

    fn signed(&mut self) -> Read<i64> {
        read_signed(&mut self.rest)
    }

    fn unsigned(&mut self) -> Read<u64> {
        read_unsigned(&mut self.rest)
    }
}

fn state(code: u64) -> Read<TaskState> {
    let code = i64::try_from(code).map_err(|_| format!("it has the task state {code}"))?;
    task_state(code).map_err(|err| err.to_string())
}
