//! A coordinator's files are not accessible to other users of the machine.

use std::{
    fs,
    os::unix::fs::{PermissionsExt, symlink},
    path::Path,
    process::{Command, Output, Stdio},
    time::Duration,
};

use fastjob_tests::{
    eventually,
    process::{Process, free_port},
    rest::Rest,
};

use crate::FASTJOB;

/// A command in a folder, with umask 0.
fn generous(folder: &Path, words: &[&str]) -> Command {
    let mut command = Command::new("sh");
    command.args(["-c", "umask 0; exec \"$0\" \"$@\"", FASTJOB]).args(words).current_dir(folder);
    for name in ["FASTJOB_TOKEN", "FASTJOB_CONFIG", "FASTJOB_STORE"] {
        command.env_remove(name);
    }
    command
}

fn run(folder: &Path, words: &[&str]) -> (Option<i32>, String) {
    let Output { status, stderr, .. } = generous(folder, words).output().unwrap();
    (status.code(), String::from_utf8_lossy(&stderr).into_owned())
}

fn mode(path: &Path) -> u32 {
    fs::symlink_metadata(path).unwrap().permissions().mode() & 0o7777
}

#[tokio::test]
async fn the_store_and_its_folder_are_private_whatever_the_umask() {
    let folder = tempfile::tempdir().unwrap();
    let listen = format!("127.0.0.1:{}", free_port());
    let mut serve = generous(folder.path(), &["serve", "--listen", &listen]);
    let _coordinator = Process::start(serve.stderr(Stdio::null()));
    let rest = Rest::new(format!("http://{listen}"));
    eventually("the coordinator is ready", Duration::from_secs(20), || async {
        rest.get("/readyz").await.ok().filter(|(status, _)| *status == 200).map(drop)
    })
    .await;
    let data = folder.path().join("fastjob-data");
    assert_eq!(mode(&data), 0o700);
    let mut files = 0;
    for file in fs::read_dir(&data).unwrap() {
        let path = file.unwrap().path();
        assert_eq!(mode(&path), 0o600, "{}", path.display());
        files += 1;
    }
    assert_eq!(files, 4, "the store, its two logs and its lock");
}

#[test]
fn a_lock_that_is_a_symlink_is_rejected_and_its_target_unchanged() {
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("target");
    fs::write(&target, "precious").unwrap();
    symlink(&target, folder.path().join("jobs.db.lock")).unwrap();
    let (status, said) = run(folder.path(), &["migrate", "--store", "sqlite:jobs.db"]);
    assert_eq!(status, Some(1), "{said}");
    assert!(said.contains("is a symbolic link"), "{said}");
    assert_eq!(fs::read_to_string(&target).unwrap(), "precious");
}

#[test]
fn every_command_rejects_a_configuration_with_secrets_that_other_users_can_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("fastjob.toml");
    fs::write(&path, "[coordinator]\ntoken = 'a-token-of-the-tests-1234'").unwrap();
    // A file of root may be readable by a group that the process is in.
    let is_given = is_root();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
    for words in [&["check"][..], &["serve"], &["migrate"], &["job", "list"]] {
        let (status, said) = run(folder.path(), words);
        assert_eq!(status, Some(1), "{words:?}: {said}");
        assert!(said.contains("chmod 600 fastjob.toml"), "{words:?}: {said}");
        assert!(!said.contains("a-token"), "{words:?}: {said}");
    }
    for (mode, fine) in [(0o600, true), (0o400, true), (0o640, is_given), (0o660, false)] {
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        let (status, said) = run(folder.path(), &["check"]);
        assert_eq!(status, Some(if fine { 0 } else { 1 }), "{mode:o}: {said}");
    }
}

fn is_root() -> bool {
    let id = Command::new("id").arg("-u").output();
    id.is_ok_and(|id| id.stdout.trim_ascii() == b"0")
}

#[test]
fn check_rejects_an_unsafe_database_connection_and_warns_of_an_explicit_one() {
    let folder = tempfile::tempdir().unwrap();
    let check = |store: &str| {
        let mut check = generous(folder.path(), &["check"]);
        let Output { status, stderr, .. } = check.env("FASTJOB_STORE", store).output().unwrap();
        (status.code(), String::from_utf8_lossy(&stderr).into_owned())
    };
    let (status, said) = check("postgres://u:s3cret@db.example.org/fastjob");
    assert!(status == Some(1) && said.contains("sslmode=verify-full"), "{said}");
    assert!(!said.contains("s3cret"), "{said}");
    let (status, said) = check("postgres://u:s3cret@db.example.org/fastjob?sslmode=disable");
    assert!(status == Some(0) && said.contains("warning: coordinator.store: "), "{said}");
    let (status, said) = check("postgres://u:s3cret@db.example.org/fastjob?sslmode=verify-full");
    assert_eq!((status, said.as_str()), (Some(0), ""));
}
