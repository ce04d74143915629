//! Commands that read and write files of jobs.

use serde_json::{Value, json};

use super::{
    fake::{Fake, job, problem},
    fastjob,
};
use crate::cli::error::Error;

/// An item of the answer to applying jobs.
fn applied(job: &str, saved: &str, changes: &[(&str, Value, Value)]) -> Value {
    let changes = changes
        .iter()
        .map(|(field, from, to)| json!({ "field": field, "from": from, "to": to }))
        .collect::<Vec<_>>();
    json!({ "job": job, "saved": saved, "origin": "api", "changes": changes })
}

#[tokio::test]
async fn jobs_are_applied_in_one_request_and_every_change_is_printed() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("jobs.toml");
    std::fs::write(&file, "[[job]]\nname='a'\n[[job]]\nname='b'\nretry=3\n[[job]]\nname='c'")
        .unwrap();
    let file = file.to_str().unwrap();
    let mut updated = applied("default.b", "updated", &[("retry.count", json!(0), json!(3))]);
    updated["was_code"] = json!(true);
    let items =
        [applied("default.a", "created", &[]), updated, applied("default.c", "unchanged", &[])];
    let answer = json!({ "items": items });

    let fake = Fake::answering(answer.clone()).await;
    let out = fastjob(&["--server", &fake.url, "job", "apply", file]).await.out();
    assert_eq!(
        out,
        "created default.a\nupdated default.b\n  retry.count 0 → 3\nunchanged default.c\n\
         1 created, 1 updated, 1 unchanged\n"
    );
    let sent = r#"PATCH /api/v1/jobs {"jobs":[{"name":"a"},{"name":"b","retry":3},{"name":"c"}],"replace":false,"dry_run":false}"#;
    assert_eq!(fake.asked(), [sent]);

    let fake = Fake::answering(answer.clone()).await;
    let apply = ["--json", "--server", &fake.url, "job", "apply", "--replace", "--dry-run", file];
    let out = fastjob(&apply).await.out();
    assert_eq!(serde_json::from_str::<Value>(&out).unwrap(), answer);
    assert!(fake.asked()[0].ends_with(r#""replace":true,"dry_run":true}"#), "{:?}", fake.asked());

    let fake = Fake::answering(answer).await;
    let ran = fastjob(&["--server", &fake.url, "job", "diff", "--exit-code", file]).await;
    assert_eq!(
        ran.out,
        "would be created: default.a\nwould be updated: default.b\n  retry.count 0 → 3\n"
    );
    assert!(matches!(ran.result, Err(Error::Status(3))), "{:?}", ran.result);
}

#[tokio::test]
async fn problems_that_the_coordinator_finds_are_shown_in_the_files() {
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
    let (first, second) = (path("first.toml"), path("second.json"));
    std::fs::write(&first, "[[job]]\nname = 'a'\ntimeout = 'soon'\n").unwrap();
    std::fs::write(&second, "[{\"name\": \"b\",\n  \"children\": [{\"job\": \"x\"}]}]").unwrap();
    let mut rejected = problem(422, "not valid");
    rejected.2["problems"] = json!([
        { "field": "jobs[0].timeout", "message": "`soon` is not a duration" },
        { "field": "jobs[1].children", "message": "its child `x` does not exist: save it first" },
    ]);
    let fake = Fake::answers([rejected]).await;
    let apply = ["--server", &fake.url, "job", "apply", &first, &second];
    let failure = fastjob(&apply).await.failure();
    let expected = format!(
        "error: nothing was applied: there are 2 problems\n  \
         {first}:3: job `a`: timeout: `soon` is not a duration\n    \
         3 | timeout = 'soon'\n      | ^^^^^^^^^^^^^^^^\n  \
         {second}:2: job `b`: children: its child `x` does not exist: save it first\n    \
         2 |   \"children\": [{{\"job\": \"x\"}}]}}]\n      |   ^^^^^^^^^^^^^^^^^^^^^^^^^^"
    );
    assert_eq!(failure.to_string(), expected);
}

#[tokio::test]
async fn jobs_that_the_files_no_longer_have_are_deleted_parents_first() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("jobs.toml");
    std::fs::write(&file, "[[job]]\nname='a'\nservice='billing'").unwrap();
    let file = file.to_str().unwrap();
    let of_code = |mut job: Value| {
        job["origin"] = json!("code");
        job
    };
    let list = json!({ "items": [job("a"), job("child"), of_code(job("own")), job("parent")],
        "next_cursor": null });
    let answer = json!({ "items": [applied("billing.a", "unchanged", &[])] });
    let script = [
        (200, "", list),
        (200, "", answer),
        problem(409, "it is a child of `billing.parent`"),
        (204, "", json!(null)),
        (204, "", json!(null)),
    ];
    let prune = ["job", "apply", file, "--prune", "--service", "billing"];
    let fake = Fake::answers(script.clone()).await;
    let args = [&["--server", fake.url.as_str()], &prune[..], &["--yes"]].concat();
    let out = fastjob(&args).await.out();
    assert_eq!(out, "unchanged billing.a\ndeleted billing.parent\ndeleted billing.child\n");
    assert_eq!(
        fake.asked()[2..],
        [
            "DELETE /api/v1/jobs/billing.child?id=7",
            "DELETE /api/v1/jobs/billing.parent?id=7",
            "DELETE /api/v1/jobs/billing.child?id=7",
        ]
    );

    let fake = Fake::answers(script).await;
    let args = [&["--server", fake.url.as_str()], &prune[..], &["--dry-run"]].concat();
    let out = fastjob(&args).await.out();
    assert_eq!(
        out,
        "unchanged billing.a\nwould be deleted: billing.child\nwould be deleted: billing.parent\n"
    );
    assert_eq!(fake.asked().len(), 2);
    let whose = fastjob(&["job", "apply", file, "--prune"]).await.result;
    assert!(matches!(whose, Err(Error::Misuse(_))), "{whose:?}");
}

