//! A model of the store: what a [`Commit`] means, in the plainest words.

use std::collections::BTreeMap;

use fastjob_core::{AttemptId, AttemptState, JobId, TaskState};
use jiff::Timestamp;

use crate::record::{
    Commit, EndedAttempt, JobRow, LifeId, LifeRow, Loaded, NewAttempt, OpenAttempt,
};

/// An attempt with what became of it.
#[derive(Clone, Debug)]
pub(super) struct Row {
    pub(super) new: NewAttempt,
    pub(super) ended: Option<EndedAttempt>,
    /// The task's, on heads.
    pub(super) task_state: TaskState,
}

#[derive(Clone, Debug, Default)]
pub(super) struct ModelStore {
    pub(super) attempts: BTreeMap<AttemptId, Row>,
    pub(super) jobs: BTreeMap<JobId, JobRow>,
    lives: BTreeMap<LifeId, LifeRow>,
    ids_until: i64,
    pub(super) watermark: Option<Timestamp>,
}

impl ModelStore {
    pub(super) fn apply(&mut self, commit: &Commit) {
        self.ids_until = self.ids_until.max(commit.ids_until.unwrap_or(0));
        for job in &commit.jobs {
            self.jobs.insert(job.id, job.clone());
        }
        for life in &commit.lives {
            self.lives.entry(life.id).or_insert_with(|| life.clone());
        }
        for new in &commit.planned {
            assert!(new.attempt.0 < self.ids_until, "an id was used before it was reserved");
            let row = Row { new: new.clone(), ended: None, task_state: new.task_state };
            self.attempts.entry(new.attempt).or_insert(row);
        }
        for attempt in &commit.taken_back {
            if self.attempts.get(attempt).is_some_and(|row| row.is_open()) {
                self.attempts.remove(attempt);
            }
        }
        for placed in &commit.placed {
            if let Some(row) = self.attempts.get_mut(&placed.attempt).filter(|row| row.is_open()) {
                row.new.life = placed.life;
            }
        }
        for ended in &commit.ended {
            let Some(row) = self.attempts.get_mut(&ended.attempt).filter(|row| row.is_open())
            else {
                continue;
            };
            row.ended = Some(ended.clone());
            if let Some(state) = ended.task_state {
                self.move_task(ended.task.first_attempt(), state);
            }
        }
        for moved in &commit.moved {
            self.move_task(moved.task.first_attempt(), moved.state);
        }
        for (job, anchor) in &commit.anchors {
            if let Some(row) = self.jobs.get_mut(job) {
                row.anchor = row.anchor.max(*anchor);
            }
        }
        self.watermark = self.watermark.max(commit.watermark);
    }

    fn move_task(&mut self, head: AttemptId, state: TaskState) {
        if let Some(row) = self.attempts.get_mut(&head).filter(|row| !row.task_state.is_final()) {
            row.task_state = state;
        }
    }

    pub(super) fn load(&self) -> Loaded {
        let open: Vec<_> = self
            .attempts
            .values()
            .filter(|row| row.is_open())
            .map(|row| {
                let head = &self.attempts[&row.new.task.first_attempt()];
                OpenAttempt {
                    planned: row.new.clone(),
                    task_state: head.task_state,
                    task_param: head.new.param.clone(),
                }
            })
            .collect();
        let lives = self
            .lives
            .values()
            .filter(|life| open.iter().any(|open| open.planned.life == Some(life.id)))
            .cloned()
            .collect();
        Loaded {
            cluster: "model".to_owned(),
            ids_until: self.ids_until,
            watermark: self.watermark,
            jobs: self.jobs.values().cloned().collect(),
            open,
            lives,
            next_life: self.lives.keys().next_back().map_or(1, |id| id.0 + 1),
        }
    }
}

impl Row {
    pub(super) fn is_open(&self) -> bool {
        self.ended.is_none() && self.new.state == AttemptState::Planned
    }
}
