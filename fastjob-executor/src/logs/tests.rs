mod secrecy;

use std::{fs, time::Duration};

use fastjob_core::{JobLog as _, wire::LOG_TAIL_MAX};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

use super::{text::ENTRY_MAX, *};

const ID: AttemptId = AttemptId(42);
const WHOLE: u32 = u32::MAX;
const FILE_MAX: usize = 64 << 20;

fn noon() -> Timestamp {
    "2026-11-23T12:00:00Z".parse().unwrap()
}

fn logs() -> (TempDir, Logs) {
    let dir = tempfile::tempdir().unwrap();
    let logs = Logs::open(dir.path(), 7, 64 << 20).unwrap();
    (dir, logs)
}

fn names(path: &Path) -> Vec<String> {
    let name = |entry: io::Result<fs::DirEntry>| entry.unwrap().file_name().into_string().unwrap();
    let mut names: Vec<_> = fs::read_dir(path).unwrap().map(name).collect();
    names.sort();
    names
}

/// The text of the log's lines. Checks and removes their timestamps.
fn said(log: &str) -> Vec<&str> {
    log.lines()
        .map(|line| {
            let (at, text) = line.split_once(' ').unwrap();
            at.parse::<Timestamp>().unwrap();
            text
        })
        .collect()
}

#[tokio::test]
async fn the_first_line_creates_the_file_of_the_day() {
    let (dir, logs) = logs();
    let silent = logs.attempt(AttemptId(41), noon(), None);
    let log = logs.attempt(ID, noon(), None);
    logs.flush().await;
    assert!(names(dir.path()).is_empty());
    log.line(format_args!("hello {}", 1));
    log.line(format_args!("two\nlines"));
    logs.flush().await;
    assert_eq!(names(dir.path()), ["2026-11-23"]);
    assert_eq!(names(&dir.path().join("2026-11-23")), ["42.log"]);
    let text = fs::read_to_string(dir.path().join("2026-11-23/42.log")).unwrap();
    assert_eq!(said(text.lines().next().unwrap()), ["hello 1"]);
    assert!(text.ends_with("Z two\nlines\n"), "{text}");
    assert_eq!(log.tail(), (0, text));
    assert_eq!(silent.tail(), (0, String::new()));
}

#[tokio::test]
async fn a_running_attempt_can_be_followed_to_its_end() {
    let (_dir, logs) = logs();
    let log = logs.attempt(ID, noon(), None);
    let none = logs.read(ID, 0, WHOLE).await.unwrap();
    assert_eq!((none.next_offset, none.text.as_str(), none.ended), (0, "", false));
    log.line(format_args!("one"));
    let one = logs.read(ID, 0, WHOLE).await.unwrap();
    assert_eq!((said(&one.text), one.ended), (vec!["one"], false));
    assert_eq!(one.next_offset, one.text.len() as u64);
    log.line(format_args!("two"));
    log.finish();
    log.line(format_args!("too late"));
    let two = logs.read(ID, one.next_offset, WHOLE).await.unwrap();
    assert_eq!((said(&two.text), two.ended), (vec!["two"], true));
    let beyond = logs.read(ID, 1_000_000, WHOLE).await.unwrap();
    assert_eq!((beyond.offset, beyond.text.as_str(), beyond.ended), (two.next_offset, "", true));
    drop(log);
    logs.flush().await;
    assert_eq!(logs.read(ID, one.next_offset, WHOLE).await.unwrap(), two);
}

#[tokio::test]
async fn a_page_is_bounded_and_ends_between_characters() {
    let (_dir, logs) = logs();
    let log = logs.attempt(ID, noon(), None);
    log.line(format_args!("aé€🦀"));
    log.finish();
    let whole = logs.read(ID, 0, WHOLE).await.unwrap().text;
    for limit in 0..10 {
        let (mut offset, mut text) = (0, String::new());
        loop {
            let page = logs.read(ID, offset, limit).await.unwrap();
            assert!(page.text.len() as u32 <= limit.max(4) && page.offset == offset);
            text.push_str(&page.text);
            offset = page.next_offset;
            if page.ended {
                break;
            }
        }
        assert_eq!(text, whole, "{limit}");
    }
    (0..20).for_each(|_| log_more(&logs, AttemptId(43), 60_000));
    assert!(logs.read(AttemptId(43), 0, WHOLE).await.unwrap().text.len() <= 1024 * 1024);
}

fn log_more(logs: &Logs, id: AttemptId, bytes: usize) {
    logs.attempt(id, noon(), None).line(format_args!("{}", "x".repeat(bytes)));
}

