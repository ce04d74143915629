//! Changes of jobs by several people: none overwrites another, each can be undone, and many jobs or
//! tasks are changed at once.

use fastjob_client::{ClientError, types::JobDraft};
use fastjob_tests::rest::Rest;
use serde_json::{Value, json};

use crate::{EXECUTOR, coordinator};

async fn post(rest: &Rest, path: &str, body: Value) -> (u16, Value) {
    rest.ask("POST", path, Some(body.to_string())).await.unwrap()
}

#[track_caller]
fn said(output: &std::process::Output) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(output.status.success(), "{}{}", text(&output.stdout), text(&output.stderr));
    text(&output.stdout)
}

#[tokio::test]
async fn of_two_people_who_edit_one_job_the_second_is_told_and_overwrites_nothing() {
    let coordinator = coordinator().await;
    let rest = coordinator.rest();
    rest.save(json!({"name": "j", "handler": "noop", "timeout": "1m"})).await;
    let job = rest.client().job("default.j");
    let (hers, his) = (job.get().await.unwrap(), job.get().await.unwrap());
    let edited = |timeout: &str, of: &JobDraft| {
        let mut draft = of.clone();
        draft.timeout = Some(timeout.to_owned());
        draft
    };
    let (_, saved) = job.only_if(&hers).save(&edited("2m", &hers.job)).await.unwrap();
    assert_eq!(saved.revision, hers.revision + 1);
    let late = job.only_if(&his).save(&edited("3m", &his.job)).await.unwrap_err();
    let ClientError::Changed(problem) = late else { panic!("{late:?}") };
    assert_eq!(problem.extensions["revision"], saved.revision, "{problem:?}");
    let edit = json!({ "timeout": "4m" }).as_object().unwrap().clone();
    for late in [
        job.only_if(&his).edit(&edit).await.map(drop),
        job.only_if(&his).disable().await.map(drop),
        job.only_if(&his).restore(1).await.map(drop),
        job.only_if(&his).delete().await,
    ] {
        assert!(matches!(late, Err(ClientError::Changed(_))), "{late:?}");
    }
    assert_eq!(job.get().await.unwrap().job.timeout.as_deref(), Some("2m"));
    job.only_if(&saved).edit(&edit).await.unwrap();
    assert_eq!(job.get().await.unwrap().job.timeout.as_deref(), Some("4m"));
}

#[tokio::test]
async fn a_version_of_a_job_is_an_entity_tag() {
    let coordinator = coordinator().await;
    let rest = coordinator.rest();
    rest.save(json!({"name": "j", "handler": "noop"})).await;
    let path = "/api/v1/jobs/j";
    let (_, tag, view) = rest.ask_if(("GET", path), None, None).await.unwrap();
    let tag = tag.unwrap();
    assert_eq!(tag, format!("\"{}-{}\"", view["id"], view["revision"]));
    let disable = ("POST", "/api/v1/jobs/j/disable");
    let (status, next, _) = rest.ask_if(disable, Some(&tag), None).await.unwrap();
    assert_eq!(status, 200);
    assert_ne!(next.as_ref(), Some(&tag), "the answer has the new version");
    let (status, current, problem) = rest.ask_if(disable, Some(&tag), None).await.unwrap();
    assert_eq!((status, current), (412, next.clone()), "{problem}");
    assert_eq!(problem["type"], "urn:fastjob:problem:precondition-failed");
    assert_eq!(problem["revision"], 2, "{problem}");
    let both = format!("{tag}, {}", next.unwrap());
    assert_eq!(rest.ask_if(disable, Some(&both), None).await.unwrap().0, 200, "a list");
    assert_eq!(rest.ask_if(disable, Some("*"), None).await.unwrap().0, 200, "any version");
    assert_eq!(rest.ask_if(disable, Some("7-3"), None).await.unwrap().0, 422, "without quotes");
    // `*` needs a job that exists.
    let new = json!({ "handler": "noop" });
    let save = ("PUT", "/api/v1/jobs/new");
    assert_eq!(rest.ask_if(save, Some("*"), Some(new.clone())).await.unwrap().0, 412);
    assert_eq!(rest.ask_if(save, None, Some(new)).await.unwrap().0, 201);
}

