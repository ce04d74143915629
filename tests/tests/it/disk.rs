//! A full disk: writes wait, no recorded data is lost, and the coordinator recovers by itself.

use std::{
    fs::File,
    io::Write,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use fastjob_tests::{eventually, process::Coordinator};
use jiff::Timestamp;
use serde_json::json;

use crate::{EXECUTOR, FASTJOB};

/// A small file system, unmounted on drop.
struct SmallDisk(tempfile::TempDir);

impl SmallDisk {
    /// `None` if this process is not allowed to mount.
    fn mount() -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", "size=4m", "tmpfs"]).arg(folder.path());
        mount.output().ok()?.status.success().then(|| Self(folder))
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    /// Uses all free space.
    fn fill(&self) -> PathBuf {
        let path = self.path().join("ballast");
        let mut file = File::create(&path).unwrap();
        for size in [64 * 1024, 4096, 1] {
            while file.write_all(&vec![0; size]).is_ok() {}
        }
        path
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // If this fails, the removal of the folder fails too and reports it.
        drop(Command::new("umount").arg(self.path()).status());
    }
}

#[tokio::test]
async fn a_shutdown_with_a_full_disk_fails_and_reports_unpersisted_decisions() {
    let Some(disk) = SmallDisk::mount() else {
        println!("skipped: this process is not allowed to mount a file system");
        return;
    };
    let mut coordinator = Coordinator::prepare(FASTJOB)
        .env("FASTJOB_DRAIN", "1s")
        .store_at(disk.path().join("fastjob.db"));
    coordinator.up().await;
    let rest = coordinator.rest();
    rest.save(json!({"name": "tick", "handler": "noop", "schedule": {"cron": "* * * * * ?"}}))
        .await;
    let ballast = disk.fill();
    eventually("it reports that it is not ready", Duration::from_secs(30), || async {
        let (status, answer) = rest.get("/readyz").await.ok()?;
        let words = answer["detail"].as_str()?.matches("disk is full").count();
        assert_eq!((status, words), (503, 1), "the reason appears once: {answer}");
        Some(())
    })
    .await;
    assert_eq!(coordinator.stop().code(), Some(1));
    let said = coordinator.said("coordinator");
    assert!(said.contains("unpersisted decisions"), "{said}");

    // Recorded data is still there, and the next shutdown is clean.
    std::fs::remove_file(ballast).unwrap();
    coordinator.up().await;
    assert_eq!(rest.get("/api/v1/jobs/tick").await.unwrap().0, 200);
    assert!(coordinator.stop().success());
}

#[tokio::test]
async fn no_fire_is_lost_while_the_disk_is_full() {
    let Some(disk) = SmallDisk::mount() else {
        println!("skipped: this process is not allowed to mount a file system");
        return;
    };
    let mut coordinator = Coordinator::prepare(FASTJOB).store_at(disk.path().join("fastjob.db"));
    coordinator.up().await;
    let _executor = coordinator.executor(EXECUTOR, "e1");
    let rest = coordinator.rest();
    rest.executors(1).await;
    rest.save(json!({"name": "tick", "handler": "noop", "misfire": {"fire_all": {"max": 1000}},
        "schedule": {"cron": "* * * * * ?"}}))
        .await;
    let succeeded = |more_than: usize| {
        let rest = rest.clone();
        eventually("the job has fired", Duration::from_secs(40), move || {
            let rest = rest.clone();
            async move {
                let mut tasks = rest.tasks("tick").await;
                tasks.retain(|task| task["state"] == "succeeded");
                (tasks.len() > more_than).then_some(tasks)
            }
        })
    };
    let before = succeeded(1).await.len();

    let ballast = disk.fill();
    eventually("it reports that it is not ready", Duration::from_secs(30), || async {
        rest.get("/readyz").await.ok().filter(|(status, _)| *status == 503)
    })
    .await;
    let job = json!({"name": "new", "handler": "noop"}).to_string();
    for (method, path, body) in [
        ("POST", "/api/v1/jobs", Some(job)),
        ("POST", "/api/v1/jobs/tick/start", None),
        ("POST", "/api/v1/jobs/tick/disable", None),
    ] {
        let (status, answer) = rest.ask(method, path, body).await.unwrap();
        assert_eq!(status, 503, "{method} {path}: {answer}");
        assert!(answer["detail"].as_str().is_some_and(|text| text.contains("store")), "{answer}");
    }
    assert_eq!(rest.get("/api/v1/jobs/tick").await.unwrap().0, 200, "reads still work");
    assert_eq!(rest.get("/api/v1/jobs/new").await.unwrap().0, 404, "nothing was saved");

    std::fs::remove_file(ballast).unwrap();
    eventually("it is ready again by itself", Duration::from_secs(30), || async {
        rest.get("/readyz").await.ok().filter(|(status, _)| *status == 200)
    })
    .await;
    let mut tasks = succeeded(before + 3).await;
    tasks.reverse();
    let fires: Vec<Timestamp> =
        tasks.iter().map(|task| task["fire_at"].as_str().unwrap().parse().unwrap()).collect();
    for pair in fires.windows(2) {
        assert_eq!(pair[1].duration_since(pair[0]).as_millis(), 1_000, "after {}", pair[0]);
    }
    drop(coordinator);
}