#[tokio::test]
async fn old_files_are_found_by_id_and_unknown_ones_are_not() {
    let (dir, logs) = logs();
    for day in ["2026-11-20", "2026-11-22", "other"] {
        fs::create_dir(dir.path().join(day)).unwrap();
    }
    fs::write(dir.path().join("2026-11-20/42.log"), b"from a \xff past life\n").unwrap();
    let page = logs.read(ID, 0, WHOLE).await.unwrap();
    assert_eq!((page.text.as_str(), page.ended), ("from a \u{fffd} past life\n", true));
    assert_eq!(page.next_offset, 19);
    let unknown = logs.read(AttemptId(1), 0, WHOLE).await;
    assert!(matches!(unknown, Err(LogError::NotFound(AttemptId(1)))));
    logs.attempt(AttemptId(1), noon(), None).finish();
    let silent = logs.read(AttemptId(1), 0, WHOLE).await;
    assert!(matches!(silent, Err(LogError::NotFound(_))));
}

#[tokio::test]
async fn an_attempt_leaves_nothing_in_memory() {
    let (_dir, logs) = logs();
    for id in 0..10_000 {
        let log = logs.attempt(AttemptId(id), noon(), None);
        if id % 2 == 0 {
            log.line(format_args!("x"));
        }
        log.finish();
    }
    logs.flush().await;
    // The writer drops its last reference right after the write.
    let gone = async {
        while !lock(&logs.0.live).is_empty() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), gone).await.unwrap();
    assert_eq!(lock(&logs.0.recent).days.len(), RECENT_MAX);
    assert_eq!(lock(&logs.0.recent).order.len(), RECENT_MAX);
    assert!(logs.0.writer.reserve(64 * 1024 * 1024), "all bytes are released");
}

#[tokio::test]
async fn a_file_is_bounded_and_says_so_once() {
    let (dir, logs) = logs();
    let log = logs.attempt(ID, noon(), None);
    let entry = "x".repeat(ENTRY_MAX);
    for _ in 0..FILE_MAX / ENTRY_MAX + 10 {
        log.line(format_args!("{entry}"));
        // Writing directly avoids the bound on pending lines.
        logs.0.live(ID).unwrap().write_out();
    }
    let path = dir.path().join("2026-11-23/42.log");
    let file = fs::read_to_string(path).unwrap();
    assert!(file.len() < FILE_MAX + 100);
    assert!(file.ends_with(" … the log is full: the rest is dropped\n"));
    assert_eq!(file.matches("the log is full").count(), 1);
    log.line(format_args!("the end"));
    let (begin, tail) = log.tail();
    assert!(tail.ends_with(" the end\n") && tail.len() <= LOG_TAIL_MAX);
    assert!(begin > file.len() as u64, "it is not in the file, and follows it");
}

#[tokio::test]
async fn lines_dropped_from_a_full_buffer_are_counted() {
    let (_dir, logs) = logs();
    let log = logs.attempt(ID, noon(), None);
    assert!(logs.0.writer.reserve(64 * 1024 * 1024 - 100));
    {
        let live = logs.0.live(ID).unwrap();
        let _disk_stands_still = live.stall();
        (0..5).for_each(|n| log.line(format_args!("line {n}")));
    }
    let page = logs.read(ID, 0, WHOLE).await.unwrap();
    let said = said(&page.text);
    assert_eq!(said.first(), Some(&"line 0"));
    assert_eq!(said.last(), Some(&"… 2 entries dropped here: the disk is too slow"));
    assert!(log.tail().1.ends_with("line 4\n"));
    // What follows has one position, whether the file or the end is read.
    log.line(format_args!("line 5"));
    let next = logs.read(ID, page.next_offset, WHOLE).await.unwrap();
    let (begin, tail) = log.tail();
    let at = usize::try_from(page.next_offset - begin).unwrap();
    assert_eq!(tail[at..], next.text);
}

#[tokio::test]
async fn a_disk_failure_is_reported_in_the_tail() {
    let (dir, logs) = logs();
    // A file instead of the day's folder.
    fs::write(dir.path().join("2026-11-23"), "").unwrap();
    let log = logs.attempt(ID, noon(), None);
    log.line(format_args!("one"));
    logs.flush().await;
    log.line(format_args!("two"));
    logs.flush().await;
    let (begin, tail) = log.tail();
    assert_eq!(begin, 0, "nothing is missing before it");
    let said = said(&tail);
    assert_eq!((said[0], said[2], said.len()), ("one", "two", 3));
    assert!(said[1].starts_with("… cannot write the log file: "), "{tail}");
    fs::remove_file(dir.path().join("2026-11-23")).unwrap();
    let next = logs.attempt(AttemptId(43), noon(), None);
    next.line(format_args!("works again"));
    assert!(logs.read(AttemptId(43), 0, WHOLE).await.unwrap().text.ends_with("works again\n"));
}

