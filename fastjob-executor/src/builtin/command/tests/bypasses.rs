//! Regression tests: ways around the allowlist that once gave access to other programs, folders or
//! secrets.

use std::{
    os::unix::{
        fs::{PermissionsExt as _, symlink},
        process::CommandExt as _,
    },
    path::Path,
};

use super::*;
use crate::Executor;

/// Marks this process as the child of a test.
const CHILD: &str = "FASTJOB_TEST_CHILD";
const NOBODY: u32 = 65534;

/// Neither an entry nor `any` lets a job set the variable, and an entry cannot list it.
async fn check_variable(line: &str, name: &str, value: &str) {
    let entry = entry(line);
    let program = line.split('/').next_back().unwrap().split(' ').next().unwrap();
    for entries in [[entry.clone()], any()] {
        let param = json!({"program": program, "env": {name: value}}).to_string();
        let (result, lines) = run(&entries, &param).await;
        check_error(&result, false, &format!("`{name}`"));
        assert!(lines.all().is_empty(), "it ran: {:?}", lines.all());
    }
    let problems = check(&[entry.job_env([name])]).unwrap_err();
    assert!(problems[0].contains(&format!("`{name}`")), "{problems:?}");
}

#[tokio::test]
async fn bash_env_does_not_make_bash_run_a_file() {
    check_variable("/bin/bash -c true", "BASH_ENV", "/tmp/evil").await;
}

#[tokio::test]
async fn a_function_in_the_environment_does_not_take_the_place_of_a_command() {
    check_variable("/bin/bash -c date", "BASH_FUNC_date%%", "() { echo owned; }").await;
}

#[tokio::test]
async fn perl_options_in_the_environment_do_not_run_code() {
    check_variable("/usr/bin/perl -e 1", "PERL5OPT", "-Mevil").await;
    check_variable("/usr/bin/perl -d -e 1", "PERL5DB", "BEGIN { print 1 }").await;
}

#[tokio::test]
async fn pythonpath_does_not_load_modules() {
    check_variable("/usr/bin/python3 -c pass", "PYTHONPATH", "/tmp/evil").await;
}

#[tokio::test]
async fn gconv_path_does_not_load_libraries() {
    check_variable("/usr/bin/iconv -l", "GCONV_PATH", "/tmp/evil").await;
}

#[tokio::test]
async fn neither_path_nor_preload_makes_an_entry_another_program() {
    check_variable("/bin/pwd", "PATH", "/tmp/evil").await;
    check_variable("/bin/pwd", "LD_PRELOAD", "/tmp/evil.so").await;
}

#[tokio::test]
async fn a_variable_that_an_entry_does_not_name_is_rejected() {
    let param = json!({"program": "pwd", "env": {"MONTH": "11"}}).to_string();
    let (result, _) = run(&[entry("/bin/pwd")], &param).await;
    check_error(&result, false, "a job may not set the variable `MONTH` for `pwd`");
}

#[tokio::test]
async fn a_relative_program_in_a_folder_of_the_jobs_own_does_not_run() {
    let dir = tempfile::tempdir().unwrap();
    let tool = dir.path().join("tool");
    fs::write(&tool, "#!/bin/sh\necho owned\n").unwrap();
    fs::set_permissions(&tool, fs::Permissions::from_mode(0o755)).unwrap();
    for program in ["./tool", "../x/tool", "bin/tool", "tool"] {
        let param = json!({"program": program, "dir": dir.path()}).to_string();
        let (result, lines) = run(&any(), &param).await;
        assert!(!result.unwrap_err().is_retryable());
        assert!(lines.all().is_empty(), "it ran: {:?}", lines.all());
        let problems = check(&[entry(program)]).unwrap_err();
        assert!(problems[0].contains("absolute path"), "{problems:?}");
    }
}

#[tokio::test]
async fn a_program_gets_an_input_only_where_its_entry_says_so() {
    let param = json!({"program": "sh", "stdin": "echo owned"}).to_string();
    let (result, _) = run(&[entry("/bin/sh")], &param).await;
    check_error(&result, false, "a job may not give `sh` an input");
}

/// A folder that jobs may choose, and one that they may not.
struct Folders {
    _dir: tempfile::TempDir,
    data: PathBuf,
    other: PathBuf,
}

impl Folders {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().canonicalize().unwrap();
        let (data, other) = (root.join("data"), root.join("data-of-others"));
        fs::create_dir_all(data.join("2026/11")).unwrap();
        fs::create_dir_all(other.join("11")).unwrap();
        symlink(&other, data.join("link")).unwrap();
        Self { _dir: dir, data, other }
    }

    fn entry(&self) -> CommandEntry {
        entry("/bin/pwd").dir("/").job_dirs([&self.data])
    }
}

async fn run_in(entry: CommandEntry, dir: impl AsRef<Path>) -> JobResult {
    run(&[entry], &json!({"program": "pwd", "dir": dir.as_ref()}).to_string()).await.0
}

