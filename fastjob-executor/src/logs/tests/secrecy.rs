//! Only the executor's user can read the logs.

use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};

use super::*;

/// Marks this process as the child of a test, and sets its umask.
const CHILD: &str = "FASTJOB_TEST_CHILD";

#[track_caller]
fn check_mode(path: &Path, expected: u32) {
    let mode = fs::metadata(path).unwrap().mode() & 0o777;
    assert_eq!(mode, expected, "{} has {mode:o}", path.display());
}

async fn write(logs: &Logs) {
    let log = logs.attempt(ID, noon(), None);
    log.line(format_args!("the secret"));
    logs.flush().await;
    log.line(format_args!("and more"));
    logs.flush().await;
}

#[tokio::test]
async fn files_are_0600_and_folders_0700_whatever_the_umask() {
    const NAME: &str = "logs::tests::secrecy::files_are_0600_and_folders_0700_whatever_the_umask";
    let Ok(umask) = std::env::var(CHILD) else {
        // The umask is process-wide, so each case runs in its own process.
        for umask in ["0", "22", "77", "277"] {
            let output = tokio::process::Command::new(std::env::current_exe().unwrap())
                .args(["--exact", NAME, "--nocapture"])
                .env(CHILD, umask)
                .output();
            let output = output.await.unwrap();
            let said = String::from_utf8_lossy(&output.stdout);
            assert!(output.status.success() && said.contains("1 passed"), "{output:?}");
        }
        return;
    };
    let dir = tempfile::tempdir().unwrap();
    let bits = u32::from_str_radix(&umask, 8).unwrap();
    rustix::process::umask(rustix::fs::Mode::from_bits_truncate(bits as _));
    let root = dir.path().join("logs");
    let logs = Logs::open(&root, 7, 64 << 20).unwrap();
    write(&logs).await;
    check_mode(&root, 0o700);
    check_mode(&root.join("2026-11-23"), 0o700);
    check_mode(&root.join("2026-11-23/42.log"), 0o600);
}

#[tokio::test]
async fn permissions_that_an_older_release_gave_to_others_are_removed() {
    let (dir, logs) = logs();
    let day = dir.path().join("2026-11-23");
    fs::create_dir(&day).unwrap();
    fs::write(day.join("42.log"), "2026-11-23T12:00:00Z before\n").unwrap();
    fs::set_permissions(&day, fs::Permissions::from_mode(0o755)).unwrap();
    fs::set_permissions(day.join("42.log"), fs::Permissions::from_mode(0o644)).unwrap();
    let text = logs.read(ID, 0, WHOLE).await.unwrap().text;
    assert_eq!(said(&text), ["before"]);
    check_mode(&day, 0o700);
    check_mode(&day.join("42.log"), 0o600);
}

#[tokio::test]
async fn a_link_instead_of_a_log_is_neither_written_nor_read() {
    let (dir, logs) = logs();
    let (day, victim) = (dir.path().join("2026-11-23"), dir.path().join("victim"));
    fs::write(&victim, "precious").unwrap();
    fs::create_dir(&day).unwrap();
    symlink(&victim, day.join("42.log")).unwrap();
    assert!(logs.read(ID, 0, WHOLE).await.is_err());
    write(&logs).await;
    assert_eq!(fs::read_to_string(&victim).unwrap(), "precious");
}

#[tokio::test]
async fn a_link_instead_of_a_days_folder_is_not_followed() {
    let (dir, logs) = logs();
    let elsewhere = tempfile::tempdir().unwrap();
    fs::write(elsewhere.path().join("42.log"), "not a log").unwrap();
    symlink(elsewhere.path(), dir.path().join("2026-11-23")).unwrap();
    assert!(matches!(logs.read(ID, 0, WHOLE).await, Err(LogError::NotFound(_))));
    let log = logs.attempt(ID, noon(), None);
    log.line(format_args!("the secret"));
    logs.flush().await;
    let text = fs::read_to_string(elsewhere.path().join("42.log")).unwrap();
    assert_eq!(text, "not a log");
    let (_, tail) = log.tail();
    assert!(tail.contains("cannot write the log file"), "{tail}");
}

#[tokio::test]
async fn a_link_instead_of_the_trial_file_is_not_written() {
    let dir = tempfile::tempdir().unwrap();
    let victim = dir.path().join("victim");
    fs::write(&victim, "precious").unwrap();
    symlink(&victim, dir.path().join(format!(".trial-{}", std::process::id()))).unwrap();
    assert!(Logs::open(dir.path(), 7, 64 << 20).is_ok());
    assert_eq!(fs::read_to_string(&victim).unwrap(), "precious");
}

#[tokio::test]
async fn the_folder_of_another_user_is_not_used() {
    if !rustix::process::geteuid().is_root() {
        return; // Only root can change a folder's owner.
    }
    let (dir, logs) = logs();
    let day = dir.path().join("2026-11-23");
    fs::create_dir(&day).unwrap();
    std::os::unix::fs::chown(&day, Some(65534), Some(65534)).unwrap();
    write(&logs).await;
    assert!(names(&day).is_empty());
}
