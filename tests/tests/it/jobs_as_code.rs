//! Jobs as code and as files: who owns a definition, and files that are applied as a whole.

use std::{path::Path, time::Duration};

use fastjob_core::wire::v1;
use fastjob_tests::{
    eventually,
    process::Coordinator,
    raw::hello,
    rest::Rest,
    stand_in::{Machine, Manner, StandIn},
};
use serde_json::{Value, json};

use crate::{FASTJOB, cluster::Cluster, coordinator};

const IDLE: Machine = Machine { cpu: 0.1, memory_free_gib: 60 };

/// A release of a service that declares these jobs.
async fn release(coordinator: &Coordinator, executor: &str, jobs: &[Value]) -> StandIn {
    let jobs = jobs.iter().map(Value::to_string).collect();
    let hello = v1::Hello { jobs, ..hello(executor) };
    StandIn::join_with(coordinator.url(), hello, IDLE, Manner::Prompt).await
}

/// Waits until the job is as `is_as_expected` wants it.
async fn job(rest: &Rest, name: &str, is_as_expected: impl Fn(&Value) -> bool) -> Value {
    eventually(&format!("{name} is as expected"), Duration::from_secs(20), || async {
        let (status, job) = rest.get(&format!("/api/v1/jobs/{name}")).await.ok()?;
        (status == 200 && is_as_expected(&job)).then_some(job)
    })
    .await
}

/// Runs the command line; returns what it printed.
#[track_caller]
fn run(coordinator: &Coordinator, status: i32, words: &[&str]) -> (String, String) {
    let output = coordinator.cli(words);
    let text = |bytes| String::from_utf8(bytes).unwrap();
    let (out, err) = (text(output.stdout), text(output.stderr));
    assert_eq!(output.status.code(), Some(status), "{words:?}: {out}{err}");
    (out, err)
}