#[tokio::test]
async fn a_job_chooses_only_among_the_folders_of_the_entry_and_no_link_leads_out() {
    let folders = Folders::new();
    for dir in [folders.data.clone(), folders.data.join("2026/11")] {
        let result = run_in(folders.entry(), &dir).await.unwrap();
        assert_eq!(result.as_str(), dir.to_str());
    }
    assert_eq!(run(&[folders.entry()], "pwd").await.0.unwrap().as_str(), Some("/"));
    for (dir, why) in [
        (folders.other.clone(), "a job may not choose the folder"),
        (folders.data.join("../data-of-others"), "without `..`"),
        (folders.data.join("link"), "without following links"),
        (folders.data.join("link/11"), "without following links"),
        (folders.data.join("missing"), "cannot open the folder"),
        ("data".into(), "not an absolute path"),
    ] {
        check_error(&run_in(folders.entry(), dir).await, false, why);
    }
    check_error(&run_in(entry("/bin/pwd"), "/").await, false, "a job may not choose the folder");
}

#[tokio::test]
#[cfg(target_os = "linux")]
async fn a_folder_that_is_swapped_for_a_link_after_it_was_checked_is_not_followed() {
    let folders = Folders::new();
    let chosen = folders.data.join("2026/11");
    let rules = check(&[folders.entry()]).unwrap();
    let call = json!({"program": "pwd", "dir": chosen}).to_string();
    let call = Call::read(Some(&call)).unwrap();
    let start = Start::of(rules.find("pwd", false).unwrap(), &call).unwrap();
    let moved = folders.data.join("moved");
    fs::rename(&chosen, &moved).unwrap();
    symlink(&folders.other, &chosen).unwrap();
    let (ctx, ..) = context(None, Shard::WHOLE);
    let output = start.prepare(&ctx).output().await.unwrap();
    assert_eq!(String::from_utf8(output.stdout).unwrap().trim(), moved.to_str().unwrap());
}

/// Runs a test of this crate again, in a process of an unprivileged user.
#[cfg(target_os = "linux")]
fn again_as_nobody(test: &str) -> std::process::Output {
    // The unprivileged user may not be able to reach the executable by its path.
    let mut again = std::process::Command::new("/proc/self/exe");
    again.args(["--exact", test, "--nocapture"]).current_dir("/");
    again.env(CHILD, "the-secret-of-the-service");
    if geteuid().is_root() {
        again.uid(NOBODY).gid(NOBODY);
    }
    again.output().unwrap()
}

#[tokio::test]
#[cfg(target_os = "linux")]
async fn a_command_of_the_same_user_reads_neither_environment_nor_memory_of_the_executor() {
    use rustix::process::{DumpableBehavior, dumpable_behavior};

    const NAME: &str = "builtin::command::tests::bypasses::\
        a_command_of_the_same_user_reads_neither_environment_nor_memory_of_the_executor";
    if std::env::var_os(CHILD).is_none() {
        let output = again_as_nobody(NAME);
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success() && said.contains("1 passed"), "{output:?}");
        return;
    }
    let (logs, stop) = (tempfile::tempdir().unwrap(), CancellationToken::new());
    let executor = Executor::builder("test")
        .log_path(logs.path())
        .coordinators(["http://127.0.0.1:9"])
        .allow_commands([CommandEntry::scripts()])
        .run_until(stop.clone());
    let running = tokio::spawn(executor);
    eventually(|| (dumpable_behavior() == Ok(DumpableBehavior::NotDumpable)).then_some(())).await;
    let id = std::process::id();
    let looks =
        ["environ", "mem", "maps", "auxv"].map(|file| format!("head -c 1 /proc/{id}/{file}"));
    for look in
        looks.into_iter().chain([format!("ls /proc/{id}/fd"), format!("ls /proc/{id}/cwd/")])
    {
        let (result, lines) = run(&[CommandEntry::scripts()], &script(&look)).await;
        assert!(result.is_err() && lines.has("ermission denied"), "{:?}", lines.all());
    }
    // The executor can still open a folder through `/proc/self`.
    let dir = logs.path().canonicalize().unwrap();
    let pwd = CommandEntry::program("pwd", "/bin/pwd").job_dirs([&dir]);
    assert_eq!(run_in(pwd, &dir).await.unwrap().as_str(), dir.to_str());
    running.abort();
}

#[test]
fn an_executor_that_runs_as_root_names_a_user_for_entries_that_a_job_can_influence() {
    let fixed = CommandEntry::program("uname", "/bin/uname").args(["-s"]);
    assert!(check(std::slice::from_ref(&fixed)).is_ok());
    for open in [
        CommandEntry::program("echo", "/bin/echo").args(["{word}"]),
        fixed.clone().job_env(["MONTH"]),
        fixed.clone().job_dirs(["/srv"]),
        fixed.clone().job_stdin(),
        CommandEntry::scripts(),
        CommandEntry::any(),
    ] {
        let problems = check(std::slice::from_ref(&open)).err().unwrap_or_default();
        let refused = problems.iter().any(|problem| problem.contains("run it as root"));
        assert_eq!(refused, geteuid().is_root(), "{problems:?}");
        assert!(check(&[own(open)]).is_ok());
    }
}
