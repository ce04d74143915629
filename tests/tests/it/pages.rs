//! Pages of a list neither skip nor repeat items.

use fastjob_tests::rest::Rest;
use serde_json::{Value, json};

use crate::{EXECUTOR, coordinator};

/// Reads a list in pages of three, and returns `field` of each item.
async fn walk(rest: &Rest, list: &str, field: &str) -> Vec<Value> {
    let (mut all, mut cursor) = (Vec::new(), String::new());
    loop {
        let (status, page) = rest.get(&format!("{list}limit=3{cursor}")).await.unwrap();
        assert_eq!(status, 200, "{page}");
        let items = page["items"].as_array().unwrap();
        assert!(items.len() <= 3 && !items.is_empty(), "{page}");
        all.extend(items.iter().map(|item| item[field].clone()));
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return all,
        }
    }
}

#[tokio::test]
async fn pages_of_jobs_and_tasks_are_walked_with_the_cursor() {
    let coordinator = coordinator().await;
    let rest = coordinator.rest();
    let names: Vec<_> = (1..=7).map(|n| format!("job-{n}")).collect();
    for name in &names {
        rest.save(json!({"name": name, "handler": "noop"})).await;
    }
    assert_eq!(walk(&rest, "/api/v1/jobs?", "name").await, names);
    let _executor = coordinator.executor(EXECUTOR, "e1");
    let mut tasks = Vec::new();
    for _ in 0..7 {
        tasks.push(rest.start("job-1", json!({})).await);
    }
    for task in &tasks {
        assert_eq!(rest.ended(*task).await["state"], "succeeded");
    }
    tasks.reverse();
    let tasks: Vec<Value> = tasks.into_iter().map(Value::from).collect();
    assert_eq!(walk(&rest, "/api/v1/tasks?", "id").await, tasks);
    assert_eq!(walk(&rest, "/api/v1/tasks?job=default.job-1&", "id").await, tasks);
    assert_eq!(walk(&rest, "/api/v1/tasks?state=succeeded&", "id").await, tasks);
}

#[tokio::test]
async fn tasks_are_listed_by_job_state_and_time_while_they_are_open() {
    let coordinator = coordinator().await;
    let rest = coordinator.rest();
    rest.save(json!({"name": "a", "handler": "noop"})).await;
    rest.save(json!({"name": "b", "handler": "noop"})).await;
    let mut queued = Vec::new();
    for name in ["a", "b", "a", "b", "a"] {
        queued.push(rest.start(name, json!({"delay": "1h"})).await);
    }
    queued.reverse();
    let all: Vec<Value> = queued.iter().copied().map(Value::from).collect();
    assert_eq!(walk(&rest, "/api/v1/tasks?state=queued&", "id").await, all);
    let (_, page) = rest.get("/api/v1/tasks?job=b").await.unwrap();
    let jobs: Vec<_> = page["items"].as_array().unwrap().iter().map(|task| &task["job"]).collect();
    assert_eq!(jobs, ["b", "b"]);
    let (_, page) = rest.get("/api/v1/tasks?state=failed").await.unwrap();
    assert_eq!(page["items"], json!([]));
    let (_, page) = rest.get("/api/v1/tasks?since=2100-01-01T00:00:00Z").await.unwrap();
    assert_eq!(page["items"], json!([]));
    for wrong in ["limit=0", "limit=501", "cursor=what", "since=yesterday", "page=2"] {
        let (status, answer) = rest.get(&format!("/api/v1/tasks?{wrong}")).await.unwrap();
        assert_eq!(status, 422, "{wrong}: {answer}");
    }
}

#[tokio::test]
async fn a_list_of_jobs_says_what_each_does_and_how_its_last_tasks_ended() {
    let coordinator = coordinator().await;
    let rest = coordinator.rest();
    for name in ["a", "b", "c"] {
        rest.save(json!({"name": name, "handler": "noop"})).await;
    }
    let _executor = coordinator.executor(EXECUTOR, "e1");
    let mut tasks = Vec::new();
    for _ in 0..3 {
        let task = rest.start("a", json!({})).await;
        assert_eq!(rest.ended(task).await["state"], "succeeded");
        tasks.insert(0, Value::from(task));
    }
    rest.start("b", json!({"delay": "1h"})).await;
    let (status, page) = rest.get("/api/v1/jobs?ends=2").await.unwrap();
    assert_eq!(status, 200, "{page}");
    let activity = |at: usize| &page["items"][at]["activity"];
    let ends = activity(0)["ends"].as_array().unwrap();
    let listed: Vec<_> = ends.iter().map(|end| end["task"].clone()).collect();
    assert_eq!(listed, tasks[..2], "the newest first");
    assert_eq!(ends[0]["state"], "succeeded");
    assert!(ends[0]["started_at"].is_string() && ends[0]["ended_at"].is_string(), "{page}");
    assert_eq!(activity(1), &json!({"queued": 1, "running": 0, "ends": []}));
    assert_eq!(activity(2), &json!({"queued": 0, "running": 0, "ends": []}));
    let (_, job) = rest.get("/api/v1/jobs/a?ends=20").await.unwrap();
    assert_eq!(job["activity"]["ends"].as_array().unwrap().len(), 3, "{job}");
    let (_, page) = rest.get("/api/v1/jobs?ends=0").await.unwrap();
    assert_eq!(page["items"][0]["activity"]["ends"], json!([]));
    let (_, page) = rest.get("/api/v1/jobs").await.unwrap();
    assert_eq!(page["items"][0].get("activity"), None, "only on demand");
    for wrong in ["ends=21", "ends=-1", "ends=all"] {
        let (status, answer) = rest.get(&format!("/api/v1/jobs?{wrong}")).await.unwrap();
        assert_eq!(status, 422, "{wrong}: {answer}");
        assert!(answer.to_string().contains("between 0 and 20"), "{answer}");
    }
}

