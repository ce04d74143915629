//! Which jobs have not run for a while.

use std::{collections::HashMap, time::Duration};

use fastjob_core::{JobId, ServiceName, instant};
use jiff::Timestamp;

use super::{ENDS_MAX, Error, Ops, all_jobs::Search};
use crate::store::{JobRow, TaskFilter};

/// Since when a job has not run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Idle {
    /// It has never run, as far as the history goes.
    Ever,
    /// Since this instant.
    Since(Timestamp),
    /// Since the newest executor with its handler started.
    Release,
}

impl Idle {
    pub(super) fn parse(text: &str) -> Result<Self, Error> {
        match text {
            "ever" => Ok(Self::Ever),
            "release" => Ok(Self::Release),
            at => match instant::parse(at) {
                Ok(at) => Ok(Self::Since(at)),
                Err(err) => {
                    let message = format!("{err}; or write `ever` or `release`");
                    Err(Error::invalid("idle_since", message))
                }
            },
        }
    }
}

/// When executors with a handler of a service started, the newest.
pub(super) type Releases = HashMap<(ServiceName, String), Timestamp>;

/// When a job has last run.
#[derive(Clone, Copy, Debug)]
enum LastRun {
    At(Timestamp),
    Never,
    /// Too many of its last tasks have not run.
    Unknown,
}

impl Ops {
    /// Those of the jobs that have not run for so long.
    pub(super) async fn idle(
        &self,
        rows: Vec<JobRow>,
        idle: Idle,
        releases: &Releases,
    ) -> Result<Vec<JobRow>, Error> {
        let jobs: Vec<_> = rows.iter().map(|row| row.id).collect();
        let activity = self.activity(&jobs, ENDS_MAX).await?;
        let mut earlier = HashMap::new();
        for (job, activity) in &activity {
            // Of a task that waits or was skipped, no handler has run.
            let none_ran = activity.ends.iter().all(|end| end.started_at.is_none());
            if none_ran && activity.ends.len() >= ENDS_MAX as usize {
                earlier.insert(*job, self.last_run(*job).await?);
            }
        }
        let is_idle = |row: &JobRow| {
            let Some(activity) = activity.get(&row.id) else { return true };
            let ended = activity.ends.iter().filter(|end| end.started_at.is_some());
            let last = match earlier.get(&row.id) {
                Some(LastRun::At(at)) => Some(*at),
                // It is not called idle without knowing.
                Some(LastRun::Unknown) => return false,
                Some(LastRun::Never) | None => ended.map(|end| end.ended_at).max(),
            };
            let since = match idle {
                Idle::Ever => None,
                Idle::Since(at) => Some(at),
                Idle::Release => {
                    let of = (row.job.service.clone(), row.job.handler.to_string());
                    match releases.get(&of) {
                        Some(at) => Some(*at),
                        // Without an executor, it has run with none.
                        None => return true,
                    }
                }
            };
            let runs = activity.running.is_none_or(|running| running > 0);
            !runs && last.is_none_or(|last| since.is_some_and(|since| last < since))
        };
        Ok(rows.into_iter().filter(is_idle).collect())
    }

    /// Those that a search needs.
    pub(super) async fn releases_for(&self, search: &Search) -> Result<Releases, Error> {
        match search.idle {
            Some(Idle::Release) => self.releases().await,
            Some(Idle::Ever | Idle::Since(_)) | None => Ok(Releases::new()),
        }
    }

    async fn releases(&self) -> Result<Releases, Error> {
        let mut releases = Releases::new();
        for executor in self.executors_here().await?.iter().filter(|it| it.session.is_some()) {
            for handler in executor.handlers.keys() {
                let key = (executor.service.clone(), handler.to_string());
                let at = releases.entry(key).or_insert(executor.began_at);
                *at = (*at).max(executor.began_at);
            }
        }
        Ok(releases)
    }

    /// When the last task of a job ended that has run.
    async fn last_run(&self, job: JobId) -> Result<LastRun, Error> {
        let filter = TaskFilter {
            job: Some(job),
            min_run_time: Some(Duration::ZERO),
            limit: 1,
            ..TaskFilter::default()
        };
        let listed = self.store.task_ids(&filter).await?;
        if listed.places.is_empty() {
            let is_whole = listed.stopped.is_none();
            return Ok(if is_whole { LastRun::Never } else { LastRun::Unknown });
        }
        let rows = self.store.tasks_by_id(&listed.ids()).await?;
        let at = rows.first().and_then(|row| row.ended_at);
        Ok(at.map_or(LastRun::Unknown, LastRun::At))
    }
}
