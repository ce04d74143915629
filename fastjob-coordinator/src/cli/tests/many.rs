//! Commands on many jobs and tasks, and on versions of a job.

use serde_json::{Value, json};

use super::{
    fake::{Fake, job, problem, task},
    *,
};

fn page(items: &[Value]) -> (u16, &'static str, Value) {
    (200, "", json!({ "items": items, "next_cursor": null }))
}

fn done(done: u64, items: Value) -> (u16, &'static str, Value) {
    let failed = items.as_array().unwrap().len() as u64;
    let answer = json!({ "matched": done + failed, "done": done, "failed": failed, "not_done": 0,
        "items": items, "dry_run": false });
    (200, "", answer)
}

#[tokio::test]
async fn jobs_that_filters_name_are_counted_and_changed() {
    let jobs = page(&[job("a"), job("b")]);
    let fake = Fake::answers([jobs.clone(), jobs.clone(), jobs, done(2, json!([]))]).await;
    let many = ["--server", &fake.url, "job", "disable", "--service", "billing", "--label", "x=1"];
    let out = fastjob(&[&many[..], &["--dry-run"]].concat()).await.out();
    assert_eq!(out, "would disable 2 jobs:\n  billing.a\n  billing.b\n");
    let failure = fastjob(&many).await.failure();
    assert!(failure.title.contains("no terminal to confirm"), "{}", failure.title);
    let out = fastjob(&[&many[..], &["--yes"]].concat()).await.out();
    assert_eq!(out, "disabled 2 jobs\n");
    let asked = fake.asked();
    assert_eq!(asked.len(), 4, "nothing was changed before: {asked:?}");
    assert_eq!(asked[0], "GET /api/v1/jobs?service=billing&label=x%3D1&limit=500");
    let body = r#"{"action":"disable","jobs":["billing.a","billing.b"]}"#;
    assert_eq!(asked[3], format!("POST /api/v1/jobs/bulk {body}"));
}

#[tokio::test]
async fn jobs_that_cannot_be_changed_are_listed() {
    let error = json!([{ "job": "billing.b", "error": "it is a child of `c`" }]);
    let jobs = page(&[job("a"), job("b")]);
    let fake = Fake::answers([jobs.clone(), done(1, error.clone()), jobs, done(1, error)]).await;
    let delete = ["--server", &fake.url, "job", "delete", "--all", "--yes"];
    let ran = fastjob(&delete).await;
    assert!(matches!(ran.result, Err(Error::Reported)), "{:?}", ran.result);
    let expected = "deleted 1 job\n1 job not deleted:\n  billing.b: it is a child of `c`\n";
    assert_eq!(ran.out, expected);
    let ran = fastjob(&[&delete[..], &["--json"]].concat()).await;
    let sum: Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!((&sum["matched"], &sum["done"], &sum["failed"]), (&json!(2), &json!(1), &json!(1)));
}

#[tokio::test]
async fn every_job_is_meant_only_if_that_is_said() {
    let fake = Fake::answering(Value::Null).await;
    for words in
        [&["job", "delete"][..], &["job", "start"], &["stop"], &["stop", "--state", "failed"]]
    {
        let ran = fastjob(&[&["--server", fake.url.as_str()][..], words].concat()).await;
        assert!(matches!(ran.result, Err(Error::Misuse(_))), "{words:?}: {:?}", ran.result);
    }
    assert_eq!(fake.asked(), [""; 0]);
}

#[tokio::test]
async fn many_jobs_are_changed_in_parts_and_an_error_says_what_is_left() {
    let jobs: Vec<_> = (0..600).map(|n| job(&format!("j{n}"))).collect();
    let fake =
        Fake::answers([page(&jobs), done(500, json!([])), problem(503, "the store failed")]).await;
    let failure =
        fastjob(&["--server", &fake.url, "job", "enable", "--all", "--yes"]).await.failure();
    assert!(failure.title.contains("the store failed"), "{}", failure.title);
    assert!(failure.hints[0].contains("100 jobs may not have been enabled"), "{failure}");
    assert_eq!(fake.asked().len(), 3);
}

