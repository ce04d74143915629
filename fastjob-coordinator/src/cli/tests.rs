//! Commands against a fake coordinator: what they send, print and return.

mod asking;
mod fake;
mod job_files;
mod json;
mod many;
mod operating;
mod repairs;
mod reruns;
mod settings;
mod tools;
mod waiting;

use clap::{CommandFactory, Parser};
use fastjob_client::ClientError;

use super::*;

/// What a command printed, and its result.
struct Ran {
    out: String,
    result: Result<(), Error>,
}

impl Ran {
    #[track_caller]
    fn out(self) -> String {
        match self.result {
            Ok(()) => self.out,
            Err(err) => panic!("it failed: {err:?}"),
        }
    }

    #[track_caller]
    fn failure(self) -> error::Failure {
        match self.result {
            Err(Error::Failed(failure)) => *failure,
            other => panic!("it ended otherwise: {other:?}"),
        }
    }
}

/// Runs `fastjob` with these arguments, without the environment of the process.
async fn fastjob(args: &[&str]) -> Ran {
    fastjob_with([], args).await
}

/// Runs `fastjob` with these arguments and only these variables.
async fn fastjob_with<const N: usize>(vars: [(&str, &str); N], args: &[&str]) -> Ran {
    fastjob_for(Reader::Program, vars, args).await
}

/// The same, with the output read by a terminal or by a program.
async fn fastjob_for<const N: usize>(
    reader: Reader,
    vars: [(&str, &str); N],
    args: &[&str],
) -> Ran {
    let cli = Cli::try_parse_from([&["fastjob"], args].concat()).map_err(|err| err.to_string());
    let cli = cli.unwrap_or_else(|err| panic!("{err}"));
    let mut out = Vec::new();
    // An empty file, so that no `fastjob.toml` in the working directory is used.
    let nothing = tempfile::NamedTempFile::new().unwrap();
    let mut env = Env::from(vars);
    env.set("FASTJOB_CONFIG", nothing.path().to_str().unwrap());
    let result = cli.run(&env, &mut out, reader, Shown::Nowhere).await;
    Ran { out: String::from_utf8(out).unwrap(), result }
}

#[track_caller]
fn misused(args: &[&str], because: &str) {
    let err = Cli::try_parse_from([&["fastjob"], args].concat()).err();
    let err = err.unwrap_or_else(|| panic!("{args:?} was accepted"));
    assert_eq!(err.exit_code(), 2, "{args:?}");
    assert!(err.to_string().contains(because), "{err}");
}

#[test]
fn the_commands_are_well_formed() {
    Cli::command().debug_assert();
}

#[test]
fn invalid_command_lines_are_misuse() {
    misused(&[], "Usage");
    misused(&["job"], "Usage");
    misused(&["jobs"], "unrecognized subcommand");
    misused(&["job", "apply"], "FILE");
    misused(&["job", "show", "a b"], "has the character");
    misused(&["job", "show", ".."], "not a valid job name");
    misused(&["job", "next", "a", "--count", "x"], "invalid value");
    misused(&["start", "a", "--delay", "soon"], "is not a duration");
    misused(&["start", "a", "--delay", "5m", "--at", "2027-01-01T00:00:00Z"], "cannot be used");
    misused(&["start", "a", "--param", "x", "--param-file", "y"], "cannot be used");
    misused(&["start", "a", "--timeout", "5s"], "--wait");
    misused(&["stop", "0"], "identified by its number");
    misused(&["task", "list", "--state", "gone"], "is not a task state");
    misused(&["task", "list", "--state", "failed,gone"], "`gone` is not a task state");
    misused(&["task", "list", "--cause", "cron"], "is not a cause");
    misused(&["task", "list", "--order", "size"], "is not an order");
    misused(&["task", "list", "--key", "k"], "--job");
    misused(&["task", "rerun", "0"], "identified by its number");
    misused(&["task", "rerun", "7", "--state", "failed"], "cannot be used");
    misused(&["task", "rerun", "7", "--job", "a"], "cannot be used");
    misused(&["task", "rerun", "7", "--yes"], "cannot be used");
    misused(&["task", "rerun", "7", "--dry-run"], "cannot be used");
    misused(&["task", "rerun", "7", "--shards", "some"], "failed, all, or numbers");
    misused(&["task", "rerun", "--state", "failed", "--param", "x"], "cannot be used");
    misused(&["task", "rerun", "--param", "x"], "<TASK>");
    misused(&["task", "rerun", "7", "--param", "x", "--param-file", "y"], "cannot be used");
    misused(&["task", "list", "--min-run-time", "long"], "is not a duration");
    let instant = "is not an instant; write it like 2026-12-01T08:00:00Z, 2026-12-01";
    misused(&["task", "list", "--since", "some day"], instant);
    misused(&["task", "list", "--tz", "Mars"], "`Mars` is not a time zone");
    misused(&["job", "list", "--never-run", "--idle-since", "7d"], "cannot be used");
    misused(&["start", "a", "--at", "soon"], instant);
    misused(&["job", "backfill", "a", "--from", "then"], instant);
    misused(&["alarm", "silence", "--job", "a", "--until", "later"], instant);
    for list in ["job", "task", "alarm", "executor"] {
        misused(&[list, "list", "--limit", "0"], "0 is not between 1 and 10000");
        misused(&[list, "list", "--limit", "99999"], "99999 is not between 1 and 10000");
        misused(&[list, "list", "--limit", "x"], "`x` is not a whole number between 1 and 10000");
    }
    misused(&["alarm", "silence", "--for", "2h"], "<--job <NAME>|--channel <NAME>>");
    misused(&["alarm", "silence", "--job", "a"], "<--for <SPAN>|--until <WHEN>>");
    misused(&["alarm", "silence"], "Set a job, a channel, or both, and the end of the silence.");
    let both = ["--for", "2h", "--until", "2027-01-01T00:00:00Z"];
    misused(&[&["alarm", "silence", "--job", "a"], &both[..]].concat(), "cannot be used");
    misused(&["serve", "--listen", "here"], "`here` is not an address to listen on");
    misused(&["job", "list", "--server", "localhost:7070"], "http://127.0.0.1:7070");
}

