//! A coordinator in the process of the test, for tests that start and kill another program. They
//! need no `fastjob` program, which only the tests of this crate can name.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    process::Command,
};

use fastjob_client::Client;
use fastjob_coordinator::{CancellationToken, Config, Coordinator};

use crate::{
    process::{Process, print_logs},
    rest::Rest,
};

/// A coordinator with a private folder. It stops with the runtime of the test.
pub struct Embedded {
    address: SocketAddr,
    stop: CancellationToken,
    folder: tempfile::TempDir,
}

impl Embedded {
    /// Starts one with the default settings.
    ///
    /// # Panics
    ///
    /// Panics if it does not start.
    pub async fn start() -> Self {
        Self::start_with(Config::default()).await
    }

    /// Starts one with these settings, but on a free port and with a store of its own.
    ///
    /// # Panics
    ///
    /// Panics if it does not start.
    pub async fn start_with(config: Config) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder can be created");
        let coordinator = Coordinator::builder()
            .config(config)
            .listen(SocketAddr::from(([127, 0, 0, 1], 0)))
            .sqlite(folder.path().join("fastjob.db"))
            .bind()
            .await
            .expect("the coordinator can be started");
        let (address, stop) = (coordinator.local_addr(), CancellationToken::new());
        let running = coordinator.run(stop.clone());
        tokio::spawn(async move { running.await.expect("the coordinator runs") });
        Self { address, stop, folder }
    }

    /// Its folder.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The address that it listens on.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The same as a URL.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// A client of its REST interface.
    ///
    /// # Panics
    ///
    /// Panics if the client cannot be created.
    pub fn client(&self) -> Client {
        Client::builder(self.url()).build().expect("a client can be created")
    }

    /// The same for the calls of the tests.
    pub fn rest(&self) -> Rest {
        Rest::new(self.url())
    }

    /// A program that is its executor of this name, and may start jobs.
    pub fn program(&self, program: impl Into<PathBuf>, name: &str) -> Command {
        let mut command = Command::new(program.into());
        command
            .env("FASTJOB_SERVER", self.url())
            .env("FASTJOB_COORDINATORS", self.url())
            .env("FASTJOB_EXECUTOR_NAME", name)
            .env("FASTJOB_LOG_PATH", self.folder().join(format!("{name}-logs")));
        command
    }

    /// Starts such a program in the folder. What it logs is printed if the test fails.
    ///
    /// # Panics
    ///
    /// Panics if it cannot be started.
    pub fn run(&self, program: &mut Command, name: &str) -> Process {
        Process::start_logged(program, self.folder(), name)
    }
}

impl Drop for Embedded {
    fn drop(&mut self) {
        self.stop.cancel();
        print_logs(self.folder.path());
    }
}
