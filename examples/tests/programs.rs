//! Runs the examples as programs: their `--help`, and what they do when their output is closed.

#![expect(clippy::unwrap_used, reason = "what a test cannot do without ends it")]

use std::{
    io::{BufRead as _, BufReader, Read as _},
    process::{Command, Output, Stdio},
};

const QUICKSTART: &str = env!("CARGO_BIN_EXE_quickstart");
const WORKER: &str = env!("CARGO_BIN_EXE_worker");

fn answer(program: &str, word: &str) -> Output {
    let folder = tempfile::tempdir().unwrap();
    let output = Command::new(program).arg(word).current_dir(&folder).output().unwrap();
    assert_eq!(folder.path().read_dir().unwrap().count(), 0, "it did something");
    output
}

#[test]
fn help_describes_an_example_and_does_nothing_else() {
    for (program, says) in [(QUICKSTART, "All of FastJob"), (WORKER, "FASTJOB_COORDINATORS")] {
        for word in ["--help", "-h"] {
            let help = answer(program, word);
            assert_eq!(help.status.code(), Some(0));
            let text = String::from_utf8(help.stdout).unwrap();
            assert!(text.contains(says) && !text.contains("//!"), "{text}");
        }
        assert_eq!(answer(program, "--nonsense").status.code(), Some(2));
    }
}

#[test]
fn an_example_whose_output_is_closed_ends_gracefully() {
    let folder = tempfile::tempdir().unwrap();
    let mut quickstart = Command::new(QUICKSTART)
        .env("FASTJOB_LISTEN", "127.0.0.1:0")
        .current_dir(&folder)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut first = String::new();
    BufReader::new(quickstart.stdout.take().unwrap()).read_line(&mut first).unwrap();
    assert!(first.starts_with("FastJob runs on"), "{first}");
    let mut said = String::new();
    quickstart.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    assert_eq!(quickstart.wait().unwrap().code(), Some(0), "{said}");
    assert!(!said.contains("panicked"), "{said}");
}
