mod bypasses;
mod limits;

use std::{fs, path::PathBuf, time::Duration};

use fastjob_core::Shard;
use rustix::process::{Pid, getegid, geteuid, test_kill_process};
use serde_json::json;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::*;
use crate::builtin::{
    entry::{CommandEntry, PATH, check},
    testing::{Lines, context},
};

const DEADLINE: Duration = Duration::from_secs(20);

async fn run(entries: &[CommandEntry], param: &str) -> (JobResult, Lines) {
    let (ctx, _stop, lines) = context(Some(param), Shard { index: 1, total: 3 });
    let result = timeout(DEADLINE, handler(entries).execute(&ctx)).await;
    (result.expect("the handler hangs"), lines)
}

fn handler(entries: &[CommandEntry]) -> Command {
    Command::new(check(entries).unwrap())
}

/// An entry as in a settings file, for the user that runs the tests, who may be root.
fn entry(line: &str) -> CommandEntry {
    own(crate::builtin::line(line).unwrap())
}

fn own(entry: CommandEntry) -> CommandEntry {
    entry.run_as(geteuid().as_raw(), getegid().as_raw())
}

fn scripts() -> [CommandEntry; 1] {
    [own(CommandEntry::scripts())]
}

fn any() -> [CommandEntry; 1] {
    [own(CommandEntry::any())]
}

fn script(text: &str) -> String {
    json!({"program": text, "shell": true}).to_string()
}

#[track_caller]
fn check_error(result: &JobResult, retryable: bool, text: &str) {
    let err = result.as_ref().unwrap_err();
    assert!(err.message().contains(text), "{err:?}");
    assert_eq!(err.is_retryable(), retryable, "{err:?}");
}

#[tokio::test]
async fn a_plain_text_is_a_command() {
    let (result, lines) = run(&[entry("/bin/pwd")], "pwd").await;
    let here = std::env::current_dir().unwrap().display().to_string();
    assert_eq!(result.unwrap().as_str(), Some(here.as_str()));
    assert_eq!(lines.all(), ["$ /bin/pwd".to_owned(), here]);
    let (result, lines) = run(&[entry("/bin/echo {text}...")], "echo 'a  b' $HOME").await;
    assert_eq!(result.unwrap().as_str(), Some("a  b $HOME"));
    assert!(lines.has("$ /bin/echo 'a  b' $HOME"), "{:?}", lines.all());
}

