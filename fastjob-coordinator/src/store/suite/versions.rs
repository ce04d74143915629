//! Versions of jobs: what a change replaces is kept with it, and only so many.

use fastjob_core::{JobId, JobName, ServiceName};

use super::{Home, rows::*, write};
use crate::store::{Commit, JobRow, JobVersion, Origin, Partition, VERSIONS_MOST};

fn save(jobs: impl IntoIterator<Item = JobRow>) -> Commit {
    Commit { jobs: jobs.into_iter().collect(), ..Commit::default() }
}

/// The version that a row is.
fn version(row: &JobRow) -> JobVersion {
    JobVersion {
        revision: row.revision,
        saved_at: row.deleted_at.unwrap_or(row.updated_at),
        origin: row.origin,
        is_deletion: row.deleted_at.is_some(),
        job: Some(row.job.clone()),
    }
}

/// All versions of a job, newest first.
async fn versions(home: &impl Home, job: JobId) -> Vec<JobVersion> {
    home.store().versions(job, i64::MAX, 1_000).await.unwrap()
}

/// The first revisions of a job.
fn revisions(count: usize) -> Vec<JobRow> {
    let mut rows = vec![job(JOB, "a")];
    while rows.len() < count {
        let last = rows.last().unwrap();
        let mut next = saved(last, &format!("revision {}", last.revision + 1));
        next.origin = if next.revision % 2 == 0 { Origin::Code } else { Origin::Api };
        rows.push(next);
    }
    rows
}

pub(crate) async fn each_change_keeps_the_version_before_it(home: &mut impl Home) {
    let rows = revisions(4);
    let mut all: Vec<_> = rows.iter().map(version).collect();
    all.reverse();
    for row in &rows {
        write(home, [save([row.clone(), job(OTHER, "b")])]).await;
        // As after an answer that was lost.
        write(home, [save([row.clone()])]).await;
    }
    assert_eq!(versions(home, JOB).await, all);
    assert_eq!(versions(home, OTHER).await, [version(&job(OTHER, "b"))]);
    assert_eq!(versions(home, JobId(3)).await, []);
    assert_eq!(home.store().versions(JOB, 4, 2).await.unwrap(), all[1..3], "a page");
    assert_eq!(home.store().versions(JOB, 1, 2).await.unwrap(), []);
    home.reopen().await;
    assert_eq!(versions(home, JOB).await, all);
}

pub(crate) async fn changes_of_one_call_keep_what_is_between_them(home: &mut impl Home) {
    let rows = revisions(6);
    let mut all: Vec<_> = rows.iter().map(version).collect();
    all.reverse();
    write(home, [save([rows[0].clone()])]).await;
    let commits = [save([rows[1].clone(), rows[2].clone()]), save([rows[3].clone()])];
    home.store().commit(&commits).await.unwrap();
    home.store().commit(&commits).await.unwrap();
    assert_eq!(versions(home, JOB).await, all[2..]);
    // Sent again together with what follows.
    let [first, second] = commits;
    let commits = [first, second, save([rows[4].clone()]), save([rows[5].clone()])];
    home.store().commit(&commits).await.unwrap();
    assert_eq!(versions(home, JOB).await, all);
}

pub(crate) async fn the_oldest_versions_of_a_job_are_removed(home: &mut impl Home) {
    let most = usize::try_from(VERSIONS_MOST).unwrap();
    let rows = revisions(most + 30);
    write(home, [save(rows[..most].iter().cloned())]).await;
    assert_eq!(versions(home, JOB).await.len(), most);
    write(home, [save([job(OTHER, "b")]), save([saved(&job(OTHER, "b"), "kept")])]).await;
    for row in &rows[most..most + 20] {
        write(home, [save([row.clone()])]).await;
    }
    write(home, [save(rows[most + 20..].iter().cloned())]).await;
    let kept: Vec<_> = versions(home, JOB).await.iter().map(|kept| kept.revision).collect();
    let newest = i64::try_from(rows.len()).unwrap();
    assert_eq!(kept, (31..=newest).rev().collect::<Vec<_>>(), "the newest {VERSIONS_MOST}");
    assert_eq!(versions(home, OTHER).await.len(), 2);
}

pub(crate) async fn the_versions_of_a_deleted_job_are_kept_as_long_as_its_row(
    home: &mut impl Home,
) {
    let first = job(JOB, "a");
    let second = saved(&first, "second");
    let gone = JobRow { deleted_at: Some(at(99)), ..saved(&second, "second") };
    write(home, [save([first.clone()]), save([second.clone()]), save([gone.clone()])]).await;
    let all = [&gone, &second, &first].map(version);
    assert_eq!(versions(home, JOB).await, all);
    let (service, a): (ServiceName, JobName) = (name("default"), name("a"));
    let store = home.store();
    assert_eq!(store.deleted_job(&service, &a).await.unwrap(), Some(JOB));
    assert_eq!(store.deleted_job(&service, &name("b")).await.unwrap(), None);

    let again = job(OTHER, "a");
    let gone_again = JobRow { deleted_at: Some(at(100)), ..saved(&again, "") };
    write(home, [save([again])]).await;
    assert_eq!(store.deleted_job(&service, &a).await.unwrap(), Some(JOB), "OTHER lives");
    write(home, [save([gone_again])]).await;
    assert_eq!(store.deleted_job(&service, &a).await.unwrap(), Some(OTHER), "the last one");

    for partition in (0..store.facts().await.unwrap().partitions).map(Partition) {
        store.remove_deleted_jobs(partition, at(1_000), 10).await.unwrap();
    }
    assert_eq!(versions(home, JOB).await, []);
    assert_eq!(store.deleted_job(&service, &a).await.unwrap(), None);
}

pub(crate) async fn a_version_that_this_release_cannot_read_does_not_hide_the_others(
    home: &mut impl Home,
) {
    let first = job(JobId(33), "a");
    write(home, [save([first.clone()])]).await;
    home.save_of_a_later_release().await;
    let later = saved(&first, "second");
    write(home, [save([later.clone()])]).await;
    let found = versions(home, first.id).await;
    assert_eq!(found.len(), 2);
    assert_eq!((&found[0], &found[1].job), (&version(&later), &None));
}
