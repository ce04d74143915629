//! Alarms and their delivery.

use fastjob_core::{JobId, TaskId};

use super::{Columns, Reading};
use crate::store::{
    PastAlarm, Result, WaitingAlarm,
    codes::{alarm_kind, alarm_state},
};

pub(crate) fn waiting(row: &impl Columns) -> Result<WaitingAlarm> {
    let row = Reading::new(row, "read an alarm");
    Ok(WaitingAlarm {
        number: row.int(0)?,
        job: JobId(row.int(1)?),
        task: row.maybe_int(2)?.map(TaskId),
        kind: alarm_kind(row.int(3)?)?,
        at: row.instant(4)?,
        job_name: row.text(5)?.to_owned(),
        reason: row.text(6)?.to_owned(),
        message: row.text(7)?.to_owned(),
        executor: row.maybe_text(8)?,
        attempts: row.number(9)?,
    })
}

/// Reads the columns of [`waiting`], and those after them.
pub(crate) fn past(row: &impl Columns) -> Result<PastAlarm> {
    let alarm = waiting(row)?;
    let row = Reading::new(row, "read an alarm");
    Ok(PastAlarm {
        alarm,
        channel: row.name(10)?,
        state: alarm_state(row.int(11)?)?,
        tries: row.number(12)?,
        last_error: row.maybe_text(13)?,
        done_at: row.maybe_instant(14)?,
    })
}