fn write(folder: &Path, name: &str, text: &str) -> String {
    let path = folder.join(name);
    std::fs::write(&path, text).unwrap();
    path.to_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_job_that_was_disabled_for_a_night_follows_the_next_release_of_its_code() {
    let coordinator = coordinator().await;
    let rest = coordinator.rest();
    let declared = |rate: &str| json!({"name": "report", "handler": "noop", "retry": 3, "schedule": {"fixed_rate": rate}});
    let first = release(&coordinator, "e1", &[declared("1h")]).await;
    job(&rest, "report", |job| job["origin"] == "code").await;

    let off = rest.post("/api/v1/jobs/report/disable").await;
    assert_eq!((&off["origin"], &off["declared"]["enabled"]), (&json!("code"), &json!(true)));
    let (list, _) = run(&coordinator, 0, &["job", "list"]);
    assert!(list.contains("code, overridden"), "{list}");
    let on = rest.post("/api/v1/jobs/report/enable").await;
    assert_eq!((&on["origin"], on.get("declared")), (&json!("code"), None));

    drop(first);
    let _second = release(&coordinator, "e2", &[declared("2h")]).await;
    let followed = job(&rest, "report", |job| job["schedule"]["fixed_rate"] == "2h").await;
    assert_eq!((&followed["origin"], &followed["enabled"]), (&json!("code"), &json!(true)));
}

#[tokio::test]
async fn an_edited_job_keeps_the_edit_until_it_is_released_to_its_code() {
    let coordinator = coordinator().await;
    let rest = coordinator.rest();
    let declared = |retries: u32| json!({"name": "report", "handler": "noop", "retry": retries, "timeout": "9m"});
    let first = release(&coordinator, "e1", &[declared(3)]).await;
    job(&rest, "report", |job| job["origin"] == "code").await;
    let file = write(coordinator.folder(), "report.toml", "[[job]]\nname = 'report'\nretry = 0\n");

    let (out, _) = run(&coordinator, 3, &["job", "diff", "--exit-code", &file]);
    assert_eq!(out, "would be updated: default.report\n  retry.count 3 → 0\n");
    let (out, err) = run(&coordinator, 0, &["job", "apply", &file]);
    assert_eq!(out, "updated default.report\n  retry.count 3 → 0\n");
    assert!(err.contains("`fastjob job release default.report` gives it back"), "{err}");
    let edited = rest.get("/api/v1/jobs/report").await.unwrap().1;
    assert_eq!((&edited["origin"], &edited["timeout"]), (&json!("api"), &json!("9m")));
    let (shown, _) = run(&coordinator, 0, &["job", "show", "report"]);
    assert!(shown.contains("api, edited") && shown.contains("retry.count 3"), "{shown}");

    drop(first);
    let _second = release(&coordinator, "e2", &[declared(5)]).await;
    let kept = job(&rest, "report", |job| job["declared"]["retry"]["count"] == 5).await;
    assert_eq!(kept["retry"]["count"], 0);
    let said = coordinator.said("coordinator");
    assert!(said.contains("an executor declares another definition of an edited job"), "{said}");

    let (out, _) = run(&coordinator, 0, &["job", "release", "report"]);
    assert_eq!(out, "released report\n");
    let released = rest.get("/api/v1/jobs/report").await.unwrap().1;
    assert_eq!((&released["origin"], &released["retry"]["count"]), (&json!("code"), &json!(5)));
    rest.save(json!({"name": "own", "handler": "noop"})).await;
    let (_, err) = run(&coordinator, 1, &["job", "release", "own"]);
    assert!(err.contains("no executor has declared `default.own`"), "{err}");
}

#[tokio::test]
async fn an_edit_changes_only_the_fields_that_it_names() {
    let coordinator = coordinator().await;
    let rest = coordinator.rest();
    rest.save(json!({"name": "a", "handler": "noop", "retry": 3, "timeout": "5s",
        "schedule": {"cron": "0 0 2 * * ?", "zone": "Asia/Shanghai"}}))
        .await;
    let ask = |body: Value| {
        let rest = rest.clone();
        async move { rest.ask("PATCH", "/api/v1/jobs/a", Some(body.to_string())).await.unwrap() }
    };
    let (status, edited) = ask(json!({"schedule": {"cron": "0 0 3 * * ?"}, "timeout": null})).await;
    assert_eq!((status, &edited["retry"]["count"]), (200, &json!(3)), "{edited}");
    assert_eq!(edited["schedule"], json!({"cron": "0 0 3 * * ?", "zone": "Asia/Shanghai"}));
    assert_eq!(edited.get("timeout"), None);
    assert_eq!(rest.get("/api/v1/jobs/a").await.unwrap().1["revision"], edited["revision"]);
    let (status, rejected) = ask(json!({"retry": {"count": 1_000_000}, "nothing": 1})).await;
    assert_eq!(status, 422, "{rejected}");
    let fields: Vec<_> =
        rejected["problems"].as_array().unwrap().iter().map(|p| p["field"].clone()).collect();
    assert_eq!(fields, ["nothing", "retry.count"]);
    assert_eq!(ask(json!({"name": "b"})).await.0, 422);
    let (status, _) = rest.ask("PATCH", "/api/v1/jobs/none", Some("{}".into())).await.unwrap();
    assert_eq!(status, 404);
}

/// A file of jobs of which every hundredth has children.
fn many(count: usize) -> String {
    let mut text = String::new();
    for n in 0..count {
        let children = match n % 100 {
            99 => format!(
                "children = [{{ job = \"j{:05}\" }}, {{ job = \"j{:05}\", on = \"failure\" }}]\n",
                n - 1,
                n - 2
            ),
            _ => String::new(),
        };
        text.push_str(&format!(
            "[[job]]\nname = \"j{n:05}\"\nhandler = \"noop\"\nparam = {{ tenant = {n} }}\n\
             schedule = {{ cron = \"0 {} 2 * * ?\", zone = \"Europe/Berlin\" }}\nretry = {{ count = 2 }}\n\
             labels = {{ team = \"t{}\" }}\n{children}\n",
            n % 60,
            n % 7
        ));
    }
    text
}

/// Applies, compares, exports and moves `count` jobs.
async fn moves(from: &Coordinator, to: &Coordinator, count: usize) {
    let folder = from.folder();
    let file = write(folder, "many.toml", &many(count));
    let timed = |what: &str, coordinator: &Coordinator, words: &[&str]| {
        let begun = std::time::Instant::now();
        let (out, _) = run(coordinator, 0, words);
        eprintln!("{what} of {count} jobs: {:?}", begun.elapsed());
        out
    };
    let out = timed("apply", from, &["job", "apply", &file]);
    assert!(out.ends_with(&format!("\n{count} created\n")), "{}", &out[out.len() - 60..]);
    let out = timed("apply again", from, &["job", "apply", &file]);
    assert!(out.ends_with(&format!("\n{count} unchanged\n")), "{}", &out[out.len() - 60..]);
    assert_eq!(timed("diff", from, &["job", "diff", "--exit-code", &file]), "");
    let out = timed("export", from, &["job", "export"]);
    let exported = write(folder, "exported.toml", &out);
    assert_eq!(run(from, 0, &["job", "diff", "--exit-code", &exported]).0, "");
    let out = timed("apply what was exported", to, &["job", "apply", &exported]);
    assert!(out.ends_with(&format!("\n{count} created\n")), "{}", &out[out.len() - 60..]);
    let list = |coordinator| {
        let (out, _) = run(coordinator, 0, &["job", "list", "--json"]);
        let mut list: Value = serde_json::from_str(&out).unwrap();
        // How many there are is known only some time after they were saved.
        list.as_object_mut().unwrap().remove("total");
        for job in list["items"].as_array_mut().unwrap() {
            for own in ["id", "revision", "created_at", "updated_at", "next_fire_at", "activity"] {
                job.as_object_mut().unwrap().remove(own);
            }
        }
        list
    };
    assert_eq!(list(from), list(to));
}

/// `FASTJOB_JOBS` is the number of jobs, for measurements.
fn number_of_jobs() -> usize {
    std::env::var("FASTJOB_JOBS").ok().and_then(|jobs| jobs.parse().ok()).unwrap_or(400)
}

#[tokio::test]
async fn a_file_of_many_jobs_is_applied_compared_exported_and_moved() {
    let (from, to) = (coordinator().await, coordinator().await);
    moves(&from, &to, number_of_jobs()).await;
}

// The command line blocks its thread, and the connection of a node to its database is a task.
#[tokio::test(flavor = "multi_thread")]
async fn a_file_of_many_jobs_is_applied_to_a_cluster_and_moved_from_it() {
    let cluster = Cluster::start(2).await;
    let to = coordinator().await;
    moves(&cluster.nodes[1], &to, number_of_jobs()).await;
}

// The command line blocks its thread, and the connection of a node to its database is a task.
#[tokio::test(flavor = "multi_thread")]
async fn a_file_with_one_bad_job_changes_nothing_and_every_problem_has_its_place() {
    let cluster = Cluster::start(2).await;
    let alone = coordinator().await;
    for coordinator in [&alone, &cluster.nodes[0]] {
        let rest = coordinator.rest();
        rest.save(json!({"name": "before", "handler": "noop", "retry": 1})).await;
        let text = "[[job]]\nname = 'before'\nretry = 2\n\n\
            [[job]]\nname = 'new'\nhandler = 'noop'\n\n\
            [[job]]\nname = 'parent'\nchildren = [{ job = 'new' }, { job = 'nothing' }]\n\n\
            [[job]]\nname = 'late'\nschedule = { once = 2020-01-01T00:00:00Z }\n";
        let file = write(coordinator.folder(), "bad.toml", text);
        let (out, err) = run(coordinator, 1, &["job", "apply", &file]);
        assert_eq!(out, "");
        let begin = format!(
            "error: nothing was applied: there are 2 problems\n  {file}:11: job `parent`: children: \
             its child `nothing` does not exist: save it first\n    11 | children = "
        );
        assert!(err.starts_with(&begin), "{err}");
        assert!(err.contains(&format!("{file}:15: job `late`: schedule.once: ")), "{err}");
        let list = rest.get("/api/v1/jobs").await.unwrap().1;
        let jobs: Vec<_> = list["items"].as_array().unwrap().iter().collect();
        assert_eq!((jobs.len(), &jobs[0]["retry"]["count"]), (1, &json!(1)), "{list}");
    }
}

#[tokio::test]
async fn a_start_with_a_key_says_whether_it_started_the_task() {
    let coordinator = Coordinator::start(FASTJOB).await;
    let rest = coordinator.rest();
    rest.save(json!({"name": "a", "handler": "noop"})).await;
    let start = |param: &str, key: &str| {
        let (rest, body) = (rest.clone(), json!({"param": param, "key": key}).to_string());
        async move { rest.ask("POST", "/api/v1/jobs/a/start", Some(body)).await.unwrap() }
    };
    let (status, first) = start("x", "k").await;
    assert_eq!((status, &first["created"]), (200, &json!(true)));
    let (status, again) = start("x", "k").await;
    assert_eq!((status, &again["task"], &again["created"]), (200, &first["task"], &json!(false)));
    assert_eq!(again["state"], "queued", "no executor has the handler");
    let (status, other) = start("y", "k").await;
    assert_eq!(status, 409, "{other}");
    assert!(other["detail"].as_str().unwrap().contains("with another param"), "{other}");
    assert_eq!(start("x", "fastjob:backfill:0").await.0, 422);
    let words = ["start", "a", "--param", "x", "--key", "k"];
    let (out, _) = run(&coordinator, 0, &words);
    assert_eq!(out, format!("task {} was started before: queued\n", first["task"]));
}
