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
    rest::Rest,
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

/// The alarms of a job that the coordinator shows, newest first.
async fn shown(rest: &Rest, job: &str) -> Vec<Value> {
    let (status, page) = rest.get(&format!("/api/v1/alarms?job={job}")).await.unwrap();
    assert_eq!(status, 200, "{page}");
    page["items"].as_array().unwrap().clone()
}

/// Fails a job once, and waits until that was told, or not: returns the alarm.
async fn fails(rest: &Rest, job: &str, state: &str) -> Value {
    let task = rest.start(job, json!({})).await;
    rest.ended(task).await;
    eventually(&format!("the alarm of {job} is {state}"), Duration::from_secs(20), || async {
        let alarm = shown(rest, job).await.into_iter().next()?;
        (alarm["task"] == task && alarm["state"] == state).then_some(alarm)
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_silenced_is_not_told_and_what_comes_after_it_is() {
    let hook = Hook::listen().await;
    let coordinator = coordinator(&format!(
        "[alarms.hook]\ntype = \"webhook\"\nurl = \"http://127.0.0.1:{}/\"\n\
         group_wait = \"100ms\"\ngroup_interval = \"100ms\"\n",
        hook.port
    ))
    .await;
    let _executor = coordinator.executor(EXECUTOR, "e1");
    let rest = coordinator.rest();
    rest.executors(1).await;
    for job in ["quiet", "loud"] {
        rest.save(json!({"name": job, "handler": "fatal", "alarms": ["hook"]})).await;
    }
    let said = |words: &[&str]| {
        let output = coordinator.cli(words);
        assert!(output.status.success(), "{output:?}");
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    let told = |job: &str| hook.of("failed").iter().filter(|told| told["job"] == job).count();

    said(&["alarm", "silence", "--job", "quiet", "--for", "2h", "--reason", "being mended"]);
    let silenced = fails(&rest, "quiet", "silenced").await;
    assert_eq!((&silenced["kind"], &silenced["channel"]), (&json!("failed"), &json!("hook")));
    assert!(silenced["done_at"].is_string() && silenced["tries"] == 0, "{silenced}");
    fails(&rest, "loud", "sent").await;
    assert_eq!((told("default.quiet"), told("default.loud")), (0, 1));

    let silences = said(&["alarm", "silences"]);
    assert!(silences.contains("default.quiet") && silences.contains("being mended"), "{silences}");
    let (_, page) = rest.get("/api/v1/alarms/silences").await.unwrap();
    let id = page["items"][0]["id"].as_i64().unwrap();
    said(&["alarm", "unsilence", &id.to_string()]);
    assert_eq!(said(&["alarm", "silences"]), "nothing is silenced\n");
    fails(&rest, "quiet", "sent").await;
    // The one that was silenced is not told later.
    assert_eq!(told("default.quiet"), 1);
    assert_eq!(hook.of("failed").iter().filter(|told| told["count"] != 1).count(), 0);

    said(&["alarm", "silence", "--channel", "hook", "--for", "30d"]);
    fails(&rest, "loud", "silenced").await;
    assert_eq!(told("default.loud"), 1);

    let list = said(&["alarm", "list", "--job", "quiet", "--channel", "hook"]);
    let states: Vec<_> = list.lines().map(|line| line.split_whitespace().nth(5).unwrap()).collect();
    assert_eq!(states, ["STATE", "sent", "silenced"], "{list}");
    let (_, first) = rest.get("/api/v1/alarms?limit=3").await.unwrap();
    let next = format!("/api/v1/alarms?cursor={}", first["next_cursor"].as_str().unwrap());
    let (_, second) = rest.get(&next).await.unwrap();
    let ids = |page: &Value| -> Vec<i64> {
        page["items"]
            .as_array()
            .unwrap()
            .iter()
            .map(|alarm| alarm["id"].as_i64().unwrap())
            .collect()
    };
    let ids = [ids(&first), ids(&second)].concat();
    assert!(ids.len() == 4 && ids.is_sorted_by(|newer, older| newer > older), "{ids:?}");
    assert_eq!(second["next_cursor"], Value::Null);

    for (ask, status, why) in [
        (json!({"job": "nobody", "for": "1h"}), 422, "no job is named `nobody`"),
        (json!({"channel": "x", "for": "1h"}), 422, "there are hook"),
        (json!({"for": "1h"}), 422, "a job, a channel or both"),
        (json!({"job": "loud"}), 422, "for: it is missing"),
        (json!({"job": "loud", "until": "2020-01-01T00:00:00Z"}), 422, "not in the future"),
        (json!({"job": "loud", "for": "31d"}), 422, "30 days"),
        (json!({"job": "loud", "for": "1h", "reason": "x".repeat(201)}), 422, "at most 200"),
        (json!({"job": "loud", "for": "1h", "why": "x"}), 422, "why"),
    ] {
        let path = "/api/v1/alarms/silences";
        let answer = rest.ask("POST", path, Some(ask.to_string())).await.unwrap();
        assert_eq!(answer.0, status, "{ask}: {}", answer.1);
        assert!(answer.1["detail"].as_str().unwrap().contains(why), "{ask}: {}", answer.1);
    }
    let gone = rest.ask("DELETE", &format!("/api/v1/alarms/silences/{id}"), None).await.unwrap();
    assert_eq!(gone.0, 404, "{}", gone.1);
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
