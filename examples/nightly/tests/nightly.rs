//! The pipeline as a process, with a real coordinator that sends alarms to a webhook.

#![expect(clippy::unwrap_used, reason = "what a test cannot do without ends it")]

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use axum::{Json, Router, routing::post};
use fastjob_client::{
    Client,
    types::{BackfillRequest, TaskView},
};
use fastjob_coordinator::Config;
use fastjob_tests::{
    embedded::Embedded,
    eventually,
    process::{Process, write_private},
};
use serde_json::{Value, json};
use tokio::{net::TcpListener, sync::mpsc};

const PATIENCE: Duration = Duration::from_secs(30);
const SHOPS: [&str; 4] = ["lille", "lyon", "nice", "paris"];
const LINES: i64 = 6000;

struct World {
    coordinator: Embedded,
    client: Client,
    alarms: mpsc::UnboundedReceiver<Value>,
}

impl World {
    /// Starts a coordinator with the settings of the example, and a server for its webhook.
    async fn create() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let hook = format!("http://{}", listener.local_addr().unwrap());
        let (send, alarms) = mpsc::unbounded_channel();
        let receive =
            post(move |Json(alarm): Json<Value>| async move { send.send(alarm).unwrap() });
        let routes = Router::new().route("/alarms", receive);
        tokio::spawn(async move { axum::serve(listener, routes).await });

        let settings = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/fastjob.toml"));
        let settings = settings.unwrap().replace("http://127.0.0.1:8090", &hook);
        assert!(settings.contains(&hook), "{settings}");
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("fastjob.toml");
        write_private(&file, &settings);
        let coordinator = Embedded::start_with(Config::load(Some(&file), |_| None).unwrap()).await;
        Self { client: coordinator.client(), coordinator, alarms }
    }

    /// Starts the executor, which pauses this long after each page.
    async fn executor(&self, pause_ms: u32) -> Process {
        let program = env!("CARGO_BIN_EXE_nightly");
        let mut program = self.coordinator.program(program, "nightly-1");
        program
            .env("NIGHTLY_SHOPS", SHOPS.join(","))
            .env("NIGHTLY_INBOX", self.inbox())
            .env("NIGHTLY_REPORTS", self.coordinator.folder().join("reports"))
            .env("NIGHTLY_PAUSE_MS", pause_ms.to_string());
        let process = self.coordinator.run(&mut program, "nightly-1");
        self.coordinator.rest().executors(1).await;
        process
    }

    fn inbox(&self) -> PathBuf {
        self.coordinator.folder().join("inbox")
    }

    /// Waits for the report of a day.
    async fn report(&self, day: &str) -> String {
        let report = self.coordinator.folder().join(format!("reports/{day}.csv"));
        eventually(&format!("the report of {day} is there"), PATIENCE, || async {
            fs::read_to_string(&report).ok()
        })
        .await
    }

    /// Waits until a task of a job is as wanted, and returns it.
    async fn task(&self, job: &str, is_wanted: impl Fn(&TaskView) -> bool) -> TaskView {
        eventually(&format!("a task of {job} is as wanted"), PATIENCE, || async {
            let tasks = self.client.tasks().job(job).collect(20).await.ok()?;
            for task in tasks {
                let task = self.client.task(task.id).get().await.ok()?;
                if is_wanted(&task) {
                    return Some(task);
                }
            }
            None
        })
        .await
    }
}

/// Writes what a shop sold, the n-th article for n cents.
fn deliver(inbox: &Path, day: &str, shop: &str) {
    let sales = (0..LINES).map(|n| format!("article-{},{n}\n", n % 7));
    let folder = inbox.join(day);
    fs::create_dir_all(&folder).unwrap();
    let text = format!("article,cents\n{}", sales.collect::<String>());
    fs::write(folder.join(format!("{shop}.csv")), text).unwrap();
}

