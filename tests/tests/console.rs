//! The console in a browser: the Playwright tests of `fastjob-coordinator/console`, against a real
//! coordinator with executors, jobs and a history.
//!
//! They need Node.js 20.19 or later, the packages of the console (`npm ci`) and Chromium; `scripts/test`
//! installs the last two where it can. Where one is missing, this says so and passes; with
//! `FASTJOB_REQUIRE_BROWSER=1` it fails. Screenshots and traces of failures are in `target/screens`.
//!
//! The tests get:
//!
//! | | |
//! |---|---|
//! | `CONSOLE_URL` | the address of a coordinator without a token |
//! | `CONSOLE_SCENE` | the program that starts others: `src/bin/console_scene/main.rs` describes it |
//! | `CONSOLE_SCREENS` | the folder for screenshots |
//! | `CONSOLE_CHROMIUM` | the browser |
//!
//! `CONSOLE_TESTS` has arguments for Playwright, such as a part of the name of a file:
//! `CONSOLE_TESTS=login cargo test -p fastjob-tests --test console`.

use std::{
    io::{BufRead as _, BufReader, Write as _},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use fastjob_tests::browser;

/// A running scene. It ends when its standard input is closed.
struct Scene(Child);

impl Drop for Scene {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        // It has been asked to end; a test that fails must not hide that it did not.
        drop(self.0.wait());
    }
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Also written for a test that passes, unlike what `eprintln` writes.
fn say(text: &str) {
    writeln!(std::io::stderr(), "\n{text}").expect("standard error can be written");
}

#[test]
fn the_console_works_in_a_browser() {
    let config = browser::console().join("playwright.config.ts");
    let missing = browser::missing();
    if !missing.is_empty() || !config.exists() {
        let mut lines = missing.join("\n  - ");
        if !config.exists() {
            lines = format!("{lines}\n  - {}", config.display());
        }
        let required = std::env::var("FASTJOB_REQUIRE_BROWSER").is_ok_and(|value| value == "1");
        let text = format!("THE CONSOLE IS NOT TESTED in a browser. Missing:\n  - {lines}");
        assert!(!required, "{text}\nand FASTJOB_REQUIRE_BROWSER=1 is set");
        return say(&text);
    }
    let program = env!("CARGO_BIN_EXE_console_scene");
    let scene = Command::new(program).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
    let mut scene = Scene(scene.expect("the scene can be started"));
    let mut line = String::new();
    let out = scene.0.stdout.as_mut().expect("its output is a pipe");
    BufReader::new(out).read_line(&mut line).expect("its output can be read");
    let shown: serde_json::Value = serde_json::from_str(&line)
        .unwrap_or_else(|err| panic!("the scene did not start: {err}: {line:?}"));
    let screens = root().join("target/screens");
    std::fs::create_dir_all(&screens).expect("the folder for screenshots can be created");
    let screens = screens.canonicalize().expect("it exists");
    let filter = std::env::var("CONSOLE_TESTS").unwrap_or_default();
    let status = browser::playwright()
        .args(filter.split_whitespace())
        .env("CONSOLE_URL", shown["url"].as_str().expect("an address"))
        .env("CONSOLE_SCENE", program)
        .env("CONSOLE_SCREENS", &screens)
        .status();
    let status = status.expect("npx can be started");
    assert!(status.success(), "Playwright: {status}; screenshots are in {}", screens.display());
}