#[tokio::test]
async fn a_job_names_an_entry_and_gives_what_that_allows() {
    let entries = [
        entry("/bin/echo --month {number} --region={eu|us}"),
        own(CommandEntry::program("greet", "/bin/echo").args(["hello", "world"])),
    ];
    for (param, said) in [
        ("echo --month 11 --region=eu", "--month 11 --region=eu"),
        ("greet", "hello world"),
        ("greet hello world", "hello world"),
    ] {
        assert_eq!(run(&entries, param).await.0.unwrap().as_str(), Some(said));
    }
    for (param, why) in [
        ("echo --month x --region=eu", "argument 2 must match `{number}`, in `--month {number}"),
        ("echo --month 11 --region=cn", "argument 3 must match `--region={eu|us}`"),
        (
            "echo --month 11",
            "`echo` rejected its arguments: it takes the arguments `--month {number}",
        ),
        ("echo", "it takes the arguments"),
        ("greet you", "it takes the arguments `hello world`, not 1"),
        ("/bin/echo hello", "`/bin/echo` is not among the commands that this executor allows: "),
        ("ls", "echo, greet; its owner lists them in `allow_commands`"),
        (r#"{"program": "echo hello", "shell": true}"#, "scripts are not among the commands"),
    ] {
        let (result, lines) = run(&entries, param).await;
        check_error(&result, false, why);
        assert!(lines.all().is_empty(), "{param}");
    }
}

#[tokio::test]
async fn where_any_command_is_allowed_the_param_is_the_command() {
    let (result, lines) = run(&any(), "uname -s").await;
    assert!(result.is_ok() && lines.has("/uname -s"), "{:?}", lines.all());
    assert_eq!(run(&any(), "/bin/echo a").await.0.unwrap().as_str(), Some("a"));
    assert_eq!(run(&any(), &script("echo $0")).await.0.unwrap().as_str(), Some("sh"));
    let (result, _) = run(&any(), "no-such-program-here").await;
    check_error(&result, false, "there is no program `no-such-program-here` in /usr/local/sbin:");
}

#[tokio::test]
async fn output_goes_to_the_log_and_its_end_is_the_result() {
    let (result, lines) = run(&scripts(), &script("echo one; echo two >&2; printf three")).await;
    assert_eq!(result.unwrap().as_str(), Some("one\nthree"));
    assert!(lines.has("one") && lines.has("! two") && lines.has("three"), "{:?}", lines.all());
}

#[tokio::test]
async fn only_the_expected_exit_is_a_success() {
    let (result, _) = run(&scripts(), &script("echo why >&2; exit 3")).await;
    check_error(&result, true, "exit status 3: why");
    let ok = json!({"program": "exit 3", "shell": true, "ok_exit": [0, 3]}).to_string();
    assert_eq!(run(&scripts(), &ok).await.0.unwrap().as_str(), Some(""));
    let (result, _) = run(&scripts(), &script("kill -9 $$")).await;
    check_error(&result, true, "killed by signal 9 (SIGKILL)");
}

#[tokio::test]
async fn a_missing_program_or_folder_fails_permanently() {
    let (result, _) = run(&[entry("/no/such/program")], "program").await;
    check_error(&result, false, "there is no program `/no/such/program`");
    let limited = entry("/no/such/program").limit_open_files(64);
    check_error(&run(&[limited], "program").await.0, false, "there is no program");
    let (result, _) = run(&any(), r#"{"program": "pwd", "dir": "/no/such/folder"}"#).await;
    check_error(&result, false, "there is no folder `/no/such/folder`");
    check_error(&run(&any(), "/").await.0, false, "cannot run `/`");
}

#[tokio::test]
async fn the_environment_is_clean_and_names_the_task() {
    let env = entry("/usr/bin/env").env("FIXED", "f").job_env(["MINE", "FASTJOB_TASK"]);
    let param = json!({"program": "env", "env": {"MINE": "x", "FASTJOB_TASK": "0"}}).to_string();
    let (result, _) = run(&[env], &param).await;
    let shown = result.unwrap().into_text().unwrap();
    let mut variables: Vec<_> = shown.lines().collect();
    variables.sort_unstable();
    let path = format!("PATH={PATH}");
    assert_eq!(
        variables,
        [
            "FASTJOB_ATTEMPT=8",
            "FASTJOB_SHARD_INDEX=1",
            "FASTJOB_SHARD_TOTAL=3",
            "FASTJOB_TASK=7",
            "FIXED=f",
            "MINE=x",
            &path,
            "TRACEPARENT=00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        ]
    );
}

#[tokio::test]
async fn a_program_reads_its_input_in_its_folder() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("here"), "").unwrap();
    let param = json!({
        "program": "cat; ls; echo $1", "args": ["a b"], "shell": true,
        "stdin": "x".repeat(200_000) + "\n", "dir": dir.path(),
    });
    let (result, _) = run(&any(), &param.to_string()).await;
    assert!(result.unwrap().as_str().unwrap().ends_with("x\nhere\na b"));
}

#[tokio::test]
async fn a_program_need_not_read_its_input() {
    let param = json!({"program": "true", "stdin": "x".repeat(2_000_000)}).to_string();
    assert!(run(&[entry("/bin/true").job_stdin()], &param).await.0.is_ok());
}

/// A script that starts a grandchild, which writes its process id to a file, then does the rest.
struct Family {
    dir: tempfile::TempDir,
}

impl Family {
    fn new() -> Self {
        Self { dir: tempfile::tempdir().unwrap() }
    }

    fn file(&self) -> PathBuf {
        self.dir.path().join("pid")
    }

    /// Runs `child` in the background, writes its process id to the file, then runs `rest`.
    fn script(&self, child: &str, rest: &str) -> String {
        let file = self.file().display().to_string();
        script(&format!("{child} & echo $! > {file}.new; mv {file}.new {file}; {rest}"))
    }

    async fn grandchild(&self) -> Pid {
        let text = eventually(|| fs::read_to_string(self.file()).ok()).await;
        Pid::from_raw(text.trim().parse().unwrap()).unwrap()
    }
}

async fn eventually<T>(mut look: impl FnMut() -> Option<T>) -> T {
    let looking = async {
        loop {
            if let Some(seen) = look() {
                return seen;
            }
            sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(DEADLINE, looking).await.expect("it never came")
}

/// Waits until the process is gone, or is a zombie that its new parent has not reaped yet.
async fn is_gone(pid: Pid) {
    eventually(|| {
        let stat = fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero()));
        let dead = stat.is_ok_and(|stat| stat.contains(") Z "));
        (dead || test_kill_process(pid).is_err()).then_some(())
    })
    .await;
}

fn start(param: String) -> (tokio::task::JoinHandle<JobResult>, CancellationToken, Lines) {
    let (ctx, stop, lines) = context(Some(&param), Shard::WHOLE);
    let running = tokio::spawn(async move { handler(&scripts()).execute(&ctx).await });
    (running, stop, lines)
}

#[tokio::test]
async fn a_stop_ends_the_grandchildren_too() {
    let family = Family::new();
    let (running, stop, _) = start(family.script("sleep 1000", "wait"));
    let grandchild = family.grandchild().await;
    stop.cancel();
    let result = timeout(DEADLINE, running).await.unwrap().unwrap();
    check_error(&result, true, "stopped: killed by signal 15 (SIGTERM)");
    is_gone(grandchild).await;
}

#[tokio::test]
async fn a_process_that_ignores_sigterm_is_killed_after_a_grace() {
    let family = Family::new();
    let deaf = "trap '' TERM; echo deaf";
    let (running, stop, lines) = start(
        family.script(&format!("sh -c \"{deaf}; sleep 1000\""), &format!("{deaf}; wait; wait")),
    );
    let grandchild = family.grandchild().await;
    eventually(|| (lines.all().iter().filter(|line| *line == "deaf").count() == 2).then_some(()))
        .await;
    stop.cancel();
    let result = timeout(DEADLINE, running).await.unwrap().unwrap();
    check_error(&result, true, "stopped: killed by signal 9 (SIGKILL)");
    is_gone(grandchild).await;
}

#[tokio::test]
async fn an_aborted_handler_leaves_no_process_behind() {
    let family = Family::new();
    let (running, _stop, _) = start(family.script("sleep 1000", "wait"));
    let grandchild = family.grandchild().await;
    running.abort();
    assert!(running.await.unwrap_err().is_cancelled());
    is_gone(grandchild).await;
}

#[tokio::test]
async fn a_background_process_that_holds_the_output_does_not_hang_the_handler() {
    let family = Family::new();
    let (running, _stop, lines) = start(family.script("sleep 1000", "echo done"));
    let result = timeout(DEADLINE, running).await.unwrap().unwrap();
    assert_eq!(result.unwrap().as_str(), Some("done"));
    assert!(lines.has("kept the output open"));
    is_gone(family.grandchild().await).await;
}

#[tokio::test]
async fn a_background_process_that_closes_the_output_keeps_running() {
    let family = Family::new();
    let (running, _stop, _) = start(family.script("sleep 1000 >/dev/null 2>&1 </dev/null", "true"));
    assert!(timeout(DEADLINE, running).await.unwrap().unwrap().is_ok());
    let grandchild = family.grandchild().await;
    assert!(test_kill_process(grandchild).is_ok());
    rustix::process::kill_process(grandchild, rustix::process::Signal::KILL).unwrap();
}
