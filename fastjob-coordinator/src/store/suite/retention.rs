//! Tasks that ended long ago are removed, as a whole and in pieces, and nothing else is.

use fastjob_core::{AttemptId, JobId, TaskId, TaskState};

use super::{
    Home,
    rows::*,
    view::{remove_ended, task, view},
    write,
};
use crate::store::{
    Attempt, ChildStart, Commit, EndedAttempt, JobRow, Lease, LifeId, LifeRow, NewAttempt,
    Partition,
};

/// Removes one piece of each partition, and returns how many attempts it removed.
async fn remove(home: &impl Home, before: i64, rows: u32) -> u64 {
    remove_ended(&*home.store(), at(before), rows).await
}

/// An id of partition 0, in the order of `nth`.
fn in_first(nth: i64) -> i64 {
    32 * nth
}

/// The ids of the remaining tasks, oldest first.
async fn left(home: &impl Home) -> Vec<i64> {
    view(home).await.tasks.iter().rev().map(|task| task.task.0).collect()
}

pub(crate) async fn old_tasks_are_removed_completely(home: &mut impl Home) {
    let said = |ended| EndedAttempt { log_tail: "said\n".to_owned(), ..ended };
    let tasks = [
        NewAttempt { key: Some("k".into()), ..head(10) },
        shard(20, 20, 0, 2),
        shard(20, 21, 1, 2),
    ];
    let points = [checkpoint(10, 0, "half"), checkpoint(20, 1, "half")];
    let again = Commit {
        planned: vec![retry(10, 11, 2)],
        checkpoints: points.into(),
        ..end([said(failed_once(10, 10))])
    };
    let part = part(20, 21, fastjob_core::AttemptState::Succeeded);
    let ends = end([said(succeeded(10, 11)), said(part), said(succeeded(20, 20))]);
    write(home, [base()]).await;
    let before = view(home).await;
    write(home, [plan(tasks), again, ends]).await;
    assert_eq!(remove(home, 1_000, 10).await, 4);
    assert_eq!(view(home).await, before, "no attempt and no log is left");
    assert_eq!(home.store().task_of_key(JOB, "k").await.unwrap(), None);
    // Checkpoints can only be read through their task.
    write(home, [plan([head(10), shard(20, 20, 0, 2), shard(20, 21, 1, 2)])]).await;
    let open = view(home).await.loaded.open;
    assert!(open.iter().all(|open| open.checkpoint.is_none()), "{open:?}");
}

pub(crate) async fn open_and_recent_tasks_are_kept(home: &mut impl Home) {
    let tried = Commit { planned: vec![retry(12, 15, 2)], ..end([failed_once(12, 12)]) };
    let stop = Commit { moved: vec![moved(13, TaskState::Stopping)], ..Commit::default() };
    let young = EndedAttempt { ended_at: at(500), ..succeeded(14, 14) };
    let ends = end([succeeded(10, 10), young]);
    write(home, [base(), plan((10..15).map(head)), tried, stop, ends]).await;
    let kept = left(home).await;
    assert_eq!(remove(home, 20, 10).await, 0, "before, not at");
    assert_eq!(left(home).await, kept);
    assert_eq!(remove(home, 21, 10).await, 1);
    assert_eq!(left(home).await, [11, 12, 13, 14]);
    assert_eq!(remove(home, 500, 10).await, 0);
    assert_eq!(remove(home, 501, 10).await, 1);
    assert_eq!(left(home).await, [11, 12, 13]);
    assert_eq!(task(home, 12).await.attempts.len(), 2);
}

pub(crate) async fn a_task_is_as_old_as_its_last_attempt(home: &mut impl Home) {
    let again = Commit { planned: vec![retry(10, 11, 2)], ..end([failed_once(10, 10)]) };
    let ended = EndedAttempt { ended_at: at(500), ..failed(10, 11) };
    write(home, [base(), plan([head(10)]), again, end([ended])]).await;
    assert_eq!(remove(home, 500, 10).await, 0);
    assert_eq!(remove(home, 501, 10).await, 2, "with its retry");
    assert_eq!(home.store().task(TaskId(10)).await.unwrap(), None);
}

