//! What the tasks of a partition do, for people: how many each service has, and which are held up.
//!
//! Open tasks are counted as they change. What is held up is found by one pass over the open attempts,
//! which ends after a fixed number of them: an engine with more has no time to look at all. An index
//! that could answer at once would have to be ordered by instants, and so cost every attempt more than
//! its other steps together.

use fastjob_core::{AttemptId, JobId, ServiceName, TaskState};
use jiff::{SignedDuration, Timestamp};

use super::reasons::Reasons;
use crate::{
    answer::{HeldUp, LongRun, ServiceCount, Survey},
    engine::Engine,
    event::Now,
    maps::Map,
    state::attempts::{Open, OpenTasks, Step},
};

/// The number of open attempts that one survey looks at.
const LOOKED_AT: usize = 50_000;
/// A task that has not started so long after it was due is late; one that runs for less than that
/// does not run for long.
const LATE: SignedDuration = SignedDuration::from_secs(60);
/// The number of services, and of jobs, whose tasks are listed.
const GROUPS: usize = 200;
/// The number of tasks of one job that run for long and are listed.
const LONG_OF_JOB: usize = 3;

/// Attempts of one service or job that are held up.
struct Group {
    first: AttemptId,
    since: Timestamp,
    count: u64,
}

/// What was seen so far.
#[derive(Default)]
struct Seen<'a> {
    waits: Map<&'a ServiceName, Group>,
    late: Map<JobId, Group>,
    /// Of each job, those that run longest, with when they started.
    long: Map<JobId, Vec<(Timestamp, AttemptId)>>,
    /// Whether an executor with the handler of the job gets work.
    has_host: Map<JobId, bool>,
}

impl Engine {
    pub(super) fn survey(&self, now: Now) -> Survey {
        let mut seen = Seen::default();
        for open in self.attempts.iter().take(LOOKED_AT) {
            self.see(now, open, &mut seen);
        }
        let mut open_tasks: Map<&ServiceName, OpenTasks> = Map::default();
        for (id, count) in self.attempts.open_tasks_by_job() {
            if let Some(job) = self.catalog.job(id) {
                open_tasks.entry(&job.service).or_default().extend(count);
            }
        }
        let mut services: Map<&ServiceName, ServiceCount> = Map::default();
        let new = |service: &ServiceName| {
            let service = service.clone();
            ServiceCount { service, jobs: 0, enabled: 0, queued: 0, running: 0 }
        };
        for (service, count) in self.catalog.census().iter() {
            let of = services.entry(service).or_insert_with(|| new(service));
            (of.jobs, of.enabled) = (count.jobs, count.enabled);
        }
        for (service, open) in open_tasks {
            let of = services.entry(service).or_insert_with(|| new(service));
            (of.queued, of.running) = (open.queued, open.running);
        }
        let mut reasons = Reasons::new();
        let mut held_up = |groups: Vec<Group>| -> Vec<HeldUp> {
            let groups = groups.into_iter();
            groups.filter_map(|group| self.held_up(now, &group, &mut reasons)).collect()
        };
        Survey {
            services: services.into_values().collect(),
            waits: held_up(seen.waits.into_values().collect()),
            late: held_up(seen.late.into_values().collect()),
            long: seen.long.into_values().flatten().filter_map(|run| self.long_run(run)).collect(),
        }
    }

    fn see<'a>(&'a self, now: Now, open: &Open, seen: &mut Seen<'a>) {
        let Some(job) = self.catalog.job(open.row.job) else { return };
        let late = now.wall.duration_since(open.row.due_at) >= LATE;
        match (open.step(), open.started_at) {
            (_, Some(started_at)) => {
                let runs_long = now.wall.duration_since(started_at) >= LATE;
                let has_room = seen.long.len() < GROUPS || seen.long.contains_key(&open.row.job);
                if runs_long && has_room {
                    let of_job = seen.long.entry(open.row.job).or_default();
                    of_job.push((started_at, open.id()));
                    of_job.sort_unstable();
                    of_job.truncate(LONG_OF_JOB);
                }
            }
            (Step::Recording, None) => {}
            (Step::Waiting, None) => {
                let has_host = *seen.has_host.entry(open.row.job).or_insert_with(|| {
                    self.fleet.live_hosts(&job.service, &job.handler).next().is_some()
                });
                if late || !has_host {
                    add(&mut seen.waits, &job.service, open);
                }
            }
            (Step::NotDue | Step::Queued | Step::Placing | Step::Unsure | Step::Sent, None) => {
                // A retry waits for its own instant.
                if late && self.attempts.task_state(open) == TaskState::Queued {
                    add(&mut seen.late, open.row.job, open);
                }
            }
        }
    }

    fn held_up(&self, now: Now, group: &Group, reasons: &mut Reasons) -> Option<HeldUp> {
        let open = self.attempts.get(group.first)?;
        let job = self.catalog.job(open.row.job)?;
        let (service, job) = (job.service.clone(), job.path());
        let why = self.waits_for(now, open, reasons).unwrap_or_default();
        Some(HeldUp {
            service,
            job,
            task: open.row.task,
            since: group.since,
            count: group.count,
            why,
        })
    }

    fn long_run(&self, (since, attempt): (Timestamp, AttemptId)) -> Option<LongRun> {
        let open = self.attempts.get(attempt)?;
        let job = self.catalog.job(open.row.job)?;
        let (service, job) = (job.service.clone(), job.path());
        let executor = self.fleet.at(open.life()).map(|life| life.executor().clone());
        Some(LongRun { id: open.row.job, service, job, task: open.row.task, executor, since })
    }
}

/// Adds an attempt to a group, unless it would be one group too many.
fn add<K: Eq + std::hash::Hash>(groups: &mut Map<K, Group>, key: K, open: &Open) {
    if groups.len() >= GROUPS && !groups.contains_key(&key) {
        return;
    }
    let (id, due_at) = (open.id(), open.row.due_at);
    let group = groups.entry(key).or_insert(Group { first: id, since: due_at, count: 0 });
    group.count += 1;
    if (due_at, id) < (group.since, group.first) {
        (group.since, group.first) = (due_at, id);
    }
}