#[test]
fn a_job_is_named_with_or_without_its_service() {
    let long = format!("{}.{}", "s".repeat(100), "j".repeat(100));
    for good in ["demo", "billing.report", "10.0.0.5:9", "报表", &long] {
        assert_eq!(options::job_name(good).as_deref(), Ok(good));
    }
    for bad in ["", ".", "..", "a/b", &"x".repeat(129)] {
        assert!(options::job_name(bad).is_err(), "{bad}");
    }
}

#[tokio::test]
async fn a_rejected_token_is_not_shown() {
    let ran = fastjob(&["job", "list", "--token", "s3cret"]).await;
    let Err(Error::Misuse(message)) = ran.result else { panic!("it was not misuse") };
    assert!(message.contains("at least 16") && !message.contains("s3cret"), "{message}");
}

#[tokio::test]
async fn a_token_is_not_sent_in_plain_text() {
    let far = ["--server", "http://jobs.example.org", "--token", fake::TOKEN];
    let failure = fastjob(&[&far[..], &["job", "list"]].concat()).await.failure();
    assert!(failure.title.contains("in plain text"), "{failure}");
}

#[tokio::test]
async fn flags_override_the_file_and_check_shows_the_result() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("fastjob.toml");
    let text = "[coordinator]\nbeat = '1s'\n[client]\nserver = 'http://127.0.0.1:1'";
    std::fs::write(&path, text).unwrap();
    let path = path.to_str().unwrap();
    let args = ["check", "--config", path, "--server", "http://[::1]:2", "--token", fake::TOKEN];
    let shown = fastjob(&args).await.out();
    assert!(shown.starts_with("the configuration is valid\n"), "{shown}");
    assert!(shown.contains("http://[::1]:2") && shown.contains("beat = \"1s\""), "{shown}");
    assert!(!shown.contains(fake::TOKEN), "{shown}");

    std::fs::write(path, "[coordinator]\nlisten = '0.0.0.0:1'\nbeet = '1s'").unwrap();
    let failure = fastjob(&["check", "--config", path]).await.failure();
    assert_eq!(failure.title, "the configuration has 3 problems");
    assert_eq!(failure.problems[0].field, "coordinator.beet");
    let details = serde_json::Value::Object(failure.as_details());
    assert_eq!(details["problems"][1]["field"], "coordinator.token");
}

#[tokio::test]
async fn check_names_the_file_and_marks_what_is_wrong_in_it() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("fastjob.toml");
    let text = "insecure_files = true\n\
                [coordinator]\nbeet = '1s'\n\
                [executor]\nservcie = 'billing'\ncapacity = 0\ncoordinators = 'http://a'\n\
                token = 's3cret-s3cret-s3cret'\naccess_token = 's3cret-s3cret-s3cret'\n";
    std::fs::write(&path, text).unwrap();
    let name = path.to_str().unwrap();
    let failure = fastjob(&["check", "--config", name]).await.failure();
    let shown = failure.to_string();
    for part in [
        "the configuration has 5 problems",
        &format!("{name}:3: coordinator.beet: unknown key; did you mean beat?\n"),
        "    3 | beet = …\n      | ^^^^\n",
        &format!("{name}:5: executor.servcie: unknown key; did you mean service?\n"),
        &format!("{name}:6: executor.capacity: it is 0; from 1 to 1000000 is allowed\n"),
        &format!("{name}:7: executor.coordinators: it is a value of type string, not a list\n"),
        &format!("{name}:9: executor.access_token: executor.token is the same setting"),
        &format!("\n  the configuration file is {name}"),
    ] {
        assert!(shown.contains(part), "{part:?} is missing in\n{shown}");
    }
    assert!(!shown.contains("s3cret"), "{shown}");
    let details = serde_json::Value::Object(failure.as_details());
    let problem = &details["problems"][0];
    assert_eq!((&problem["field"], &problem["line"]), (&"coordinator.beet".into(), &3.into()));

    // The settings of executors do not concern other commands.
    let text = "[executor]\nservcie = 'billing'\n";
    std::fs::write(&path, text).unwrap();
    assert_eq!(fastjob(&["check", "--config", name]).await.failure().problems.len(), 1);
    let failure = fastjob(&["serve", "--config", name, "--listen", "0.0.0.0:0"]).await.failure();
    assert!(failure.problems.iter().all(|it| it.field.starts_with("coordinator")), "{failure}");

    std::fs::write(&path, "[executor]\nservice = 'billing'\nlabels = { a = 'b' }\n").unwrap();
    let shown = fastjob(&["check", "--config", name]).await.out();
    assert!(shown.contains(&format!("the configuration file is {name}\n")), "{shown}");
    let json = fastjob(&["check", "--config", name, "--json"]).await.out();
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!((&json["file"], json["warnings"].is_array()), (&name.into(), true));
}