pub(crate) async fn removal_works_in_pieces(home: &mut impl Home) {
    let ids: Vec<_> = (1..=50).map(in_first).collect();
    let said = |id| EndedAttempt { log_tail: "said\n".to_owned(), ..succeeded(id, id) };
    let all = || ids.iter().copied();
    write(home, [base(), plan(all().map(head)), end(all().map(said))]).await;
    for (kept, gone) in [(33, 17), (16, 17), (0, 16)] {
        assert_eq!(remove(home, 10_000, 17).await, gone);
        assert_eq!(left(home).await, ids[50 - kept..], "the earliest end goes first");
    }
    assert_eq!(remove(home, 10_000, 17).await, 0);
    assert_eq!(home.store().log_tail(AttemptId(ids[0])).await.unwrap(), None);
}

pub(crate) async fn open_tasks_do_not_block_the_removal_of_old_ones(home: &mut impl Home) {
    write(home, [base(), plan((10..120).map(head)), end([succeeded(110, 110)])]).await;
    assert_eq!(remove(home, 1_000, 2).await, 1, "a hundred older ones are open");
    assert_eq!(home.store().task(TaskId(110)).await.unwrap(), None);
}

pub(crate) async fn a_removed_task_frees_its_key(home: &mut impl Home) {
    let keyed = |id, key: &str| NewAttempt { key: Some(key.into()), ..head(id) };
    write(home, [base(), plan([keyed(10, "a"), keyed(11, "b")]), end([succeeded(10, 10)])]).await;
    remove(home, 1_000, 10).await;
    write(home, [plan([keyed(12, "a"), keyed(13, "b")])]).await;
    for (key, task) in [("a", 12), ("b", 11)] {
        let found = home.store().task_of_key(JOB, key).await.unwrap();
        assert_eq!(found, Some(TaskId(task)), "{key}");
    }
}

pub(crate) async fn tasks_that_end_in_the_future_do_not_block_the_removal_of_old_ones(
    home: &mut impl Home,
) {
    let ids: Vec<_> = (1..=2_001).map(in_first).collect();
    let last = ids[2_000];
    let lies = |id: &i64| EndedAttempt { ended_at: at(1_000_000_000), ..succeeded(*id, *id) };
    let ends = ids[..2_000].iter().map(lies).chain([succeeded(last, last)]);
    write(home, [base(), plan(ids.iter().copied().map(head)), end(ends)]).await;
    assert_eq!(remove(home, 1_000_000, 500).await, 1);
    assert_eq!(home.store().task(TaskId(last)).await.unwrap(), None);
    assert_eq!(remove(home, 1_000_000, 500).await, 0);
}

pub(crate) async fn a_task_with_many_attempts_is_removed_in_pieces(home: &mut impl Home) {
    let said = |ended| EndedAttempt { log_tail: "said\n".to_owned(), ..ended };
    let shards = (0..=25).map(|index| shard(20, 20 + i64::from(index), index, 26));
    let part = |id| said(part(20, id, fastjob_core::AttemptState::Succeeded));
    let ends = (21..=45).map(part).chain([said(succeeded(20, 20))]);
    write(home, [base(), plan(shards.collect::<Vec<_>>()), end(ends)]).await;
    for (gone, attempts) in [(10, 16), (10, 6)] {
        assert_eq!(remove(home, 1_000, 10).await, gone);
        assert_eq!(task(home, 20).await.attempts.len(), attempts);
    }
    assert_eq!(remove(home, 1_000, 10).await, 6);
    assert_eq!(left(home).await, [0_i64; 0]);
    for attempt in 20..=45 {
        assert_eq!(home.store().log_tail(AttemptId(attempt)).await.unwrap(), None);
    }
}