#[tokio::test]
async fn earlier_versions_of_a_job_are_listed_compared_and_restored_also_after_its_deletion() {
    let mut coordinator = coordinator().await;
    let rest = coordinator.rest();
    for timeout in ["1m", "2m", "3m"] {
        rest.save(json!({"name": "j", "handler": "noop", "timeout": timeout})).await;
    }
    coordinator.kill();
    coordinator.up().await;
    let rest = coordinator.rest();
    let job = rest.client().job("default.j");
    let versions = job.versions().all().await.unwrap();
    let revisions: Vec<_> = versions.iter().map(|version| version.revision).collect();
    assert_eq!(revisions, [3, 2, 1]);
    let change = &versions[0].changes[0];
    assert_eq!((change.field.as_str(), &change.from), ("timeout", &Some(json!("2m"))));
    assert_eq!(versions[2].changes, []);
    assert_eq!(job.version(1).await.unwrap().job.timeout.as_deref(), Some("1m"));
    let (status, _) = rest.get("/api/v1/jobs/j/versions/9").await.unwrap();
    assert_eq!(status, 404);
    let (_, first) = rest.get("/api/v1/jobs/j/versions?limit=1").await.unwrap();
    let next = format!(
        "/api/v1/jobs/j/versions?limit=5&cursor={}",
        first["next_cursor"].as_str().unwrap()
    );
    let (_, rest_of_them) = rest.get(&next).await.unwrap();
    assert_eq!(rest_of_them["items"].as_array().unwrap().len(), 2, "{rest_of_them}");

    let restored = job.restore(1).await.unwrap();
    assert_eq!((restored.revision, restored.job.timeout.as_deref()), (4, Some("1m")));
    let diff = said(&coordinator.cli(&["job", "history", "j", "--diff", "3..4"]));
    assert_eq!(diff, "timeout 3m → 1m\n");
    let shown = said(&coordinator.cli(&["job", "history", "j", "--revision", "2"]));
    assert!(shown.contains("timeout = \"2m\""), "{shown}");
    let listed = said(&coordinator.cli(&["job", "history", "j"]));
    assert!(listed.contains("created") && listed.contains("timeout 3m → 1m"), "{listed}");

    job.delete().await.unwrap();
    let versions = job.versions().all().await.unwrap();
    assert!(versions[0].deleted && versions.len() == 5, "{versions:?}");
    said(&coordinator.cli(&["job", "restore", "default.j", "--revision", "2"]));
    let view = job.get().await.unwrap();
    assert_eq!((view.revision, view.job.timeout.as_deref()), (1, Some("2m")), "a new job");
}

#[tokio::test]
async fn jobs_with_a_label_are_disabled_at_once_after_a_dry_run() {
    let coordinator = coordinator().await;
    let rest = coordinator.rest();
    for n in 0..12 {
        let team = if n < 10 { "a" } else { "b" };
        rest.save(json!({"name": format!("j{n}"), "handler": "noop", "labels": {"team": team}}))
            .await;
    }
    let bulk = "/api/v1/jobs/bulk";
    let ask = json!({ "action": "disable", "filter": { "label": "team=a" }, "dry_run": true });
    let (status, found) = post(&rest, bulk, ask.clone()).await;
    let counts =
        |answer: &Value| [&answer["matched"], &answer["done"], &answer["failed"]].map(Clone::clone);
    assert_eq!((status, counts(&found)), (200, [json!(10), json!(0), json!(0)]), "{found}");
    assert_eq!(found["items"].as_array().unwrap().len(), 10);
    assert!(rest.client().job("j0").get().await.unwrap().job.enabled.unwrap_or(true));

    let with = |name: &str, value: Value| {
        let mut ask = ask.clone();
        ask["dry_run"] = json!(false);
        ask[name] = value;
        ask
    };
    let (status, problem) = post(&rest, bulk, with("expect", json!(9))).await;
    assert_eq!(status, 409, "{problem}");
    let (status, done) = post(&rest, bulk, with("expect", json!(10))).await;
    assert_eq!((status, counts(&done)), (200, [json!(10), json!(10), json!(0)]), "{done}");
    for n in 0..12 {
        let view = rest.client().job(format!("j{n}")).get().await.unwrap();
        assert_eq!(view.job.enabled, Some(n >= 10), "j{n}");
    }

    // Those that do not exist are errors of their own, and parents are deleted before children.
    rest.save(json!({"name": "parent", "handler": "noop", "children": [{"job": "j1"}]})).await;
    let ask =
        json!({ "action": "delete", "jobs": ["j1", "j2", "nothing", "parent", "default.j2"] });
    let (_, done) = post(&rest, bulk, ask).await;
    assert_eq!(counts(&done), [json!(3), json!(3), json!(1)], "{done}");
    assert_eq!(done["items"][0]["job"], "nothing", "errors come first: {done}");
    for wrong in [
        json!({ "action": "disable" }),
        json!({ "action": "disable", "jobs": [] }),
        json!({ "action": "disable", "jobs": ["j3"], "filter": {} }),
        json!({ "action": "disable", "filter": { "labels": "team=a" } }),
        json!({ "action": "disable", "filter": {}, "param": 1 }),
        json!({ "action": "destroy", "jobs": ["j3"] }),
    ] {
        assert_eq!(post(&rest, bulk, wrong.clone()).await.0, 422, "{wrong}");
    }
    // A job may be named like the path.
    rest.save(json!({"name": "bulk", "handler": "noop"})).await;
    assert_eq!(rest.get("/api/v1/jobs/bulk").await.unwrap().1["name"], "bulk");
    assert!(rest.post("/api/v1/jobs/bulk/enable").await["enabled"].as_bool().unwrap());

    let shown = said(&coordinator.cli(&["job", "enable", "--label", "team=a", "--dry-run"]));
    assert!(shown.starts_with("would enable 8 jobs:\n"), "{shown}");
    let refused = coordinator.cli(&["job", "enable", "--label", "team=a"]);
    assert!(!refused.status.success(), "there is no terminal to confirm it");
    let done = said(&coordinator.cli(&["job", "enable", "--label", "team=a", "--yes"]));
    assert_eq!(done, "enabled 8 jobs\n");
    assert!(rest.client().job("j0").get().await.unwrap().job.enabled.unwrap_or(true));
}

