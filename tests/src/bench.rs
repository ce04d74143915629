//! What the benches share: the roles of a bench's own processes, and what the machine is.
//!
//! A bench starts itself again as coordinator and as executor, so that all three are the same
//! build.

use std::{
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use fastjob_executor::CancellationToken;
use serde_json::{Value, json};

use crate::{
    eventually,
    process::{Process, free_port},
    rest::Rest,
};

const ROLE: &str = "FASTJOB_BENCH_ROLE";
const PORT: &str = "FASTJOB_BENCH_PORT";
const FOLDER: &str = "FASTJOB_BENCH_FOLDER";

/// The processes of one measurement, and their store.
pub struct Bench {
    /// The way to ask the coordinator.
    pub rest: Rest,
    /// Where it keeps its store.
    pub folder: PathBuf,
    coordinator: Process,
    executor: Process,
}

/// Plays the role that this process was started for, if it is one; `handlers` adds the bench's
/// own to the executor.
///
/// # Panics
///
/// Panics if the role cannot be played.
pub fn play_role() -> bool {
    let Ok(role) = std::env::var(ROLE) else { return false };
    let port = std::env::var(PORT).expect("a port");
    let folder = PathBuf::from(std::env::var(FOLDER).expect("a folder"));
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        let stop = CancellationToken::new();
        if role == "coordinator" {
            let coordinator = fastjob_coordinator::Coordinator::builder()
                .listen(format!("127.0.0.1:{port}").parse().expect("an address"))
                .sqlite(folder.join("fastjob.db"))
                .bind()
                .await
                .expect("a coordinator");
            coordinator.run(stop).await.expect("it runs");
        } else {
            fastjob_executor::Executor::builder("default")
                .admin_addresses([format!("http://127.0.0.1:{port}")])
                .executor_name("bench")
                .capacity(500_000)
                .log_path(folder.join("logs"))
                .run(stop)
                .await
                .expect("it runs");
        }
    });
    true
}

impl Bench {
    /// Starts a coordinator and an executor on an empty store.
    ///
    /// # Panics
    ///
    /// Panics if they do not become ready.
    pub async fn start(name: &str) -> Self {
        let folder = target().join("bench").join(name);
        drop(std::fs::remove_dir_all(&folder)); // of an earlier run, if any
        std::fs::create_dir_all(&folder).expect("a folder can be made");
        let port = free_port().to_string();
        let role = |role: &str| {
            Process::start(
                Command::new(std::env::current_exe().expect("this program"))
                    .env(ROLE, role)
                    .env(PORT, &port)
                    .env(FOLDER, &folder),
            )
        };
        let coordinator = role("coordinator");
        let executor = role("executor");
        let rest = Rest::new(format!("http://127.0.0.1:{port}"));
        eventually("the executor is connected", Duration::from_secs(30), || async {
            let (_, page) = rest.get("/api/v1/executors").await.ok()?;
            page["items"].as_array().filter(|items| items.len() == 1).map(drop)
        })
        .await;
        Self { rest, folder, coordinator, executor }
    }

    /// Saves jobs, many at a time.
    ///
    /// # Panics
    ///
    /// Panics if one is refused.
    pub async fn save_jobs(&self, count: usize, job: impl Fn(usize) -> Value) {
        let mut saving = tokio::task::JoinSet::new();
        for n in 0..count {
            let (rest, job) = (self.rest.clone(), job(n));
            saving.spawn(async move { rest.save(job).await });
            if saving.len() >= 128 {
                saving.join_next().await.expect("one is there").expect("a job is saved");
            }
        }
        while let Some(saved) = saving.join_next().await {
            saved.expect("a job is saved");
        }
    }

    /// Seconds of processor time that coordinator and executor have used.
    pub fn cpu(&self) -> (f64, f64) {
        (cpu(self.coordinator.id()), cpu(self.executor.id()))
    }

    /// Mebibytes of memory of coordinator and executor.
    pub fn memory(&self) -> (u64, u64) {
        (memory(self.coordinator.id()), memory(self.executor.id()))
    }

    /// Opens the store beside the coordinator, to count.
    ///
    /// # Panics
    ///
    /// Panics if it cannot be opened.
    pub async fn store(&self) -> sqlx::SqlitePool {
        let options = sqlx::sqlite::SqliteConnectOptions::new()
            .filename(self.folder.join("fastjob.db"))
            .read_only(true);
        sqlx::SqlitePool::connect_with(options).await.expect("the store can be read")
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        self.coordinator.kill();
        self.executor.kill();
        drop(std::fs::remove_dir_all(&self.folder)); // what is left is only in the way
    }
}

fn cpu(process: u32) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    let after = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
    let ticks = |n: usize| {
        after.split_whitespace().nth(n).and_then(|text| text.parse::<f64>().ok()).unwrap_or(0.0)
    };
    (ticks(11) + ticks(12)) / 100.0
}

fn memory(process: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
    kib.unwrap_or(0) / 1024
}

/// Where builds go.
pub fn target() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../target")
}

/// What the figures were measured on.
pub fn machine() -> Value {
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let cpu = read("/proc/cpuinfo");
    let model = cpu.lines().find_map(|line| line.strip_prefix("model name")?.split(':').nth(1));
    json!({
        "cpu": model.unwrap_or("unknown").trim(),
        "cores": std::thread::available_parallelism().map_or(0, usize::from),
        "kernel": read("/proc/sys/kernel/osrelease").trim(),
        "fastjob": env!("CARGO_PKG_VERSION"),
        "profile": if cfg!(debug_assertions) { "debug" } else { "release" },
        "store": "sqlite, WAL, synchronous=FULL",
    })
}

/// Writes the figures where tools look for them.
///
/// # Panics
///
/// Panics if they cannot be written.
pub fn write(name: &str, figures: &Value) {
    let path = target().join("bench").join(name);
    std::fs::create_dir_all(target().join("bench")).expect("a folder can be made");
    std::fs::write(&path, format!("{figures:#}\n")).expect("the figures can be written");
    println!("{figures:#}");
}

/// The value after a flag, if it is there.
pub fn flag(name: &str) -> Option<String> {
    std::env::args().skip_while(|word| word != name).nth(1)
}

/// Ends with a clear word where another store is asked for.
pub fn only_sqlite() {
    if let Some(store) = flag("--store").filter(|store| store != "sqlite") {
        eprintln!("error: this release has no {store} store; there is sqlite");
        std::process::exit(2);
    }
}
