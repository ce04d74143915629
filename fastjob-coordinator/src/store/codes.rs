//! How states, causes and reasons are encoded in the store. Unknown numbers are rejected: a row
//! with an unknown value must never be read as something else.

use std::sync::Arc;

use fastjob_core::{AttemptState, Cause, FailReason, JobId, TaskState};

use super::{AlarmKind, AlarmState, Error, JobRow, Origin, Overrides, Result};

macro_rules! codes {
    ($($to:ident, $from:ident: $type:ident { $($variant:ident = $code:literal),* $(,)? })*) => {$(
        pub(crate) const fn $to(value: $type) -> i64 {
            match value { $($type::$variant => $code),* }
        }

        pub(crate) fn $from(code: i64) -> Result<$type> {
            match code {
                $($code => Ok($type::$variant),)*
                other => Err(Error::Corrupt {
                    what: format!("the {} {other}", stringify!($type)),
                }),
            }
        }
    )*};
}

codes! {
    attempt_state_code, attempt_state: AttemptState {
        Planned = 0, Dispatched = 1, Running = 2, Succeeded = 3, Failed = 4, Stopped = 5,
        Skipped = 6,
    }
    task_state_code, task_state: TaskState {
        Queued = 0, Running = 1, Stopping = 2, Succeeded = 3, Failed = 4, Stopped = 5, Skipped = 6,
    }
    cause_code, cause: Cause {
        Schedule = 1, Misfire = 2, Manual = 3, Api = 4, Parent = 5, Backfill = 6,
    }
    reason_code, reason: FailReason {
        Error = 1, Fatal = 2, TimedOut = 3, ExecutorLost = 4, Panicked = 5, NoExecutor = 6,
    }
    alarm_kind_code, alarm_kind: AlarmKind {
        Failed = 1, Recovered = 2, RunsLong = 3, StartsLate = 4,
    }
    alarm_state_code, alarm_state: AlarmState {
        Waiting = 0, Sent = 1, GivenUp = 2, Silenced = 3,
    }
}

/// Added to the number of an origin if people have set whether a job is enabled.
const OVERRIDES_ENABLED: i64 = 4;
/// Added to it if they have set its alarms.
const OVERRIDES_ALARMS: i64 = 8;

/// Who owns a definition, and what is overridden in it.
pub(crate) fn origin_code(row: &JobRow) -> i64 {
    let origin = match row.origin {
        Origin::Code => 1,
        Origin::Api => 2,
    };
    origin
        + if row.overrides.enabled { OVERRIDES_ENABLED } else { 0 }
        + if row.overrides.alarms { OVERRIDES_ALARMS } else { 0 }
}

pub(crate) fn origin(code: i64) -> Result<(Origin, Overrides)> {
    let overrides =
        Overrides { enabled: code & OVERRIDES_ENABLED != 0, alarms: code & OVERRIDES_ALARMS != 0 };
    match code & !(OVERRIDES_ENABLED | OVERRIDES_ALARMS) {
        1 => Ok((Origin::Code, overrides)),
        2 => Ok((Origin::Api, overrides)),
        _ => Err(Error::Corrupt { what: format!("the origin {code}") }),
    }
}

/// Ids of jobs, as a JSON array.
pub(crate) fn ids_code(ids: &[JobId]) -> String {
    let ids: Vec<_> = ids.iter().map(|id| id.0.to_string()).collect();
    format!("[{}]", ids.join(","))
}

pub(crate) fn ids(code: &str) -> Result<Arc<[JobId]>> {
    if code == "[]" {
        // Needs no memory, unlike an empty list that is collected.
        return Ok(Arc::default());
    }
    let ids: Vec<i64> = serde_json::from_str(code)
        .map_err(|err| Error::Corrupt { what: format!("the ids of jobs {code}: {err}") })?;
    Ok(ids.into_iter().map(JobId).collect())
}