pub(crate) async fn a_partition_removes_its_own_history(home: &mut impl Home) {
    let ids = 64..128;
    let partitions = home.store().facts().await.unwrap().partitions;
    write(home, [base()]).await;
    for partition in (0..partitions).map(Partition) {
        let lease = Lease { partition, ..Lease::default() };
        let own = || ids.clone().filter(|id| Partition::of_id(*id, partitions) == partition);
        let planned = Commit { lease, ..plan(own().map(head)) };
        write(home, [planned, Commit { lease, ..end(own().map(|id| succeeded(id, id))) }]).await;
    }
    let removed = home.store().remove_ended(Partition(0), at(1_000), 1_000).await.unwrap();
    let stays = |id: &i64| Partition::of_id(*id, partitions) != Partition(0);
    let kept: Vec<_> = ids.clone().filter(stays).collect();
    assert_eq!(left(home).await, kept);
    assert_eq!(removed, 64 - kept.len() as u64);
}

/// Removes the deleted jobs of all partitions, and returns their ids.
async fn remove_jobs(home: &impl Home, before: i64) -> Vec<i64> {
    let mut removed = Vec::new();
    for partition in (0..home.store().facts().await.unwrap().partitions).map(Partition) {
        let jobs = home.store().remove_deleted_jobs(partition, at(before), 10).await.unwrap();
        removed.extend(jobs.into_iter().map(|job| job.0));
    }
    removed.sort_unstable();
    removed
}

/// A job that was deleted at this time.
fn deleted(id: i64, when: i64) -> JobRow {
    let row = job(JobId(id), &format!("j{id}"));
    JobRow { deleted_at: Some(at(when)), updated_at: at(when), revision: 2, ..row }
}

fn save(jobs: impl IntoIterator<Item = JobRow>) -> Commit {
    Commit { jobs: jobs.into_iter().collect(), ..Commit::default() }
}

async fn jobs_left(home: &impl Home) -> Vec<i64> {
    view(home).await.loaded.jobs.rows().map(|job| job.id.0).collect()
}

pub(crate) async fn a_deleted_job_is_removed_after_its_history_and_its_retention(
    home: &mut impl Home,
) {
    let of = |id, of| NewAttempt { row: Attempt { job: JobId(of), ..head(id).row }, ..head(id) };
    let jobs = [job(JobId(160), "j160"), deleted(192, 100), deleted(224, 100), deleted(256, 500)];
    let tasks = plan([of(64, 224), of(65, 160)]);
    let planned = [160, 192, 224].map(|job| (JobId(job), at(9_000)));
    let cursors =
        Commit { cursors: planned.into(), fired_ahead: planned.into(), ..Commit::default() };
    write(home, [save(jobs), tasks, end([succeeded(64, 64)]), cursors]).await;
    assert_eq!(remove_jobs(home, 100).await, [0_i64; 0], "before, not at");
    assert_eq!(remove_jobs(home, 101).await, [192], "224 has history, 256 was deleted later");
    assert_eq!(jobs_left(home).await, [160, 224, 256]);
    let loaded = view(home).await.loaded;
    assert_eq!(loaded.cursors, [planned[0], planned[2]], "with its cursor");
    assert_eq!(loaded.fired_ahead, loaded.cursors);
    assert_eq!(task(home, 64).await.name.as_str(), "j224", "history keeps the name of its job");
    assert_eq!(remove(home, 1_000, 10).await, 1);
    assert_eq!(remove_jobs(home, 101).await, [224]);
    assert_eq!(remove_jobs(home, 10_000).await, [256]);
    assert_eq!(jobs_left(home).await, [160], "a job that is not deleted stays");
}