#[tokio::test]
async fn files_are_checked_without_a_coordinator() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("jobs.toml");
    std::fs::write(&file, "[[job]]\nname='a'\n[[job]]\nname='b'").unwrap();
    let check = ["job", "check", file.to_str().unwrap()];
    assert_eq!(fastjob(&check).await.out(), "2 jobs, no problems\n");
    std::fs::write(&file, "[[job]]\nname='a'\ntimeout='soon'").unwrap();
    let failure = fastjob(&check).await.failure();
    assert_eq!(failure.title, "there is a problem");
    assert!(failure.to_string().contains("jobs.toml:3: job `a`: timeout: "), "{failure}");
}

#[tokio::test]
async fn exported_jobs_can_be_applied_and_listed_jobs_too() {
    let mut own = job("own");
    own["origin"] = json!("code");
    let list = json!({ "items": [job("report"), own], "next_cursor": null });
    let fake = Fake::answering(list.clone()).await;
    let out = fastjob(&["--server", &fake.url, "job", "export"]).await.out();
    assert!(out.starts_with("[[job]]\nname = \"report\"\nservice = \"billing\"\n"), "{out}");
    assert!(out.contains("origin = \"code\"\n") && !out.contains("grace"), "{out}");
    let dir = tempfile::tempdir().unwrap();
    for (name, text) in [("jobs.toml", out), ("jobs.json", list.to_string())] {
        let file = dir.path().join(name);
        std::fs::write(&file, text).unwrap();
        let check = ["job", "check", file.to_str().unwrap()];
        assert_eq!(fastjob(&check).await.out(), "2 jobs, no problems\n");
    }
}

#[tokio::test]
async fn nothing_is_sent_if_a_file_has_a_problem() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("jobs.toml");
    std::fs::write(&file, "[[job]]\nname='a'\n[[job]]\nnam='b'").unwrap();
    let fake = Fake::answering(json!({})).await;
    let failure =
        fastjob(&["--server", &fake.url, "job", "apply", file.to_str().unwrap()]).await.failure();
    assert_eq!(failure.title, "nothing was applied: there are 2 problems");
    assert_eq!(fake.asked(), [""; 0]);
}
