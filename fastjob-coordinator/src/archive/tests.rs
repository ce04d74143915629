#[cfg(feature = "s3")]
mod bucket;
mod retention;
#[cfg(feature = "s3")]
mod s3;

use std::{collections::BTreeMap, fs, io::Read as _, path::Path as FilePath, time::Duration};

use bytes::Bytes;
use fastjob_core::{AttemptId, TaskId, wire::LOG_PIECE_MAX};
use jiff::Timestamp;
use object_store::memory::InMemory;
use tempfile::TempDir;

use super::{
    keep::Kept,
    open::OpenError,
    sweep::{Removed, Retention},
    *,
};
use crate::config::LogsConfig;

const KEEP_ALL: Retention = Retention { max_age: Duration::ZERO, max_size: 0 };

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn log(task: i64, day: u32) -> LogName {
    LogName {
        task: TaskId(task),
        task_created: at(&format!("2026-11-{day:02}T08:00:00Z")),
        attempt: AttemptId(task + 1),
        attempt_created: 1_795_420_800_000 + task,
    }
}

fn wanted(log: LogName) -> Wanted {
    let LogName { task, task_created, attempt, .. } = log;
    Wanted { task, task_created, attempt, ended: true, started_at: None }
}

fn settings(max_log: ByteSize) -> LogsConfig {
    LogsConfig { max_log, ..LogsConfig::default() }
}

fn open(folder: &FilePath) -> Archive {
    Archive::of_folder(folder, &settings(ByteSize::mib(64))).unwrap()
}

fn archive() -> (TempDir, Archive) {
    let folder = tempfile::tempdir().unwrap();
    let archive = open(folder.path());
    (folder, archive)
}

fn piece(offset: u64, text: &[u8], last: bool) -> NewPiece {
    let gzip = if text.is_empty() { Vec::new() } else { gzip::compress(text).unwrap() };
    NewPiece { offset, length: text.len() as u32, gzip: gzip.into(), last }
}

async fn keep(
    archive: &Archive,
    log: LogName,
    offset: u64,
    text: &[u8],
    last: bool,
) -> (u64, bool) {
    let kept = archive.keep(log, piece(offset, text, last)).await.unwrap();
    (kept.next_offset, kept.is_full)
}

/// Reads a log to its end, in pages of this size.
async fn read(archive: &Archive, log: LogName, limit: u32) -> (String, State) {
    let (mut text, mut offset) = (String::new(), 0);
    loop {
        let page = archive.read(wanted(log), offset, limit).await.unwrap().unwrap();
        assert!(page.text.len() <= limit.max(4) as usize && page.offset == offset);
        text.push_str(&page.text);
        offset = page.next_offset;
        if page.state != State::More {
            return (text, page.state);
        }
    }
}

fn lines(count: usize) -> String {
    (0..count).map(|n| format!("line {n} 語🦀\n")).collect()
}

/// All files were written at that time.
fn written(folder: &FilePath, at: Timestamp) {
    for name in files(folder).into_keys() {
        let file = fs::File::options().append(true).open(folder.join(name)).unwrap();
        file.set_modified(at.into()).unwrap();
    }
}

/// All files, by path.
fn files(folder: &FilePath) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        match path.is_dir() {
            true => {
                let inside = files(&path).into_iter();
                found.extend(inside.map(|(inner, bytes)| (format!("{name}/{inner}"), bytes)));
            }
            false => {
                found.insert(name, fs::read(&path).unwrap());
            }
        }
    }
    found
}

#[tokio::test]
async fn a_log_is_read_as_it_was_kept_however_it_was_cut_into_pieces() {
    let (_folder, archive) = archive();
    let whole = lines(3_000);
    // Pieces end within characters, and one of them is tiny.
    let (mut at, cuts) = (0, [1, 40, 41, 20_001, 50_000, whole.len()]);
    for cut in cuts {
        let bytes = &whole.as_bytes()[at..cut];
        let kept = keep(&archive, log(7, 23), at as u64, bytes, cut == whole.len()).await;
        assert_eq!(kept, (cut as u64, cut == whole.len()));
        at = cut;
    }
    for limit in [64, 1_000, 65_536, 1 << 20] {
        assert_eq!(read(&archive, log(7, 23), limit).await, (whole.clone(), State::Complete));
    }
    let beyond = archive.read(wanted(log(7, 23)), 1 << 40, 100).await.unwrap().unwrap();
    assert_eq!((beyond.offset, beyond.text.as_str()), (whole.len() as u64, ""));
    assert_eq!(archive.read(wanted(log(8, 23)), 0, 100).await.unwrap(), None);
}

