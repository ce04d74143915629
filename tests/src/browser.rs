//! Node.js, the console's packages and Chromium: what tests and measurements in a browser need.

use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

/// Where Debian, Fedora and others install Chromium.
const CHROMIUM: [&str; 4] = [
    "/usr/bin/chromium",
    "/usr/bin/chromium-browser",
    "/usr/bin/google-chrome",
    "/usr/lib/chromium/chromium",
];

/// The folder of the console's sources.
pub fn console() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../fastjob-coordinator/console")
}

/// The browser: that of `CONSOLE_CHROMIUM`, or an installed one.
pub fn chromium() -> Option<String> {
    let given = std::env::var("CONSOLE_CHROMIUM").ok().filter(|path| !path.is_empty());
    let known = || CHROMIUM.iter().find(|path| Path::new(path).exists());
    given.or_else(|| known().map(|path| (*path).to_owned()))
}

/// What is needed and this machine does not have.
pub fn missing() -> Vec<&'static str> {
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

/// Playwright in the folder of the console, with the browser. Arguments and variables can be added.
///
/// # Panics
///
/// Panics if there is no browser: [`missing`] says so.
pub fn playwright() -> Command {
    let mut command = Command::new("npx");
    command
        .args(["--no-install", "playwright", "test"])
        .current_dir(console())
        .stdin(Stdio::null())
        .env("CONSOLE_CHROMIUM", chromium().expect("Chromium is installed"))
        .env("CI", "1");
    command
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
