//! What a batch of commits writes besides tasks, as plain data: which of several rows counts. Each
//! store writes it with its own statements.

use std::{borrow::Cow, collections::BTreeMap};

use fastjob_core::{ChannelName, Job, JobDraft, JobId, TaskId};
use fastjob_engine::record::AlarmRow;
use jiff::Timestamp;

use super::{Commit, JobRow};

/// PostgreSQL's texts cannot contain NUL and SQLite's end there, so a visible symbol replaces it.
pub(crate) fn clean(text: &str) -> Cow<'_, str> {
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

/// The stored form of what code declares, if that is stored.
pub(super) fn declared(row: &JobRow) -> Option<String> {
    row.declared.as_deref().map(definition)
}

/// The keys of new tasks: the job, the key, and the task.
pub(super) fn keys(commits: &[Commit]) -> impl Iterator<Item = (JobId, Cow<'_, str>, TaskId)> {
    let planned = commits.iter().flat_map(|commit| &commit.planned);
    planned.filter_map(|new| Some((new.row.job, clean(new.key.as_deref()?), new.row.task)))
}

/// The last cursor of each job.
pub(super) fn cursors(commits: &[Commit]) -> BTreeMap<JobId, Timestamp> {
    latest(commits.iter().flat_map(|commit| &commit.cursors).copied())
}

/// The rows of alarms: one per channel.
pub(super) fn alarms(commits: &[Commit]) -> impl Iterator<Item = (&AlarmRow, &ChannelName)> {
    let alarms = commits.iter().flat_map(|commit| &commit.alarms);
    alarms.flat_map(|alarm| alarm.channels.iter().map(move |channel| (alarm, channel)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::suite::rows;

    #[test]
    fn the_last_row_of_a_key_counts() {
        let found = latest([(2, 'a'), (1, 'b'), (2, 'c')].into_iter());
        assert_eq!(found.into_iter().collect::<Vec<_>>(), [(1, 'b'), (2, 'c')]);
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
}
