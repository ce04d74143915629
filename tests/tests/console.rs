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

/// Where Debian, Fedora and others install Chromium.
const CHROMIUM: [&str; 4] = [
    "/usr/bin/chromium",
    "/usr/bin/chromium-browser",
    "/usr/bin/google-chrome",
    "/usr/lib/chromium/chromium",
];

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

fn console() -> PathBuf {
    root().join("fastjob-coordinator/console")
}

fn has(program: &str) -> bool {
    let version = Command::new(program).arg("--version").output();
    version.is_ok_and(|version| version.status.success())
}

/// Whether Vite supports this version of Node.js: 20.19 or later, but not 21, and not 22 before 22.12.
/// `scripts/node.sh` has the same check.
fn has_node() -> bool {
    const CHECK: &str = "const [major, minor] = process.versions.node.split('.').map(Number); \
        const fits = major === 20 ? minor >= 19 : major === 22 ? minor >= 12 : major > 22; \
        process.exit(fits ? 0 : 1);";
    let checked = Command::new("node").args(["-e", CHECK]).output();
    checked.is_ok_and(|checked| checked.status.success())
}

fn chromium() -> Option<String> {
    let given = std::env::var("CONSOLE_CHROMIUM").ok().filter(|path| !path.is_empty());
    let known = || CHROMIUM.iter().find(|path| Path::new(path).exists());
    given.or_else(|| known().map(|path| (*path).to_owned()))
}

/// What the tests need and this machine does not have.
fn missing() -> Vec<&'static str> {
    let mut missing = Vec::new();
    if !has_node() || !has("npx") {
        missing.push("Node.js 20.19 or 22.12 or later, with npm");
    }
    if !console().join("node_modules/@playwright/test").exists() {
        missing.push("the console's packages (in fastjob-coordinator/console: npm ci)");
    }
    if chromium().is_none() {
        missing.push("Chromium (on Debian: apt-get install chromium), or CONSOLE_CHROMIUM=PATH");
    }
    missing
}

/// Also written for a test that passes, unlike what `eprintln` writes.
fn say(text: &str) {
    writeln!(std::io::stderr(), "\n{text}").expect("standard error can be written");
}

#[test]
fn the_console_works_in_a_browser() {
    let config = console().join("playwright.config.ts");
    let missing = missing();
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
    let status = Command::new("npx")
        .args(["--no-install", "playwright", "test"])
        .args(filter.split_whitespace())
        .current_dir(console())
        .stdin(Stdio::null())
        .env("CONSOLE_URL", shown["url"].as_str().expect("an address"))
        .env("CONSOLE_SCENE", program)
        .env("CONSOLE_SCREENS", &screens)
        .env("CONSOLE_CHROMIUM", chromium().expect("it was found"))
        .env("CI", "1")
        .status();
    let status = status.expect("npx can be started");
    assert!(status.success(), "Playwright: {status}; screenshots are in {}", screens.display());
}
