//! Manual repairs of a store.

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::{fastjob, misused};
use crate::store::{Commit, CommitStore, LoadStore, Partition, sqlite::Sqlite};

struct Home {
    folder: tempfile::TempDir,
    url: String,
}

impl Home {
    /// A store whose last coordinator had this clock.
    async fn with_clock(clock: Timestamp) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("fastjob.db");
        let store = Sqlite::open(&path).await.unwrap();
        let (ids_until, clock, watermark) = (Some(1_000), Some(clock), Some(clock));
        store.commit(&[Commit { ids_until, clock, watermark, ..Commit::default() }]).await.unwrap();
        store.close().await.unwrap();
        Self { folder, url: format!("sqlite:{}", path.display()) }
    }

    async fn clock(&self) -> Option<Timestamp> {
        let store = Sqlite::open(&self.folder.path().join("fastjob.db")).await.unwrap();
        let clock = store.load(Partition(0)).await.unwrap().clock;
        store.close().await.unwrap();
        clock
    }
}

fn now() -> Timestamp {
    crate::clock::wall_now()
}

#[tokio::test]
async fn a_clock_that_was_ahead_is_shown_and_then_repaired() {
    let wrong = now() + SignedDuration::from_hours(24 * 365);
    let wrong = Timestamp::from_millisecond(wrong.as_millisecond()).unwrap();
    let home = Home::with_clock(wrong).await;
    let clock = ["repair", "clock", "--store", &home.url];
    let shown = fastjob(&clock).await.out();
    assert!(shown.contains(&format!("{wrong:.3}")), "{shown}");
    assert!(shown.contains("nothing was written") && shown.contains("--yes"), "{shown}");
    assert_eq!(home.clock().await, Some(wrong));

    let done = fastjob(&[&clock[..], &["--yes", "--json"]].concat()).await.out();
    let done: Value = serde_json::from_str(&done).unwrap();
    assert_eq!(done["written"], true);
    let before: Timestamp =
        serde_json::from_value(done["partitions"][0]["clock"]["before"].clone()).unwrap();
    assert_eq!(before, wrong);
    assert!(home.clock().await.unwrap() <= now());
    let shown = fastjob(&clock).await.out();
    assert!(shown.starts_with("no time in sqlite:"), "{shown}");
}

#[tokio::test]
async fn ids_are_raised_after_a_backup_was_restored() {
    let home = Home::with_clock(now()).await;
    let ids = ["repair", "ids", "--json", "--store", &home.url];
    for (yes, before) in [(&[][..], 1_000), (&["--yes"], 1_000), (&[], 1_000_001_000)] {
        let done = fastjob(&[&ids[..], yes].concat()).await.out();
        let done: Value = serde_json::from_str(&done).unwrap();
        let ids = &done["partitions"][0]["ids_until"];
        assert_eq!(ids["before"], before, "{done}");
        assert_eq!(ids["after"], before + 1_000_000_000, "{done}");
    }
}

#[tokio::test]
async fn a_store_in_use_is_not_repaired_and_no_store_is_created() {
    let home = Home::with_clock(now()).await;
    let used = Sqlite::open(&home.folder.path().join("fastjob.db")).await.unwrap();
    let failure = fastjob(&["repair", "ids", "--yes", "--store", &home.url]).await.failure();
    assert!(failure.title.contains("in use by another coordinator"), "{failure}");
    drop(used);
    let elsewhere = home.folder.path().join("none.db");
    let url = format!("sqlite:{}", elsewhere.display());
    let failure = fastjob(&["repair", "clock", "--store", &url]).await.failure();
    assert!(failure.title.contains("there is no store at"), "{failure}");
    assert!(!elsewhere.exists());
    misused(&["repair"], "Usage");
}
