//! The web console: `[coordinator.console]`.

use std::path::PathBuf;

use super::{Problem, coordinator::readable, read::Section};

/// The web console, which the coordinator serves at `/console/`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ConsoleConfig {
    /// Whether the coordinator serves it. Default: `true`.
    pub enabled: bool,
    /// Serves the files of this folder instead of those of the program, for work on the console.
    /// Default: none.
    pub dir: Option<PathBuf>,
}

impl Default for ConsoleConfig {
    fn default() -> Self {
        Self { enabled: true, dir: None }
    }
}

impl ConsoleConfig {
    pub(super) fn read(&mut self, section: &mut Section<'_>) {
        section.switch("enabled", &mut self.enabled);
        self.dir = section.path("dir");
    }

    pub(super) fn check(&self, problems: &mut Vec<Problem>) {
        let Some(dir) = &self.dir else { return };
        let message = if cfg!(feature = "console") {
            readable(&dir.join("index.html")).err()
        } else {
            Some("this build has no console: build it with the feature `console`".to_owned())
        };
        problems.extend(message.map(|why| Problem::new("coordinator.console.dir", why)));
    }
}
