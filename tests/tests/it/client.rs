//! The client, and the handle of an embedded coordinator: both do the same.

use std::{
    process::{Command, Stdio},
    time::Duration,
};

use fastjob_client::{
    Backend, Client, ClientError, JobHandle, TaskHandle,
    types::{FailReason, JobDraft, ProblemKind, TaskState},
};
use fastjob_coordinator::{CancellationToken, Coordinator};
use fastjob_tests::{
    eventually,
    process::{self, Process},
};
use serde_json::json;

use crate::{EXECUTOR, FASTJOB, coordinator};

const LONG: Duration = Duration::from_secs(60);
const TOKEN: &str = "a-token-of-the-tests-1234";
const WRONG: &str = "a-token-of-the-tests-1235";

fn jobs() -> [JobDraft; 4] {
    [
        json!({"name": "echo", "service": "default", "handler": "echo", "param": "by default"}),
        json!({"name": "talks", "service": "default", "handler": "talks", "param": 20}),
        json!({"name": "slow", "service": "default", "handler": "slow", "param": 60_000}),
        json!({"name": "fatal", "service": "default", "handler": "fatal"}),
    ]
    .map(|job| serde_json::from_value(job).unwrap())
}

async fn save(client: &Client) {
    for draft in jobs() {
        client.job(format!("default.{}", draft.name)).save(&draft).await.unwrap();
    }
}

/// Everything that the handles of a client and of an embedded coordinator have in common.
async fn use_handles<B: Backend>(job: impl Fn(&str) -> JobHandle<B>) {
    // Starts: with the job's param, with another, with a key, and later.
    let task = job("echo").start().send_and_wait(LONG).await.unwrap();
    assert!(task.has_succeeded(), "{task:?}");
    assert_eq!(task.result.as_deref(), Some("by default"));
    let first = job("echo").start().param("mine").key("2026-11").send().await.unwrap();
    let again = job("echo").start().param("mine").key("2026-11").send().await.unwrap();
    assert_eq!(first.id(), again.id());
    assert_eq!(first.wait(LONG).await.unwrap().result.as_deref(), Some("mine"));
    let later = job("echo").start().delay(Duration::from_secs(3600)).send().await.unwrap();
    let view = later.get().await.unwrap();
    assert_eq!((view.id, view.state), (later.id(), TaskState::Queued.into()));
    assert!(!later.get().await.unwrap().has_ended());

    // Failures are not errors of the call.
    let task = job("fatal").start().send_and_wait(LONG).await.unwrap();
    assert_eq!(task.state, TaskState::Failed);
    assert_eq!(task.attempts[0].reason, Some(FailReason::Fatal.into()));

    // Waiting ends, the task continues, and it can be stopped.
    let slow = job("slow").start().send().await.unwrap();
    let error = slow.wait(Duration::from_millis(300)).await.unwrap_err();
    assert!(matches!(error, ClientError::NotEnded { task, .. } if task == slow.id()), "{error:?}");
    assert!(slow.stop().await.unwrap().stopped);
    assert_eq!(slow.wait(LONG).await.unwrap().state, TaskState::Stopped);
    let answer = slow.stop().await.unwrap();
    assert!(!answer.stopped && answer.state == TaskState::Stopped);
    assert!(later.stop().await.unwrap().stopped);

    // The log is followed while it is written, and read afterwards.
    let talks = job("talks").start().send().await.unwrap();
    assert_eq!(lines(&talks).await, 20);
    assert!(talks.wait(LONG).await.unwrap().has_succeeded());
    let whole = talks.log().read().await.unwrap();
    assert!(whole.text.contains("line 1\n") && whole.text.contains("line 20"), "{whole:?}");
    let rest = talks.log().offset(whole.next_offset).read().await.unwrap();
    assert!(rest.text.is_empty() && rest.ended, "{rest:?}");

    // Errors have the same variants and kinds.
    let error = job("nothing").start().send().await.unwrap_err();
    assert!(matches!(error, ClientError::NotFound(_)), "{error:?}");
    assert_eq!(error.problem().unwrap().kind(), Some(ProblemKind::NotFound));
    let error = job("nothing").get().await.unwrap_err();
    assert!(matches!(error, ClientError::NotFound(_)), "{error:?}");
    let error = job("echo").start().key("").send().await.unwrap_err();
    let ClientError::Invalid(problem) = &error else { panic!("{error:?}") };
    assert_eq!((problem.problems[0].field.as_str(), problem.status), ("key", 422));
    assert_eq!(job("echo").get().await.unwrap().job.handler.as_deref(), Some("echo"));
}

