//! The service as a process, which is killed, and asked to stop, in the middle of its work.

#![expect(clippy::unwrap_used, reason = "what a test cannot do without ends it")]

use std::{collections::BTreeSet, fs, process::Command, time::Duration};

use fastjob_client::{Client, types::TaskView};
use fastjob_tests::{
    eventually,
    process::{Process, free_port, print_logs},
    rest::Rest,
};
use serde_json::{Value, json};
use tempfile::TempDir;

const PATIENCE: Duration = Duration::from_secs(30);
/// Each takes 100 ms, one after the other.
const REMINDERS: usize = 12;

/// The service, which can be restarted on the same folder.
struct Service {
    folder: TempDir,
    port: u16,
    console: u16,
    api: Rest,
    process: Process,
}

impl Service {
    async fn start() -> Self {
        let (folder, port, console) = (tempfile::tempdir().unwrap(), free_port(), free_port());
        let process = run(&folder, port, console);
        let api = Rest::new(format!("http://127.0.0.1:{port}"));
        let service = Self { folder, port, console, api, process };
        service.is_ready().await;
        service
    }

    async fn start_again(&mut self) {
        self.process = run(&self.folder, self.port, self.console);
        self.is_ready().await;
    }

    /// Waits until both executors are connected, and so their jobs exist.
    async fn is_ready(&self) {
        let rest = Rest::new(format!("http://127.0.0.1:{}", self.console));
        eventually("the coordinator is ready", PATIENCE, || async {
            rest.get("/readyz").await.ok().filter(|(status, _)| *status == 200)
        })
        .await;
        rest.executors(2).await;
    }

    fn client(&self) -> Client {
        Client::builder(format!("http://127.0.0.1:{}", self.console)).build().unwrap()
    }

    async fn add(&self, reminder: Value) -> (u16, Value) {
        self.api.ask("POST", "/reminders", Some(reminder.to_string())).await.unwrap()
    }

    /// Adds so many that they wait for each other, and returns their numbers.
    async fn add_many(&self) -> BTreeSet<i64> {
        let mut numbers = BTreeSet::new();
        for n in 0..REMINDERS {
            let (status, answer) = self.add(json!({"to": "Ann", "text": format!("{n}")})).await;
            assert_eq!(status, 201, "{answer}");
            numbers.insert(answer["reminder"].as_i64().unwrap());
        }
        numbers
    }

    /// The tasks whose mail is there.
    fn mails(&self) -> BTreeSet<i64> {
        let mails = fs::read_dir(self.folder.path().join("mails/new")).unwrap();
        let names = mails.map(|mail| mail.unwrap().file_name().into_string().unwrap());
        names.map(|name| name.strip_prefix("task-").unwrap().parse().unwrap()).collect()
    }

    async fn mails_are(&self, what: &str, is_enough: impl Fn(&BTreeSet<i64>) -> bool) {
        eventually(what, PATIENCE, || async { is_enough(&self.mails()).then_some(()) }).await;
    }

    /// Waits for the end of these tasks.
    async fn ended(&self, numbers: &BTreeSet<i64>) -> Vec<TaskView> {
        let mut tasks = Vec::new();
        for number in numbers {
            tasks.push(self.client().task(*number).wait(PATIENCE).await.unwrap());
        }
        tasks
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        print_logs(self.folder.path());
    }
}

fn run(folder: &TempDir, port: u16, console: u16) -> Process {
    let mut program = Command::new(env!("CARGO_BIN_EXE_reminders"));
    program
        .env("REMINDERS_FOLDER", folder.path())
        .env("REMINDERS_LISTEN", format!("127.0.0.1:{port}"))
        .env("FASTJOB_LISTEN", format!("127.0.0.1:{console}"));
    Process::start_logged(&mut program, folder.path(), "reminders")
}

#[tokio::test(flavor = "multi_thread")]
async fn at_sigterm_a_running_reminder_finishes_and_the_others_are_delivered_after_the_restart() {
    let mut service = Service::start().await;
    let numbers = service.add_many().await;
    let (_, later) = service.add(json!({"to": "Bob", "text": "later", "after": 3600})).await;
    service.mails_are("some are delivered", |mails| mails.len() >= 2).await;
    service.process.signal("TERM");
    assert!(service.process.wait().success());
    let before = service.mails();
    assert!(before.len() < REMINDERS, "it stopped in the middle");

    service.start_again().await;
    service.mails_are("all are delivered", |mails| *mails == numbers).await;
    for task in service.ended(&numbers).await {
        assert!(task.has_succeeded() && task.attempts.len() == 1, "nothing is lost: {task:?}");
    }

    // What is due later waits, also over the restart, until it is cancelled.
    let path = format!("/reminders/{}", later["reminder"]);
    let (status, answer) = service.api.ask("GET", &path, None).await.unwrap();
    assert_eq!((status, &answer["state"]), (200, &json!("queued")), "{answer}");
    let (status, _) = service.api.ask("DELETE", &path, None).await.unwrap();
    assert_eq!(status, 200);
    let (_, answer) = service.api.ask("GET", &path, None).await.unwrap();
    assert_eq!(answer["state"], "stopped", "{answer}");
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_kill_each_reminder_is_delivered_once() {
    let mut service = Service::start().await;
    let numbers = service.add_many().await;
    service.mails_are("some are delivered", |mails| mails.len() >= 2).await;
    service.process.kill();
    assert!(service.mails().len() < REMINDERS, "it was killed in the middle");

    service.start_again().await;
    for task in service.ended(&numbers).await {
        assert!(task.has_succeeded(), "{task:?}");
    }
    assert_eq!(service.mails(), numbers);
    let drafts = fs::read_dir(service.folder.path().join("mails/tmp")).unwrap();
    assert_eq!(drafts.count(), 0, "no mail is half written");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_service_answers_beside_the_console_and_refuses_what_does_not_fit() {
    let service = Service::start().await;
    let console = Rest::new(format!("http://127.0.0.1:{}", service.console));
    assert_eq!(console.get("/console/").await.unwrap().0, 200);
    // An executor sends its schemas after it has connected, and before the outcome of a task.
    let (_, first) = service.add(json!({"to": "Ann", "text": "tea"})).await;
    service.ended(&[first["reminder"].as_i64().unwrap()].into()).await;
    let (status, answer) = service.add(json!({"to": "", "text": "to nobody"})).await;
    assert_eq!(status, 422, "{answer}");

    // The task of another job is not a reminder.
    let digest = service.client().job("digest.digest").start().send_and_wait(PATIENCE).await;
    let digest = digest.unwrap();
    assert_eq!(digest.result.as_deref(), Some("1 mails"));
    for number in [digest.id, digest.id + 1000] {
        let path = format!("/reminders/{number}");
        assert_eq!(service.api.ask("GET", &path, None).await.unwrap().0, 404);
    }
}