#[tokio::test]
async fn each_piece_is_one_file_that_zcat_reads() {
    let (folder, archive) = archive();
    keep(&archive, log(7, 23), 0, b"one\n", false).await;
    keep(&archive, log(7, 23), 4, b"two\n", false).await;
    keep(&archive, log(7, 23), 8, b"", true).await;
    let prefix = "2026-11-23/0000000000000007-1795420800000/0000000000000008-1795420800007";
    let expected = [
        ("0000000000000000-0000000000000004.log.gz", "one\n"),
        ("0000000000000004-0000000000000008.log.gz", "two\n"),
        ("0000000000000008-0000000000000008-end.log.gz", ""),
    ];
    let found = files(folder.path()).into_iter().map(|(name, gzip)| {
        let mut text = String::new();
        flate2::read::MultiGzDecoder::new(&*gzip).read_to_string(&mut text).unwrap();
        (name, text)
    });
    let expected = expected.map(|(name, text)| (format!("{prefix}/{name}"), text.to_owned()));
    assert_eq!(found.collect::<Vec<_>>(), expected);
}

#[tokio::test]
async fn a_log_continues_after_a_restart_or_on_another_node() {
    let (folder, archive) = archive();
    let other = open(folder.path());
    assert_eq!(keep(&archive, log(7, 23), 0, b"", false).await, (0, false), "it only asks");
    assert_eq!(keep(&archive, log(7, 23), 0, b"one\n", false).await, (4, false));
    // The other node was asked before, and does not know the end any more.
    assert_eq!(keep(&other, log(7, 23), 0, b"one\n", false).await, (4, false));
    assert_eq!(keep(&other, log(7, 23), 4, b"two\n", false).await, (8, false));
    assert_eq!(keep(&archive, log(7, 23), 4, b"two\nthree\n", false).await, (14, false));
    assert_eq!(keep(&other, log(7, 23), 99, b"x", false).await, (14, false), "a gap");
    let again = open(folder.path());
    assert_eq!(keep(&again, log(7, 23), 0, b"", false).await, (14, false));
    // Pieces that overlap have the same bytes.
    assert_eq!(read(&again, log(7, 23), 5).await, ("one\ntwo\nthree\n".to_owned(), State::Open));
    assert_eq!(keep(&again, log(7, 23), 14, b"", true).await, (14, true));
    assert_eq!(keep(&again, log(7, 23), 14, b"more", false).await, (14, true));
}

#[tokio::test]
async fn what_a_peer_claims_is_checked_before_anything_is_written() {
    let (folder, archive) = archive();
    let gzip = |text: &[u8]| Bytes::from(gzip::compress(text).unwrap());
    let bomb = gzip(&vec![0; 50 << 20]);
    let bad = |offset, length, gzip: Bytes| NewPiece { offset, length, gzip, last: false };
    let more = [gzip(b"hello").as_ref(), b"more"].concat();
    for (piece, why) in [
        (bad(0, 3, gzip(b"hello")), "and has more"),
        (bad(0, 9, gzip(b"hello")), "and has 5"),
        (bad(0, 5, Bytes::from_static(b"hello")), "not valid gzip"),
        (bad(0, 5, Bytes::new()), "not valid gzip"),
        (bad(0, 5, more.into()), "bytes follow the text"),
        (bad(0, LOG_PIECE_MAX as u32, bomb.clone()), "and has more"),
        (bad(0, LOG_PIECE_MAX as u32 + 1, bomb.clone()), "more than"),
        (bad(0, u32::MAX, bomb), "more than"),
        (bad(0, 5, vec![0; 2 << 20].into()), "more than"),
    ] {
        let refused = archive.keep(log(7, 23), piece).await.unwrap_err().to_string();
        assert!(refused.contains(why), "{refused}");
    }
    let beyond = archive.keep(log(7, 23), piece(u64::MAX, b"hello", true)).await.unwrap();
    assert_eq!(beyond, Kept { next_offset: 0, is_full: false });
    assert_eq!(files(folder.path()), BTreeMap::new());
}

