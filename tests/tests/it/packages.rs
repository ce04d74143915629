//! What is under `deploy/`: it names settings that exist, and what it starts starts.

mod image;
mod release;
mod unit;

use std::{
    cell::RefCell,
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use fastjob_coordinator::Config;
use fastjob_tests::process::write_private;

use crate::FASTJOB;

const TOKEN: &str = "0123456789abcdef-of-a-package";

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|err| panic!("{path}: {err}"))
}

/// The text files below a folder, with their names.
fn files(folder: &Path) -> Vec<(String, String)> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries
        .flat_map(|path| match path.is_dir() {
            true => files(&path),
            false => vec![(path.display().to_string(), fs::read_to_string(&path).unwrap())],
        })
        .collect()
}

/// The words of a text that begin like a variable.
fn variables(text: &str) -> BTreeSet<&str> {
    let is_part = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_';
    let words = text.split(|c| !is_part(c));
    words.filter(|word| word.starts_with("FASTJOB_") && !word.ends_with('_')).collect()
}

/// A command that does not see the settings of this process.
fn fastjob() -> Command {
    let mut command = Command::new(FASTJOB);
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("FASTJOB_")) {
        command.env_remove(name);
    }
    command
}

#[test]
fn every_variable_of_the_packages_is_one_that_is_read() {
    let known = RefCell::new(BTreeSet::from(["FASTJOB_CONFIG", "FASTJOB_LOG"].map(str::to_owned)));
    let file = tempfile::NamedTempFile::new().unwrap();
    let env = |name: &str| {
        known.borrow_mut().insert(name.to_owned());
        None
    };
    Config::load(Some(file.path()), env).unwrap();
    let mut known = known.into_inner();
    // Generated from the settings that executors read.
    let of_executors = fs::read_to_string(root().join("docs/executor-settings.md")).unwrap();
    known.extend(variables(&of_executors).into_iter().map(str::to_owned));
    let mut used = 0;
    for (path, text) in files(&root().join("deploy")) {
        for name in variables(&text) {
            used += 1;
            assert!(known.contains(name), "{path}: {name} is not a setting");
        }
    }
    assert!(used > 30, "only {used} were found");
}

#[test]
fn the_settings_of_the_package_are_valid() {
    let folder = tempfile::tempdir().unwrap();
    let token = folder.path().join("token");
    write_private(&token, &format!("{TOKEN}\n"));
    let shipped = root().join("deploy/debian/fastjob.toml");
    let mut check = fastjob();
    check.arg("--json").arg("--config").arg(&shipped).arg("check");
    let checked = check.env("FASTJOB_TOKEN_FILE", &token).output().unwrap();
    assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stderr));
    let shown = String::from_utf8_lossy(&checked.stdout);
    assert!(shown.contains("sqlite:/var/lib/fastjob/fastjob.db"), "{shown}");

    // What it offers as a comment is accepted, one line at a time.
    let text = fs::read_to_string(shipped).unwrap();
    let offered = text.lines().filter_map(|line| line.strip_prefix("# "));
    let offered: Vec<_> = offered.filter(|line| line.contains(" = ")).collect();
    assert!(offered.len() >= 3, "{offered:?}");
    for line in offered {
        let path = folder.path().join("fastjob.toml");
        write_private(&path, &format!("[coordinator]\n{line}\n"));
        let config = Config::load(Some(&path), |_| None).unwrap();
        assert_eq!(config.check(), [], "{line}");
    }
}

/// Whether a program is there; the test that needs it says so if not.
fn has(program: &str, because: &str) -> bool {
    let found = Command::new(program).arg("--version").stdout(Stdio::null()).status().is_ok();
    if !found {
        eprintln!("NOT TESTED: {because}: {program} is missing");
    }
    found
}