async fn lines<B: Backend>(task: &TaskHandle<B>) -> usize {
    let (mut log, mut text) = (task.log().follow(), String::new());
    while let Some(piece) = log.next().await.unwrap() {
        text.push_str(&piece.text);
    }
    text.lines().filter(|line| line.contains("line ")).count()
}

#[tokio::test]
async fn a_client_starts_waits_stops_and_reads_logs() {
    let coordinator = coordinator().await;
    let _executor = coordinator.executor(EXECUTOR, "e1");
    let client = Client::builder(coordinator.url()).build().unwrap();
    save(&client).await;
    use_handles(|name| client.job(name)).await;
    assert_eq!(client.tasks().job("talks").all().await.unwrap().len(), 1);
    assert_eq!(client.executors().all().await.unwrap()[0].name, "e1");
    assert_eq!(client.nodes().all().await.unwrap().len(), 1);
    client.ready().await.unwrap();
    client.job("echo").delete().await.unwrap();
    let names: Vec<_> =
        client.jobs().all().await.unwrap().into_iter().map(|it| it.job.name).collect();
    assert!(
        names.contains(&"talks".to_owned()) && !names.contains(&"echo".to_owned()),
        "{names:?}"
    );
}

/// A coordinator in this process, and an executor of it.
async fn embedded(folder: &std::path::Path) -> (Coordinator, Process) {
    let builder = Coordinator::builder().listen("127.0.0.1:0".parse().unwrap());
    let coordinator = builder.sqlite(folder.join("jobs.db")).bind().await.unwrap();
    let executor = Process::start(
        Command::new(EXECUTOR)
            .env("FASTJOB_ADMIN_ADDRESSES", format!("http://{}", coordinator.local_addr()))
            .env("FASTJOB_APP_NAME", "default")
            .env("FASTJOB_EXECUTOR_NAME", "e1")
            .env("FASTJOB_LOG_PATH", folder.join("logs"))
            .current_dir(folder)
            .stdout(Stdio::null())
            .stderr(Stdio::null()),
    );
    (coordinator, executor)
}

#[tokio::test]
async fn the_handle_of_an_embedded_coordinator_does_the_same_without_http() {
    let folder = tempfile::tempdir().unwrap();
    let (coordinator, _executor) = embedded(folder.path()).await;
    let (handle, stop) = (coordinator.handle(), CancellationToken::new());
    let client = Client::builder(format!("http://{}", coordinator.local_addr())).build().unwrap();
    let running = tokio::spawn(coordinator.run(stop.clone()));
    save(&client).await;
    use_handles(|name| handle.job(name)).await;
    stop.cancel();
    running.await.unwrap().unwrap();
    let error = handle.job("echo").start().send().await.unwrap_err();
    assert!(matches!(error, ClientError::Stopped), "{error:?}");
}

