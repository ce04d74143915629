//! A file that has lost commits, or has a damaged journal.

use fastjob_core::TaskId;

use super::*;
use crate::store::{
    AlarmKind, Commit, DrainRow, TaskFilter,
    suite::rows::{alarm, at},
};

async fn listed(home: &File) -> Vec<i64> {
    let filter = TaskFilter { limit: 1_000, ..TaskFilter::default() };
    let mut ids: Vec<_> = home
        .store()
        .task_ids(&filter)
        .await
        .unwrap()
        .ids()
        .into_iter()
        .map(|task| task.0)
        .collect();
    ids.sort_unstable();
    ids
}

async fn open(home: &File) -> Vec<i64> {
    let open = home.store().load(Partition(0)).await.unwrap().open;
    open.iter().map(|open| open.planned.row.attempt.0).collect()
}

/// A store with the tasks 10 to 12, each in a transaction of its own.
async fn with_tasks() -> File {
    let home = File::fresh().await;
    home.store().commit(&[base()]).await.unwrap();
    for id in 10..13 {
        home.store().commit(&[plan([head(id)])]).await.unwrap();
    }
    home
}

#[track_caller]
fn is_behind(result: &Result<(), Error>) {
    assert!(matches!(result, Err(Error::Behind)), "{result:?}");
}

#[tokio::test]
async fn a_store_that_lost_its_last_commits_is_not_continued_before_a_restart() {
    let mut home = with_tasks().await;
    assert_eq!(listed(&home).await, [10, 11, 12]);
    home.run("delete from journal where seq = 3").await;
    assert_eq!(listed(&home).await, [10, 11]);
    for _ in 0..2 {
        is_behind(&home.store().commit(&[plan([head(13)])]).await);
    }
    assert_eq!(open(&home).await, [10, 11]);
    home.reopen().await;
    assert_eq!(open(&home).await, [10, 11]);
    home.store().commit(&[plan([head(13)])]).await.unwrap();
    assert_eq!(open(&home).await, [10, 11, 13]);
}

#[tokio::test]
async fn a_store_that_lost_a_commit_without_a_record_is_not_continued() {
    let home = with_tasks().await;
    let moves = Commit { watermark: Some(at(5)), ..Commit::default() };
    home.store().commit(std::slice::from_ref(&moves)).await.unwrap();
    home.run("update meta set value = '4' where key = 'commits' and value = '5'").await;
    is_behind(&home.store().commit(&[moves]).await);
}

#[tokio::test]
async fn a_loss_between_the_start_and_the_first_commit_is_noticed() {
    let mut home = with_tasks().await;
    home.reopen().await;
    assert_eq!(open(&home).await, [10, 11, 12]);
    home.run("delete from journal where seq = 3").await;
    is_behind(&home.store().commit(&[plan([head(13)])]).await);
}

#[cfg(unix)]
#[tokio::test]
async fn a_file_that_is_replaced_by_an_older_copy_is_not_continued() {
    let home = with_tasks().await;
    home.run("pragma wal_checkpoint(truncate)").await;
    let copy = home.folder.path().join("copy.db");
    std::fs::copy(home.path(), &copy).unwrap();
    home.store().commit(&[plan([head(13)])]).await.unwrap();
    home.refuse_alarms().await;
    for beside in ["fastjob.db-wal", "fastjob.db-shm"] {
        std::fs::remove_file(home.folder.path().join(beside)).unwrap();
    }
    std::fs::rename(&copy, home.path()).unwrap();
    // After an error, the writer opens the file that has this name now.
    let failing = Commit { alarms: vec![alarm(1, None, AlarmKind::Failed)], ..Commit::default() };
    assert!(home.store().commit(&[failing]).await.is_err());
    is_behind(&home.store().commit(&[plan([head(14)])]).await);
}

#[cfg(unix)]
#[tokio::test]
async fn nothing_is_acknowledged_once_the_file_is_moved_deleted_or_replaced() {
    type Loss = fn(&std::path::Path, &std::path::Path);
    let losses: [Loss; 3] = [
        |file, other| std::fs::rename(file, other).unwrap(),
        |file, _| std::fs::remove_file(file).unwrap(),
        |file, other| {
            std::fs::copy(file, other).unwrap();
            std::fs::rename(other, file).unwrap();
        },
    ];
    for loss in losses {
        let home = with_tasks().await;
        loss(&home.path(), &home.folder.path().join("other.db"));
        let (service, executor) = ("s".parse().unwrap(), "e".parse().unwrap());
        let drain = DrainRow { service, executor, since: at(1) };
        is_behind(&home.store().add_drain(&drain, 10).await.map(drop));
        is_behind(&home.store().remove_drain(&drain.service, &drain.executor).await.map(drop));
        is_behind(&home.store().remove_silence(1, at(1)).await.map(drop));
        for _ in 0..2 {
            is_behind(&home.store().commit(&[plan([head(13)])]).await);
        }
    }
}

#[tokio::test]
async fn a_damaged_journal_is_listed_again_once_it_can_be_read() {
    let mut home = with_tasks().await;
    home.run("create table kept as select * from journal").await;
    for damage in [
        "update journal set record = x'02' where seq = 2",
        "delete from journal where seq = 2",
        // In the middle: its last bytes are the same before and after.
        "update journal set record = \
         unhex(substr(hex(record), 1, 12) || '99' || substr(hex(record), 15)) where seq = 1",
    ] {
        home.run(damage).await;
        home.reopen().await;
        assert_eq!(listed(&home).await, [0_i64; 0]);
        let unknown = home.store().task(TaskId(11)).await;
        assert!(matches!(unknown, Err(Error::Corrupt { .. })), "it is not 404: {unknown:?}");
        home.run("delete from journal").await;
        home.run("insert into journal select * from kept").await;
        assert_eq!(listed(&home).await, [10, 11, 12], "{damage}");
    }
}