/// The report of all shops, each of which sold the same.
fn expected() -> String {
    let mut totals = BTreeMap::new();
    for n in 0..LINES {
        *totals.entry(n % 7).or_insert(0) += 4 * n;
    }
    let lines = totals.iter().map(|(article, cents)| format!("article-{article},{cents}\n"));
    format!("article,cents\n{}", lines.collect::<String>())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_pipeline_resumes_at_its_checkpoints_and_counts_every_sale_once() {
    let (world, day) = (World::create().await, "2026-01-10");
    for shop in &SHOPS[..3] {
        deliver(&world.inbox(), day, shop);
    }
    let mut executor = world.executor(100).await;
    let collect = world.client.job("nightly.nightly-collect");
    let collect = collect.start().param(&json!({"day": day})).send().await.unwrap();
    let late = world
        .task("nightly.nightly-collect", |task| {
            task.attempts.iter().any(|attempt| attempt.message.is_some())
        })
        .await;
    let message = late.attempts[0].message.clone().unwrap();
    assert!(message.contains("paris has not delivered"), "{message}");
    deliver(&world.inbox(), day, "paris");
    let collected = collect.wait(PATIENCE).await.unwrap();
    assert!(collected.has_succeeded() && collected.attempts.len() > 1, "{collected:?}");

    let sum = world
        .task("nightly.nightly-sum", |task| {
            let progress = task.attempts.iter().filter_map(|attempt| attempt.progress.as_ref());
            progress.filter(|progress| progress.done >= 1000).count() == 4
        })
        .await;
    executor.kill();
    let report = world.coordinator.folder().join("reports");
    assert!(!report.exists(), "it was killed in the middle");
    let _executor = world.executor(0).await;
    assert_eq!(world.report(day).await, expected());

    let sum = world.client.task(sum.id);
    let view = sum.get().await.unwrap();
    assert!(view.has_succeeded(), "{view:?}");
    for shard in 0..4 {
        let attempts = view.attempts.iter().filter(|attempt| attempt.shard == shard);
        assert_eq!(attempts.count(), 2, "{view:?}");
        let log = sum.log().shard(shard).attempt(2).read().await.unwrap();
        let resumed = log.text.contains("begins at file 0, line ");
        assert!(resumed && !log.text.contains("line 0"), "{}", log.text);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn missed_nights_sum_their_own_day_and_a_broken_file_raises_an_alarm() {
    let mut world = World::create().await;
    let (days, broken) = (["2026-01-10", "2026-01-11", "2026-01-12"], "2026-01-12");
    for shop in SHOPS {
        days.iter().for_each(|day| deliver(&world.inbox(), day, shop));
    }
    let file = world.inbox().join(broken).join("nice.csv");
    fs::write(&file, "article,cents\ntea;450\n").unwrap();
    let _executor = world.executor(0).await;
    let range = BackfillRequest {
        from: "2026-01-11T00:00:00Z".to_owned(),
        until: Some("2026-01-14T00:00:00Z".to_owned()),
        ..BackfillRequest::default()
    };
    let nights = world.client.job("nightly.nightly-collect").backfill(&range).await.unwrap();
    assert_eq!(nights.tasks.len(), 3, "{nights:?}");
    for day in &days[..2] {
        assert_eq!(world.report(day).await, expected());
    }
    let alarm = tokio::time::timeout(PATIENCE, world.alarms.recv()).await.unwrap().unwrap();
    assert_eq!((&alarm["kind"], &alarm["job"]), (&json!("failed"), &json!("nightly.nightly-sum")));
    let report = world.coordinator.folder().join(format!("reports/{broken}.csv"));
    assert!(!report.exists());

    let failed = world.task("nightly.nightly-sum", |task| task.state.as_str() == "failed").await;
    let mut messages = failed.attempts.iter().filter_map(|attempt| attempt.message.as_deref());
    assert!(messages.any(|message| message.contains("`tea;450` in")), "{failed:?}");
    assert_eq!(failed.attempts.len(), 4, "a retry cannot repair a file: {failed:?}");

    // The shop has delivered again.
    deliver(&world.inbox(), broken, "nice");
    let again = world.client.task(failed.id).rerun().send().await.unwrap();
    assert!(again.wait(PATIENCE).await.unwrap().has_succeeded());
    assert_eq!(world.report(broken).await, expected());
}
