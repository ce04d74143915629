//! When jobs fire, and that changes to a job take effect once they are acknowledged.

use std::time::Duration;

use fastjob_core::{
    JobId,
    schedule::{Limits, Schedule, Timetable, Zone},
};
use fastjob_tests::{eventually, rest::Rest};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::{EXECUTOR, coordinator};

const YEARLY: &str = "0 0 0 1 1 ?";
const EVERY_SECOND: &str = "* * * * * ?";

fn instant(task: &Value, field: &str) -> Timestamp {
    let text = task[field].as_str().unwrap_or_else(|| panic!("no {field} in {task}"));
    text.parse().unwrap()
}

/// Waits for `count` ended tasks of a job, and returns them, oldest first.
async fn ended(rest: &Rest, job: &str, count: usize) -> Vec<Value> {
    let what = format!("{count} tasks of {job} have ended");
    let mut tasks = eventually(&what, Duration::from_secs(30), || async {
        let mut tasks = rest.tasks(job).await;
        tasks.retain(|task| task["ended_at"].is_string());
        (tasks.len() >= count).then_some(tasks)
    })
    .await;
    tasks.reverse();
    tasks
}

async fn cron(rest: &Rest, name: &str, cron: &str) {
    rest.save(json!({"name": name, "handler": "noop", "schedule": {"cron": cron}})).await;
}

