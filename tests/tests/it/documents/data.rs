//! The blocks of TOML and JSON: settings, jobs and dependencies that FastJob and cargo accept.

use std::{fs, path::Path};

use fastjob_coordinator::{Config, config::ConfigError};
use fastjob_executor::ExecutorConfig;
use fastjob_tests::process::write_private;
use rcgen::{CertificateParams, KeyPair};
use serde_json::Value;
use tempfile::TempDir;

use super::{
    blocks::{self, fastjob},
    root,
};

/// What a block of TOML is.
#[derive(Debug, PartialEq)]
enum Kind {
    /// A `fastjob.toml`.
    Settings,
    /// A file for `fastjob job apply`.
    Jobs,
    /// Some fields of a job.
    Fields,
    /// A part of a `Cargo.toml`.
    Manifest,
}

impl Kind {
    /// The first key decides.
    fn of(text: &str) -> Self {
        let mut lines = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
        match lines.next().unwrap_or_default() {
            "[[job]]" => Self::Jobs,
            "[package]" | "[dependencies]" => Self::Manifest,
            table if table.starts_with('[') => Self::Settings,
            _ => Self::Fields,
        }
    }
}

/// A folder with the files that settings in the documentation name.
fn folder() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let key = KeyPair::generate().unwrap();
    let cert = CertificateParams::new(vec!["node-1.example.org".to_owned()]).unwrap();
    let cert = cert.self_signed(&key).unwrap();
    write_private(&folder.path().join("cert.pem"), &cert.pem());
    write_private(&folder.path().join("key.pem"), &key.serialize_pem());
    folder
}

fn check_toml(folder: &Path, text: &str) -> Result<(), String> {
    match Kind::of(text) {
        Kind::Settings => check_settings(folder, text),
        Kind::Jobs => check_jobs(folder, "jobs.toml", text),
        Kind::Fields => {
            check_jobs(folder, "jobs.toml", &format!("[[job]]\nname = \"example\"\n{text}"))
        }
        Kind::Manifest => check_manifest(folder, text),
    }
}

fn check_json(folder: &Path, text: &str) -> Result<(), String> {
    let value: Value = serde_json::from_str(text).map_err(|err| err.to_string())?;
    let first = value.get(0).unwrap_or(&value);
    let is_job = ["handler", "schedule"].iter().any(|key| first.get(key).is_some());
    if is_job { check_jobs(folder, "jobs.json", text) } else { Ok(()) }
}

/// Fails unless `fastjob check` and the executor accept these settings.
fn check_settings(folder: &Path, text: &str) -> Result<(), String> {
    let file = folder.join("fastjob.toml");
    write_private(&file, text);
    let checked = fastjob(folder)
        .args(["check", "--config", "fastjob.toml"])
        .env("FASTJOB_TOKEN", "a-token-for-the-documentation")
        .output()
        .unwrap();
    if !checked.status.success() {
        return Err(String::from_utf8(checked.stderr).unwrap());
    }
    let config = ExecutorConfig::load(Some(&file), |_| None).map_err(|err| err.to_string())?;
    let problems = config.check().into_iter().map(|problem| problem.to_string());
    // Only root may run commands as another user.
    let problems: Vec<_> = problems.filter(|problem| !problem.contains("needs root")).collect();
    if problems.is_empty() { Ok(()) } else { Err(problems.join("; ")) }
}

/// Fails unless `fastjob job check` accepts this file.
fn check_jobs(folder: &Path, name: &str, text: &str) -> Result<(), String> {
    fs::write(folder.join(name), text).unwrap();
    let output = fastjob(folder).args(["job", "check", name]).output().unwrap();
    if output.status.success() { Ok(()) } else { Err(String::from_utf8(output.stderr).unwrap()) }
}

/// Fails unless it is TOML, and each crate of FastJob is where its path says.
fn check_manifest(folder: &Path, text: &str) -> Result<(), String> {
    let file = folder.join("Cargo.toml");
    fs::write(&file, text).unwrap();
    // The keys are not ours, but the syntax is the same.
    if let Err(err @ ConfigError::NoToml { .. }) = Config::load(Some(&file), |_| None) {
        return Err(err.to_string());
    }
    for line in text.lines().filter(|line| line.starts_with("fastjob")) {
        let (name, _) = line.split_once(" = ").ok_or(line)?;
        let (_, path) = line.split_once("path = \"../fastjob/").ok_or(line)?;
        let manifest = root().join(path.split('"').next().unwrap_or_default()).join("Cargo.toml");
        let manifest = fs::read_to_string(&manifest).map_err(|err| format!("{line}: {err}"))?;
        if !manifest.contains(&format!("name = \"{name}\"\n")) {
            return Err(format!("{line}: the crate at this path has another name"));
        }
    }
    Ok(())
}

#[test]
fn every_block_of_toml_and_json_is_accepted() {
    let folder = folder();
    let mut wrong = Vec::new();
    for block in blocks::all() {
        let checked = match block.language() {
            "toml" => check_toml(folder.path(), &block.text),
            "json" => check_json(folder.path(), &block.text),
            _ => continue,
        };
        wrong.extend(checked.err().map(|err| format!("{}: {err}", block.place())));
    }
    assert!(wrong.is_empty(), "blocks that are not accepted:\n{}", wrong.join("\n"));
}

#[test]
fn mistakes_in_toml_and_json_are_found() {
    let folder = folder();
    for (kind, text) in [
        (Kind::Settings, "# Where it listens.\n[coordinator]\nlisten = 7070\n"),
        (Kind::Settings, "[coordinator]\ntls = { cert = \"cert.pem\", key = \"none.pem\" }\n"),
        (Kind::Settings, "[executor]\nservise = \"billing\"\n"),
        (Kind::Settings, "[executor]\ncoordinators = [\"jobs.example.org\"]\n"),
        (Kind::Jobs, "[[job]]\nname = \"a\"\nretries = 3\n"),
        (Kind::Jobs, "[[job]]\nname = \"a\"\nschedule = { cron = \"never\" }\n"),
        (Kind::Fields, "misfire = \"often\"\n"),
        (Kind::Manifest, "[package]\nname =\n"),
        (Kind::Manifest, "[dependencies]\nfastjob-none = { path = \"../fastjob/fastjob-none\" }\n"),
        (
            Kind::Manifest,
            "[dependencies]\nfastjob-core = { path = \"../fastjob/fastjob-client\" }\n",
        ),
    ] {
        assert_eq!(Kind::of(text), kind, "{text}");
        assert!(check_toml(folder.path(), text).is_err(), "{text}");
    }
    for text in ["{", r#"{"name": "a", "handler": "b", "retries": 3}"#, r#"[{"handler": "b"}]"#] {
        assert!(check_json(folder.path(), text).is_err(), "{text}");
    }
    for text in [
        r#"{"task": 1}"#,
        r#"[{"name": "a", "handler": "b", "retry": {"count": 3, "delay": "1s"}}]"#,
    ] {
        assert_eq!(check_json(folder.path(), text), Ok(()), "{text}");
    }
}
