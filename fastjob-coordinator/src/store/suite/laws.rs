//! The law of group commits: one call with many commits has the same effect as many calls.

use fastjob_core::{AttemptId, AttemptState, JobId, TaskState};
use rand::{RngExt, SeedableRng, rngs::StdRng};

use super::{
    Home,
    rows::*,
    view::{View, view},
    write,
};
use crate::store::{AlarmKind, Commit, EndedAttempt, JobRow, NewAttempt};

/// An attempt of a history, open or ended.
#[derive(Clone, Copy)]
struct Attempt {
    task: i64,
    id: i64,
    number: u32,
    is_open: bool,
}

/// What an engine might write, including late outcomes.
struct History {
    dice: StdRng,
    next_id: i64,
    attempts: Vec<Attempt>,
    /// Tasks that are stopping: they are not retried.
    stopping: Vec<i64>,
    jobs: Vec<JobRow>,
}

impl History {
    fn new(seed: u64) -> Self {
        Self {
            dice: StdRng::seed_from_u64(seed),
            next_id: 10,
            attempts: Vec::new(),
            stopping: Vec::new(),
            jobs: vec![job(JOB, "a"), job(OTHER, "b")],
        }
    }

    fn below(&mut self, end: usize) -> usize {
        self.dice.random_range(0..end)
    }

    fn plan(&mut self, new: NewAttempt, commit: &mut Commit) {
        let (task, id, number) = (new.row.task.0, new.row.attempt.0, new.row.number);
        self.attempts.push(Attempt { task, id, number, is_open: true });
        commit.planned.push(new);
        self.next_id += 1;
    }

    fn commit(&mut self) -> Commit {
        let mut commit = Commit::default();
        for _ in 0..=self.below(4) {
            match self.below(10) {
                0..=2 => {
                    let key = (self.below(2) == 0).then(|| format!("k{}", self.below(5)).into());
                    let id = self.next_id;
                    self.plan(NewAttempt { key, ..head(id) }, &mut commit);
                }
                3..=6 => self.attempt(&mut commit),
                7 => self.save(&mut commit),
                8 => {
                    let task = (self.below(2) == 0).then(|| 10 + self.below(4) as i64);
                    let kinds = [AlarmKind::Failed, AlarmKind::Recovered, AlarmKind::RunsLong];
                    let kind = kinds[self.below(3)];
                    commit.alarms.push(alarm(self.next_id, task, kind));
                    self.next_id += 1;
                }
                _ => {
                    let moment = at(self.below(1_000) as i64);
                    commit.watermark = Some(moment);
                    commit.clock = Some(moment);
                    commit.anchors.push((JOB, moment));
                }
            }
        }
        commit
    }

    /// Something happens to an attempt, or comes too late for it. A commit refers to an attempt
    /// that it plans itself only in ways that the order of its parts allows.
    fn attempt(&mut self, commit: &mut Commit) {
        if self.attempts.is_empty() {
            return;
        }
        let chosen = self.below(self.attempts.len());
        let Attempt { task, id, number, is_open } = self.attempts[chosen];
        let late = EndedAttempt { log_tail: "late\n".to_owned(), ..failed(task, id) };
        if !is_open {
            commit.ended.push(late);
            return;
        }
        let life = [None, Some(1), Some(2)][self.below(3)];
        match self.below(6) {
            0 => commit.placed.push(placed(id, life)),
            1 => commit.checkpoints.push(checkpoint(task, 0, &format!("c{}", self.next_id))),
            2 => {
                commit.moved.push(moved(task, TaskState::Stopping));
                self.stopping.push(task);
            }
            3 if number == 1 => {
                commit.cancelled.push(AttemptId(id));
                self.attempts.remove(chosen);
            }
            4 if !self.stopping.contains(&task) => {
                self.attempts[chosen].is_open = false;
                commit.ended.push(failed_once(task, id));
                let next = retry(task, self.next_id, number + 1);
                self.plan(next, commit);
            }
            _ => {
                self.attempts[chosen].is_open = false;
                let (state, to) = match self.below(3) {
                    0 => (AttemptState::Succeeded, TaskState::Succeeded),
                    1 => (AttemptState::Failed, TaskState::Failed),
                    _ => (AttemptState::Stopped, TaskState::Stopped),
                };
                let log_tail = ["", "said\n"][self.below(2)].to_owned();
                commit.ended.push(EndedAttempt { log_tail, ..last(task, id, state, to) });
            }
        }
    }

    /// A job is saved or deleted, or a new job takes the name of a deleted one.
    fn save(&mut self, commit: &mut Commit) {
        let chosen = self.below(self.jobs.len());
        let before = self.jobs[chosen].clone();
        let after = if before.deleted_at.is_some() {
            let taken = self
                .jobs
                .iter()
                .any(|other| other.deleted_at.is_none() && other.job.name == before.job.name);
            if taken {
                return;
            }
            let id = JobId(i64::try_from(self.jobs.len()).unwrap() + 1);
            self.jobs.push(job(id, before.job.name.as_str()));
            self.jobs[self.jobs.len() - 1].clone()
        } else {
            let mut after = saved(&before, "saved");
            // A save sets the anchor to its own time, later than all previous ones.
            after.anchor = at(1_000 + self.next_id);
            after.deleted_at = (self.below(3) == 0).then(|| at(9));
            after.overrides.enabled = self.below(2) == 0;
            after.overrides.alarms = self.below(2) == 0;
            after.declared = (self.below(3) == 0).then(|| before.job.clone());
            self.jobs[chosen] = after.clone();
            after
        };
        commit.jobs.push(after);
    }
}

/// Everything except what differs between two stores that got the same commits.
async fn shown(home: &impl Home) -> View {
    let mut view = view(home).await;
    for (number, alarm) in (1..).zip(&mut view.alarms) {
        alarm.number = number;
    }
    view
}

pub(crate) async fn one_call_does_what_many_do<H: Home>(_: &mut H) {
    for seed in 0..20 {
        let (single, grouped) = (H::fresh().await, H::fresh().await);
        let mut history = History::new(seed);
        let commits: Vec<_> = (0..60).map(|_| history.commit()).collect();
        write(&single, [base()]).await;
        write(&grouped, [base()]).await;
        let mut rest = commits.as_slice();
        while !rest.is_empty() {
            let (group, later) = rest.split_at((history.below(20) + 1).min(rest.len()));
            write(&single, group.iter().cloned()).await;
            grouped.store().commit(group).await.unwrap();
            assert_eq!(shown(&single).await, shown(&grouped).await, "seed {seed}: {group:#?}");
            rest = later;
        }
    }
}
