//! Which logs an executor may send.
//!
//! It may send those of attempts that the store assigns to it, also after they have ended. After a
//! restart it may have another name: so it may also send logs of attempts of its service that have
//! ended, if their executor is not connected.

use std::time::Duration;

use fastjob_core::{AttemptId, TaskId};
use fastjob_engine::Connected;
use jiff::{SignedDuration, Timestamp};

use super::Ops;
use crate::{archive::LogName, clock::wall_now, store::TaskRow};

/// An attempt that is younger may not be in the store yet.
const NEW: SignedDuration = SignedDuration::from_secs(60);

/// How much earlier than its task, or later than now, an attempt may seem to be created: a clock may
/// have been set.
const CLOCKS: SignedDuration = SignedDuration::from_hours(1);

/// How long the archive may take to say what it has of a log.
const ARCHIVE: Duration = Duration::from_secs(30);

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
    /// There is no such task any more, so its log can no longer be read.
    Unknown(String),
    Refused(String),
    /// It may be allowed when the attempt has ended, or its executor has left.
    NotYet(String),
    /// Whether it may cannot be found out now.
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
        let not_yet = |why: &str| {
            NotAllowed::NotYet(format!("the log of attempt {attempt} is not accepted yet: {why}"))
        };
        let created = Timestamp::from_millisecond(created_at);
        let created = created.map_err(|_| refused("it was not created at that time"))?;
        let age = wall_now().duration_since(created);
        if age < -CLOCKS {
            return Err(refused("it was not created at that time"));
        }
        let is_new = age < NEW;
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
        if created.checked_add(CLOCKS).is_ok_and(|latest| latest < row.created_at) {
            return Err(refused("it is older than its task"));
        }
        match &of.executor {
            Some(name) if *name == executor.executor => {}
            // After a restart with another name, its executor may still count as connected.
            Some(_) if !of.state.is_final() => {
                return Err(not_yet("it belongs to another executor, and has not ended"));
            }
            Some(name) if self.sessions.of(&row.service, name).is_some() => {
                return Err(not_yet("its executor is connected"));
            }
            Some(_) => {
                let kept = self.kept_of(&row, attempt).await?;
                if !kept.is_empty() && !kept.contains(&created_at) {
                    return Err(refused("another log of it is kept"));
                }
            }
            None if is_new => return Err(unknown()),
            None if !of.state.is_final() => return Err(not_yet("it has not started")),
            None => return Err(refused("it belongs to another executor")),
        }
        Ok(LogName { task, task_created: row.created_at, attempt, attempt_created: created_at })
    }

    /// When the attempts with this id were created of which something is kept.
    async fn kept_of(&self, row: &TaskRow, attempt: AttemptId) -> Result<Vec<i64>, NotAllowed> {
        let Some(archive) = &self.archive else { return Ok(Vec::new()) };
        // What failed is said when a piece is kept. Names of buckets and folders are not for
        // executors.
        let failed = || NotAllowed::Later("the coordinator's log store failed".to_owned());
        let created = archive.created(row.task, row.created_at, attempt);
        let created = tokio::time::timeout(ARCHIVE, created).await.map_err(|_| failed())?;
        created.map_err(|_| failed())
    }
}
