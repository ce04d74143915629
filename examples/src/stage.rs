//! A coordinator and some executors in one process, with a temporary store, to demonstrate
//! strategies.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    time::Duration,
};

use fastjob_client::{
    Client, JobHandle,
    types::{JobDraft, TaskView},
};
use fastjob_coordinator::{CancellationToken, Coordinator};
use fastjob_executor::{Executor, stop_on_signal};
use serde_json::Value;
use tokio::task::JoinSet;

/// Any error.
pub type StageError = Box<dyn std::error::Error>;

/// How long to wait for a task.
const PATIENCE: Duration = Duration::from_secs(60);
/// Any free port of this machine.
const LOOPBACK: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

/// A coordinator and its executors, all of the service `default`.
pub struct Stage {
    client: Client,
    address: SocketAddr,
    folder: PathBuf,
    executors: JoinSet<()>,
    coordinator: JoinSet<()>,
    stop: CancellationToken,
    last: CancellationToken,
}

impl Stage {
    /// Opens a stage with these executors, shows something on it, and closes it: also if that fails,
    /// and at Ctrl-C or SIGTERM.
    ///
    /// # Errors
    ///
    /// Fails like [`open`](Self::open), `scene` and [`close`](Self::close).
    pub async fn show(
        executors: &[(&str, &str)],
        scene: impl AsyncFnOnce(&mut Self) -> Result<(), StageError>,
    ) -> Result<(), StageError> {
        let stop = stop_on_signal()?;
        let mut stage = Self::open(executors).await?;
        let shown = stop.run_until_cancelled(scene(&mut stage)).await;
        let closed = stage.close().await;
        shown.unwrap_or(Ok(()))?;
        closed
    }

    /// Starts executors with these names, each with a label `zone`.
    ///
    /// # Errors
    ///
    /// Fails if the store cannot be created, or an executor does not connect within 10 s.
    pub async fn open(executors: &[(&str, &str)]) -> Result<Self, StageError> {
        let folder = std::env::temp_dir().join(format!("fastjob-stage-{}", std::process::id()));
        std::fs::create_dir_all(&folder)?;
        let mut coordinator = JoinSet::new();
        let last = CancellationToken::new();
        let address = coordinate(&mut coordinator, &folder, LOOPBACK, &last).await?;
        let mut stage = Self {
            client: Client::builder(format!("http://{address}")).build()?,
            address,
            folder,
            executors: JoinSet::new(),
            coordinator,
            stop: CancellationToken::new(),
            last,
        };
        for (name, zone) in executors {
            let executor = Executor::builder("default")
                .executor_name(*name)
                .coordinators([format!("http://{address}")])
                .log_path(stage.folder.join(name))
                .label("zone", *zone)
                .run_until(stage.stop.clone());
            stage.executors.spawn(async move {
                if let Err(err) = executor.await {
                    eprintln!("an executor failed: {err}");
                }
            });
        }
        stage.connected(executors.len()).await?;
        Ok(stage)
    }

    /// Stops the coordinator, and starts it again after `down`. The executors keep running.
    ///
    /// # Errors
    ///
    /// Fails if its address was taken in the meantime, or an executor does not reconnect within 10
    /// s.
    pub async fn interrupt(&mut self, down: Duration) -> Result<(), StageError> {
        let executors = self.executors.len();
        self.last.cancel();
        while self.coordinator.join_next().await.is_some() {}
        tokio::time::sleep(down).await;
        self.last = CancellationToken::new();
        coordinate(&mut self.coordinator, &self.folder, self.address, &self.last).await?;
        self.connected(executors).await
    }

    async fn connected(&self, executors: usize) -> Result<(), StageError> {
        for _ in 0..100 {
            let known = self.client.executors().all().await?;
            if known.iter().filter(|executor| executor.connected).count() == executors {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        Err("the executors did not connect".into())
    }

    /// Saves a job.
    ///
    /// # Errors
    ///
    /// Fails if it is rejected.
    pub async fn save(&self, job: Value) -> Result<(), StageError> {
        let draft: JobDraft = serde_json::from_value(job)?;
        self.job(&draft.name).save(&draft).await?;
        Ok(())
    }

    /// A job.
    pub fn job(&self, name: &str) -> JobHandle<Client> {
        self.client.job(name)
    }

    /// Starts a task of a job and waits up to a minute for its end.
    ///
    /// # Errors
    ///
    /// Fails if it is rejected or does not end in time.
    pub async fn run(&self, job: &str) -> Result<TaskView, StageError> {
        Ok(self.job(job).start().send_and_wait(PATIENCE).await?)
    }

    /// The client, for other calls.
    pub const fn client(&self) -> &Client {
        &self.client
    }

    /// Stops the executors, then the coordinator, and removes the store.
    ///
    /// # Errors
    ///
    /// Fails if the store cannot be removed.
    pub async fn close(mut self) -> Result<(), StageError> {
        self.stop.cancel();
        while self.executors.join_next().await.is_some() {}
        self.last.cancel();
        while self.coordinator.join_next().await.is_some() {}
        Ok(std::fs::remove_dir_all(&self.folder)?)
    }
}

/// Starts a coordinator on the store in `folder`, and returns its address.
async fn coordinate(
    coordinators: &mut JoinSet<()>,
    folder: &Path,
    listen: SocketAddr,
    stop: &CancellationToken,
) -> Result<SocketAddr, StageError> {
    let store = folder.join("stage.db");
    let coordinator = Coordinator::builder().listen(listen).sqlite(store).bind().await?;
    let (address, stop) = (coordinator.local_addr(), stop.clone());
    coordinators.spawn(async move {
        if let Err(err) = coordinator.run(stop).await {
            eprintln!("the coordinator failed: {err}");
        }
    });
    Ok(address)
}
