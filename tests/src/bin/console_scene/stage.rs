//! The coordinator and the executors, and what was asked for.

use std::{collections::BTreeMap, path::PathBuf, time::Duration};

use fastjob_executor::{CancellationToken, Executor};
use fastjob_tests::{
    process::{Coordinator, write_private},
    rest::Rest,
};
use serde_json::{Value, json};
use tokio::task::JoinHandle;

use crate::sink;

/// The options of the command line.
#[derive(Debug, Default)]
pub(crate) struct Wishes {
    pub(crate) port: Option<u16>,
    pub(crate) token: Option<String>,
    pub(crate) empty: bool,
    pub(crate) tasks: usize,
    pub(crate) storm: usize,
    pub(crate) stay: bool,
    pub(crate) console_dir: Option<PathBuf>,
}

impl Wishes {
    pub(crate) fn read(mut words: impl Iterator<Item = String>) -> Result<Self, String> {
        let mut wishes = Self { tasks: 400, ..Self::default() };
        while let Some(word) = words.next() {
            let mut value = || words.next().ok_or_else(|| format!("{word} needs a value"));
            match word.as_str() {
                "--port" => wishes.port = Some(number(&word, &value()?)?),
                "--token" => wishes.token = Some(value()?),
                "--tasks" => wishes.tasks = number(&word, &value()?)?,
                "--storm" => wishes.storm = number(&word, &value()?)?,
                "--console-dir" => wishes.console_dir = Some(PathBuf::from(value()?)),
                "--empty" => wishes.empty = true,
                "--stay" => wishes.stay = true,
                _ => return Err(format!("unknown option: {word}")),
            }
        }
        Ok(wishes)
    }
}

fn number<T: std::str::FromStr>(option: &str, text: &str) -> Result<T, String> {
    text.parse().map_err(|_| format!("{option} needs a number, not `{text}`"))
}

/// Service, name, region, capacity.
const EXECUTORS: [(&str, &str, &str, u32); 8] = [
    ("billing", "billing-1", "eu", 32),
    ("billing", "billing-2", "us", 32),
    ("reports", "reports-1", "eu", 16),
    ("sync", "sync-1", "eu", 64),
    ("sync", "sync-2", "us", 64),
    ("sync", "sync-3", "asia", 64),
    ("search", "search-1", "eu", 8),
    ("search", "search-2", "us", 8),
];

/// An executor of this process.
struct Running {
    stop: CancellationToken,
    ended: JoinHandle<()>,
}

/// What runs.
pub(crate) struct Stage {
    pub(crate) coordinator: Coordinator,
    pub(crate) rest: Rest,
    token: Option<String>,
    executors: BTreeMap<(String, String), Running>,
}

impl Stage {
    /// Starts the coordinator, and the executors unless it is to be empty.
    pub(crate) async fn open(wishes: &Wishes) -> Self {
        let program = std::env::current_exe().expect("this program has a path");
        let mut coordinator = Coordinator::prepare(program);
        if let Some(port) = wishes.port {
            coordinator = coordinator.port(port);
        }
        if let Some(token) = &wishes.token {
            coordinator = coordinator.token(token);
        }
        if let Some(folder) = &wishes.console_dir {
            let folder = std::path::absolute(folder).expect("a path");
            coordinator = coordinator.env("FASTJOB_CONSOLE_DIR", &folder.display().to_string());
        }
        if !wishes.empty {
            let config = config(sink::open().await);
            write_private(&coordinator.folder().join("fastjob.toml"), &config);
        }
        coordinator.up().await;
        let rest = coordinator.rest();
        let token = wishes.token.clone();
        let mut stage = Self { coordinator, rest, token, executors: BTreeMap::new() };
        if !wishes.empty {
            for (service, ..) in EXECUTORS {
                stage.join(service);
            }
            stage.rest.executors(EXECUTORS.len()).await;
        }
        stage
    }

    /// The line that users of this program read.
    pub(crate) fn introduction(&self) -> Value {
        json!({
            "url": self.coordinator.url(),
            "token": self.token,
            "folder": self.coordinator.folder(),
            "coordinator": self.coordinator.id(),
        })
    }

    /// Starts the executors of a service that do not run.
    pub(crate) fn join(&mut self, service: &str) {
        for (of, name, region, capacity) in EXECUTORS {
            if of == service {
                self.start(of, name, region, capacity);
            }
        }
    }

    /// Starts an executor unless it runs.
    pub(crate) fn start(&mut self, service: &str, name: &str, region: &str, capacity: u32) {
        let key = (service.to_owned(), name.to_owned());
        if self.executors.contains_key(&key) {
            return;
        }
        let stop = CancellationToken::new();
        let mut executor = Executor::builder(service)
            .executor_name(name)
            .coordinators([self.coordinator.url()])
            .log_path(self.coordinator.folder().join(format!("{name}-logs")))
            .label("region", region)
            .label("version", "2026.11.2")
            .ip("10.20.3.7")
            .capacity(capacity)
            .stop_grace(Duration::from_secs(2));
        if let Some(token) = &self.token {
            executor = executor.token(token);
        }
        let ended = tokio::spawn({
            let (name, stop) = (name.to_owned(), stop.clone());
            async move {
                if let Err(err) = executor.run_until(stop).await {
                    eprintln!("console_scene: executor {name}: {err}");
                }
            }
        });
        self.executors.insert(key, Running { stop, ended });
    }

    /// Stops the executors of a service and waits for their end.
    pub(crate) async fn leave(&mut self, service: &str) {
        self.stop(|(of, _)| of == service).await;
    }

    /// Stops one executor and waits for its end.
    pub(crate) async fn dismiss(&mut self, service: &str, name: &str) {
        self.stop(|(of, called)| of == service && called == name).await;
    }

    async fn stop(&mut self, which: impl Fn(&(String, String)) -> bool) {
        let mut leaving = Vec::new();
        self.executors.retain(|key, running| {
            let leaves = which(key);
            if leaves {
                running.stop.cancel();
                let ended = std::mem::replace(&mut running.ended, tokio::spawn(async {}));
                leaving.push(ended);
            }
            !leaves
        });
        for ended in leaving {
            ended.await.expect("an executor does not panic");
        }
    }

    /// Stops everything. What runs is aborted: its outcome is not needed.
    pub(crate) async fn close(mut self) {
        self.coordinator.kill();
        for running in std::mem::take(&mut self.executors).into_values() {
            running.ended.abort();
            // Aborted on purpose.
            drop(running.ended.await);
        }
    }
}

/// Channels: two that work, and one that does not.
fn config(sink: std::net::SocketAddr) -> String {
    format!(
        r#"
[alarms.ops-chat]
type = "slack"
url = "http://{sink}/services/ops"
group_wait = "1s"
default_for = ["search"]

[alarms.billing-hook]
type = "webhook"
url = "http://{sink}/hooks/billing"
group_wait = "1s"

[alarms.oncall-pager]
type = "webhook"
url = "http://127.0.0.1:9/pager"
group_wait = "1s"
"#
    )
}
