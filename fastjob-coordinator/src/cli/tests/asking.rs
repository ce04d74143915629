//! Commands that send one request.

use fastjob_core::{Job, JobDraft};
use serde_json::{Value, json};

use super::{
    fake::{Fake, TOKEN, job, problem, task},
    fastjob, misused,
};
use crate::cli::{
    error::Error,
    out::{Out, Reader},
};

/// Two tasks wait, one runs, and one has failed.
fn activity() -> Value {
    let end = json!({
        "task": 7, "state": "failed", "started_at": "2026-11-23T02:00:00Z",
        "ended_at": "2026-11-23T02:00:01Z",
    });
    json!({ "queued": 2, "running": 1, "ends": [end] })
}

/// The cells of a row.
fn words(line: &str) -> Vec<&str> {
    line.split("  ").map(str::trim).filter(|cell| !cell.is_empty()).collect()
}

#[tokio::test]
async fn jobs_are_listed_page_by_page() {
    let mut first = job("a");
    first["activity"] = activity();
    let pages = [
        (200, "", json!({ "items": [first], "next_cursor": "billing/a" })),
        (200, "", json!({ "items": [job("b")], "next_cursor": null })),
    ];
    let fake = Fake::answers(pages.clone()).await;
    let out = fastjob(&["--server", &fake.url, "job", "list", "--token", TOKEN]).await.out();
    let (rows, at) = (out.lines().map(words).collect::<Vec<_>>(), "2026-11-24T02:00:00Z");
    assert_eq!(
        rows[0],
        ["JOB", "HANDLER", "SCHEDULE", "ENABLED", "ORIGIN", "OPEN", "LAST", "ENDED", "NEXT FIRE"]
    );
    let schedule = "cron 0 0 2 ? * *, zone Asia/Shanghai";
    let handler = "reportJobHandler";
    let ended = "2026-11-23T02:00:01Z";
    assert_eq!(rows[1], ["billing.a", handler, schedule, "yes", "api", "3", "failed", ended, at]);
    assert_eq!(rows[2], ["billing.b", handler, schedule, "yes", "api", "-", "-", "-", at]);
    assert_eq!(
        fake.asked(),
        [
            "GET /api/v1/jobs?ends=1&limit=500  Bearer 0123456789abcdef",
            "GET /api/v1/jobs?ends=1&limit=500&cursor=billing%2Fa  Bearer 0123456789abcdef",
        ]
    );

    let fake = Fake::answers(pages.clone()).await;
    let out =
        fastjob(&["--json", "--server", &fake.url, "job", "list", "--limit", "1"]).await.out();
    assert_eq!(serde_json::from_str::<serde_json::Value>(&out).unwrap(), pages[0].2);
    assert_eq!(fake.asked(), ["GET /api/v1/jobs?ends=1&limit=1"]);
}