pub(crate) async fn a_deleted_job_with_a_waiting_child_start_is_kept(home: &mut impl Home) {
    let (partition, parent) = (Partition(0), TaskId(3));
    let waits = ChildStart {
        id: 5,
        partition,
        job: JobId(41),
        parent,
        param: None,
        lineage: None,
        trace: None,
    };
    let waits = Commit { child_starts: vec![waits], ..Commit::default() };
    write(home, [save([deleted(41, 100)]), waits]).await;
    assert_eq!(remove_jobs(home, 1_000).await, [0_i64; 0]);
    write(home, [Commit { children_started: vec![5], ..Commit::default() }]).await;
    assert_eq!(remove_jobs(home, 1_000).await, [41]);
}

pub(crate) async fn a_deleted_job_that_executors_declare_is_kept(home: &mut impl Home) {
    let living = job(JobId(44), "j44");
    write(home, [save([deleted(41, 100), deleted(42, 100), deleted(43, 450), living])]).await;
    let declared = ["j41", "j43", "j44", "unknown"].map(|job| (name("default"), name(job)));
    let partitions = home.store().facts().await.unwrap().partitions;
    let mut dated = 0;
    for partition in (0..partitions).map(Partition) {
        let store = home.store();
        dated += store.date_deleted_jobs(partition, &declared, at(400), at(500)).await.unwrap();
    }
    assert_eq!(dated, 1, "43 was dated lately, and 44 is not deleted");
    assert_eq!(remove_jobs(home, 450).await, [42]);
    assert_eq!(remove_jobs(home, 451).await, [43]);
    assert_eq!(remove_jobs(home, 501).await, [41]);
    assert_eq!(view(home).await.loaded.jobs, [job(JobId(44), "j44")].into_iter().collect());
}

/// Lives of partition 0, each a second after the previous one.
fn lives(executor: &str, count: i64) -> Commit {
    let one = |nth| LifeRow { since: at(1_000 * nth), ..life(in_first(nth), executor) };
    Commit { lives: (1..=count).map(one).collect(), ..Commit::default() }
}

pub(crate) async fn unreferenced_lives_are_removed(home: &mut impl Home) {
    let on = |task, nth| NewAttempt { life: Some(LifeId(in_first(nth))), ..head(task) };
    let tasks = plan([on(10, 5), on(11, 6), on(12, 7)]);
    let jobs = save([job(JOB, "a")]);
    write(home, [jobs, lives("e9", 700), tasks, end([succeeded(11, 11)])]).await;
    let current = [LifeId(in_first(8))];
    let remove = async |partition| {
        let store = home.store();
        store.remove_lives(&[Partition(partition)], &current, at(650_000)).await.unwrap()
    };
    if home.store().facts().await.unwrap().partitions > 1 {
        assert_eq!(remove(1).await, 0, "they are of another partition");
    }
    assert_eq!(remove(0).await, 649 - 4);

    // Existing rows are kept on insert, so the rows show which lives are left.
    let asked = [4, 5, 6, 7, 8, 9, 649, 650, 700];
    let tasks = asked.map(|nth| on(1_000 + nth, nth));
    write(home, [lives("another", 700), plan(tasks)]).await;
    let there = view(home).await.loaded.lives;
    let kept = |nth: &i64| {
        there.iter().any(|life| life.id.0 == in_first(*nth) && life.executor.as_str() == "e9")
    };
    let kept: Vec<_> = asked.into_iter().filter(kept).collect();
    assert_eq!(kept, [5, 6, 7, 8, 650, 700], "in use, in the history, current, or young");
    let executor = task(home, 11).await.attempts[0].executor.clone();
    assert_eq!(executor.unwrap().as_str(), "e9");
}

pub(crate) async fn a_few_lives_are_kept(home: &mut impl Home) {
    write(home, [lives("e9", 300)]).await;
    let removed = home.store().remove_lives(&[Partition(0)], &[], at(1_000_000)).await.unwrap();
    assert_eq!(removed, 0, "reading all attempts would cost more than the rows");
}
