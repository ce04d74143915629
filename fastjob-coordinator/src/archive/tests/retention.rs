//! Which logs are removed, and when.

use super::*;

#[tokio::test]
async fn logs_that_are_too_old_are_removed_and_others_stay() {
    let (folder, archive) = archive();
    for day in [20, 21, 22, 23] {
        keep(&archive, log(i64::from(day), day), 0, b"one\n", false).await;
    }
    written(folder.path(), at("2026-11-20T09:00:00Z"));
    let retention = Retention { max_age: Duration::from_secs(2 * 24 * 3600), max_size: 0 };
    let nothing = archive.remove_old(KEEP_ALL, at("2099-01-01T00:00:00Z")).await.unwrap();
    assert_eq!(nothing, Removed::default());
    let removed = archive.remove_old(retention, at("2026-11-24T12:00:00Z")).await.unwrap();
    assert_eq!(removed.objects, 2);
    let days: Vec<_> = files(folder.path()).into_keys().map(|name| name[..10].to_owned()).collect();
    assert_eq!(days, ["2026-11-22", "2026-11-23"]);
    assert!(!folder.path().join("2026-11-20").exists());
}

#[tokio::test]
async fn a_log_that_was_written_long_after_its_task_was_created_is_not_old() {
    let (folder, archive) = archive();
    keep(&archive, log(1, 1), 0, b"one\n", true).await;
    keep(&archive, log(2, 1), 0, b"one\n", false).await;
    written(folder.path(), at("2026-11-02T08:00:00Z"));
    // A piece of a task that had waited.
    keep(&archive, log(2, 1), 4, b"two\n", true).await;
    let (late, _) = files(folder.path()).into_iter().next_back().unwrap();
    let late = fs::File::options().append(true).open(folder.path().join(late)).unwrap();
    late.set_modified(at("2026-11-20T08:00:00Z").into()).unwrap();
    let retention = Retention { max_age: Duration::from_secs(10 * 24 * 3600), max_size: 0 };
    let removed = archive.remove_old(retention, at("2026-11-24T12:00:00Z")).await.unwrap();
    assert_eq!(removed.objects, 1);
    assert_eq!(read(&archive, log(2, 1), 100).await.0, "one\ntwo\n");
    let removed = archive.remove_old(retention, at("2026-12-24T12:00:00Z")).await.unwrap();
    assert_eq!((removed.objects, files(folder.path()).len()), (2, 0));
}

#[tokio::test]
async fn what_a_killed_process_left_half_written_is_removed_with_the_oldest_logs() {
    let (folder, archive) = archive();
    for task in [1, 2] {
        keep(&archive, log(task, 20), 0, b"one\n", true).await;
    }
    let name = files(folder.path()).into_keys().next_back().unwrap();
    fs::write(folder.path().join(format!("{name}#1")), "half").unwrap();
    written(folder.path(), at("2026-11-20T08:00:00Z"));
    // Another one is being written.
    let other = folder.path().join(format!("{name}#2"));
    fs::write(&other, "half").unwrap();
    let other = fs::File::options().append(true).open(other).unwrap();
    other.set_modified(at("2026-11-20T11:30:00Z").into()).unwrap();
    // A file takes a block of the disk.
    let retention = Retention { max_age: Duration::ZERO, max_size: 4096 };
    archive.remove_old(retention, at("2026-11-20T12:00:00Z")).await.unwrap();
    let left: Vec<_> = files(folder.path()).into_keys().collect();
    assert_eq!(left, [name.clone(), format!("{name}#2")]);
}

#[tokio::test]
async fn the_oldest_logs_are_removed_until_the_rest_fits() {
    let (_folder, archive) = archive();
    for (task, day) in [(1, 20), (2, 21), (3, 21), (4, 22)] {
        keep(&archive, log(task, day), 0, b"one\n", false).await;
        keep(&archive, log(task, day), 4, b"two\n", true).await;
    }
    // Each file takes a block of the disk.
    let each = 2 * 4096;
    // One byte too many for three logs: whole logs are removed.
    let retention = Retention { max_age: Duration::ZERO, max_size: 3 * each - 1 };
    let removed = archive.remove_old(retention, at("2026-11-24T12:00:00Z")).await.unwrap();
    assert_eq!(removed, Removed { objects: 4, bytes: 2 * each });
    for (task, day, is_kept) in [(1, 20, false), (2, 21, false), (3, 21, true), (4, 22, true)] {
        let found = archive.read(wanted(log(task, day)), 0, 100).await.unwrap();
        assert_eq!(found.is_some(), is_kept, "{task}");
    }
    let again = archive.remove_old(retention, at("2026-11-24T12:00:00Z")).await.unwrap();
    assert_eq!(again, Removed::default());
}