#[tokio::test]
async fn a_call_waits_for_the_embedded_coordinator_to_run_and_ends_with_it() {
    let folder = tempfile::tempdir().unwrap();
    let (coordinator, _executor) = embedded(folder.path()).await;
    let address = format!("http://{}", coordinator.local_addr());
    let (handle, stop) = (coordinator.handle(), CancellationToken::new());
    let early = tokio::spawn({
        let handle = handle.clone();
        async move { handle.job("nothing").get().await }
    });
    let running = tokio::spawn(coordinator.run(stop.clone()));
    assert!(matches!(early.await.unwrap(), Err(ClientError::NotFound(_))));
    let client = Client::builder(address).build().unwrap();
    save(&client).await;
    let slow = handle.job("slow").start().send().await.unwrap();
    let (wait, mut log) = (slow.clone(), slow.log().follow());
    let waits = tokio::spawn(async move { wait.wait(LONG).await });
    let follows = tokio::spawn(async move {
        while log.next().await?.is_some() {}
        Ok::<_, ClientError>(())
    });
    stop.cancel();
    running.await.unwrap().unwrap();
    assert!(matches!(waits.await.unwrap(), Err(ClientError::Stopped)));
    assert!(matches!(follows.await.unwrap(), Err(ClientError::Stopped)));

    // Also if it never ran.
    let (coordinator, _executor) = embedded(folder.path()).await;
    let handle = coordinator.handle();
    drop(coordinator);
    assert!(matches!(handle.task(1).get().await, Err(ClientError::Stopped)));
}

#[tokio::test]
async fn a_start_with_a_key_gives_one_task_even_if_the_coordinator_restarts() {
    let mut coordinator = coordinator().await;
    let client = Client::builder(coordinator.url()).retry_for(LONG).build().unwrap();
    save(&client).await;
    coordinator.kill();
    let starts: Vec<_> = (0..3)
        .map(|_| {
            let start = client.job("echo").start().key("order-7");
            tokio::spawn(async move { start.send().await.unwrap().id() })
        })
        .collect();
    let error = client.job("echo").start().send().await.unwrap_err();
    assert!(error.is_transient(), "{error:?}");
    coordinator.up().await;
    let mut tasks = Vec::new();
    for start in starts {
        tasks.push(start.await.unwrap());
    }
    assert!(tasks.iter().all(|task| *task == tasks[0]), "{tasks:?}");
    assert_eq!(client.tasks().job("echo").all().await.unwrap().len(), 1);

    // A wait also continues across a restart.
    let waits = tokio::spawn({
        let task = client.task(tasks[0]);
        async move { task.wait(LONG).await }
    });
    coordinator.kill();
    coordinator.up().await;
    let _executor = coordinator.executor(EXECUTOR, "e1");
    assert!(waits.await.unwrap().unwrap().has_succeeded());
}

#[tokio::test]
async fn a_client_without_the_token_is_unauthorized() {
    let mut coordinator = process::Coordinator::prepare(FASTJOB).token(TOKEN);
    coordinator.up().await;
    let client = |token: Option<&str>| {
        let builder = Client::builder(coordinator.url());
        token.into_iter().fold(builder, |builder, token| builder.token(token)).build().unwrap()
    };
    client(Some(TOKEN)).jobs().all().await.unwrap();
    for (token, kind) in [(None, ProblemKind::Unauthorized), (Some(WRONG), ProblemKind::WrongToken)]
    {
        let error = client(token).jobs().all().await.unwrap_err();
        assert!(matches!(error, ClientError::Unauthorized(_)), "{error:?}");
        assert_eq!(error.problem().unwrap().kind(), Some(kind));
        assert!(error.to_string().contains("FASTJOB_TOKEN"), "{error}");
    }
}

#[tokio::test]
async fn a_name_that_two_services_use_is_a_conflict() {
    let coordinator = coordinator().await;
    let client = Client::builder(coordinator.url()).build().unwrap();
    for service in ["billing", "shipping"] {
        let draft = json!({"name": "report", "service": service, "handler": "noop"});
        client.create_job(&serde_json::from_value(draft).unwrap()).await.unwrap();
    }
    let error = client.job("report").start().send().await.unwrap_err();
    assert!(matches!(error, ClientError::Conflict(_)), "{error:?}");
    assert_eq!(error.problem().unwrap().kind(), Some(ProblemKind::AmbiguousName));
    let task = client.job("billing.report").start().send().await.unwrap();
    let started = eventually("the task is known", LONG, || async { task.get().await.ok() }).await;
    assert_eq!((started.service.as_str(), started.cause.as_str()), ("billing", "api"));
}
