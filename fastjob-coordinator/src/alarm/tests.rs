//! Channels against local servers that check requests, and the sender against a store.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use axum::{Router, body::Bytes, extract::Query, http::StatusCode, routing::post};
use fastjob_core::{ChannelName, JobId};
use fastjob_engine::record::{AlarmRow, Commit};
use jiff::Timestamp;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::*;
use crate::{
    Config,
    metrics::Metrics,
    store::{
        AlarmFilter, AlarmState, AlarmStore, CommitStore, Silence, SilenceStore, sqlite::Sqlite,
    },
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
    crate::files::testing::write_private(&path, toml);
    let config = Config::load(Some(&path), |_| None).unwrap();
    assert_eq!(config.check(), []);
    Channels::new(&config.alarms, &Default::default()).unwrap()
}

async fn test(toml: &str) -> Result<(), String> {
    channels(&format!("[alarms.ops]\n{toml}")).test(&"ops".parse().unwrap()).await.unwrap()
}

fn clock() -> Arc<crate::clock::Clock> {
    Arc::new(crate::clock::Clock::start(crate::clock::Witness::Uptime))
}

/// There is only one node.
fn always() -> Turn {
    Arc::new(|_| true)
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
async fn an_alarm_is_one_row_per_channel_and_is_marked_once_even_after_a_restart() {
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
        let running = tokio::spawn(run(
            Arc::clone(&store) as _,
            channels(&toml),
            always(),
            clock(),
            Metrics::default(),
            stop.clone(),
        ));
        let ops: ChannelName = "ops".parse().unwrap();
        until("no alarm waits", async || {
            store.waiting_alarms(&ops, 0, 1).await.unwrap().is_empty()
        })
        .await;
        // Long enough for a wrong second message.
        tokio::time::sleep(Duration::from_millis(500)).await;
        stop.cancel();
        running.await.unwrap();
    }
    assert_eq!((asked.load(Ordering::SeqCst), taken.load(Ordering::SeqCst)), (2, 1));
}

/// Accepts messages but never finishes them; counts them.
struct Slow(Arc<AtomicUsize>);

#[async_trait]
impl Alarm for Slow {
    async fn send(&self, _: &Message) -> Result<(), Error> {
        self.0.fetch_add(1, Ordering::SeqCst);
        std::future::pending().await
    }
}

fn custom(name: &str, alarm: impl Alarm + 'static) -> Channels {
    let mut channel = Channel::custom(alarm);
    channel.group_wait = Duration::ZERO;
    let custom = [(name.parse().unwrap(), channel)].into_iter().collect();
    Channels::new(&Default::default(), &custom).unwrap()
}

