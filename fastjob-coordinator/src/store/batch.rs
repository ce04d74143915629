//! What a batch of commits writes, as plain data: which of several rows counts, and what goes into
//! the head of a task. Each store writes it with its own statements.

use std::{
    borrow::Cow,
    collections::{BTreeMap, HashSet},
};

use fastjob_core::{AttemptId, ChannelName, Job, JobDraft, JobId, TaskId, TaskState};
use fastjob_engine::record::AlarmRow;
use jiff::Timestamp;

use super::{Commit, EndedAttempt, JobRow, LifeId, NewAttempt};

/// PostgreSQL's texts cannot contain NUL and SQLite's end there, so a visible symbol replaces it.
pub(super) fn clean(text: &str) -> Cow<'_, str> {
    if text.contains('\0') { text.replace('\0', "\u{2400}").into() } else { text.into() }
}

/// The last row for each key, in the order of the keys: an update that finds several for one row
/// takes any of them.
pub(super) fn latest<K: Ord, V>(rows: impl Iterator<Item = (K, V)>) -> BTreeMap<K, V> {
    rows.collect()
}

/// The highest revision of each saved job. Deletions come first, so that a name is free before
/// another job takes it.
pub(super) fn jobs(commits: &[Commit]) -> Vec<&JobRow> {
    let mut saved: Vec<_> = commits.iter().flat_map(|commit| &commit.jobs).collect();
    saved.sort_by_key(|row| (row.id, row.revision));
    let saved = latest(saved.into_iter().map(|row| (row.id, row)));
    let mut rows: Vec<_> = saved.into_values().collect();
    rows.sort_by_key(|row| row.deleted_at.is_none());
    rows
}

/// The stored form of a job's definition.
pub(super) fn definition(job: &Job) -> String {
    serde_json::to_string(&JobDraft::from(job)).unwrap_or_default()
}

/// The keys of new tasks: the job, the key, and the task.
pub(super) fn keys(commits: &[Commit]) -> impl Iterator<Item = (JobId, Cow<'_, str>, TaskId)> {
    let planned = commits.iter().flat_map(|commit| &commit.planned);
    planned.filter_map(|new| Some((new.row.job, clean(new.key.as_deref()?), new.row.task)))
}

/// The state of its task that a new attempt's row stores; `None` if it is not the head.
pub(super) fn head_state(new: &NewAttempt) -> Option<TaskState> {
    new.row.is_head().then_some(new.task_state)
}

/// The end of its task that a new attempt's row stores: a task that records missed fires is over.
pub(super) fn head_end(new: &NewAttempt) -> Option<Timestamp> {
    head_state(new).filter(|state| state.is_final()).map(|_| new.row.created_at)
}

/// The number of shards of each task that was spread. The first spread of a task wins.
pub(super) fn spread(commits: &[Commit]) -> BTreeMap<TaskId, u32> {
    let spread = commits.iter().flat_map(|commit| &commit.spread);
    latest(spread.rev().map(|spread| (spread.task, spread.total)))
}

/// The last placement of each attempt.
pub(super) fn placed(commits: &[Commit]) -> BTreeMap<AttemptId, Option<LifeId>> {
    let placed = commits.iter().flat_map(|commit| &commit.placed);
    latest(placed.map(|placed| (placed.attempt, placed.life)))
}

/// The last state of each task that moved without an outcome.
pub(super) fn moved(commits: &[Commit]) -> BTreeMap<TaskId, TaskState> {
    let moved = commits.iter().flat_map(|commit| &commit.moved);
    latest(moved.map(|moved| (moved.task, moved.state)))
}

/// The last cursor of each job.
pub(super) fn cursors(commits: &[Commit]) -> BTreeMap<JobId, Timestamp> {
    latest(commits.iter().flat_map(|commit| &commit.cursors).copied())
}

/// The notes to append, in rounds: a statement appends at most one note to each task.
pub(super) fn notes(commits: &[Commit]) -> Vec<BTreeMap<TaskId, Cow<'_, str>>> {
    let mut rounds: Vec<BTreeMap<_, _>> = Vec::new();
    for (task, note) in commits.iter().flat_map(|commit| &commit.notes) {
        let (task, note) = (*task, clean(note));
        match rounds.iter_mut().find(|round| !round.contains_key(&task)) {
            Some(round) => drop(round.insert(task, note)),
            None => rounds.push(BTreeMap::from([(task, note)])),
        }
    }
    rounds
}

/// The rows of alarms: one per channel.
pub(super) fn alarms(commits: &[Commit]) -> impl Iterator<Item = (&AlarmRow, &ChannelName)> {
    let alarms = commits.iter().flat_map(|commit| &commit.alarms);
    alarms.flat_map(|alarm| alarm.channels.iter().map(move |channel| (alarm, channel)))
}

/// The first outcome of each attempt, in order: it wins.
pub(super) fn outcomes(commits: &[Commit]) -> Vec<&EndedAttempt> {
    let all = commits.iter().flat_map(|commit| &commit.ended);
    let mut seen = HashSet::new();
    all.filter(|ended| seen.insert(ended.attempt)).collect()
}

/// The new state of the task, if the row of the ended attempt is where it belongs.
pub(super) fn own_state(ended: &EndedAttempt) -> Option<TaskState> {
    ended.task_state.filter(|_| stores_its_task(ended))
}

