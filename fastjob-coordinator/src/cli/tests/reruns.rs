//! `fastjob task rerun`.

use serde_json::{Value, json};

use super::{
    fake::{Fake, problem, task},
    *,
};

fn started(task: i64) -> (u16, &'static str, Value) {
    (200, "", json!({ "task": task, "created": true }))
}

fn numbered(id: i64, job: &str) -> Value {
    let mut task = task("failed");
    (task["id"], task["job"]) = (json!(id), json!(job));
    task
}

/// A page with a task of `a` and two of `b`.
fn three() -> (u16, &'static str, Value) {
    let items = [numbered(5, "b"), numbered(6, "a"), numbered(7, "b")];
    (200, "", json!({ "items": items, "next_cursor": null }))
}

const LIST: &str = "GET /api/v1/tasks?job=b&state=failed&order=oldest&limit=500";

/// The tasks that the requests after the list name, and their bodies.
fn reruns(fake: &Fake) -> Vec<String> {
    let mut asked = fake.asked().split_off(1);
    asked.sort();
    asked
}

#[tokio::test]
async fn one_task_is_rerun_and_an_earlier_rerun_is_named() {
    let again = json!({ "task": 9, "created": false, "state": "running" });
    let fake = Fake::answers([started(9), (200, "", again), started(10), started(11)]).await;
    let rerun = ["--server", &fake.url, "task", "rerun", "7"];
    assert_eq!(fastjob(&rerun).await.out(), "task 9 started, which reruns task 7\n");
    assert_eq!(
        fastjob(&rerun).await.out(),
        "task 7 was rerun before, as task 9, which is running: --again reruns it another time\n"
    );
    let with = ["--param", "x", "--shards", "failed", "--again"];
    fastjob(&[&rerun[..], &with].concat()).await.out();
    let json = fastjob(&[&rerun[..], &["--json"]].concat()).await.out();
    assert_eq!(serde_json::from_str::<Value>(&json).unwrap(), started(11).2);
    let path = "POST /api/v1/tasks/7/rerun";
    assert_eq!(
        fake.asked()[1..3],
        [
            format!(r#"{path} {{"cause":"manual"}}"#),
            format!(r#"{path} {{"param":"x","shards":"failed","again":true,"cause":"manual"}}"#),
        ]
    );
}

#[tokio::test]
async fn a_task_that_cannot_run_again_is_an_error() {
    let fake = Fake::answers([problem(409, "task 7 has not ended")]).await;
    let failure = fastjob(&["--server", &fake.url, "task", "rerun", "7"]).await.failure();
    assert_eq!(failure.title, "task 7 has not ended");
}

#[tokio::test]
async fn tasks_that_filters_name_are_counted_and_rerun() {
    let fake = Fake::answers([three()]).await;
    let many = ["--server", &fake.url, "task", "rerun", "--state", "failed", "--job", "b"];
    let out = fastjob(&[&many[..], &["--dry-run"]].concat()).await.out();
    let rows: Vec<_> = out.lines().map(str::trim).collect();
    assert_eq!(rows[0], "3 tasks");
    assert!(rows[3].starts_with("2  billing.b") && rows[4].starts_with("1  billing.a"), "{out}");
    assert_eq!(fake.asked(), [LIST]);

    let fake = Fake::answers([three(), started(9), started(10), started(11)]).await;
    let many = ["--server", &fake.url, "task", "rerun", "--state", "failed", "--job", "b"];
    let out = fastjob(&[&many[..], &["--yes"]].concat()).await.out();
    assert_eq!(out, "3 tasks started, 9 to 11\n");
    let path = |task| format!(r#"POST /api/v1/tasks/{task}/rerun {{"cause":"manual"}}"#);
    assert_eq!(reruns(&fake), [path(5), path(6), path(7)]);
}

#[tokio::test]
async fn nothing_is_rerun_before_someone_has_confirmed_it() {
    let fake = Fake::answers([three()]).await;
    let many = ["--server", &fake.url, "task", "rerun", "--state", "failed"];
    let failure = fastjob(&many).await.failure();
    assert!(failure.title.starts_with("nothing was rerun"), "{failure}");
    assert!(failure.to_string().contains("--yes"), "{failure}");
    assert_eq!(fake.asked().len(), 1);
}

#[tokio::test]
async fn it_has_to_be_said_which_tasks_run_again() {
    let fake = Fake::answers([three()]).await;
    for (options, because) in [
        (&[][..], "name a task"),
        (&["--job", "a"], "--state failed"),
        (&["--state", "failed,running"], "--state running: only tasks that have ended"),
    ] {
        let rerun = [&["--server", &fake.url, "task", "rerun", "--yes"][..], options].concat();
        match fastjob(&rerun).await.result {
            Err(Error::Misuse(why)) => assert!(why.contains(because), "{why}"),
            other => panic!("{options:?}: {other:?}"),
        }
    }
    assert!(fake.asked().is_empty());
}

#[tokio::test]
async fn what_was_started_what_was_not_and_why_is_reported() {
    let gone = problem(409, "the job of task 6 was deleted, so it cannot run again");
    let before = (200, "", json!({ "task": 8, "created": false }));
    let fake = Fake::answers([three(), started(9), before, gone]).await;
    let many = ["--server", &fake.url, "task", "rerun", "--state", "failed", "--yes"];
    let ran = fastjob(&many).await;
    assert!(matches!(ran.result, Err(Error::Reported)), "{:?}", ran.result);
    let lines: Vec<_> = ran.out.lines().collect();
    assert_eq!(
        lines[..2],
        ["1 task started: 9", "1 task was rerun before: --again reruns it another time",]
    );
    assert_eq!(lines[2], "1 task could not be rerun:");
    assert!(
        lines[3].ends_with("the job of task 6 was deleted, so it cannot run again"),
        "{}",
        ran.out
    );

    let fake = Fake::answers([three(), started(9), started(10), problem(409, "no")]).await;
    let many = ["--json", "--server", &fake.url, "task", "rerun", "--state", "failed", "--yes"];
    let ran = fastjob(&many).await;
    let done: Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!(done["jobs"], json!({ "billing.a": 1, "billing.b": 2 }));
    let count = |key: &str| done[key].as_array().unwrap().len();
    assert_eq!((count("started"), count("existing"), count("refused")), (2, 0, 1));
    assert_eq!((&done["matched"], &done["not_tried"]), (&json!(3), &json!(0)));
}

#[tokio::test]
async fn an_error_that_is_not_about_a_task_ends_the_command_with_what_is_left() {
    let full = problem(429, "the limit of 5 open tasks is reached");
    let fake = Fake::answers([three(), started(9), full]).await;
    let many = ["--server", &fake.url, "task", "rerun", "--state", "failed", "--yes"];
    let ran = fastjob(&many).await;
    assert_eq!(ran.out, "1 task started: 9\n");
    let Err(Error::Failed(failure)) = ran.result else { panic!("{:?}", ran.result) };
    let said = failure.to_string();
    assert!(said.contains("the limit of 5 open tasks is reached"), "{said}");
    assert!(said.contains("2 of 3 tasks were not rerun"), "{said}");
    assert!(said.contains("repeat the command"), "{said}");
}

#[tokio::test]
async fn no_more_tasks_are_rerun_than_the_limit_allows() {
    let fake = Fake::answers([three(), started(9), started(10)]).await;
    let many = ["--server", &fake.url, "task", "rerun", "--state", "failed", "--limit", "2"];
    let out = fastjob(&[&many[..], &["--yes"]].concat()).await.out();
    assert_eq!(out, "2 tasks started, 9 to 10\nthere are more tasks: see --limit\n");
    assert_eq!(reruns(&fake).len(), 2);
    let none = json!({ "items": [], "next_cursor": null });
    let fake = Fake::answering(none).await;
    let many = ["--server", &fake.url, "task", "rerun", "--state", "failed"];
    assert_eq!(fastjob(&many).await.out(), "no tasks\n");
}
