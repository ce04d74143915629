//! If one part ends, all end, and the error names it.

use std::sync::atomic::{AtomicBool, Ordering};

use super::*;
use crate::store::{double::Double, sqlite::Sqlite};

/// A coordinator on a store whose calls can be made to panic.
async fn coordinator(break_it: impl Fn(&Double)) -> (tempfile::TempDir, Coordinator, Arc<Double>) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("fastjob.db");
    let builder = Coordinator::builder().listen("127.0.0.1:0".parse().unwrap());
    let mut coordinator = builder.sqlite(folder.path().join("unused.db")).bind().await.unwrap();
    let store = Arc::new(Double::of(Arc::new(Sqlite::open(&path).await.unwrap())));
    break_it(&store);
    coordinator.store = Opened { whole: Arc::clone(&store) as _, cluster: None };
    (folder, coordinator, store)
}

fn set(flag: &AtomicBool) {
    flag.store(true, Ordering::SeqCst);
}

#[track_caller]
fn is_named(ended: &Result<(), RunError>, expected: &str) {
    match ended {
        Err(RunError::Panicked { part, .. }) => assert_eq!(*part, expected),
        other => panic!("it ended otherwise: {other:?}"),
    }
}

#[tokio::test]
async fn a_coordinator_whose_engine_panics_ends_and_says_so() {
    let (_folder, coordinator, _store) = coordinator(|store| set(&store.load_breaks)).await;
    is_named(&coordinator.run(CancellationToken::new()).await, "engine");
}

#[tokio::test]
async fn a_coordinator_that_cannot_remove_history_any_more_ends_and_says_so() {
    let (_folder, coordinator, _store) = coordinator(|store| set(&store.removal_panics)).await;
    is_named(&coordinator.run(CancellationToken::new()).await, "removal of history");
}

#[tokio::test]
async fn a_coordinator_that_cannot_send_alarms_any_more_ends_and_says_so() {
    let (_folder, coordinator, _store) = coordinator(|store| set(&store.alarms_panic)).await;
    is_named(&coordinator.run(CancellationToken::new()).await, "sender of alarms");
}

#[tokio::test]
async fn a_coordinator_whose_writer_panics_ends_at_once_and_says_so() {
    let (_folder, coordinator, _store) = coordinator(|store| set(&store.commit_panics)).await;
    let url = format!("http://{}/api/v1/jobs", coordinator.local_addr());
    let running = tokio::spawn(coordinator.run(CancellationToken::new()));
    crate::crypto::choose();
    let client = reqwest::Client::new();
    let job = r#"{"name": "a", "handler": "h"}"#;
    let asked =
        tokio::spawn(client.post(url).header("content-type", "application/json").body(job).send());
    let ended = tokio::time::timeout(Duration::from_secs(30), running).await;
    is_named(&ended.expect("it ends without being told").unwrap(), "writer");
    // The caller does not hear that it was done.
    assert!(!asked.await.unwrap().is_ok_and(|answer| answer.status().is_success()));
}

#[tokio::test]
async fn a_coordinator_that_is_told_to_stop_ends_without_an_error() {
    let (_folder, coordinator, _store) = coordinator(|_| {}).await;
    let stop = CancellationToken::new();
    stop.cancel();
    coordinator.run(stop).await.unwrap();
}
