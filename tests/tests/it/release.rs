//! `scripts/release-check`.

use std::{fs, os::unix::fs::PermissionsExt, path::Path, process::Command};

/// Runs `scripts/release-check` with a fake `cargo` that runs this shell code; returns whether it
/// passed, and its output.
fn release_check(cargo: &str) -> (bool, String) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("cargo");
    fs::write(&path, format!("#!/bin/sh\n{cargo}\n")).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scripts/release-check");
    let paths = format!("{}:/usr/bin:/bin", folder.path().display());
    let done = Command::new("bash").arg(script).env("PATH", paths).output().unwrap();
    let said = [done.stdout, done.stderr].concat();
    (done.status.success(), String::from_utf8_lossy(&said).into_owned())
}

#[test]
fn the_release_check_runs_cargo_deny_and_fails_without_it() {
    let (passed, said) = release_check("exit 101");
    assert!(!passed && said.contains("cargo install --locked cargo-deny"), "{said}");
    let (passed, said) = release_check("echo \"cargo $*\"");
    assert!(passed && said.contains("cargo deny check"), "{said}");
    let (passed, said) = release_check("[ \"$2\" != check ]");
    assert!(!passed, "{said}");
}

#[test]
fn the_release_check_compares_the_api_with_the_last_release() {
    let (passed, said) = release_check("[ \"$1\" != semver-checks ]");
    assert!(!passed && said.contains("cargo install --locked cargo-semver-checks"), "{said}");
    let (passed, said) = release_check("echo \"cargo $*\"");
    assert!(passed && said.contains("cargo semver-checks --package fastjob-executor"), "{said}");
    let changed = "[ \"$1 $2\" != 'semver-checks --package' ]";
    let (passed, said) = release_check(changed);
    assert!(!passed, "{said}");
    let unpublished = "if [ \"$1\" = info ]; then echo \"could not find \\`$4\\`\"; exit 101; fi";
    let (passed, said) = release_check(unpublished);
    assert!(passed && said.contains("fastjob-core: not published yet"), "{said}");
    let (passed, said) = release_check("[ \"$1\" != info ] || { echo no network; exit 101; }");
    assert!(!passed && said.contains("no network"), "{said}");
}
