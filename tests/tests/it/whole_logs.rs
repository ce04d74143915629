//! Whole logs outlive their executors, in a folder and in a bucket.
//!
//! `TEST_LOG_MB` sets the size of the log that is read back: `TEST_LOG_MB=200` for a large one.

#[path = "../../../fastjob-coordinator/src/archive/tests/bucket.rs"]
mod bucket;

use std::{
    fs,
    io::Read as _,
    path::{Path, PathBuf},
    time::Duration,
};

use bucket::{ACCESS_KEY, Bucket, SECRET_KEY};
use fastjob_core::wire::v1::{
    self, log_archive_client::LogArchiveClient, to_executor::Message as Hear,
};
use fastjob_tests::{
    eventually,
    process::Coordinator,
    raw::{Stream, hello},
    rest::Rest,
};
use serde_json::json;
use tokio_stream::StreamExt as _;
use tonic::Code;

use crate::{EXECUTOR, FASTJOB};

const LONG: Duration = Duration::from_secs(180);

fn megabytes() -> u64 {
    std::env::var("TEST_LOG_MB").ok().and_then(|text| text.parse().ok()).unwrap_or(4)
}

/// A coordinator that keeps whole logs in its folder.
async fn with_folder() -> Coordinator {
    let mut coordinator = Coordinator::prepare(FASTJOB)
        .env("FASTJOB_LOGS_STORE", "folder:kept")
        .env("FASTJOB_BEAT", "500ms")
        .env("FASTJOB_EXECUTOR_LOST", "3s");
    coordinator.up().await;
    coordinator
}

/// A coordinator that keeps whole logs in a bucket.
async fn with_bucket(url: &str) -> Coordinator {
    let mut coordinator = Coordinator::prepare(FASTJOB)
        .env("FASTJOB_LOGS_STORE", "s3://logs/of/tests")
        .env("FASTJOB_LOGS_S3_ENDPOINT", url)
        .env("FASTJOB_LOGS_S3_ACCESS_KEY", ACCESS_KEY)
        .env("AWS_ACCESS_KEY_ID", "another")
        .env("FASTJOB_LOGS_S3_SECRET_KEY", SECRET_KEY)
        .env("FASTJOB_BEAT", "500ms")
        .env("FASTJOB_EXECUTOR_LOST", "3s");
    coordinator.up().await;
    coordinator
}

/// All files below a folder.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        match entry.path() {
            path if path.is_dir() => found.extend(files(&path)),
            path => found.push(path),
        }
    }
    found
}

/// The file of the only log of an executor.
fn file_of(coordinator: &Coordinator, executor: &str) -> Option<Vec<u8>> {
    let logs = files(&coordinator.folder().join(format!("{executor}-logs")));
    let log = logs.into_iter().find(|path| path.extension().is_some_and(|end| end == "log"))?;
    fs::read(log).ok()
}

/// Where the kept log ends, from the names of its pieces.
fn end<'a>(names: impl IntoIterator<Item = &'a str>) -> u64 {
    let end = |name: &str| name.rsplit('/').next()?.get(17..33)?.parse().ok();
    names.into_iter().filter_map(end).max().unwrap_or(0)
}

fn end_in_folder(coordinator: &Coordinator) -> u64 {
    let files = files(&coordinator.folder().join("kept"));
    let names: Vec<_> = files.iter().map(|path| path.display().to_string()).collect();
    end(names.iter().map(String::as_str))
}

/// Reads the log over REST, and checks that all of it comes from the archive.
async fn read_back(rest: &Rest, task: i64) -> (String, Option<String>) {
    let (mut text, mut offset) = (String::new(), 0);
    loop {
        let path = format!("/api/v1/tasks/{task}/log?offset={offset}&limit=1048576");
        let (status, piece) = rest.get(&path).await.unwrap();
        assert_eq!((status, &piece["source"]), (200, &json!("archive")), "{piece}");
        assert_eq!(piece["offset"], offset);
        text.push_str(piece["text"].as_str().unwrap());
        offset = piece["next_offset"].as_u64().unwrap();
        if piece["ended"] == true {
            return (text, piece["note"].as_str().map(str::to_owned));
        }
    }
}

/// Starts an executor and a task that logs as much as `TEST_LOG_MB` says.
async fn flood(coordinator: &Coordinator) -> (fastjob_tests::process::Process, i64) {
    let more = [("FASTJOB_LOG_MAX_MIB", "1024")];
    let executor = coordinator.executor_with(EXECUTOR, "e1", &more);
    let rest = coordinator.rest();
    rest.executors(1).await;
    let task = rest.start("floods", json!({"param": megabytes()})).await;
    (executor, task)
}