/// Waits until another job has fired three times later than `instant`.
async fn pace(rest: &Rest, instant: Timestamp) {
    eventually("the pacer fired", Duration::from_secs(30), || async {
        let tasks = rest.tasks("pacer").await;
        let later = |task: &&Value| self::instant(task, "fire_at") > instant;
        (tasks.iter().filter(later).count() >= 3).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_fixed_rate_does_not_drift() {
    let coordinator = coordinator().await;
    let _executor = coordinator.executor(EXECUTOR, "e1");
    let rest = coordinator.rest();
    rest.executors(1).await;
    rest.save(json!({"name": "rate", "handler": "slow", "param": "70",
        "schedule": {"fixed_rate": "300ms"}}))
        .await;
    let tasks = ended(&rest, "rate", 5).await;
    for pair in tasks.windows(2) {
        let apart = instant(&pair[1], "fire_at").duration_since(instant(&pair[0], "fire_at"));
        assert_eq!(apart, SignedDuration::from_millis(300), "{pair:?}");
    }
}

#[tokio::test]
async fn a_fixed_delay_counts_from_the_last_end_whatever_the_outcome() {
    let coordinator = coordinator().await;
    let _executor = coordinator.executor(EXECUTOR, "e1");
    let rest = coordinator.rest();
    rest.executors(1).await;
    for (name, handler) in [("after", "slow"), ("failing", "fatal")] {
        rest.save(json!({"name": name, "handler": handler, "param": "250",
            "schedule": {"fixed_delay": "200ms"}}))
            .await;
        for pair in ended(&rest, name, 3).await.windows(2) {
            let delay = instant(&pair[1], "fire_at").duration_since(instant(&pair[0], "ended_at"));
            assert!(delay >= SignedDuration::from_millis(200), "{delay} {pair:?}");
        }
    }
}

#[tokio::test]
async fn a_one_time_job_fires_once() {
    let coordinator = coordinator().await;
    let _executor = coordinator.executor(EXECUTOR, "e1");
    let rest = coordinator.rest();
    cron(&rest, "pacer", EVERY_SECOND).await;
    let at = fastjob_tests::now() + SignedDuration::from_secs(2);
    let at = Timestamp::from_millisecond(at.as_millisecond()).unwrap();
    let once = |at: Timestamp| json!({"name": "once", "handler": "noop", "schedule": {"once": at.to_string()}});
    rest.save(once(at)).await;
    let task = ended(&rest, "once", 1).await.remove(0);
    assert_eq!((instant(&task, "fire_at"), &task["cause"]), (at, &json!("schedule")));
    pace(&rest, at).await;
    assert_eq!(rest.tasks("once").await.len(), 1);
    let (_, job) = rest.get("/api/v1/jobs/once").await.unwrap();
    assert_eq!(job["next_fire_at"], Value::Null);
    let past = once("2020-01-01T00:00:00Z".parse().unwrap()).to_string();
    let (status, answer) = rest
        .ask("PUT", "/api/v1/jobs/late", Some(past.replace("once\",", "late\",")))
        .await
        .unwrap();
    assert_eq!(status, 422, "{answer}");
}

#[tokio::test]
async fn a_job_fires_from_its_start_to_its_end_inclusive() {
    let coordinator = coordinator().await;
    let _executor = coordinator.executor(EXECUTOR, "e1");
    let rest = coordinator.rest();
    rest.executors(1).await;
    cron(&rest, "pacer", EVERY_SECOND).await;
    let second = SignedDuration::from_secs(1);
    let start = Timestamp::from_second(fastjob_tests::now().as_second() + 4).unwrap();
    let end = start + second * 2;
    rest.save(json!({"name": "season", "handler": "noop", "schedule": {"cron": EVERY_SECOND},
        "start_at": start.to_string(), "end_at": end.to_string()}))
        .await;
    let (_, job) = rest.get("/api/v1/jobs/season").await.unwrap();
    assert_eq!(instant(&job, "next_fire_at"), start);
    pace(&rest, end).await;
    let tasks = ended(&rest, "season", 3).await;
    let fires: Vec<_> = tasks.iter().map(|task| instant(task, "fire_at")).collect();
    assert_eq!(fires, [start, start + second, end]);
    let (_, job) = rest.get("/api/v1/jobs/season").await.unwrap();
    assert_eq!(job["next_fire_at"], Value::Null);
}

#[tokio::test]
async fn jitter_delays_each_fire_by_a_different_amount_and_starts_none_early() {
    let coordinator = coordinator().await;
    let _executor = coordinator.executor(EXECUTOR, "e1");
    let rest = coordinator.rest();
    rest.executors(1).await;
    let jitter = Duration::from_millis(800);
    rest.save(json!({"name": "spread", "handler": "noop", "schedule": {"cron": EVERY_SECOND},
        "jitter": "800ms"}))
        .await;
    let tasks = ended(&rest, "spread", 4).await;
    // The rule that plans fires; unit tests check its bounds.
    let (_, job) = rest.get("/api/v1/jobs/spread").await.unwrap();
    let id = JobId(job["id"].as_i64().unwrap());
    let schedule = Schedule::Cron(EVERY_SECOND.parse().unwrap(), Zone::default());
    let rule = Timetable::new(schedule, Limits { jitter, ..Limits::default() });
    let mut offsets = Vec::new();
    for task in &tasks {
        let (fire, started) = (instant(task, "fire_at"), instant(task, "started_at"));
        let due = rule.due_at(id, fire);
        assert_eq!(fire.subsec_nanosecond(), 0, "a fire is the schedule's instant: {task}");
        assert!(started >= due, "started at {started}, due at {due}: {task}");
        offsets.push(due.duration_since(fire));
    }
    offsets.sort();
    offsets.dedup();
    assert!(offsets.len() > 1, "all fires have the same delay: {offsets:?}");
}

#[tokio::test]
async fn a_job_does_not_fire_in_the_hours_and_days_that_it_excludes() {
    let coordinator = coordinator().await;
    let _executor = coordinator.executor(EXECUTOR, "e1");
    let rest = coordinator.rest();
    rest.executors(1).await;
    cron(&rest, "pacer", EVERY_SECOND).await;
    // From the previous hour to the one after next, so that the range does not end during the test.
    let now = fastjob_tests::now().to_zoned(jiff::tz::TimeZone::UTC);
    let hour = |from_now: i64| (i64::from(now.hour()) + from_now).rem_euclid(24);
    let around = format!("{}-{}", hour(-1), hour(2));
    let away = format!("{}-{}", hour(6), hour(9));
    let save = |name: &str, hours: &str| {
        rest.save(json!({"name": name, "handler": "noop", "schedule": {"cron": EVERY_SECOND},
            "exclude": {"hours": [hours]}}))
    };
    save("closed", &around).await;
    save("open", &away).await;
    rest.save(json!({"name": "never-on-a-day", "handler": "noop",
        "schedule": {"fixed_rate": "1s"},
        "exclude": {"days": [now.date().to_string(), now.date().tomorrow().unwrap().to_string()]}}))
        .await;
    ended(&rest, "open", 3).await;
    pace(&rest, now.timestamp()).await;
    let next = async |job: &str| {
        let (_, job) = rest.get(&format!("/api/v1/jobs/{job}")).await.unwrap();
        instant(&job, "next_fire_at")
    };
    let opens = now.start_of_day().unwrap().timestamp()
        + SignedDuration::from_hours(i64::from(now.hour()) + 2);
    assert_eq!(next("closed").await, opens);
    let after = now.start_of_day().unwrap().timestamp() + SignedDuration::from_hours(48);
    assert!(next("never-on-a-day").await >= after);
    for job in ["closed", "never-on-a-day"] {
        assert_eq!(rest.tasks(job).await, Vec::<Value>::new());
    }
}

#[tokio::test]
async fn nothing_fires_after_the_answer_to_a_disable() {
    let coordinator = coordinator().await;
    let _executor = coordinator.executor(EXECUTOR, "e1");
    let rest = coordinator.rest();
    cron(&rest, "pacer", EVERY_SECOND).await;
    cron(&rest, "tick", EVERY_SECOND).await;
    ended(&rest, "tick", 2).await;
    let off = rest.post("/api/v1/jobs/tick/disable").await;
    assert_eq!((&off["enabled"], &off["next_fire_at"]), (&json!(false), &Value::Null));
    let off = instant(&off, "updated_at");
    pace(&rest, off).await;
    for task in rest.tasks("tick").await {
        assert!(instant(&task, "fire_at") <= off, "fired after {off}: {task}");
    }
    let on = rest.post("/api/v1/jobs/tick/enable").await;
    assert_eq!(on["enabled"], true);
    let on = instant(&on, "updated_at");
    eventually("it fires again", Duration::from_secs(20), || async {
        let tasks = rest.tasks("tick").await;
        tasks.iter().any(|task| instant(task, "fire_at") > on).then_some(())
    })
    .await;
    let between = |task: &&Value| instant(task, "fire_at") > off && instant(task, "fire_at") <= on;
    let tasks = rest.tasks("tick").await;
    assert_eq!(tasks.iter().find(between), None, "fires missed while disabled are not caught up");
}

#[tokio::test]
async fn an_edited_schedule_takes_effect_at_once() {
    let coordinator = coordinator().await;
    let _executor = coordinator.executor(EXECUTOR, "e1");
    let rest = coordinator.rest();
    cron(&rest, "pacer", EVERY_SECOND).await;
    cron(&rest, "edited", YEARLY).await;
    let (_, before) = rest.get("/api/v1/jobs/edited").await.unwrap();
    cron(&rest, "edited", EVERY_SECOND).await;
    let (_, after) = rest.get("/api/v1/jobs/edited").await.unwrap();
    assert_eq!((&after["id"], &after["revision"]), (&before["id"], &json!(2)));
    assert_ne!(after["next_fire_at"], before["next_fire_at"]);
    ended(&rest, "edited", 2).await;
    cron(&rest, "edited", YEARLY).await;
    let (_, back) = rest.get("/api/v1/jobs/edited").await.unwrap();
    assert_eq!(back["next_fire_at"], before["next_fire_at"]);
    let edited = instant(&back, "updated_at");
    pace(&rest, edited).await;
    for task in rest.tasks("edited").await {
        assert!(instant(&task, "fire_at") <= edited, "fired after {edited}: {task}");
    }
    // Saving the same job again changes nothing.
    cron(&rest, "edited", YEARLY).await;
    let (_, same) = rest.get("/api/v1/jobs/edited").await.unwrap();
    assert_eq!(same["revision"], back["revision"]);
}

#[tokio::test]
async fn a_deleted_job_is_gone_and_its_waiting_tasks_are_stopped() {
    let coordinator = coordinator().await;
    let _executor = coordinator.executor(EXECUTOR, "e1");
    let rest = coordinator.rest();
    cron(&rest, "gone", EVERY_SECOND).await;
    let ran = ended(&rest, "gone", 1).await.remove(0);
    let waits = rest.start("gone", json!({"delay": "1h"})).await;
    assert_eq!(rest.task(waits).await["state"], "queued");
    let (status, _) = rest.ask("DELETE", "/api/v1/jobs/gone", None).await.unwrap();
    assert_eq!(status, 204);
    let stopped = rest.ended(waits).await;
    assert_eq!(stopped["state"], "stopped", "{stopped}");
    for (method, path) in [
        ("GET", "/api/v1/jobs/gone"),
        ("DELETE", "/api/v1/jobs/gone"),
        ("POST", "/api/v1/jobs/gone/start"),
        ("POST", "/api/v1/jobs/gone/enable"),
    ] {
        let (status, answer) = rest.ask(method, path, None).await.unwrap();
        assert_eq!(status, 404, "{method} {path}: {answer}");
    }
    let kept = rest.task(ran["id"].as_i64().unwrap()).await;
    assert_eq!(kept["state"], "succeeded", "its history is kept");
    // A new job of the same name starts afresh.
    cron(&rest, "gone", YEARLY).await;
    let (_, created) = rest.get("/api/v1/jobs/gone").await.unwrap();
    assert_eq!(created["revision"], 1);
    assert_eq!(rest.tasks("gone").await, Vec::<Value>::new());
}
