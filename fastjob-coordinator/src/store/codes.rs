//! How states, causes and reasons are encoded in the store. Unknown numbers are rejected: a row
//! with an unknown value must never be read as something else.

use std::sync::Arc;

use fastjob_core::{AttemptState, Cause, FailReason, JobId, TaskState};

use super::{AlarmKind, AlarmState, Error, Origin, Result};

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
    origin_code, origin: Origin {
        Code = 1, Api = 2,
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
