use std::{collections::BTreeMap, fs, io::Read as _, path::Path};

use fastjob_core::{JobLog as _, wire::LOG_PIECE_MAX};
use jiff::Timestamp;
use tokio_util::sync::CancellationToken;

use super::*;
use crate::logs::{AttemptLog, Logs};

const MAX: usize = 64 << 20;

/// A coordinator that keeps what it is sent, in memory.
#[derive(Default)]
struct Fake(Mutex<Shown>);

#[derive(Default)]
struct Shown {
    /// By attempt, the text, and whether it is complete.
    logs: BTreeMap<i64, (Vec<u8>, bool)>,
    pieces: usize,
    /// Calls that fail before others succeed.
    failing: usize,
    refused: bool,
    /// Calls that are answered that the coordinator is busy, and then that it takes the log later.
    busy: usize,
    not_yet: usize,
}

impl Shelf for Fake {
    fn keep(&self, piece: Piece) -> Answer {
        let mut shown = lock(&self.0);
        if shown.failing > 0 {
            shown.failing -= 1;
            return Box::pin(async { Err(NotKept::Later("the disk is full".to_owned())) });
        }
        if shown.busy > 0 {
            shown.busy -= 1;
            return Box::pin(async { Err(NotKept::Busy) });
        }
        if shown.not_yet > 0 {
            shown.not_yet -= 1;
            return Box::pin(async { Err(NotKept::NotYet("it still runs".to_owned())) });
        }
        if shown.refused {
            return Box::pin(async { Err(NotKept::Refused("of another executor".to_owned())) });
        }
        assert!(piece.length as usize <= LOG_PIECE_MAX);
        let (kept, is_complete) = shown.logs.entry(piece.attempt.0).or_default();
        let mut is_new = false;
        if piece.offset == kept.len() as u64 {
            let before = kept.len();
            flate2::read::GzDecoder::new(&*piece.gzip).read_to_end(kept).ok();
            assert_eq!(kept.len() - before, piece.length as usize);
            *is_complete |= piece.last;
            is_new = true;
        }
        let kept = Kept { next_offset: kept.len() as u64, is_full: *is_complete };
        shown.pieces += usize::from(is_new && piece.length > 0);
        Box::pin(async move { Ok(kept) })
    }
}

fn origin(task: i64) -> Option<Origin> {
    Some(Origin { task: TaskId(task), created_at: 1_000 + task })
}

fn noon() -> Timestamp {
    "2026-11-23T12:00:00Z".parse().unwrap()
}

fn file(folder: &Path, attempt: i64) -> Vec<u8> {
    fs::read(folder.join(format!("2026-11-23/{attempt}.log"))).unwrap()
}

/// Logs of an executor that has a session with a coordinator.
struct Running {
    logs: Logs,
    fake: Arc<Fake>,
    stop: CancellationToken,
    _registered: Registered,
}

impl Running {
    fn new(folder: &Path, fake: Arc<Fake>) -> Self {
        let logs = Logs::open(folder, 7, MAX).unwrap();
        let registered = logs.uploads().register(0, Arc::clone(&fake) as _);
        let (uploader, stop) = (logs.clone(), CancellationToken::new());
        let stopping = stop.clone();
        tokio::spawn(async move { uploader.upload_loop(stopping).await });
        Self { logs, fake, stop, _registered: registered }
    }

    fn attempt(&self, id: i64) -> AttemptLog {
        self.logs.attempt(AttemptId(id), noon(), origin(id))
    }

    fn kept(&self, id: i64) -> Option<(Vec<u8>, bool)> {
        lock(&self.fake.0).logs.get(&id).cloned()
    }