#[test]
fn an_unusable_path_is_rejected_with_its_name() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("file");
    fs::write(&path, "").unwrap();
    let Err(err) = Logs::open(&path, 7, 64 << 20) else { panic!("a file is not a folder") };
    assert_eq!(err.to_string(), format!("cannot use the log path `{}`", path.display()));
    assert!(std::error::Error::source(&err).is_some());
}

#[tokio::test]
async fn only_old_days_are_swept() {
    let (dir, logs) = logs();
    for day in ["2026-11-15", "2026-11-16", "2026-11-23", "2025-01-01", "2020-02-02", "keep"] {
        fs::create_dir(dir.path().join(day)).unwrap();
        fs::write(dir.path().join(day).join("1.log"), "x").unwrap();
    }
    fs::write(dir.path().join("2020-02-02/notes.txt"), "mine").unwrap();
    fs::write(dir.path().join("2019-01-01"), "no folder").unwrap();
    let running = logs.attempt(ID, "2025-01-01T00:00:00Z".parse().unwrap(), None);
    running.line(format_args!("still here"));
    logs.flush().await;
    let failures = logs.sweep(utc_day(noon()), &CancellationToken::new()).await;
    assert!(failures.is_empty(), "{failures:?}");
    let left = ["2019-01-01", "2020-02-02", "2025-01-01", "2026-11-16", "2026-11-23", "keep"];
    assert_eq!(names(dir.path()), left);
    assert_eq!(names(&dir.path().join("2025-01-01")), ["42.log"]);
    assert_eq!(names(&dir.path().join("2020-02-02")), ["notes.txt"]);
}

#[tokio::test]
async fn notes_of_uploads_are_swept_with_their_logs() {
    let (dir, logs) = logs();
    let notes = dir.path().join("pending");
    fs::create_dir(&notes).unwrap();
    fs::write(notes.join("7"), "7 5 2020-01-01\n").unwrap();
    fs::write(notes.join("8"), "8 5 2026-11-23\n").unwrap();
    let failures = logs.sweep(utc_day(noon()), &CancellationToken::new()).await;
    assert!(failures.is_empty(), "{failures:?}");
    assert_eq!(names(&notes), ["8"]);
}

#[tokio::test]
async fn nothing_is_swept_if_logs_are_kept_forever() {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("2000-01-01")).unwrap();
    let logs = Logs::open(dir.path(), 0, 64 << 20).unwrap();
    logs.sweep(utc_day(noon()), &CancellationToken::new()).await;
    assert_eq!(names(dir.path()), ["2000-01-01"]);
}

#[tokio::test]
async fn the_sweep_begins_at_start_and_ends_when_stopped() {
    let (dir, logs) = logs();
    fs::create_dir(dir.path().join("2000-01-01")).unwrap();
    let stop = CancellationToken::new();
    let sweeping = tokio::spawn({
        let (logs, stop) = (logs.clone(), stop.clone());
        async move { logs.sweep_loop(stop).await }
    });
    let swept = async {
        while dir.path().join("2000-01-01").exists() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), swept).await.unwrap();
    stop.cancel();
    tokio::time::timeout(Duration::from_secs(20), sweeping).await.unwrap().unwrap();
}

#[test]
fn the_sweep_ends_when_stopped_even_if_the_disk_hangs() {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    let runtime = builder.enable_all().max_blocking_threads(1).build().unwrap();
    runtime.block_on(async {
        let (_dir, logs) = logs();
        // A disk call that does not return occupies the only blocking thread.
        let (_returns, hangs) = std::sync::mpsc::channel::<()>();
        tokio::task::spawn_blocking(move || hangs.recv().ok());
        let stop = CancellationToken::new();
        let sweeping = tokio::spawn({
            let (logs, stop) = (logs.clone(), stop.clone());
            async move { logs.sweep_loop(stop).await }
        });
        tokio::task::yield_now().await;
        stop.cancel();
        tokio::time::timeout(Duration::from_secs(20), sweeping).await.unwrap().unwrap();
    });
}