#[tokio::test]
async fn a_log_that_is_too_long_is_cut_and_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let archive = Archive::of_folder(folder.path(), &settings(ByteSize(25))).unwrap();
    assert_eq!(keep(&archive, log(7, 23), 0, b"line 1\nline 2\n", false).await, (14, false));
    assert_eq!(keep(&archive, log(7, 23), 14, b"line 3\nline 4\n", false).await, (21, true));
    let (text, state) = read(&archive, log(7, 23), 100).await;
    assert_eq!(text, "line 1\nline 2\nline 3\n");
    let State::Cut(why) = state else { panic!("{state:?}") };
    assert!(why.contains("longer than coordinator.logs.max_log, 25B"), "{why}");
    let (_, gzip) = files(folder.path()).into_iter().next_back().unwrap();
    let mut shown = String::new();
    flate2::read::MultiGzDecoder::new(&*gzip).read_to_string(&mut shown).unwrap();
    assert_eq!(shown, format!("line 3\n{why}"));
    assert_eq!(keep(&open(folder.path()), log(7, 23), 21, b"x", false).await, (21, true));
}

#[tokio::test]
async fn a_damaged_piece_is_an_error_that_names_it() {
    let (folder, archive) = archive();
    keep(&archive, log(7, 23), 0, b"one\n", true).await;
    let (name, _) = files(folder.path()).into_iter().next().unwrap();
    fs::write(folder.path().join(&name), "").unwrap();
    let failed = archive.read(wanted(log(7, 23)), 0, 100).await.unwrap_err().to_string();
    assert!(failed.contains(&name), "{failed}");
}

#[tokio::test]
async fn other_files_in_the_folder_are_neither_read_nor_removed() {
    let (folder, archive) = archive();
    keep(&archive, log(7, 1), 0, b"one\n", true).await;
    let (name, _) = files(folder.path()).into_iter().next().unwrap();
    let beside = folder.path().join(&name).with_file_name("notes.txt");
    for path in [&beside, &folder.path().join("2026-11-01/mine"), &folder.path().join("mine")] {
        fs::write(path, "mine").unwrap();
    }
    // What a killed process has left.
    fs::write(folder.path().join(format!("{name}#1")), "half").unwrap();
    assert_eq!(read(&archive, log(7, 1), 100).await.0, "one\n");
    written(folder.path(), at("2026-11-01T09:00:00Z"));
    let old = Retention { max_age: Duration::from_secs(24 * 3600), ..KEEP_ALL };
    let removed = archive.remove_old(old, at("2026-11-23T00:00:00Z")).await.unwrap();
    assert_eq!(removed.objects, 1);
    let left: Vec<_> = files(folder.path()).into_keys().collect();
    assert_eq!(left.len(), 3, "{left:?}");
    assert!(left.iter().all(|name| name.ends_with("mine") || name.ends_with("notes.txt")));
}

#[tokio::test]
async fn a_log_whose_beginning_was_removed_is_read_from_the_rest() {
    let (folder, archive) = archive();
    keep(&archive, log(7, 23), 0, b"one\n", false).await;
    let (first, _) = files(folder.path()).into_iter().next().unwrap();
    keep(&archive, log(7, 23), 4, b"two\n", false).await;
    fs::remove_file(folder.path().join(first)).unwrap();
    let page = open(folder.path()).read(wanted(log(7, 23)), 0, 100).await.unwrap().unwrap();
    assert_eq!((page.offset, page.next_offset, page.text.as_str()), (4, 8, "two\n"));
}

#[tokio::test]
async fn a_log_of_which_only_the_end_without_text_is_left_ends() {
    let (folder, archive) = archive();
    keep(&archive, log(7, 23), 0, b"one\n", false).await;
    let (first, _) = files(folder.path()).into_iter().next().unwrap();
    keep(&archive, log(7, 23), 4, b"", true).await;
    fs::remove_file(folder.path().join(first)).unwrap();
    let page = open(folder.path()).read(wanted(log(7, 23)), 0, 100).await.unwrap().unwrap();
    assert_eq!((page.offset, page.next_offset, page.text.as_str()), (4, 4, ""));
    assert_eq!(page.state, State::Complete);
}