#[tokio::test]
async fn starts_without_a_key_are_not_to_be_repeated_after_an_error() {
    let jobs: Vec<_> = (0..600).map(|n| job(&format!("j{n}"))).collect();
    for (key, hint) in [
        (
            Vec::new(),
            "started 500 jobs before this error, and 100 jobs may not have been started: a",
        ),
        (vec!["--key", "k"], "100 jobs may not have been started: repeat the command"),
    ] {
        let fake =
            Fake::answers([page(&jobs), done(500, json!([])), problem(503, "the store failed")])
                .await;
        let start = ["--server", &fake.url, "job", "start", "--all", "--yes"];
        let failure = fastjob(&[&start[..], &key].concat()).await.failure();
        assert!(failure.hints[0].contains(hint), "{failure}");
    }
}

#[tokio::test]
async fn jobs_are_started_with_a_param_and_a_key() {
    let items = json!([]);
    let fake = Fake::answers([done(1, items)]).await;
    let start = ["--server", &fake.url, "job", "start", "a", "--param", "x", "--key", "k"];
    assert_eq!(fastjob(&start).await.out(), "started 1 job\n");
    let body = r#"{"action":"start","jobs":["a"],"param":"x","key":"k","cause":"manual"}"#;
    assert_eq!(fake.asked(), [format!("POST /api/v1/jobs/bulk {body}")]);
}

#[tokio::test]
async fn tasks_that_filters_name_are_stopped() {
    let mut long = task("running");
    long["id"] = json!(7);
    let list = page(&[long]);
    let fake = Fake::answers([list.clone(), done(1, json!([])), list, done(1, json!([]))]).await;
    let stop = ["--server", &fake.url, "stop", "--yes"];
    let filters = ["--job", "b", "--note", "a release"];
    let out = fastjob(&[&stop[..], &filters].concat()).await.out();
    assert_eq!(out, "stopped 1 task\n");
    fastjob(&[&stop[..], &["--min-run-time", "2h"]].concat()).await.out();
    let asked = fake.asked();
    assert_eq!(asked[0], "GET /api/v1/tasks?job=b&state=queued%2Crunning&limit=500");
    let body = r#"{"action":"stop","tasks":[7],"reason":"a release"}"#;
    assert_eq!(asked[1], format!("POST /api/v1/tasks/bulk {body}"));
    let by_run_time = "GET /api/v1/tasks?min_run_time=2h&state=running&order=run_time&limit=500";
    assert_eq!(asked[2], by_run_time);
}

#[tokio::test]
async fn versions_of_a_job_are_listed_and_compared() {
    let change = json!([{ "field": "timeout", "from": "5m", "to": "10m" }]);
    let version = |revision: i64, changes: &Value| {
        json!({ "revision": revision, "saved_at": "2026-11-23T00:00:00Z", "origin": "api",
            "changes": changes })
    };
    let list = page(&[version(2, &change), version(1, &json!([]))]);
    let at = |revision: i64, timeout: &str| {
        let mut job = job("a");
        job["timeout"] = timeout.into();
        for field in ["id", "revision", "origin", "next_fire_at", "created_at", "updated_at"] {
            job.as_object_mut().unwrap().remove(field);
        }
        let view = json!({ "revision": revision, "saved_at": "2026-11-23T00:00:00Z",
            "origin": "api", "job": job });
        (200, "", view)
    };
    let fake = Fake::answers([list, at(1, "5m"), at(2, "10m"), at(1, "5m")]).await;
    let history = ["--server", &fake.url, "job", "history", "a"];
    let out = fastjob(&history).await.out();
    assert!(out.contains("timeout 5m → 10m") && out.contains("created"), "{out}");
    let out = fastjob(&[&history[..], &["--diff", "1..2"]].concat()).await.out();
    assert_eq!(out, "timeout 5m → 10m\n");
    let out = fastjob(&[&history[..], &["--revision", "1"]].concat()).await.out();
    assert!(out.starts_with("[[job]]\n") && out.contains("timeout = \"5m\""), "{out}");
    assert_eq!(fake.asked()[0], "GET /api/v1/jobs/a/versions?limit=20");
}
