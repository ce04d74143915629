//! The user that a command runs as, and its resource limits.

use super::*;

const NOBODY: u32 = 65534;

#[tokio::test]
async fn a_command_runs_as_the_user_of_its_entry_without_other_groups() {
    let id = CommandEntry::program("id", "/usr/bin/id").run_as(NOBODY, NOBODY);
    if geteuid().is_root() {
        let result = run(&[id], "id").await.0.unwrap();
        let said = result.as_str().unwrap();
        let (user, group) = (format!("uid={NOBODY}"), format!("gid={NOBODY}"));
        assert!(said.contains(&user) && said.contains(&group), "{said}");
        let groups = said.split("groups=").nth(1).unwrap_or_default();
        assert!(!groups.contains(','), "{said}");
    } else {
        let other = geteuid().as_raw() + 1;
        let problems = check(&[id.run_as(other, other)]).unwrap_err();
        assert!(problems[0].contains("needs root"), "{problems:?}");
    }
}

#[tokio::test]
#[cfg(target_os = "linux")]
async fn a_command_has_the_limits_of_its_entry() {
    let limited = entry("/bin/cat /proc/self/limits")
        .limit_cpu(Duration::from_millis(4_500))
        .limit_memory(1 << 30)
        .limit_open_files(64)
        .limit_processes(4_000)
        .limit_file_size(1 << 20);
    let (result, lines) = run(&[limited], "cat").await;
    let result = result.unwrap();
    let table = result.as_str().unwrap();
    let limit = |name: &str| {
        let line = table.lines().find(|line| line.starts_with(name)).unwrap();
        line[name.len()..].split_whitespace().take(2).map(str::to_owned).collect::<Vec<_>>()
    };
    for (name, expected) in [
        ("Max cpu time", "5"),
        ("Max address space", "1073741824"),
        ("Max open files", "64"),
        ("Max processes", "4000"),
        ("Max file size", "1048576"),
    ] {
        assert_eq!(limit(name), [expected, expected], "{table}");
    }
    assert_eq!(lines.all()[0], "$ /bin/cat /proc/self/limits");
}

#[tokio::test]
async fn a_limit_ends_a_command_that_exceeds_it() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let greedy = format!("head -c 10000 /dev/zero > {}", file.path().display());
    let scripts = own(CommandEntry::scripts()).limit_file_size(1_024);
    assert!(run(&[scripts], &script(&greedy)).await.0.is_err());
    assert_eq!(file.as_file().metadata().unwrap().len(), 1_024);
}

#[tokio::test]
async fn a_limit_that_cannot_be_set_keeps_the_command_from_running() {
    let limited = entry("/bin/echo ran").limit_open_files(u64::MAX / 2);
    let (result, lines) = run(&[limited], "echo").await;
    check_error(&result, true, "exit status 126");
    assert!(!lines.has("ran\n") && lines.has("ulimit"), "{:?}", lines.all());
}
