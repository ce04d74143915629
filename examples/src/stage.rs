//! Where a strategy is shown: a coordinator and some executors in one process, on a store of their
//! own that is gone afterwards.

use std::{path::PathBuf, time::Duration};

use fastjob_coordinator::{CancellationToken, Coordinator};
use fastjob_executor::Executor;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::Rest;

/// Whatever went wrong.
pub type StageError = Box<dyn std::error::Error>;

/// A coordinator and its executors, all of the service `default`.
pub struct Stage {
    rest: Rest,
    folder: PathBuf,
    executors: JoinSet<()>,
    coordinator: JoinSet<()>,
    stop: CancellationToken,
    last: CancellationToken,
}

impl Stage {
    /// Opens with executors of these names, each with a label `zone`.
    ///
    /// # Errors
    ///
    /// Fails if there is no place for the store, or an executor does not connect within 10 s.
    pub async fn open(executors: &[(&str, &str)]) -> Result<Self, StageError> {
        let folder = std::env::temp_dir().join(format!("fastjob-stage-{}", std::process::id()));
        std::fs::create_dir_all(&folder)?;
        let coordinator = Coordinator::builder()
            .listen("127.0.0.1:0".parse()?)
            .sqlite(folder.join("stage.db"))
            .bind()
            .await?;
        let address = coordinator.local_addr();
        let (stop, last) = (CancellationToken::new(), CancellationToken::new());
        let mut stage = Self {
            rest: Rest::new(address),
            folder,
            executors: JoinSet::new(),
            coordinator: JoinSet::new(),
            stop,
            last: last.clone(),
        };
        stage.coordinator.spawn(async move {
            if let Err(err) = coordinator.run(last).await {
                eprintln!("the coordinator failed: {err}");
            }
        });
        for (name, zone) in executors {
            let executor = Executor::builder("default")
                .executor_name(*name)
                .admin_addresses([format!("http://{address}")])
                .log_path(stage.folder.join(name))
                .label("zone", *zone)
                .run(stage.stop.clone());
            stage.executors.spawn(async move {
                if let Err(err) = executor.await {
                    eprintln!("an executor failed: {err}");
                }
            });
        }
        for _ in 0..100 {
            let page: Value = stage.rest.get("/api/v1/executors").await?;
            if page["items"].as_array().is_some_and(|items| items.len() == executors.len()) {
                return Ok(stage);
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        Err("the executors did not connect".into())
    }

    /// Saves a job.
    ///
    /// # Errors
    ///
    /// Fails if it is refused.
    pub async fn save(&self, job: Value) -> Result<(), StageError> {
        let path = format!("/api/v1/jobs/{}", job["name"].as_str().unwrap_or_default());
        Ok(self.rest.put(&path, &job).await?)
    }

    /// Starts a task of a job.
    ///
    /// # Errors
    ///
    /// Fails if it is refused.
    pub async fn start(&self, job: &str, ask: Value) -> Result<i64, StageError> {
        let answer: Value = self.rest.post(&format!("/api/v1/jobs/{job}/start"), &ask).await?;
        Ok(answer["task"].as_i64().unwrap_or_default())
    }

    /// Waits for the end of a task, a minute at most, and returns it.
    ///
    /// # Errors
    ///
    /// Fails if it does not end.
    pub async fn end(&self, task: i64) -> Result<Value, StageError> {
        for _ in 0..600 {
            let view: Value = self.rest.get(&format!("/api/v1/tasks/{task}")).await?;
            if view["ended_at"].is_string() {
                return Ok(view);
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        Err(format!("task {task} did not end").into())
    }

    /// Starts a task and waits for its end.
    ///
    /// # Errors
    ///
    /// Fails if it is refused or does not end.
    pub async fn run(&self, job: &str) -> Result<Value, StageError> {
        self.end(self.start(job, json!({})).await?).await
    }

    /// The calls that the above do not cover.
    pub const fn rest(&self) -> &Rest {
        &self.rest
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
