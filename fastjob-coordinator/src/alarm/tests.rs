//! Channels against local servers that check what they are given, and the sender against a store.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use axum::{Router, body::Bytes, extract::Query, http::StatusCode, routing::post};
use fastjob_core::{ChannelName, JobId};
use jiff::Timestamp;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::*;
use crate::{
    Config,
    record::{AlarmRow, Commit},
    store::{AlarmStore, CommitStore, sqlite::Sqlite},
};

async fn serve(app: Router) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, app).await });
    format!("http://{address}/hook")
}

fn channels(toml: &str) -> Channels {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("fastjob.toml");
    std::fs::write(&path, toml).unwrap();
    let config = Config::load(Some(&path), |_| None).unwrap();
    assert_eq!(config.check(), []);
    Channels::new(&config.alarms, &Default::default()).unwrap()
}

async fn test(toml: &str) -> Result<(), String> {
    channels(&format!("[alarms.ops]\n{toml}")).test(&"ops".parse().unwrap()).await.unwrap()
}

#[tokio::test]
async fn dingtalk_is_signed_and_its_answer_is_checked() {
    let app = Router::new().route(
        "/hook",
        post(|Query(query): Query<Vec<(String, String)>>, body: Bytes| async move {
            let get = |key: &str| query.iter().find(|(k, _)| k == key).unwrap().1.clone();
            let right = sign::dingtalk("SECx", get("timestamp").parse().unwrap()).unwrap();
            let body: Value = serde_json::from_slice(&body).unwrap();
            let ok = get("sign") == right && body["msgtype"] == "markdown";
            json!({"errcode": if ok { 0 } else { 310_000 }, "errmsg": "sign"}).to_string()
        }),
    );
    let url = serve(app).await;
    test(&format!("type='dingtalk'\nurl='{url}'\nsecret='SECx'")).await.unwrap();
    let wrong = test(&format!("type='dingtalk'\nurl='{url}'\nsecret='other'")).await.unwrap_err();
    assert!(wrong.contains("errcode 310000"), "{wrong}");
}

#[tokio::test]
async fn feishu_is_signed_and_its_answer_is_checked() {
    let app = Router::new().route(
        "/hook",
        post(|body: Bytes| async move {
            let body: Value = serde_json::from_slice(&body).unwrap();
            let seconds = body["timestamp"].as_str().unwrap().parse().unwrap();
            let ok = body["sign"] == sign::feishu("SECx", seconds).unwrap();
            json!({"code": if ok { 0 } else { 19_021 }}).to_string()
        }),
    );
    let url = serve(app).await;
    test(&format!("type='lark'\nurl='{url}'\nsecret='SECx'")).await.unwrap();
    let wrong = test(&format!("type='feishu'\nurl='{url}'\nsecret='no'")).await.unwrap_err();
    assert!(wrong.contains("code 19021"), "{wrong}");
}

fn row(id: i64, job: i64) -> AlarmRow {
    AlarmRow {
        id,
        job: JobId(job),
        task: None,
        kind: AlarmKind::Failed,
        channels: vec!["ops".parse().unwrap(), "other".parse().unwrap()],
        at: crate::clock::wall_now(),
        job_name: format!("billing.job{job}"),
        reason: "error".to_owned(),
        message: "no".to_owned(),
        executor: None,
        attempts: 1,
    }
}

#[tokio::test]
async fn an_alarm_is_one_row_a_channel_and_is_marked_once_also_after_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("jobs.db");
    let ops: ChannelName = "ops".parse().unwrap();
    let store = Sqlite::open(&path).await.unwrap();
    let commit = Commit { alarms: vec![row(7, 1), row(8, 2)], ..Commit::default() };
    store.commit(&[commit.clone(), commit.clone()]).await.unwrap();
    let waiting = store.waiting_alarms(&ops, 0, 10).await.unwrap();
    assert_eq!(waiting.len(), 2);
    let numbers = [waiting[0].number];
    assert_eq!(store.alarms_sent(&numbers, Timestamp::UNIX_EPOCH).await.unwrap(), 1);
    assert_eq!(store.alarms_sent(&numbers, Timestamp::UNIX_EPOCH).await.unwrap(), 0);
    drop(store);
    let store = Sqlite::open(&path).await.unwrap();
    store.commit(&[commit]).await.unwrap();
    let left = store.waiting_alarms(&ops, 0, 10).await.unwrap();
    assert_eq!(left, waiting[1..]);
    assert_eq!(store.waiting_alarms(&"other".parse().unwrap(), 0, 10).await.unwrap().len(), 2);
    assert_eq!(store.remove_alarms(crate::clock::wall_now(), 10).await.unwrap(), 1);
}

#[tokio::test]
async fn a_storm_is_one_message_that_is_retried_and_not_sent_again_after_a_restart() {
    let (asked, taken) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let (asks, takes) = (Arc::clone(&asked), Arc::clone(&taken));
    let hook = move |body: Bytes| {
        let body: Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(body["count"], 10_000);
        let answer = match asks.fetch_add(1, Ordering::SeqCst) {
            0 => StatusCode::SERVICE_UNAVAILABLE,
            _ => StatusCode::NO_CONTENT,
        };
        if answer.is_success() {
            takes.fetch_add(1, Ordering::SeqCst);
        }
        async move { answer }
    };
    let url = serve(Router::new().route("/hook", post(hook))).await;
    let toml = format!("[alarms.ops]\ntype='webhook'\nurl='{url}'\ngroup_wait='100ms'");
    let dir = tempfile::tempdir().unwrap();
    let store = Arc::new(Sqlite::open(&dir.path().join("jobs.db")).await.unwrap());
    let alarms = (1..=10_000).map(|id| row(id, id)).collect();
    store.commit(&[Commit { alarms, ..Commit::default() }]).await.unwrap();
    for _ in 0..2 {
        let stop = CancellationToken::new();
        let running = tokio::spawn(run(Arc::clone(&store) as _, channels(&toml), stop.clone()));
        let ops: ChannelName = "ops".parse().unwrap();
        for _ in 0..200 {
            if store.waiting_alarms(&ops, 0, 1).await.unwrap().is_empty() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
        stop.cancel();
        running.await.unwrap();
    }
    assert_eq!((asked.load(Ordering::SeqCst), taken.load(Ordering::SeqCst)), (2, 1));
}

#[test]
fn secrets_are_not_shown_and_wrong_channels_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("fastjob.toml");
    let text = "[alarms.a]\ntype='slack'\nurl='https://hooks/KEY'\n[alarms.b]\ntype='email'\n\
                [alarms.c]\ntype='webhook'\nurl='http://x/'\nbody='{{jbo}}'";
    std::fs::write(&path, text).unwrap();
    let config = Config::load(Some(&path), |_| None).unwrap();
    assert!(!format!("{config:?}").contains("KEY"));
    let problems: Vec<_> = config.check().iter().map(|p| p.key.clone()).collect();
    assert_eq!(problems, ["alarms.b.server", "alarms.b.to", "alarms.b.from", "alarms.c.body"]);
}