#[tokio::test]
async fn a_job_is_shown_and_its_toml_can_be_applied_again() {
    let mut shown = job("report");
    shown["activity"] = activity();
    let fake = Fake::answering(shown).await;
    let out = fastjob(&["--server", &fake.url, "job", "show", "billing.report"]).await.out();
    for line in [
        "job        billing.report\n",
        "next fire  2026-11-24T02:00:00Z (Tue 10:00:00 Asia/Shanghai)\n",
        "retry      { count = 3, delay = \"5s\" }\n",
        "created    2026-11-23T00:00:00Z\n",
        "origin     api\n",
        "revision   2\n",
        "open       1 running, 2 queued\n",
    ] {
        assert!(out.contains(line), "{line:?} is missing in\n{out}");
    }
    let last = words(out.lines().last().unwrap());
    assert_eq!(last, ["7", "failed", "2026-11-23T02:00:00Z", "2026-11-23T02:00:01Z", "1.000s"]);
    assert_eq!(fake.asked(), ["GET /api/v1/jobs/billing.report?ends=5"]);

    let toml = fastjob(&["--server", &fake.url, "job", "show", "report", "--toml"]).await.out();
    #[derive(serde::Deserialize)]
    struct File {
        job: Vec<JobDraft>,
    }
    let File { job: mut jobs } = toml::from_str(&toml).unwrap();
    let job = Job::try_from(jobs.remove(0)).unwrap();
    assert_eq!((job.service.as_str(), job.retry.count), ("billing", 3));
    assert_eq!(job.param.as_deref(), Some(r#"{"n":1}"#));
}

#[tokio::test]
async fn a_job_can_be_switched_deleted_and_its_next_fires_shown() {
    let fake = Fake::answering(job("a")).await;
    let at = ["--server", fake.url.as_str()];
    for (command, said) in [
        ("enable", "enabled"),
        ("disable", "disabled"),
        ("release", "released"),
        ("delete", "deleted"),
    ] {
        let out = fastjob(&[&at[..], &["job", command, "billing.a"]].concat()).await.out();
        assert_eq!(out, format!("{said} billing.a\n"));
    }
    assert_eq!(
        fake.asked(),
        [
            "POST /api/v1/jobs/billing.a/enable {}",
            "POST /api/v1/jobs/billing.a/disable {}",
            "POST /api/v1/jobs/billing.a/release {}",
            "DELETE /api/v1/jobs/billing.a",
        ]
    );
    let fires = json!({ "fires": ["2026-11-24T02:00:00Z", "2026-11-25T02:00:00Z"] });
    let fake = Fake::answers([(200, "", fires), (200, "", json!({ "fires": [] }))]).await;
    let next = ["--server", &fake.url, "job", "next", "a", "--count", "2"];
    assert_eq!(fastjob(&next).await.out(), "2026-11-24T02:00:00Z\n2026-11-25T02:00:00Z\n");
    assert_eq!(fastjob(&next).await.out(), "a does not fire\n");
    assert_eq!(fake.asked()[0], "GET /api/v1/jobs/a/next?count=2");
}

#[tokio::test]
async fn tasks_are_listed_shown_and_stopped() {
    let page = json!({ "items": [task("succeeded")], "next_cursor": null });
    let fake = Fake::answering(page).await;
    let args = ["--server", &fake.url, "task", "list", "--job", "report", "--state", "succeeded"];
    let out = fastjob(&[&args[..], &["--since", "2026-11-23T00:00:00Z"]].concat()).await.out();
    assert_eq!(
        out.lines().nth(1).unwrap(),
        "  42  billing.report  succeeded  manual  2026-11-23T00:00:00Z  0.999s  1.250s"
    );
    assert_eq!(
        fake.asked(),
        ["GET /api/v1/tasks?job=report&state=succeeded&since=2026-11-23T00%3A00%3A00Z&limit=50"]
    );

    let fake = Fake::answering(task("failed")).await;
    let out = fastjob(&["--server", &fake.url, "task", "show", "42"]).await.out();
    assert!(
        out.contains("took     1.250s\n") && out.contains("timed_out  over time  42\n"),
        "{out}"
    );

    let answers = [(true, "stopping"), (false, "failed")]
        .map(|(stopped, state)| (200, "", json!({ "stopped": stopped, "state": state })));
    let fake = Fake::answers(answers).await;
    let stop = ["--server", &fake.url, "stop", "42"];
    assert_eq!(fastjob(&stop).await.out(), "task 42 is stopping\n");
    assert_eq!(fastjob(&stop).await.out(), "task 42 has already ended: failed\n");
    assert_eq!(fake.asked()[0], "POST /api/v1/tasks/42/stop {}");
}

#[tokio::test]
async fn tasks_are_filtered_by_what_the_options_say() {
    let fake = Fake::answering(json!({ "items": [], "next_cursor": null })).await;
    let list = ["--server", &fake.url, "task", "list"];
    let options = [
        "--service",
        "billing",
        "--state",
        "failed,stopped",
        "--state",
        "running",
        "--cause",
        "api,parent",
        "--executor",
        "e1",
        "--until",
        "2026-11-23T00:00:00Z",
        "--text",
        "no route",
        "--min-run-time",
        "90s",
        "--order",
        "oldest",
    ];
    assert_eq!(fastjob(&[&list[..], &options].concat()).await.out(), "no tasks\n");
    assert_eq!(
        fake.asked(),
        ["GET /api/v1/tasks?service=billing&state=failed%2Cstopped%2Crunning&cause=api%2Cparent\
          &executor=e1&until=2026-11-23T00%3A00%3A00Z&text=no+route&min_run_time=1m+30s\
          &order=oldest&limit=50"]
    );
    let out = fastjob(&[&list[..], &["--job", "a", "--key", "k 1"]].concat()).await.out();
    assert_eq!(out, "no tasks\n");
    assert_eq!(fake.asked()[1], "GET /api/v1/tasks?job=a&key=k+1&limit=50");
}

#[tokio::test]
async fn a_list_with_failed_tasks_says_why_they_failed() {
    let page = json!({ "items": [task("failed"), task("succeeded")], "next_cursor": null });
    let fake = Fake::answering(page).await;
    let out = fastjob(&["--server", &fake.url, "task", "list"]).await.out();
    let lines: Vec<_> = out.lines().collect();
    assert!(lines[0].ends_with("REASON     MESSAGE"), "{out}");
    assert!(lines[1].ends_with("1.250s  timed_out  over time"), "{out}");
}

#[tokio::test]
async fn a_list_continues_over_pages_whose_search_ended_early() {
    let early = json!({
        "items": [], "next_cursor": "40", "searched_to": "2026-11-22T00:00:00Z",
    });
    let last = json!({ "items": [task("succeeded")], "next_cursor": null });
    let fake = Fake::answers([(200, "", early), (200, "", last)]).await;
    let out = fastjob(&["--server", &fake.url, "task", "list", "--text", "x"]).await.out();
    assert_eq!(out.lines().count(), 2, "{out}");
    assert_eq!(
        fake.asked(),
        ["GET /api/v1/tasks?text=x&limit=50", "GET /api/v1/tasks?text=x&limit=50&cursor=40"]
    );
}

#[tokio::test]
async fn a_list_that_finds_little_stops_and_says_where() {
    let early = |n: u32| {
        let at = format!("2026-11-22T00:00:{n:02}Z");
        (200, "", json!({ "items": [], "next_cursor": n.to_string(), "searched_to": at }))
    };
    let fake = Fake::answers((0..60).map(early)).await;
    let out =
        fastjob(&["--json", "--server", &fake.url, "task", "list", "--text", "x"]).await.out();
    let page: serde_json::Value = serde_json::from_str(&out).unwrap();
    let expected = json!({
        "items": [], "next_cursor": "49", "searched_to": "2026-11-22T00:00:49Z",
    });
    assert_eq!((page, fake.asked().len()), (expected, 50));
}

#[tokio::test]
async fn executors_are_listed() {
    let executor = json!({
        "name": "executor-1", "service": "billing", "state": "drained", "connected": true,
        "leaving": false, "drained": true, "last_seen": "2026-11-23T00:00:07Z",
        "incarnation": "i", "address": "", "version": "0.1.0", "since": "2026-11-23T00:00:00Z",
        "capacity": 16, "attempts": 2, "running": 1, "waiting": 1, "cpu": 0.25,
        "memory_free": 1_073_741_824, "memory_total": 2_147_483_648_u64, "labels": {},
        "handlers": { "a": "", "b": "" },
    });
    let fake = Fake::answering(json!({ "items": [executor], "next_cursor": null })).await;
    let out = fastjob(&["--server", &fake.url, "executor", "list"]).await.out();
    let row: Vec<_> = out.lines().nth(1).unwrap().split_whitespace().collect();
    assert_eq!(
        row,
        [
            "executor-1",
            "billing",
            "drained",
            "2",
            "1",
            "1",
            "16",
            "25%",
            "1024",
            "MiB",
            "a,b",
            "0.1.0",
            "2026-11-23T00:00:00Z",
            "2026-11-23T00:00:07Z"
        ]
    );
}

/// The JSON of an executor that is drained and holds so many attempts.
fn drained(attempts: u32, drained: bool) -> serde_json::Value {
    json!({
        "name": "e1", "service": "billing", "state": "drained", "connected": true,
        "leaving": false, "drained": drained, "last_seen": null,
        "incarnation": "i", "address": "", "version": "0.1.0", "since": "2026-11-23T00:00:00Z",
        "capacity": 16, "attempts": attempts, "running": attempts, "waiting": 0, "cpu": 0.25,
        "memory_free": 1, "memory_total": 2, "labels": {}, "handlers": {},
    })
}

#[tokio::test]
async fn a_drain_waits_until_the_executor_holds_nothing() {
    let fake = Fake::answers([
        (200, "", drained(2, true)),
        (200, "", drained(1, true)),
        (200, "", drained(0, true)),
    ])
    .await;
    let out = fastjob(&["--server", &fake.url, "executor", "drain", "e1", "--wait"]).await.out();
    assert_eq!(out, "billing.e1 is drained and holds nothing\n");
    assert_eq!(fake.asked().len(), 3, "{:?}", fake.asked());

    let fake = Fake::answers([(200, "", drained(2, true)), (200, "", drained(1, false))]).await;
    let args = ["--server", &fake.url, "executor", "drain", "e1", "--wait"];
    let failure = fastjob(&args).await.failure();
    assert!(failure.title.contains("billing.e1 was resumed in the meantime"), "{failure}");
}

#[tokio::test]
async fn a_drain_and_its_end_say_what_follows() {
    let fake = Fake::answering(drained(2, true)).await;
    let out = fastjob(&["--server", &fake.url, "executor", "drain", "e1"]).await.out();
    assert_eq!(out, "billing.e1 is drained: it gets no new attempts, and holds 2 attempts\n");
    let out = fastjob(&["--server", &fake.url, "executor", "resume", "billing.e1"]).await.out();
    assert_eq!(out, "billing.e1 gets new attempts again\n");
}

#[tokio::test]
async fn a_missing_coordinator_is_reported_with_a_hint() {
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", free.local_addr().unwrap());
    drop(free);
    let failure = fastjob(&["--server", &url, "job", "list"]).await.failure();
    let expected = format!(
        "error: no coordinator is listening at {url}: is it running? start one with `fastjob \
         serve`, or set its URL with --server or FASTJOB_SERVER"
    );
    assert_eq!(failure.to_string(), expected);
    assert_eq!(failure.as_details()["detail"], expected["error: ".len()..]);
}

#[tokio::test]
async fn rejections_include_a_hint() {
    let fake = Fake::answers([problem(401, "there is no token")]).await;
    let failure = fastjob(&["--server", &fake.url, "job", "list"]).await.failure();
    assert!(failure.to_string().contains("set --token or FASTJOB_TOKEN"), "{failure}");

    let fake = Fake::answers([(302, "", json!({}))]).await;
    let failure = fastjob(&["--server", &fake.url, "job", "list"]).await.failure();
    assert!(failure.to_string().contains("not followed"), "{failure}");

    let fake = Fake::answering(json!("hello")).await;
    let failure = fastjob(&["--server", &fake.url, "job", "list"]).await.failure();
    assert!(failure.title.contains("is this a coordinator"), "{failure}");
}

#[tokio::test]
async fn closed_output_ends_the_command_quietly() {
    struct Gone;
    impl std::io::Write for Gone {
        fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
            Err(std::io::ErrorKind::BrokenPipe.into())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let err = Out::new(
        &mut Gone,
        false,
        Reader::Program,
        crate::cli::times::Times::new(jiff::tz::TimeZone::UTC),
    )
    .line("x")
    .unwrap_err();
    assert!(matches!(err, Error::Closed));
}

#[tokio::test]
async fn top_needs_a_terminal_unless_it_prints_one_frame() {
    let stats = json!({
        "since": "2026-11-23T00:00:00Z", "until": "2026-11-24T00:00:00Z", "bucket": "1h",
        "items": [], "next_cursor": null, "total": {
            "succeeded": 0, "failed": 0, "stopped": 0, "skipped": 0, "run_time": null, "wait": null,
            "lateness": null,
        },
    });
    let fake = Fake::answering(stats).await;
    let ran = fastjob(&["--server", &fake.url, "top"]).await;
    assert!(matches!(ran.result, Err(Error::Misuse(why)) if why.contains("--once")));
    let out = fastjob(&["--server", &fake.url, "top", "--once"]).await.out();
    assert!(out.contains("0 running, 0 queued") && out.contains("executors: none"), "{out}");
    let asked = fake.asked().join("\n");
    for part in ["state=running%2Cstopping", "state=queued", "state=failed", "/executors", "/stats"]
    {
        assert!(asked.contains(part), "{part} is not in\n{asked}");
    }
    misused(&["top", "--interval", "1ms"], "between 500ms and 1m");
}
