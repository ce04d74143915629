//! What comes with the command: completions and the manual; and what a terminal shows.

use std::process::{Command, Stdio};

use serde_json::json;

use super::{
    fake::{Fake, problem, task},
    fastjob, fastjob_for, fastjob_with,
};
use crate::cli::out::Reader;

/// Whether a shell accepts a script, if it is installed.
fn accepts(shell: &str, script: &str) -> bool {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("fastjob");
    std::fs::write(&path, script).unwrap();
    let checked = Command::new(shell).arg("-n").arg(&path).stdin(Stdio::null()).status();
    checked.is_err() || checked.is_ok_and(|status| status.success())
}

#[tokio::test]
async fn the_completions_of_each_shell_know_the_commands() {
    for shell in ["bash", "zsh", "fish"] {
        let script = fastjob(&["completion", shell]).await.out();
        assert!(accepts(shell, &script), "{shell} rejects its script");
        for word in ["backfill", "unsilence", "completion", "insecure-plaintext"] {
            assert!(script.contains(word), "{shell}: {word} is missing");
        }
        // What a terminal shows is what a file gets.
        let shown = fastjob_for(Reader::Terminal, [], &["completion", shell]).await.out();
        assert_eq!(shown, script);
    }
}

#[tokio::test]
async fn the_manual_has_a_page_per_command() {
    let folder = tempfile::tempdir().unwrap();
    let pages = folder.path().join("new/man1");
    let out = fastjob(&["man", pages.to_str().unwrap()]).await.out();
    let read = |name: &str| std::fs::read_to_string(pages.join(name)).unwrap();
    assert!(
        read("fastjob.1").contains("fastjob\\-job") || read("fastjob.1").contains("fastjob-job")
    );
    assert!(read("fastjob-job-apply.1").contains("prune"));
    assert!(read("fastjob-task-log.1").contains("follow"));
    let count = std::fs::read_dir(&pages).unwrap().count();
    assert!(out.starts_with(&format!("{count} pages written to ")), "{out}");
    // A folder that cannot be created is an error.
    let file = tempfile::NamedTempFile::new().unwrap();
    let failure = fastjob(&["man", file.path().to_str().unwrap()]).await.failure();
    assert!(failure.title.starts_with("could not write the manual to "), "{failure}");
}

#[tokio::test]
async fn states_are_coloured_on_a_terminal_only() {
    let list = json!({ "items": [task("failed")], "next_cursor": null });
    let fake = Fake::answering(list).await;
    let list = ["--server", &fake.url, "task", "list"];
    let red = "\u{1b}[31mfailed\u{1b}[0m";
    let on = fastjob_for(Reader::Terminal, [], &list).await.out();
    assert!(on.contains(red), "{on:?}");
    let always = [&list[..], &["--color", "always"]].concat();
    assert_eq!(fastjob(&always).await.out(), on);
    for (reader, var, args) in [
        (Reader::Program, ("A", ""), &list[..]),
        (Reader::Terminal, ("NO_COLOR", "1"), &list[..]),
        (Reader::Terminal, ("TERM", "dumb"), &list[..]),
        (Reader::Terminal, ("A", ""), &[&list[..], &["--color", "never"]].concat()),
        (Reader::Terminal, ("A", ""), &[&list[..], &["--json"]].concat()),
    ] {
        let off = fastjob_for(reader, [var], args).await.out();
        assert!(!off.contains('\u{1b}') && off.contains("failed"), "{off:?}");
    }
}

#[tokio::test]
async fn a_task_cannot_colour_or_control_a_terminal() {
    let mut hostile = task("failed");
    hostile["result"] = "\u{1b}]0;gone\u{7}\u{1b}[32mok\u{202e}".into();
    hostile["attempts"][0]["message"] = "\u{1b}[2J\u{9b}31m".into();
    hostile["state"] = "\u{1b}[32msucceeded".into();
    for args in [&["task", "show", "42"][..], &["task", "list"]] {
        let answer = match args[1] {
            "list" => json!({ "items": [hostile.clone()], "next_cursor": null }),
            _ => hostile.clone(),
        };
        let fake = Fake::answering(answer).await;
        let args = [&["--color", "always", "--server", &fake.url], args].concat();
        let out = fastjob(&args).await.out();
        let own = ["\u{1b}[31m", "\u{1b}[0m"];
        let rest = own.iter().fold(out.clone(), |text, code| text.replace(code, ""));
        assert!(!rest.chars().any(|c| c.is_control() && c != '\n'), "{out:?}");
        assert!(!rest.contains('\u{202e}'), "{out:?}");
    }
}

#[tokio::test]
async fn a_command_goes_to_the_next_of_several_servers() {
    let first = Fake::answers([problem(503, "starting")]).await;
    let second = Fake::answering(json!({ "stopped": true, "state": "stopping" })).await;
    let both = format!("{},{}", first.url, second.url);
    let stopped = fastjob_with([("FASTJOB_SERVER", &both)], &["stop", "42"]).await.out();
    assert_eq!(stopped, "task 42 is stopping\n");
    assert_eq!((first.asked().len(), second.asked().len()), (1, 1));

    // A start that may have been recorded is not sent again, and the error says what to do.
    let ran = fastjob(&["--server", &both, "start", "a"]).await;
    let failure = ran.failure();
    assert!(failure.hints[0].contains("may have been started"), "{failure}");
    assert!(failure.hints[0].contains("fastjob task list --job a"), "{failure}");
    assert_eq!((first.asked().len(), second.asked().len()), (2, 1));
}

#[tokio::test]
async fn a_health_check_fails_until_the_coordinator_is_ready() {
    let starting = problem(503, "this node could not renew its lease");
    let ready = (200, "", json!({ "status": "ready" }));
    let fake = Fake::answers([starting.clone(), starting.clone(), starting, ready]).await;
    let ask = ["--server", &fake.url, "ready"];
    let failure = fastjob(&ask).await.failure();
    assert!(failure.to_string().contains("could not renew its lease"), "{failure}");
    let waited = fastjob(&[&ask[..], &["--wait", "1m"]].concat()).await.out();
    assert_eq!(waited, "ready\n");
    assert_eq!(fake.asked(), ["GET /readyz"; 4]);
}
