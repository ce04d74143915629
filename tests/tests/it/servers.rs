//! Commands that wait survive the loss of the coordinator that they talk to.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::{Command, ExitStatus},
    time::Duration,
};

use fastjob_tests::{eventually, process::Process, rest::Rest};
use serde_json::json;

use crate::{EXECUTOR, FASTJOB, cluster::Cluster, coordinator};

/// A command in progress, with its output in files.
struct Running {
    process: Process,
    out: PathBuf,
    err: PathBuf,
}

impl Running {
    fn start(folder: &Path, servers: &str, words: &[&str]) -> Self {
        let (out, err) = (folder.join("command.out"), folder.join("command.err"));
        let process = Process::start(
            Command::new(FASTJOB)
                .args(words)
                .args(["--server", servers])
                .current_dir(folder)
                .env_remove("FASTJOB_CONFIG")
                .env_remove("FASTJOB_TOKEN")
                .stdout(File::create(&out).unwrap())
                .stderr(File::create(&err).unwrap()),
        );
        Self { process, out, err }
    }

    fn out(&self) -> String {
        fs::read_to_string(&self.out).unwrap()
    }

    fn err(&self) -> String {
        fs::read_to_string(&self.err).unwrap()
    }

    /// Waits until the output has a text.
    async fn prints(&self, text: &str) {
        eventually("the command has printed it", Duration::from_secs(30), || async {
            self.out().contains(text).then_some(())
        })
        .await;
    }

    async fn ended(mut self) -> (ExitStatus, String, String) {
        for _ in 0..600 {
            if let Some(status) = self.process.ended() {
                return (status, self.out(), self.err());
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        panic!("it has not ended: {} {}", self.out(), self.err());
    }
}

/// The only task of a job, once it runs.
async fn running(rest: &Rest, job: &str) -> i64 {
    eventually("the task runs", Duration::from_secs(30), || async {
        let (_, list) = rest.get(&format!("/api/v1/tasks?job={job}")).await.ok()?;
        let task = &list["items"][0];
        (task["state"] == "running").then(|| task["id"].as_i64()).flatten()
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_start_that_waits_survives_the_node_that_it_was_sent_to() {
    let mut cluster = Cluster::start(2).await;
    let _executor = cluster.executor("e1");
    cluster.connected(1).await;
    let rest = cluster.nodes[1].rest();
    rest.save(json!({"name": "slow", "handler": "slow", "param": "8000"})).await;
    let servers = format!("{},{}", cluster.nodes[0].url(), cluster.nodes[1].url());
    let folder = tempfile::tempdir().unwrap();
    let command = Running::start(folder.path(), &servers, &["start", "slow", "--wait"]);
    let task = running(&rest, "slow").await;
    cluster.nodes[0].kill();
    let (status, out, err) = command.ended().await;
    assert_eq!(status.code(), Some(0), "{out} {err}");
    assert_eq!(out, format!("task {task} started\ntask {task} succeeded: slept\n"), "{err}");
    let (_, list) = rest.get("/api/v1/tasks?job=slow").await.unwrap();
    assert_eq!(list["items"].as_array().map(Vec::len), Some(1), "it was started once: {list}");

    // Now only the second address answers.
    rest.save(json!({"name": "noop"})).await;
    let command = Running::start(folder.path(), &servers, &["start", "noop", "--wait"]);
    let (status, out, err) = command.ended().await;
    assert_eq!(status.code(), Some(0), "{out} {err}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_followed_log_survives_a_restart_of_the_only_coordinator() {
    let mut coordinator = coordinator().await;
    let _executor = coordinator.executor(EXECUTOR, "e1");
    let rest = coordinator.rest();
    rest.executors(1).await;
    let task = rest.start("talks", json!({"param": 150})).await;
    rest.reaches(task, &["running"]).await;
    let words = ["task", "log", &task.to_string(), "--follow"];
    let command = Running::start(coordinator.folder(), &coordinator.url(), &words);
    command.prints("line 5\n").await;
    coordinator.kill();
    eventually("it says that it waits", Duration::from_secs(30), || async {
        command.err().contains("still waiting: ").then_some(())
    })
    .await;
    coordinator.up().await;
    let (status, out, err) = command.ended().await;
    assert_eq!(status.code(), Some(0), "{out} {err}");
    let numbers = out.lines().filter_map(|line| line.rsplit_once("line ")?.1.parse::<u32>().ok());
    let all: Vec<_> = (1..=150).collect();
    assert_eq!(numbers.collect::<Vec<_>>(), all, "each line once: {out} {err}");
}
