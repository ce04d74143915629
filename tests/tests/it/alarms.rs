//! People are told: by a webhook, and by mail over a real SMTP server.

use std::{
    fmt::Write as _,
    process::{Command, Stdio},
    sync::{Arc, Mutex},
    time::Duration,
};

use fastjob_tests::{
    eventually,
    process::{Coordinator, Process, free_port},
};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::TcpListener,
};

use crate::{EXECUTOR, FASTJOB};

/// A local server that takes every POST and keeps its body.
struct Hook {
    port: u16,
    bodies: Arc<Mutex<Vec<Value>>>,
}

impl Hook {
    async fn listen() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let bodies = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&bodies);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let mut stream = BufReader::new(stream);
                let (mut length, mut line) = (0, String::new());
                while stream.read_line(&mut line).await.unwrap_or(0) > 2 {
                    let (name, value) = line.split_once(':').unwrap_or_default();
                    if name.eq_ignore_ascii_case("content-length") {
                        length = value.trim().parse().unwrap_or(0);
                    }
                    line.clear();
                }
                let mut body = vec![0; length];
                if stream.read_exact(&mut body).await.is_ok() {
                    kept.lock().unwrap().push(serde_json::from_slice(&body).unwrap_or_default());
                }
                let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
                drop(stream.write_all(answer).await);
            }
        });
        Self { port, bodies }
    }

    fn of(&self, kind: &str) -> Vec<Value> {
        let bodies = self.bodies.lock().unwrap();
        bodies.iter().filter(|body| body["kind"] == kind).cloned().collect()
    }

    async fn gets(&self, kind: &str) -> Value {
        eventually(&format!("{kind} is told"), Duration::from_secs(20), || async {
            self.of(kind).first().cloned()
        })
        .await
    }
}

async fn coordinator(channels: &str) -> Coordinator {
    let mut coordinator = Coordinator::prepare(FASTJOB);
    std::fs::write(coordinator.folder().join("fastjob.toml"), channels).unwrap();
    coordinator.up().await;
    coordinator
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failure_a_recovery_a_storm_and_a_late_start_are_told_once_each() {
    let hook = Hook::listen().await;
    let mut coordinator = coordinator(&format!(
        "[alarms.hook]\ntype = \"webhook\"\nurl = \"http://127.0.0.1:{}/\"\n\
         group_wait = \"1s\"\ngroup_interval = \"1s\"\n",
        hook.port
    ))
    .await;
    let _executor = coordinator.executor(EXECUTOR, "e1");
    let rest = coordinator.rest();
    rest.executors(1).await;

    rest.save(json!({"name": "bad", "handler": "fatal", "alarms": ["hook"]})).await;
    rest.ended(rest.start("bad", json!({})).await).await;
    let told = hook.gets("failed").await;
    assert_eq!((&told["job"], &told["count"]), (&json!("default.bad"), &json!(1)), "{told}");

    // The same job, mended.
    rest.save(json!({"name": "bad", "handler": "noop", "alarms": ["hook"]})).await;
    rest.ended(rest.start("bad", json!({})).await).await;
    hook.gets("recovered").await;

    rest.save(json!({"name": "storm", "handler": "fatal", "alarms": ["hook"],
        "block": {"max_waiting": 1000}}))
        .await;
    for _ in 0..200 {
        rest.start("storm", json!({})).await;
    }
    eventually("all of the storm is told", Duration::from_secs(20), || async {
        let failed = hook.of("failed");
        let told = failed.iter().filter(|told| told["job"] == "default.storm");
        (told.filter_map(|told| told["count"].as_u64()).sum::<u64>() == 200).then_some(())
    })
    .await;
    let storm = hook.of("failed").iter().filter(|told| told["job"] == "default.storm").count();
    assert!(storm <= 4, "a storm of 200 was told in {storm} messages");

    rest.save(json!({"name": "nobody", "handler": "nowhere", "alarms": ["hook"],
        "alarm_when": {"starts_later": "1s"}}))
        .await;
    rest.start("nobody", json!({})).await;
    hook.gets("starts_late").await;

    // What was told is not told again by the next process.
    let before = hook.bodies.lock().unwrap().len();
    coordinator.kill();
    coordinator.up().await;
    let rest = coordinator.rest();
    rest.save(json!({"name": "last", "handler": "fatal", "alarms": ["hook"]})).await;
    rest.executors(1).await;
    rest.ended(rest.start("last", json!({})).await).await;
    eventually("the last one is told", Duration::from_secs(20), || async {
        hook.of("failed").iter().any(|told| told["job"] == "default.last").then_some(())
    })
    .await;
    assert_eq!(hook.bodies.lock().unwrap().len(), before + 1, "{:?}", hook.bodies.lock().unwrap());

    let unknown = json!({"name": "x", "handler": "noop", "alarms": ["nowhere"]}).to_string();
    let (status, answer) = rest.ask("POST", "/api/v1/jobs", Some(unknown)).await.unwrap();
    assert_eq!(status, 422, "{answer}");
    assert!(answer.to_string().contains("there are hook"), "{answer}");
    let tested = coordinator.cli(&["alarm", "test", "hook"]);
    assert!(tested.status.success(), "{tested:?}");
    let listed = coordinator.cli(&["alarm", "channels"]);
    assert!(String::from_utf8_lossy(&listed.stdout).contains("webhook"), "{listed:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mail_arrives_with_text_and_html() {
    let port = free_port();
    let folder = tempfile::tempdir().unwrap();
    let inbox = folder.path().join("inbox");
    let mut server = Command::new("/usr/bin/python3");
    server.args(["-u", "-m", "aiosmtpd", "-n", "-l", &format!("127.0.0.1:{port}")]);
    server.stdout(Stdio::from(std::fs::File::create(&inbox).unwrap())).stderr(Stdio::null());
    let _server = Process::start(&mut server);
    eventually("the mail server listens", Duration::from_secs(20), || async {
        tokio::net::TcpStream::connect(("127.0.0.1", port)).await.ok()
    })
    .await;
    let mut channels = String::from("[alarms.mail]\ntype = \"email\"\ntls = \"none\"\n");
    writeln!(channels, "server = \"127.0.0.1\"\nport = {port}\ngroup_wait = \"1s\"").unwrap();
    writeln!(channels, "from = \"fastjob@example.org\"\nto = [\"ops@example.org\"]").unwrap();
    let coordinator = coordinator(&channels).await;
    let _executor = coordinator.executor(EXECUTOR, "e1");
    let rest = coordinator.rest();
    rest.executors(1).await;
    rest.save(json!({"name": "bad", "handler": "fatal", "alarms": ["mail"]})).await;
    let task = rest.start("bad", json!({})).await;
    rest.ended(task).await;
    let mail = eventually("the mail is there", Duration::from_secs(20), || async {
        std::fs::read_to_string(&inbox).ok().filter(|mail| mail.contains("END MESSAGE"))
    })
    .await;
    for part in [
        "Subject: ",
        "default.bad",
        "To: ops@example.org",
        "text/plain",
        "text/html",
        "no use",
        &task.to_string(),
    ] {
        assert!(mail.contains(part), "{part} is missing in {mail}");
    }
}