#[tokio::test]
async fn tasks_that_run_or_wait_are_stopped_at_once_and_run_again_at_once() {
    let coordinator = coordinator().await;
    let _executor = coordinator.executor(EXECUTOR, "e1");
    let rest = coordinator.rest();
    rest.executors(1).await;
    rest.save(json!({"name": "slow", "handler": "slow", "param": "600000", "grace": "200ms"}))
        .await;
    let start = json!({ "action": "start", "jobs": ["slow"], "param": "600000", "key": "first" });
    let (_, started) = post(&rest, "/api/v1/jobs/bulk", start.clone()).await;
    let runs = started["items"][0]["task"].as_i64().unwrap();
    let (_, again) = post(&rest, "/api/v1/jobs/bulk", start).await;
    assert_eq!(again["items"][0]["task"], runs, "the key makes it one task");
    rest.reaches(runs, &["running"]).await;
    let waits = rest.start("slow", json!({ "delay": "1h" })).await;

    let bulk = "/api/v1/tasks/bulk";
    let stop = json!({ "action": "stop", "filter": { "job": "slow" }, "reason": "a release",
        "expect": 2 });
    let (status, done) = post(&rest, bulk, stop).await;
    assert_eq!((status, &done["done"]), (200, &json!(2)), "{done}");
    for task in [runs, waits] {
        let task = rest.ended(task).await;
        assert_eq!(task["state"], "stopped");
        assert!(task["note"].as_str().unwrap().contains("stopped: a release"), "{task}");
    }
    let (_, late) = post(&rest, bulk, json!({ "action": "stop", "tasks": [runs, 999] })).await;
    assert_eq!((&late["matched"], &late["failed"]), (&json!(1), &json!(2)), "{late}");
    let open = json!({ "action": "rerun", "filter": { "job": "slow" } });
    assert_eq!(post(&rest, bulk, open).await.0, 422, "it has to say how they ended");

    rest.save(json!({"name": "slow", "handler": "noop"})).await;
    let rerun = json!({ "action": "rerun", "filter": { "job": "slow", "state": ["stopped"] } });
    let (_, first) = post(&rest, bulk, rerun.clone()).await;
    assert_eq!(first["done"], 2, "{first}");
    let new: Vec<_> =
        first["items"].as_array().unwrap().iter().map(|it| it["new_task"].clone()).collect();
    for task in &new {
        assert_eq!(rest.ended(task.as_i64().unwrap()).await["state"], "succeeded");
    }
    let (_, second) = post(&rest, bulk, rerun).await;
    let same: Vec<_> =
        second["items"].as_array().unwrap().iter().map(|it| it["new_task"].clone()).collect();
    assert_eq!(same, new, "a task is rerun once");

    rest.save(json!({"name": "slow", "handler": "slow", "param": "600000", "grace": "200ms"}))
        .await;
    let task = rest.start("slow", json!({})).await;
    rest.reaches(task, &["running"]).await;
    let stop = ["stop", "--job", "slow", "--state", "running"];
    let shown = said(&coordinator.cli(&[&stop[..], &["--dry-run"]].concat()));
    assert_eq!(shown, format!("would stop 1 task:\n  {task}\n"));
    let done = said(&coordinator.cli(&[&stop[..], &["--yes"]].concat()));
    assert_eq!(done, "stopped 1 task\n");
    assert_eq!(rest.ended(task).await["state"], "stopped");
}