#[tokio::test]
async fn what_claims_to_be_of_a_later_attempt_does_not_hide_a_log() {
    let (folder, archive) = archive();
    let real = log(7, 23);
    let before = LogName { attempt_created: real.attempt_created - 3_600_000, ..real };
    let later = LogName { attempt_created: real.attempt_created + 4_000_000, ..real };
    for (log, text) in [(before, "restored\n"), (real, "real\n"), (later, "later\n")] {
        keep(&archive, log, 0, text.as_bytes(), true).await;
    }
    let started_at = Some(Timestamp::from_millisecond(real.attempt_created + 1_000).unwrap());
    let known = Wanted { started_at, ..wanted(real) };
    let page = open(folder.path()).read(known, 0, 100).await.unwrap().unwrap();
    assert_eq!(page.text, "real\n");
    let mut all = archive.created(real.task, real.task_created, real.attempt).await.unwrap();
    all.sort_unstable();
    assert_eq!(all, [before, real, later].map(|log| log.attempt_created));
}

#[tokio::test]
async fn callers_that_give_up_leave_no_more_work_than_there_are_places() {
    let places = Arc::new(Semaphore::new(1));
    let (done, waits) = tokio::sync::oneshot::channel::<()>();
    let hangs = in_place(&places, async move { waits.await.is_ok() });
    assert!(tokio::time::timeout(Duration::from_millis(1), hangs).await.is_err());
    let next = tokio::spawn({
        let places = Arc::clone(&places);
        async move { in_place(&places, async { 7 }).await }
    });
    assert_eq!(places.available_permits(), 0);
    done.send(()).unwrap();
    assert_eq!(next.await.unwrap().unwrap(), 7);
}

#[tokio::test]
async fn a_store_that_fails_keeps_nothing_and_works_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("logs");
    let archive = Archive::of_folder(&path, &settings(ByteSize::mib(1))).unwrap();
    // A file in place of the folder of the day, as if the disk refused.
    fs::write(path.join("2026-11-23"), "").unwrap();
    let failed = archive.keep(log(7, 23), piece(0, b"one\n", false)).await.unwrap_err();
    assert!(matches!(failed, NotKept::Failed(_)), "{failed}");
    fs::remove_file(path.join("2026-11-23")).unwrap();
    assert_eq!(keep(&archive, log(7, 23), 0, b"one\n", true).await, (4, true));
    assert_eq!(read(&archive, log(7, 23), 100).await, ("one\n".to_owned(), State::Complete));
}

#[tokio::test]
async fn a_folder_that_cannot_be_used_is_rejected_at_the_start() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("file"), "").unwrap();
    let path = folder.path().join("file/logs");
    let settings = LogsConfig {
        store: Some(crate::config::LogsUrl::Folder(path)),
        ..settings(ByteSize::mib(1))
    };
    assert!(matches!(Archive::open(&settings).await, Err(OpenError::Folder(_))));
    assert!(Archive::open(&LogsConfig::default()).await.unwrap().is_none());
}

#[tokio::test]
async fn a_prefix_is_before_all_names_of_a_bucket() {
    let objects = Arc::new(InMemory::new());
    let archive = Archive::new(objects, Path::from("a/b"), None, ByteSize::mib(1));
    archive.try_out().await.unwrap();
    keep(&archive, log(7, 20), 0, b"one\n", true).await;
    assert_eq!(read(&archive, log(7, 20), 100).await.0, "one\n");
    assert!(archive.path(&log(7, 20)).as_ref().starts_with("a/b/2026-11-20/"));
    let old = Retention { max_age: Duration::from_secs(1), ..KEEP_ALL };
    assert_eq!(archive.remove_old(old, at("2199-11-23T00:00:00Z")).await.unwrap().objects, 1);
    assert_eq!(archive.read(wanted(log(7, 20)), 0, 100).await.unwrap(), None);
}