/// The end of the task, if the row of the ended attempt is where it belongs.
pub(super) fn own_end(ended: &EndedAttempt) -> Option<Timestamp> {
    own_state(ended).filter(|state| state.is_final()).map(|_| ended.ended_at)
}

/// Whether the outcome updates another row than its own: the head of a retry or shard, or of a task
/// whose result is not that of one attempt.
pub(super) fn moves_its_head(ended: &EndedAttempt) -> bool {
    ended.task_state.is_some() && !stores_its_task(ended)
}

/// Whether the row of the ended attempt is also its task's head, and its result the task's.
fn stores_its_task(ended: &EndedAttempt) -> bool {
    ended.attempt == ended.task.first_attempt() && ended.task_result.is_none()
}

/// What outcomes that are stored in other rows change in the head of their task.
#[derive(Debug, PartialEq)]
pub(super) struct Head<'a> {
    pub(super) task: TaskId,
    pub(super) state: TaskState,
    /// Only if the state is final.
    pub(super) ended_at: Option<Timestamp>,
    pub(super) result: Option<Cow<'a, str>>,
}

/// The changed heads, one per task, of those outcomes for which [`moves_its_head`]. Of several
/// outcomes the last one counts, or the one that ends the task.
pub(super) fn heads<'a>(outcomes: impl Iterator<Item = &'a EndedAttempt>) -> Vec<Head<'a>> {
    let mut heads: BTreeMap<TaskId, Head<'a>> = BTreeMap::new();
    for ended in outcomes.filter(|ended| moves_its_head(ended)) {
        let Some(state) = ended.task_state else { continue };
        if heads.get(&ended.task).is_some_and(|head| head.state.is_final()) {
            continue;
        }
        let result = ended.task_result.as_deref().or(ended.result.as_deref());
        let head = Head {
            task: ended.task,
            state,
            ended_at: state.is_final().then_some(ended.ended_at),
            result: result.map(clean),
        };
        heads.insert(ended.task, head);
    }
    heads.into_values().collect()
}

#[cfg(test)]
mod tests {
    use fastjob_core::AttemptState;

    use super::*;
    use crate::store::suite::rows;

    #[test]
    fn the_last_row_of_a_key_counts() {
        let found = latest([(2, 'a'), (1, 'b'), (2, 'c')].into_iter());
        assert_eq!(found.into_iter().collect::<Vec<_>>(), [(1, 'b'), (2, 'c')]);
        let commit = |total| Commit { spread: vec![rows::spread(1, total)], ..Commit::default() };
        assert_eq!(spread(&[commit(3), commit(2)]), [(TaskId(1), 3)].into(), "the first spread");
    }

    #[test]
    fn the_highest_revision_of_a_job_is_saved_and_deletions_come_first() {
        let first = rows::job(rows::JOB, "a");
        let second = rows::saved(&first, "changed");
        let third = JobRow { revision: 2, ..rows::saved(&second, "again") };
        let deleted = JobRow { deleted_at: Some(rows::at(1)), ..rows::job(rows::OTHER, "b") };
        let commit = |jobs: &[&JobRow]| Commit {
            jobs: jobs.iter().copied().cloned().collect(),
            ..Commit::default()
        };
        let commits = [commit(&[&second, &deleted]), commit(&[&first, &third])];
        assert_eq!(jobs(&commits), [&deleted, &third], "of equal revisions the last");
    }

    #[test]
    fn a_head_gets_the_outcome_that_ends_its_task() {
        #[track_caller]
        fn check(outcomes: &[EndedAttempt], expected: &[(i64, TaskState, Option<&str>)]) {
            let heads = heads(outcomes.iter());
            let found: Vec<_> = heads
                .iter()
                .map(|head| (head.task.0, head.state, head.result.as_deref()))
                .collect();
            assert_eq!(found, expected);
            for head in heads {
                assert_eq!(head.ended_at.is_some(), head.state.is_final());
            }
        }
        let running = rows::failed_once(1, 2);
        let last = rows::succeeded(1, 3);
        let ended = [(1, TaskState::Succeeded, Some("result 3"))];
        check(std::slice::from_ref(&running), &[(1, TaskState::Running, None)]);
        check(&[running.clone(), last.clone()], &ended);
        check(&[last, running], &ended);
        check(&[rows::succeeded(1, 1), rows::part(2, 3, AttemptState::Failed)], &[]);
        let whole = EndedAttempt { task_result: Some("all".into()), ..rows::succeeded(1, 1) };
        check(
            &[rows::succeeded(2, 3), whole],
            &[(1, TaskState::Succeeded, Some("all")), (2, TaskState::Succeeded, Some("result 3"))],
        );
    }

    #[test]
    fn the_row_of_a_head_stores_its_task() {
        let head = rows::succeeded(1, 1);
        assert_eq!(own_state(&head), Some(TaskState::Succeeded));
        assert_eq!(own_end(&head), Some(head.ended_at));
        assert_eq!(
            (own_state(&rows::failed_once(1, 1)), own_end(&rows::failed_once(1, 1))),
            (Some(TaskState::Running), None)
        );
        assert_eq!(own_state(&rows::succeeded(1, 2)), None, "a retry");
        assert_eq!(head_state(&rows::head(1)), Some(TaskState::Queued));
        assert_eq!(head_state(&rows::retry(1, 2, 2)), None);
        let skipped = NewAttempt { task_state: TaskState::Skipped, ..rows::head(1) };
        assert_eq!(head_end(&skipped), Some(skipped.row.created_at));
    }
}