async fn until(what: &str, mut look: impl AsyncFnMut() -> bool) {
    let end = tokio::time::Instant::now() + Duration::from_secs(20);
    while !look().await {
        assert!(tokio::time::Instant::now() < end, "not in time: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

async fn states(store: &Sqlite, channel: &str) -> Vec<(i64, AlarmState, Option<String>)> {
    let channel = Some(channel.parse().unwrap());
    let filter = AlarmFilter { channel, limit: 100, ..AlarmFilter::default() };
    let rows = store.past_alarms(&filter).await.unwrap().into_iter();
    rows.map(|row| (row.alarm.job.0, row.state, row.last_error)).collect()
}

#[tokio::test]
async fn an_alarm_that_is_silenced_before_it_is_sent_is_never_sent() {
    struct Tell(Arc<std::sync::Mutex<Vec<Message>>>);

    #[async_trait]
    impl Alarm for Tell {
        async fn send(&self, message: &Message) -> Result<(), Error> {
            self.0.lock().unwrap().push(message.clone());
            Ok(())
        }
    }

    let dir = tempfile::tempdir().unwrap();
    let store = Arc::new(Sqlite::open(&dir.path().join("jobs.db")).await.unwrap());
    let now = crate::clock::wall_now();
    let silence = |job: Option<i64>, channel: Option<&str>, hours: i64| Silence {
        job: job.map(|job| (JobId(job), format!("billing.job{job}"))),
        channel: channel.map(|name| name.parse().unwrap()),
        until: now + jiff::SignedDuration::from_hours(hours),
        reason: "known".to_owned(),
    };
    let most = 3;
    let earlier = now - jiff::SignedDuration::from_hours(9);
    let old = silence(None, Some("ops"), -1);
    store.add_silence(&old, earlier, most).await.unwrap().unwrap();
    for other in [silence(Some(1), None, 1), silence(Some(2), Some("other"), 1)] {
        store.add_silence(&other, now, most).await.unwrap().unwrap();
    }
    let last = store.add_silence(&silence(Some(3), Some("ops"), 1), now, most).await.unwrap();
    assert_eq!(store.add_silence(&silence(Some(4), None, 1), now, most).await.unwrap(), None);
    // More jobs than the limit on groups: all are sent as one message.
    let alarms = (1..=30).map(|id| row(id, id)).collect();
    store.commit(&[Commit { alarms, ..Commit::default() }]).await.unwrap();
    let sent = Arc::new(std::sync::Mutex::new(Vec::new()));
    let (stop, channels) = (CancellationToken::new(), custom("ops", Tell(Arc::clone(&sent))));
    let running = tokio::spawn(run(
        Arc::clone(&store) as _,
        channels,
        always(),
        clock(),
        Metrics::default(),
        stop.clone(),
    ));
    until("nothing waits", async || {
        let states = states(&store, "ops").await;
        states.iter().all(|(_, state, _)| *state != AlarmState::Waiting)
    })
    .await;
    stop.cancel();
    running.await.unwrap();
    let silenced: Vec<_> = states(&store, "ops").await;
    let silenced = silenced.into_iter().filter(|(_, state, _)| *state == AlarmState::Silenced);
    assert_eq!(silenced.map(|(job, ..)| job).collect::<Vec<_>>(), [3, 1]);
    let sent = std::mem::take(&mut *sent.lock().unwrap());
    assert_eq!(sent.iter().map(|message| message.count).sum::<usize>(), 28);
    let of_silenced = |job: &str| matches!(job, "billing.job1" | "billing.job3");
    assert!(sent.iter().all(|message| !message.items.iter().any(|item| of_silenced(&item.job))));
    // Nothing was sent over the other channel, so none of its alarms was checked.
    let other = states(&store, "other").await;
    assert!(other.iter().all(|(_, state, _)| *state == AlarmState::Waiting));

    // The sweep removed only the silence that has expired.
    let id = last.unwrap();
    assert_eq!(store.silences(earlier).await.unwrap().len(), 3);
    assert!(store.remove_silence(id, now).await.unwrap());
    assert!(!store.remove_silence(id, now).await.unwrap());
    assert_eq!(store.silences(now).await.unwrap().len(), 2);
}

#[tokio::test]
async fn a_message_in_flight_is_aborted_on_shutdown_and_its_alarm_keeps_waiting() {
    let dir = tempfile::tempdir().unwrap();
    let store = Arc::new(Sqlite::open(&dir.path().join("jobs.db")).await.unwrap());
    store.commit(&[Commit { alarms: vec![row(1, 1)], ..Commit::default() }]).await.unwrap();
    let (stop, asked) = (CancellationToken::new(), Arc::new(AtomicUsize::new(0)));
    let channels = custom("ops", Slow(Arc::clone(&asked)));
    let running = tokio::spawn(run(
        Arc::clone(&store) as _,
        channels,
        always(),
        clock(),
        Metrics::default(),
        stop.clone(),
    ));
    until("it is on its way", async || asked.load(Ordering::SeqCst) == 1).await;
    stop.cancel();
    tokio::time::timeout(Duration::from_secs(5), running).await.unwrap().unwrap();
    assert_eq!(states(&store, "ops").await, [(1, AlarmState::Waiting, None)]);
}

#[tokio::test]
async fn alarms_of_a_channel_that_is_not_configured_are_abandoned_after_a_day() {
    let dir = tempfile::tempdir().unwrap();
    let store = Arc::new(Sqlite::open(&dir.path().join("jobs.db")).await.unwrap());
    let mut old = row(1, 1);
    old.at -= jiff::SignedDuration::from_hours(25);
    let alarms = vec![old, row(2, 2)];
    store.commit(&[Commit { alarms, ..Commit::default() }]).await.unwrap();
    let (stop, asked) = (CancellationToken::new(), Arc::new(AtomicUsize::new(0)));
    let channels = custom("ops", Slow(Arc::clone(&asked)));
    let running = tokio::spawn(run(
        Arc::clone(&store) as _,
        channels,
        always(),
        clock(),
        Metrics::default(),
        stop.clone(),
    ));
    let given_up = (1, AlarmState::GivenUp, Some("the channel is not configured".to_owned()));
    until("the old one is abandoned", async || {
        states(&store, "other").await == [(2, AlarmState::Waiting, None), given_up.clone()]
    })
    .await;
    let ops = states(&store, "ops").await;
    assert!(ops.iter().all(|(_, state, _)| *state == AlarmState::Waiting), "{ops:?}");
    stop.cancel();
    running.await.unwrap();
}

#[test]
fn secrets_are_not_shown_and_invalid_channels_are_rejected() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("fastjob.toml");
    let text = "[alarms.a]\ntype='slack'\nurl='https://hooks/KEY'\n[alarms.b]\ntype='email'\n\
                [alarms.c]\ntype='webhook'\nurl='http://x/'\nbody='{{jbo}}'\n\
                [alarms.d]\ntype='email'\nserver='localhost'\nfrom='a@b.c'\nto='a@b.c'\n\
                tls='none'\nca_cert='/not/there.pem'";
    crate::files::testing::write_private(&path, text);
    let config = Config::load(Some(&path), |_| None).unwrap();
    assert!(!format!("{config:?}").contains("KEY"));
    let problems: Vec<_> = config.check().iter().map(|p| p.key.clone()).collect();
    let right = ["b.server", "b.to", "b.from", "c.body", "d.ca_cert", "d.ca_cert"];
    assert_eq!(problems, right.map(|key| format!("alarms.{key}")));
}