    async fn keeps(&self, id: i64, wanted: impl Fn(&[u8], bool) -> bool) {
        let look = async {
            while !self.kept(id).is_some_and(|(text, complete)| wanted(&text, complete)) {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(300), look).await.expect("it is uploaded");
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

fn write(log: &AttemptLog, lines: usize) {
    (0..lines).for_each(|n| log.line(format_args!("line {n} {}", "x".repeat(100))));
}

#[tokio::test]
async fn a_long_log_is_uploaded_completely_in_pieces_that_end_with_a_line() {
    let folder = tempfile::tempdir().unwrap();
    let running = Running::new(folder.path(), Arc::default());
    let log = running.attempt(1);
    write(&log, 30_000);
    log.finish();
    drop(log);
    running.keeps(1, |_, complete| complete).await;
    let (kept, _) = running.kept(1).unwrap();
    assert!(kept.len() > 3 * LOG_PIECE_MAX && kept == file(folder.path(), 1));
    assert!(lock(&running.fake.0).pieces >= 4);
    assert_eq!(running.logs.uploads().finish(Duration::from_secs(60)).await, 0);
    assert_eq!(fs::read_dir(folder.path().join("pending")).unwrap().count(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_log_that_is_whole_in_the_tail_is_not_uploaded_and_other_lines_are_within_seconds() {
    let folder = tempfile::tempdir().unwrap();
    let running = Running::new(folder.path(), Arc::default());
    let short = running.attempt(1);
    write(&short, 3);
    short.finish();
    let quiet = running.attempt(2);
    write(&quiet, 1);
    running.keeps(2, |text, complete| text.ends_with(b"x\n") && !complete).await;
    // A log of which a part was sent is completed, however short it is.
    quiet.finish();
    running.keeps(2, |_, complete| complete).await;
    assert_eq!(running.kept(1), None);
    assert!(running.logs.uploads().lock().queue.is_empty());
}

#[tokio::test(start_paused = true)]
async fn an_outage_of_the_coordinator_is_retried_until_it_is_over() {
    let folder = tempfile::tempdir().unwrap();
    let fake = Arc::new(Fake::default());
    lock(&fake.0).failing = 9;
    let running = Running::new(folder.path(), fake);
    let log = running.attempt(1);
    write(&log, 1_000);
    log.finish();
    running.keeps(1, |_, complete| complete).await;
    assert_eq!(running.kept(1).unwrap().0, file(folder.path(), 1));
}

#[tokio::test]
async fn a_process_that_starts_again_uploads_what_is_missing() {
    let folder = tempfile::tempdir().unwrap();
    let fake = Arc::new(Fake::default());
    let (log, logs) = {
        let killed = Running::new(folder.path(), Arc::clone(&fake));
        let log = killed.attempt(1);
        write(&log, 20_000);
        killed.keeps(1, |text, _| text.len() > LOG_PIECE_MAX / 2).await;
        killed.stop.cancel();
        (log, killed.logs.clone())
    };
    write(&log, 20_000);
    logs.flush().await;
    let file = file(folder.path(), 1);
    let again = Running::new(folder.path(), fake);
    again.keeps(1, |text, _| text.len() == file.len()).await;
    // The kill may have cut it, so it is not marked as complete.
    assert!(again.kept(1).unwrap() == (file, false));
    assert_eq!(again.logs.uploads().finish(Duration::from_secs(60)).await, 0);
    assert_eq!(fs::read_dir(folder.path().join("pending")).unwrap().count(), 0);
}

#[tokio::test]
async fn a_log_that_the_coordinator_refuses_is_not_sent_again() {
    let folder = tempfile::tempdir().unwrap();
    let fake = Arc::new(Fake::default());
    lock(&fake.0).refused = true;
    let running = Running::new(folder.path(), fake);
    let log = running.attempt(1);
    write(&log, 1_000);
    log.finish();
    let refused = async {
        while !running.logs.uploads().lock().queue.is_empty() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), refused).await.unwrap();
    assert_eq!(running.kept(1), None);
}

#[tokio::test(start_paused = true)]
async fn a_coordinator_that_is_busy_or_takes_the_log_later_is_asked_again() {
    let folder = tempfile::tempdir().unwrap();
    let fake = Arc::new(Fake::default());
    {
        let mut shown = lock(&fake.0);
        (shown.busy, shown.not_yet) = (5, 5);
    }
    let running = Running::new(folder.path(), fake);
    let log = running.attempt(1);
    write(&log, 1_000);
    log.finish();
    running.keeps(1, |_, complete| complete).await;
    assert_eq!(running.kept(1).unwrap().0, file(folder.path(), 1));
}

#[tokio::test]
async fn logs_wait_while_a_coordinator_does_not_keep_them_and_another_one_gets_them() {
    let folder = tempfile::tempdir().unwrap();
    let logs = Logs::open(folder.path(), 7, MAX).unwrap();
    let uploads = logs.uploads();
    let fake = Arc::new(Fake::default());
    drop(uploads.register(0, Arc::clone(&fake) as _));
    let log = logs.attempt(AttemptId(1), noon(), origin(1));
    write(&log, 1_000);
    uploads.not_kept();
    log.finish();
    assert_eq!(uploads.lock().queue.len(), 1);
    assert!(uploads.take(Instant::now() + Duration::from_secs(99)).is_none());
    let _registered = uploads.register(0, fake);
    assert!(uploads.take(Instant::now() + Duration::from_secs(99)).is_some());
}

#[tokio::test]
async fn nothing_is_remembered_if_no_coordinator_keeps_logs() {
    let folder = tempfile::tempdir().unwrap();
    let logs = Logs::open(folder.path(), 7, MAX).unwrap();
    let log = logs.attempt(AttemptId(1), noon(), origin(1));
    write(&log, 1_000);
    log.finish();
    assert!(logs.uploads().lock().queue.is_empty());
    assert_eq!(logs.uploads().finish(Duration::from_secs(60)).await, 0);
}

#[test]
fn a_note_is_read_as_it_was_written_and_anything_else_is_ignored() {
    let log = Log {
        attempt: AttemptId(7),
        origin: Origin { task: TaskId(6), created_at: 5 },
        day: "2026-11-23".parse().unwrap(),
    };
    assert_eq!(notes::read(AttemptId(7), &notes::write(&log)), Some(log));
    for other in ["", "6 5 2026-11-23", "6 5\n", "6 5 2026-11-23 x\n", "a 5 2026-11-23\n"] {
        assert_eq!(notes::read(AttemptId(7), other), None, "{other:?}");
    }
}
