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
    let mut later = three();
    later.2["items"][2]["created_at"] = json!("2026-11-23T00:00:01.5Z");
    let fake = Fake::answers([later, started(9), started(10)]).await;
    let many = ["task", "rerun", "--state", "failed", "--limit", "2", "--yes"];
    let options = ["--server", &fake.url, "--tz", "UTC"];
    let out = fastjob(&[&options[..], &many].concat()).await.out();
    let more = "there are more tasks: continue with --since 2026-11-23T00:00:01.500Z\n";
    assert_eq!(out, format!("2 tasks started, 9 to 10\n{more}"));
    assert_eq!(reruns(&fake).len(), 2);
    let none = json!({ "items": [], "next_cursor": null });
    let fake = Fake::answering(none).await;
    let many = ["--server", &fake.url, "task", "rerun", "--state", "failed"];
    assert_eq!(fastjob(&many).await.out(), "no tasks\n");
}

#[tokio::test]
async fn a_rerun_that_failed_as_well_is_left_out_and_counted() {
    let mut items = [numbered(5, "b"), numbered(6, "b"), numbered(7, "b")];
    (items[1]["reruns"], items[2]["reruns"]) = (json!(5), json!(4));
    let list = (200, "", json!({ "items": items, "next_cursor": null }));
    let fake = Fake::answers([list.clone(), started(9)]).await;
    let many = ["--server", &fake.url, "task", "rerun", "--state", "failed", "--yes"];
    let left =
        "left out: 2 tasks that are reruns themselves; name one to rerun it, or use --again\n";
    assert_eq!(fastjob(&many).await.out(), format!("1 task started: 9\n{left}"));
    assert_eq!(reruns(&fake).len(), 1);

    let fake = Fake::answers([list, started(9), started(10), started(11)]).await;
    let many = ["--server", &fake.url, "task", "rerun", "--state", "failed", "--yes", "--again"];
    assert_eq!(fastjob(&many).await.out(), "3 tasks started, 9 to 11\n");
}

#[tokio::test]
async fn a_rerun_whose_answer_was_lost_may_have_been_started() {
    // A proxy whose coordinator is away.
    let proxy = (502, "", json!("bad gateway"));
    let fake = Fake::answers([proxy.clone()]).await;
    for (command, hint) in [
        (&["task", "rerun", "7"][..], "run this again: it is one rerun"),
        (&["task", "rerun", "7", "--again"], "the task may have been started"),
        (&["start", "a"], "the task may have been started"),
        (&["start", "a", "--key", "k"], "run this again: with the same key it is one task"),
    ] {
        let failure = fastjob(&[&["--server", &fake.url][..], command].concat()).await.failure();
        assert!(failure.hints.iter().any(|given| given.starts_with(hint)), "{failure}");
    }

    let fake = Fake::answers([three(), started(9), started(10), proxy]).await;
    let many = ["--server", &fake.url, "task", "rerun", "--state", "failed", "--yes", "--again"];
    let ran = fastjob(&many).await;
    let lines: Vec<_> = ran.out.lines().collect();
    assert_eq!(lines[0], "2 tasks started, 9 to 10");
    assert!(lines[1].starts_with("1 task may have been rerun: "), "{}", ran.out);
    let Err(Error::Failed(failure)) = ran.result else { panic!("{:?}", ran.result) };
    let said = failure.to_string();
    assert!(said.contains(" was lost, so it may have been rerun"), "{said}");
    assert!(said.contains("with --again, the repeated command"), "{said}");
    assert!(!said.contains("were not rerun"), "{said}");
}

#[tokio::test]
async fn what_a_repeated_call_finds_may_be_its_own_work() {
    let before = json!({ "task": 9, "created": false, "state": "running" });
    for (command, said) in [
        (&["task", "rerun", "7"][..], "task 7 was rerun, now or before, as task 9\n"),
        (&["start", "a", "--key", "k"], "task 9 was started, now or before\n"),
    ] {
        let first = Fake::answers([problem(503, "no answer of its owner")]).await;
        let second = Fake::answering(before.clone()).await;
        let both = format!("{},{}", first.url, second.url);
        let command = [&["--server", &both][..], command].concat();
        assert_eq!(fastjob(&command).await.out(), said);
        assert_eq!((first.asked().len(), second.asked().len()), (1, 1));
    }
}
