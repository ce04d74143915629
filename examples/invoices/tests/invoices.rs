//! The service as a process, with a real coordinator and a real PostgreSQL.

#![expect(clippy::unwrap_used, reason = "what a test cannot do without ends it")]

use std::time::Duration;

use fastjob_tests::{
    embedded::Embedded,
    eventually,
    postgres::{Database, Postgres},
    process::{Process, free_port},
    proxy::Proxy,
};
use reqwest::Client;
use serde_json::{Value, json};
use sqlx::PgPool;

const PATIENCE: Duration = Duration::from_secs(30);

/// The coordinator and the database, which outlive the service.
struct World {
    coordinator: Embedded,
    db: PgPool,
    http: Client,
    port: u16,
    database: Database,
}

impl World {
    async fn create() -> Self {
        let database = Postgres::shared().fresh().await;
        Self {
            coordinator: Embedded::start().await,
            db: PgPool::connect(database.url()).await.unwrap(),
            http: Client::builder().no_proxy().tls_certs_only([]).build().unwrap(),
            port: free_port(),
            database,
        }
    }

    /// Starts the service, whose executor reaches the coordinator at this address.
    fn service(&self, coordinator: &str) -> Process {
        let mut program = self.coordinator.program(env!("CARGO_BIN_EXE_invoices"), "invoices-1");
        program
            .env("DATABASE_URL", self.database.url())
            .env("INVOICES_LISTEN", format!("127.0.0.1:{}", self.port))
            .env("FASTJOB_COORDINATORS", coordinator);
        self.coordinator.run(&mut program, "invoices-1")
    }

    async fn post(&self, key: &str, purchase: &Value) -> Option<(u16, Value)> {
        let url = format!("http://127.0.0.1:{}/invoices", self.port);
        let request = self.http.post(url).header("idempotency-key", key).json(purchase);
        let answer = request.send().await.ok()?;
        Some((answer.status().as_u16(), answer.json().await.unwrap()))
    }

    async fn get(&self, task: i64) -> Option<(u16, Value)> {
        let url = format!("http://127.0.0.1:{}/invoices/{task}", self.port);
        let answer = self.http.get(url).send().await.ok()?;
        Some((answer.status().as_u16(), answer.json().await.unwrap()))
    }

    /// Orders an invoice of 20 € for Ann as soon as the service accepts that, and returns the task.
    async fn order(&self, key: &str) -> i64 {
        eventually("the order is accepted", PATIENCE, || async {
            let (status, answer) = self.post(key, &ann()).await?;
            (status == 202).then(|| answer["task"].as_i64().unwrap())
        })
        .await
    }

    /// Waits until the invoice of a task is shown.
    async fn invoice(&self, task: i64) -> Value {
        eventually("the invoice is issued", PATIENCE, || async {
            let (status, answer) = self.get(task).await?;
            (status == 200).then_some(answer)
        })
        .await
    }

    /// The number of each invoice, and what Ann owes.
    async fn books(&self) -> (Vec<i64>, i64) {
        let numbers = sqlx::query_scalar("select number from invoices order by number");
        let owes = sqlx::query_scalar("select owes_cents from customers where name = 'Ann'");
        (
            numbers.fetch_all(&self.db).await.unwrap(),
            owes.fetch_optional(&self.db).await.unwrap().unwrap_or_default(),
        )
    }

    /// Waits until a transaction of the service waits for a lock.
    async fn is_blocked(&self) {
        let waiting = "select count(*) from pg_stat_activity \
                       where datname = current_database() and wait_event_type = 'Lock'";
        eventually("the handler waits for the lock", PATIENCE, || async {
            let waiting: i64 = sqlx::query_scalar(waiting).fetch_one(&self.db).await.unwrap();
            (waiting > 0).then_some(())
        })
        .await;
    }
}

fn ann() -> Value {
    json!({"customer": "Ann", "cents": 2000})
}

/// When the service is killed.
#[derive(Clone, Copy, PartialEq)]
enum Kill {
    BeforeTheCommit,
    AfterTheCommit,
}

async fn issues_once(kill: Kill) {
    let world = World::create().await;
    let proxy = Proxy::to(world.coordinator.address()).await;
    let mut service = world.service(&format!("http://{}", proxy.address()));
    let first = world.order("first").await;
    assert_eq!(world.invoice(first).await["number"], 1);

    let mut lock = world.db.begin().await.unwrap();
    let held = sqlx::query("select last from invoice_numbers for update");
    held.execute(&mut *lock).await.unwrap();
    let second = world.order("second").await;
    world.is_blocked().await;
    if kill == Kill::AfterTheCommit {
        // The handler finishes, but the coordinator does not hear of it.
        proxy.cut();
        lock.rollback().await.unwrap();
        assert_eq!(world.invoice(second).await["number"], 2);
        service.kill();
    } else {
        service.kill();
        lock.rollback().await.unwrap();
        assert_eq!(world.books().await, (vec![1], 2000));
    }

    let _service = world.service(&world.coordinator.url());
    let task = world.coordinator.client().task(second).wait(PATIENCE).await.unwrap();
    assert!(task.has_succeeded(), "{task:?}");
    assert_eq!(task.attempts.len(), 2, "the first one is lost with the process: {task:?}");
    assert_eq!(world.invoice(second).await["number"], 2);
    assert_eq!(world.books().await, (vec![1, 2], 4000));
    let log = world.coordinator.client().task(second).log().read().await.unwrap();
    let found = log.text.contains("an earlier attempt has issued this invoice");
    assert_eq!(found, kill == Kill::AfterTheCommit, "{}", log.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_killed_before_the_commit_issues_the_invoice_once() {
    issues_once(Kill::BeforeTheCommit).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_killed_after_the_commit_issues_the_invoice_once() {
    issues_once(Kill::AfterTheCommit).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repeated_order_is_one_invoice_and_a_wrong_one_is_refused() {
    let world = World::create().await;
    let mut service = world.service(&world.coordinator.url());
    let task = world.order("a").await;
    assert_eq!(world.order("a").await, task);
    let invoice = world.invoice(task).await;
    assert_eq!(invoice, json!({"number": 1, "customer": "Ann", "cents": 2000}));

    let other = json!({"customer": "Ann", "cents": 1});
    let (status, answer) = world.post("a", &other).await.unwrap();
    assert_eq!(status, 409, "the key belongs to another purchase: {answer}");
    // An executor sends its schemas after it has connected, and before the outcome of a task.
    world.coordinator.client().task(task).wait(PATIENCE).await.unwrap();
    let (status, answer) = world.post("b", &json!({"customer": "Ann", "cents": 0})).await.unwrap();
    assert_eq!(status, 422, "the schema says at least 1: {answer}");
    assert_eq!(world.get(task + 1000).await.unwrap().0, 404);
    let url = format!("http://127.0.0.1:{}/invoices", world.port);
    let without_key = world.http.post(url).json(&ann()).send().await.unwrap();
    assert_eq!(without_key.status().as_u16(), 400);
    assert_eq!(world.books().await, (vec![1], 2000));

    // A rerun on request is new work: another task, with another id.
    let client = world.coordinator.client();
    let rerun = client.task(task).rerun().send().await.unwrap();
    assert!(rerun.wait(PATIENCE).await.unwrap().has_succeeded());
    assert_eq!(world.books().await, (vec![1, 2], 4000));

    service.signal("TERM");
    assert!(service.wait().success());
}
