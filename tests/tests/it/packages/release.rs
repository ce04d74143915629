//! `scripts/release`: versions and the changelog have to agree.

use std::{fs, os::unix::fs::PermissionsExt, path::Path, process::Command};

use super::root;

/// What the script reads before it builds anything.
const READ: [&str; 15] = [
    "Cargo.toml",
    "Cargo.lock",
    "CHANGELOG.md",
    "deploy/docker/Dockerfile",
    "deploy/docker/docker-compose.yml",
    "deploy/helm/fastjob/Chart.yaml",
    "deploy/kubernetes/kustomization.yaml",
    "docs/install.md",
    "docs/zh/install.md",
    "fastjob-client/Cargo.toml",
    "fastjob-coordinator/Cargo.toml",
    "fastjob-core/Cargo.toml",
    "fastjob-engine/Cargo.toml",
    "fastjob-executor/Cargo.toml",
    "fastjob-macros/Cargo.toml",
];

/// Runs the script on a copy of what it reads, in which `change` was made; returns its messages. The
/// copy has no tools to build with, and is not under version control.
fn release(change: impl FnOnce(&Path)) -> String {
    release_with(&["--allow-dirty"], change)
}

fn release_with(args: &[&str], change: impl FnOnce(&Path)) -> String {
    let folder = tempfile::tempdir().unwrap();
    for path in READ.into_iter().chain(["scripts/release"]) {
        let to = folder.path().join(path);
        fs::create_dir_all(to.parent().unwrap()).unwrap();
        fs::copy(root().join(path), to).unwrap();
    }
    let bin = folder.path().join("bin");
    fs::create_dir(&bin).unwrap();
    for (tool, does) in [("cargo", "exit 101"), ("rustup", "exit 1"), ("rustc", "echo host: none")]
    {
        fs::write(bin.join(tool), format!("#!/bin/sh\n{does}\n")).unwrap();
        fs::set_permissions(bin.join(tool), fs::Permissions::from_mode(0o755)).unwrap();
    }
    change(folder.path());
    let paths = format!("{}:/usr/bin:/bin", bin.display());
    let mut script = Command::new("bash");
    script.arg(folder.path().join("scripts/release")).args(args);
    script.env("PATH", paths).env("LC_ALL", "C");
    let done = script.current_dir(folder.path()).output().unwrap();
    assert!(!done.status.success(), "it must not go on without a toolchain");
    String::from_utf8_lossy(&done.stderr).into_owned()
}

fn replace(path: &Path, from: &str, to: &str) {
    let text = fs::read_to_string(path).unwrap();
    assert!(text.contains(from), "{}: {from}", path.display());
    fs::write(path, text.replacen(from, to, 1)).unwrap();
}

#[test]
fn a_release_needs_versions_and_a_changelog_that_agree() {
    let version = env!("CARGO_PKG_VERSION");
    let said = release(|_| {});
    assert!(said.contains(&format!("CHANGELOG.md agree on {version}")), "{said}");
    assert!(said.contains("rustup target add x86_64-unknown-linux-musl"), "{said}");
    assert!(said.contains("cargo install --locked cargo-cyclonedx"), "{said}");

    let other = "9.8.7";
    for (path, line) in [
        ("CHANGELOG.md", format!("## {version}")),
        ("deploy/docker/Dockerfile", format!("VERSION={version}")),
        ("deploy/docker/docker-compose.yml", format!("image: fastjob:{version}")),
        ("deploy/kubernetes/kustomization.yaml", format!("newTag: {version}")),
        ("docs/install.md", format!("tar -xzf fastjob-{version}")),
        ("deploy/helm/fastjob/Chart.yaml", format!("\nversion: {version}")),
        ("deploy/helm/fastjob/Chart.yaml", format!("appVersion: \"{version}\"")),
        ("Cargo.lock", format!("name = \"fastjob-engine\"\nversion = \"{version}\"")),
        ("Cargo.toml", format!("path = \"fastjob-core\", version = \"{version}\"")),
    ] {
        let said = release(|root| {
            replace(&root.join(path), &line, &line.replace(version, other));
        });
        let named = said.lines().filter(|line| line.starts_with("  ")).collect::<Vec<_>>();
        let name = path.rsplit('/').next().unwrap();
        assert!(said.contains("this is not release"), "{path}: {said}");
        assert!(named.len() == 1 && named[0].contains(name), "{path}: {said}");
    }
    let said = release(|root| {
        replace(
            &root.join("fastjob-core/Cargo.toml"),
            "version.workspace = true",
            "version = \"1.0.0\"",
        );
    });
    assert!(said.contains("fastjob-core/Cargo.toml has a version of its own"), "{said}");
}

#[test]
fn a_release_is_made_of_a_commit() {
    let said = release_with(&[], |root| {
        let made =
            Command::new("git").args(["init", "--quiet"]).current_dir(root).status().unwrap();
        assert!(made.success());
    });
    assert!(
        said.contains("changes that are not committed") && said.contains("Cargo.toml"),
        "{said}"
    );
    let said = release_with(&[], |_| {});
    assert!(said.contains("not a git repository"), "{said}");
}