/// Waits until the handler has logged everything, and all of it is kept.
async fn is_kept(coordinator: &Coordinator, end: impl Fn() -> u64) -> Vec<u8> {
    eventually("the whole log is kept", LONG, || async {
        let file = file_of(coordinator, "e1")?;
        let is_done = file.ends_with(b"flooded\n") && end() == file.len() as u64;
        is_done.then_some(file)
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_log_of_a_killed_executor_is_read_back_whole_from_the_folder() {
    let coordinator = with_folder().await;
    let (mut executor, task) = flood(&coordinator).await;
    let file = is_kept(&coordinator, || end_in_folder(&coordinator)).await;
    assert!(file.len() as u64 >= megabytes() << 20);
    executor.kill();
    let rest = coordinator.rest();
    let view = rest.ended(task).await;
    assert_eq!(view["state"], "failed", "{view}");
    let (text, note) = read_back(&rest, task).await;
    assert!(text.as_bytes() == file, "{} of {} bytes", text.len(), file.len());
    // The handler was killed, so nothing says that the log ends here.
    assert!(note.unwrap().contains("the log is cut here"));

    let output = coordinator.cli(&["task", "log", &task.to_string()]);
    assert!(output.status.success() && output.stdout == file, "{} bytes", output.stdout.len());
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("the log is cut here: its executor has not sent the rest"), "{said}");

    // An operator reads it without the coordinator.
    let mut kept = files(&coordinator.folder().join("kept"));
    kept.sort();
    let mut text = Vec::new();
    for piece in kept {
        let piece = fs::File::open(piece).unwrap();
        flate2::read::MultiGzDecoder::new(piece).read_to_end(&mut text).unwrap();
    }
    assert!(text == file);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_log_of_a_killed_executor_is_read_back_whole_from_a_bucket() {
    let (bucket, url) = Bucket::serve().await;
    let coordinator = with_bucket(&url).await;
    let (mut executor, task) = flood(&coordinator).await;
    let kept = || end(bucket.objects().keys().map(String::as_str));
    let file = is_kept(&coordinator, kept).await;
    executor.kill();
    let rest = coordinator.rest();
    rest.ended(task).await;
    let (text, _) = read_back(&rest, task).await;
    assert!(text.as_bytes() == file, "{} of {} bytes", text.len(), file.len());
    assert!(bucket.objects().keys().all(|key| key.starts_with("of/tests/")));
    assert_eq!(bucket.refused(), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_ended_is_complete_after_its_executor_left_and_a_short_one_is_in_the_tail() {
    let mut coordinator = with_folder().await;
    let mut executor = coordinator.executor(EXECUTOR, "e1");
    let rest = coordinator.rest();
    rest.executors(1).await;
    let short = rest.start("talks", json!({"param": 3})).await;
    rest.ended(short).await;
    let long = rest.start("floods", json!({"param": 2})).await;
    eventually("it has flooded", LONG, || async {
        let (_, piece) =
            rest.get(&format!("/api/v1/tasks/{long}/log?offset=2097152")).await.ok()?;
        piece["text"].as_str()?.contains("flooded").then_some(())
    })
    .await;
    rest.post(&format!("/api/v1/tasks/{long}/stop")).await;
    rest.ended(long).await;
    // It drains, and sends what is missing before it leaves.
    executor.signal("TERM");
    executor.wait();
    coordinator.stop();
    coordinator.up().await;
    let rest = coordinator.rest();
    let (text, note) = read_back(&rest, long).await;
    assert!(text.len() > 2 << 20 && text.ends_with("flooded\n"));
    assert_eq!(note, None);
    let (_, piece) = rest.get(&format!("/api/v1/tasks/{short}/log")).await.unwrap();
    assert_eq!((&piece["source"], piece.get("note")), (&json!("tail"), None), "{piece}");
    let kept = files(&coordinator.folder().join("kept"));
    let folders: std::collections::BTreeSet<_> = kept.iter().map(|path| path.parent()).collect();
    assert_eq!(folders.len(), 1, "only the long log is kept: {kept:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_executor_that_starts_again_after_a_kill_uploads_the_rest() {
    let coordinator = with_folder().await;
    let (mut executor, task) = flood(&coordinator).await;
    eventually("the first piece is kept", LONG, || async {
        (end_in_folder(&coordinator) > 0).then_some(())
    })
    .await;
    executor.kill();
    let rest = coordinator.rest();
    rest.ended(task).await;
    let file = file_of(&coordinator, "e1").unwrap();
    let mut again = coordinator.executor(EXECUTOR, "e1");
    eventually("the rest is kept", LONG, || async {
        (end_in_folder(&coordinator) == file.len() as u64).then_some(())
    })
    .await;
    again.signal("TERM");
    again.wait();
    let (text, note) = read_back(&rest, task).await;
    assert!(text.as_bytes() == file);
    // The kill may have cut its last lines.
    assert!(note.unwrap().contains("the log is cut here"));
}

#[tokio::test(flavor = "multi_thread")]
async fn while_the_bucket_fails_tasks_run_and_logs_follow_when_it_works_again() {
    let (bucket, url) = Bucket::serve().await;
    let coordinator = with_bucket(&url).await;
    bucket.fails(true);
    let (mut executor, task) = flood(&coordinator).await;
    eventually("the outage is logged", LONG, || async {
        let is_said = coordinator.said("coordinator").contains("could not keep logs")
            && coordinator.said("e1").contains("could not upload attempt logs, retrying");
        is_said.then_some(())
    })
    .await;
    let rest = coordinator.rest();
    let quick = rest.start("echo", json!({"param": "hi"})).await;
    assert_eq!(rest.ended(quick).await["state"], "succeeded");
    bucket.fails(false);
    let kept = || end(bucket.objects().keys().map(String::as_str));
    let file = is_kept(&coordinator, kept).await;
    executor.kill();
    rest.ended(task).await;
    assert!(read_back(&rest, task).await.0.as_bytes() == file);
    assert_eq!(coordinator.said("e1").matches("could not upload attempt logs").count(), 1);
}

/// Sends pieces as an executor that is not honest.
async fn keep(url: &str, ticket: &str, piece: v1::LogPiece) -> Result<v1::LogKept, (Code, String)> {
    let mut client = LogArchiveClient::connect(url.to_owned()).await.unwrap();
    let mut request = tonic::Request::new(piece);
    request.metadata_mut().insert("authorization", ticket.parse().unwrap());
    let kept = client.keep(request).await;
    kept.map(tonic::Response::into_inner).map_err(|err| (err.code(), err.message().to_owned()))
}

#[tokio::test(flavor = "multi_thread")]
async fn an_executor_sends_logs_of_its_own_attempts_only() {
    let coordinator = with_folder().await;
    let _honest = coordinator.executor(EXECUTOR, "e1");
    let rest = coordinator.rest();
    rest.executors(1).await;
    let task = rest.start("echo", json!({"param": "hi"})).await;
    rest.ended(task).await;

    let url = coordinator.url();
    let mut other = hello("other");
    other.service = "other".to_owned();
    let mut tickets = Vec::new();
    let mut streams = Vec::new();
    for hello in [hello("e2"), other] {
        let mut stream = Stream::open(url.clone(), hello).await.unwrap();
        let first = stream.heard.next().await.unwrap().unwrap();
        let Some(Hear::Welcome(welcome)) = first.message else { panic!("no welcome") };
        tickets.push(welcome.logs.unwrap().ticket);
        streams.push(stream);
    }
    let now = fastjob_tests::now().as_millisecond();
    let piece = |task, attempt, created_at| v1::LogPiece {
        task,
        attempt,
        created_at,
        length: 5,
        gzip: b"hello".to_vec(),
        ..v1::LogPiece::default()
    };
    for (ticket, piece, code) in [
        ("FastJob-Session 1 00", piece(task, task, now), Code::Unauthenticated),
        ("Bearer x", piece(task, task, now), Code::Unauthenticated),
        // Its executor is connected.
        (&tickets[0], piece(task, task, now), Code::FailedPrecondition),
        (&tickets[1], piece(task, task, now), Code::PermissionDenied),
        (&tickets[0], piece(task + 999, task, 0), Code::NotFound),
        (&tickets[0], piece(task, task + 999, 0), Code::NotFound),
        (&tickets[0], piece(task + 999, task, now), Code::Unavailable),
        (&tickets[0], piece(task, task, i64::MIN), Code::PermissionDenied),
        (&tickets[0], piece(task, task, now + 86_400_000), Code::PermissionDenied),
    ] {
        let refused = keep(&url, ticket, piece).await.unwrap_err();
        assert_eq!(refused.0, code, "{refused:?}");
    }
    let large = v1::LogPiece { gzip: vec![0; 3 << 20], ..piece(task, task, now) };
    assert!(keep(&url, &tickets[0], large).await.is_err());
    assert_eq!(files(&coordinator.folder().join("kept")), Vec::<PathBuf>::new());
    drop(streams);
    eventually("the ticket is of no use any more", LONG, || async {
        let refused = keep(&url, &tickets[0], piece(task, task, now)).await.unwrap_err();
        (refused.0 == Code::Unauthenticated).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_coordinator_whose_log_folder_cannot_be_used_does_not_start() {
    let mut coordinator = Coordinator::prepare(FASTJOB).env("FASTJOB_LOGS_STORE", "/dev/null/logs");
    coordinator.begin();
    eventually("it says why", Duration::from_secs(30), || async {
        let said = coordinator.said("coordinator");
        (said.contains("coordinator.logs.store") || said.contains("/dev/null")).then_some(())
    })
    .await;
}