#[tokio::test]
async fn every_command_rejects_a_misspelled_variable() {
    for args in [&["serve"][..], &["check"], &["migrate"], &["job", "list"], &["stop", "1"]] {
        let failure = fastjob_with([("FASTJOB_STOER", "sqlite:a.db")], args).await.failure();
        assert_eq!(failure.problems.len(), 1, "{args:?}: {failure}");
        assert_eq!(failure.problems[0].field, "FASTJOB_STOER");
        assert!(failure.problems[0].message.contains("did you mean FASTJOB_STORE?"), "{failure}");
    }
}

#[tokio::test]
async fn serve_and_check_report_the_same_problems() {
    let dir = tempfile::tempdir().unwrap();
    let (path, pem) = (dir.path().join("fastjob.toml"), dir.path().join("c.pem"));
    std::fs::write(&pem, "no certificate").unwrap();
    #[cfg(unix)]
    crate::files::testing::set_mode(&pem, 0o600);
    let no_pem = format!("[coordinator]\ntls = {{ cert = '{0}', key = '{0}' }}", pem.display());
    let many = "[coordinator]\nlisten = '0.0.0.0:1'\nbeet = 1\n[client]\nca_cert = '/nowhere'";
    let every = ["coordinator.beet", "coordinator.token", "coordinator.tls", "client.ca_cert"];
    for (file, fields) in [(many, &every[..]), (&no_pem, &["coordinator.tls"])] {
        std::fs::write(&path, file).unwrap();
        for command in ["check", "serve"] {
            let args = [command, "--config", path.to_str().unwrap()];
            let problems = fastjob(&args).await.failure().problems;
            let found: Vec<_> = problems.iter().map(|problem| problem.field.as_str()).collect();
            assert_eq!(found, fields, "{command}: {file}");
        }
    }
}

#[tokio::test]
async fn serve_rejects_an_address_that_other_hosts_can_reach() {
    let failure = fastjob(&["serve", "--listen", "0.0.0.0:0"]).await.failure();
    assert_eq!(failure.problems[0].field, "coordinator.token");
}

#[tokio::test]
async fn a_rejected_store_is_shown_without_its_password() {
    let refused = fastjob(&["serve", "--store", "postgres://u:hidden@h/d?sslmod=x"]).await;
    match refused.result {
        Err(Error::Misuse(said)) => {
            assert!(said.starts_with("--store: ") && !said.contains("hidden"), "{said}");
        }
        other => panic!("it ended otherwise: {other:?}"),
    }
}

#[test]
fn a_rejection_is_shown_field_by_field() {
    let body = serde_json::json!({
        "type": "urn:fastjob:problem:invalid", "title": "Invalid request", "status": 422,
        "detail": "job `a` is not valid: timeout: too short; block: unknown\u{1b}[2J",
        "problems": [
            { "field": "timeout", "message": "too short" },
            { "field": "block", "message": "unknown\u{1b}[2J" },
        ],
    });
    let problem = serde_json::from_value(body.clone()).unwrap();
    let failure = error::Failure::from(ClientError::of_problem(problem));
    let expected = "error: job `a` is not valid\n  timeout: too short\n  block: unknown\\u{1b}[2J";
    assert_eq!(failure.to_string(), expected);
    assert_eq!(serde_json::Value::Object(failure.as_details()), body);

    let not_fastjob = |status, answer: &str| {
        let (server, answer) = ("http://127.0.0.1:7070".to_owned(), answer.to_owned());
        error::Failure::from(ClientError::NotFastJob { server, status, answer, source: None })
    };
    let failure = not_fastjob(502, "<html>");
    assert_eq!(failure.to_string(), "error: the coordinator answered 502 Bad Gateway: <html>");
    let failure = not_fastjob(404, "");
    assert_eq!(failure.to_string(), "error: the coordinator answered 404 Not Found");
    assert_eq!(failure.as_details()["title"], "Failed");
}
