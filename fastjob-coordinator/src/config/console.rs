//! The web console: `[coordinator.console]`.

use std::path::PathBuf;

use super::{Problem, coordinator::readable, setting::settings};

settings! {
    /// The web console, which the coordinator serves at `/console/`.
    pub struct ConsoleConfig {
        /// Whether the coordinator serves the console.
        pub enabled: bool = true;
        /// A folder whose files are served instead of the built-in ones, for work on the console.
        pub dir: Option<PathBuf> = None;
    }
}

impl ConsoleConfig {
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