/// The ids of the tasks on the first page.
async fn ids(rest: &Rest, query: &str) -> Vec<i64> {
    let (status, page) = rest.get(&format!("/api/v1/tasks?{query}")).await.unwrap();
    assert_eq!(status, 200, "{query}: {page}");
    assert_eq!(page.get("searched_to"), None, "{query}: {page}");
    page["items"].as_array().unwrap().iter().map(|task| task["id"].as_i64().unwrap()).collect()
}

#[tokio::test]
async fn tasks_are_filtered_and_ordered_whether_open_or_ended() {
    let coordinator = coordinator().await;
    let rest = coordinator.rest();
    rest.save(json!({"name": "done", "handler": "noop"})).await;
    rest.save(json!({"name": "bad", "handler": "complains"})).await;
    let later = json!({"name": "later", "service": "billing", "handler": "noop"}).to_string();
    assert_eq!(rest.ask("POST", "/api/v1/jobs", Some(later)).await.unwrap().0, 201);
    let _executor = coordinator.executor(EXECUTOR, "e1");
    let done = rest.start("done", json!({"key": "k"})).await;
    rest.ended(done).await;
    let bad = rest.start("bad", json!({"param": "Connection refused"})).await;
    assert_eq!(rest.ended(bad).await["state"], "failed");
    let later = rest.start("later", json!({"delay": "1h"})).await;

    for (query, expected) in [
        ("", vec![later, bad, done]),
        ("order=oldest", vec![done, bad, later]),
        ("state=queued,failed", vec![later, bad]),
        ("state=queued&state=failed&order=oldest", vec![bad, later]),
        ("state=queued,running,succeeded", vec![later, done]),
        ("service=billing", vec![later]),
        ("service=billing&state=queued", vec![later]),
        ("service=nowhere", vec![]),
        ("executor=e1", vec![bad, done]),
        ("executor=e1&state=queued,succeeded", vec![done]),
        ("executor=e2", vec![]),
        ("cause=api,schedule", vec![later, bad, done]),
        ("cause=parent", vec![]),
        ("job=done&key=k", vec![done]),
        ("job=done&key=k&state=failed", vec![]),
        ("job=done&key=other", vec![]),
        ("min_run_time=1h", vec![]),
        ("text=REFUSED", vec![bad]),
        ("text=refused&state=succeeded", vec![]),
    ] {
        assert_eq!(ids(&rest, query).await, expected, "{query}");
    }
    let mut ended = ids(&rest, "order=run_time").await;
    ended.sort_unstable();
    assert_eq!(ended, [done, bad], "tasks that have not ended have no run time");
    let (_, task) = rest.get(&format!("/api/v1/tasks/{bad}")).await.unwrap();
    let at = task["created_at"].as_str().unwrap();
    assert_eq!(ids(&rest, &format!("until={at}")).await, [done]);
    assert_eq!(ids(&rest, &format!("since={at}")).await, [later, bad]);
    assert_eq!(walk(&rest, "/api/v1/tasks?order=oldest&state=queued,failed&", "id").await.len(), 2);
}

#[tokio::test]
async fn a_filter_of_tasks_that_is_wrong_is_named_with_what_is_allowed() {
    let coordinator = coordinator().await;
    let rest = coordinator.rest();
    rest.save(json!({"name": "a", "handler": "noop"})).await;
    for (wrong, field, says) in [
        ("state=failed,gone", "state", "`gone` is not a task state; there are queued, running"),
        ("cause=cron", "cause", "there are schedule, misfire, manual, api, parent and backfill"),
        ("order=size", "order", "there are newest, oldest and run_time"),
        ("key=k", "key", "it needs a job"),
        ("service=a/b", "service", ""),
        ("min_run_time=long", "min_run_time", ""),
        ("min_run_time=1m&state=running", "min_run_time", "of open tasks, it needs order=run_time"),
        ("order=run_time&state=queued", "state", "queued tasks have no run time"),
        ("order=run_time&state=running,failed", "state", "are not listed together"),
        ("label==x", "label", "write it as key=value"),
        ("since=2026-01-02T00:00:00Z&until=2026-01-01T00:00:00Z", "until", "is not after since"),
        ("cursor=o7", "cursor", "it came from a list in another order"),
        ("order=oldest&cursor=7", "cursor", "it came from a list in another order"),
        ("states=failed", "states", "is not a parameter"),
    ] {
        let (status, answer) = rest.get(&format!("/api/v1/tasks?{wrong}")).await.unwrap();
        assert_eq!(status, 422, "{wrong}: {answer}");
        let problem = &answer["problems"][0];
        assert_eq!(problem["field"], field, "{wrong}: {answer}");
        assert!(problem["message"].as_str().unwrap().contains(says), "{wrong}: {answer}");
    }
}
