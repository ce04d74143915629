//! Which logs an executor may send.
//!
//! It may send those of attempts that the store assigns to it, also after they have ended. After a
//! restart it may have another name: so it may also send logs of attempts of its service that have
//! ended, if their executor is not connected.

use fastjob_core::{AttemptId, TaskId};
use fastjob_engine::Connected;
use jiff::{SignedDuration, Timestamp};

use super::Ops;
use crate::{archive::LogName, clock::wall_now};

/// An attempt that is younger may not be in the store yet.
const NEW: SignedDuration = SignedDuration::from_secs(60);

/// How much earlier than its task an attempt may seem to be created: a clock may have been set.
const CLOCKS: SignedDuration = SignedDuration::from_hours(1);

/// What an executor says about a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Claim {
    pub(crate) task: TaskId,
    pub(crate) attempt: AttemptId,
    /// In milliseconds since the Unix epoch.
    pub(crate) created_at: i64,
}

/// Why an executor may not send a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum NotAllowed {
    /// There is no such task any more, so nobody can ask for its log.
    Unknown(String),
    Refused(String),
    /// It may be allowed later.
    Later(String),
}

impl Ops {
    /// The name of a log that this executor sends.
    ///
    /// # Errors
    ///
    /// Fails with the reason if it may not.
    pub(crate) async fn log_of(
        &self,
        executor: &Connected,
        claim: Claim,
    ) -> Result<LogName, NotAllowed> {
        let Claim { task, attempt, created_at } = claim;
        let refused = |why: &str| {
            NotAllowed::Refused(format!("the log of attempt {attempt} is not accepted: {why}"))
        };
        let created = Timestamp::from_millisecond(created_at);
        let created = created.map_err(|_| refused("it was not created at that time"))?;
        let is_new = wall_now().duration_since(created) < NEW;
        let found = self
            .store
            .task(task)
            .await
            .map_err(|err| NotAllowed::Later(format!("the store failed: {err}")))?;
        let unknown = || match is_new {
            true => NotAllowed::Later(format!("attempt {attempt} is not recorded yet")),
            false => NotAllowed::Unknown(format!("there is no attempt {attempt} of task {task}")),
        };
        let row = found.ok_or_else(unknown)?;
        if row.service != executor.service {
            return Err(refused("it belongs to another service"));
        }
        let of = row.attempts.iter().find(|of| of.attempt == attempt).ok_or_else(unknown)?;
        // Another attempt with that id, from before a backup was restored.
        if created + CLOCKS < row.created_at {
            return Err(refused("it is older than its task"));
        }
        match &of.executor {
            Some(name) if *name == executor.executor => {}
            Some(name) if of.state.is_final() => {
                if self.sessions.of(&row.service, name).is_some() {
                    return Err(refused("its executor is connected"));
                }
            }
            None if is_new => return Err(unknown()),
            Some(_) | None => return Err(refused("it belongs to another executor")),
        }
        Ok(LogName { task, task_created: row.created_at, attempt, attempt_created: created_at })
    }
}
