//! Shared by the benches: the roles of a bench's processes, and the description of the machine.
//!
//! A bench starts itself again as the coordinator and the executor, so that all three are the same
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
    postgres::Postgres,
    process::{Process, free_port},
    rest::Rest,
};

const ROLE: &str = "FASTJOB_BENCH_ROLE";
const PORT: &str = "FASTJOB_BENCH_PORT";
const FOLDER: &str = "FASTJOB_BENCH_FOLDER";
const STORE: &str = "FASTJOB_BENCH_STORE";

/// Which store is measured, with how many coordinators.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// One coordinator with a file.
    Sqlite,
    /// Several coordinators on one database that syncs to disk.
    Postgres {
        /// The number of coordinators.
        nodes: usize,
    },
}

impl Kind {
    /// Parses `--store` and `--nodes`; exits with an error if they are invalid.
    pub fn asked() -> Self {
        let nodes = flag("--nodes").map_or(Ok(1), |text| text.parse());
        match (flag("--store").as_deref(), nodes) {
            (None | Some("sqlite"), Ok(1)) => Self::Sqlite,
            (Some("postgres"), Ok(nodes @ 1..)) => Self::Postgres { nodes },
            (store, _) => {
                eprintln!(
                    "error: --store must be sqlite, or postgres with --nodes N, not {}",
                    store.unwrap_or("sqlite with several nodes")
                );
                std::process::exit(2);
            }
        }
    }

    /// The number of coordinators.
    pub fn nodes(self) -> usize {
        match self {
            Self::Sqlite => 1,
            Self::Postgres { nodes } => nodes,
        }
    }

    /// A description with the durability settings.
    pub fn name(self) -> &'static str {
        match self {
            Self::Sqlite => "sqlite, WAL, synchronous=FULL",
            Self::Postgres { .. } => "postgres on this machine, fsync=on, synchronous_commit=on",
        }
    }
}

/// The number of recorded fires, of distinct ones, and of those whose task succeeded.
pub type Counted = (i64, i64, i64);

/// The processes of one measurement, and their store.
pub struct Bench {
    /// A client of the coordinator.
    pub rest: Rest,
    /// The folder of its store.
    pub folder: PathBuf,
    coordinators: Vec<Process>,
    executor: Process,
    postgres: Option<Postgres>,
}

/// Runs the coordinator or the executor if this process was started as one, and returns whether it
/// was.
///
/// # Panics
///
/// Panics if the coordinator or the executor fails.
pub fn play_role() -> bool {
    let Ok(role) = std::env::var(ROLE) else { return false };
    let port = std::env::var(PORT).expect("a port");
    let folder = PathBuf::from(std::env::var(FOLDER).expect("a folder"));
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        let stop = CancellationToken::new();
        if role == "coordinator" {
            let store = std::env::var(STORE).expect("a store");
            let coordinator = fastjob_coordinator::Coordinator::builder()
                .listen(format!("127.0.0.1:{port}").parse().expect("an address"))
                .store(store.parse().expect("a store"))
                .bind()
                .await
                .expect("a coordinator");
            coordinator.run(stop).await.expect("it runs");
        } else {
            fastjob_executor::Executor::builder("default")
                .coordinators([format!("http://127.0.0.1:{port}")])
                .executor_name("bench")
                .capacity(500_000)
                .log_path(folder.join("logs"))
                .run_until(stop)
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
    pub async fn start(name: &str, kind: Kind) -> Self {
        let folder = target().join("bench").join(name);
        drop(std::fs::remove_dir_all(&folder)); // of an earlier run, if any
        std::fs::create_dir_all(&folder).expect("a folder can be made");
        let (postgres, nodes, store) = match kind {
            Kind::Sqlite => (None, 1, format!("sqlite:{}", folder.join("fastjob.db").display())),
            Kind::Postgres { nodes } => {
                let server = Postgres::start_durable().await;
                let url = server.database("bench").await;
                (Some(server), nodes, url)
            }
        };
        let role = |role: &str, port: &str| {
            Process::start(
                Command::new(std::env::current_exe().expect("this program"))
                    .env(ROLE, role)
                    .env(PORT, port)
                    .env(STORE, &store)
                    .env(FOLDER, &folder),
            )
        };
        let ports: Vec<_> = (0..nodes).map(|_| free_port().to_string()).collect();
        let coordinators = ports.iter().map(|port| role("coordinator", port)).collect();
        let port = &ports[0];
        let executor = role("executor", port);
        let rest = Rest::new(format!("http://127.0.0.1:{port}"));
        for port in &ports {
            let rest = Rest::new(format!("http://127.0.0.1:{port}"));
            eventually("the executor is connected", Duration::from_secs(60), || async {
                let (_, page) = rest.get("/api/v1/executors").await.ok()?;
                page["items"].as_array().filter(|items| items.len() == 1).map(drop)
            })
            .await;
        }
        Self { rest, folder, coordinators, executor, postgres }
    }

    /// Saves jobs concurrently.
    ///
    /// # Panics
    ///
    /// Panics if one is rejected.
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

    /// Seconds of CPU time that coordinators and executor have used.
    pub fn cpu(&self) -> (f64, f64) {
        let coordinators = self.coordinators.iter().map(|process| cpu(process.id()));
        (coordinators.sum(), cpu(self.executor.id()))
    }

    /// Mebibytes of resident memory of coordinators and executor.
    pub fn memory(&self) -> (u64, u64) {
        let coordinators = self.coordinators.iter().map(|process| memory(process.id()));
        (coordinators.sum(), memory(self.executor.id()))
    }

    /// Counts the fires from one instant up to another, in milliseconds, directly in the store.
    ///
    /// # Panics
    ///
    /// Panics if the store cannot be read.
    pub async fn count(&self, from: i64, until: i64) -> Counted {
        if let Some(server) = &self.postgres {
            let sql = "select count(*), count(distinct (job, fire_at)), \
                       count(*) filter (where state = 3) from tasks \
                       where fire_at >= $1 and fire_at < $2";
            let store = server.pool("bench").await;
            let counted = sqlx::query_as(sql).bind(from).bind(until).fetch_one(&store).await;
            store.close().await;
            return counted.expect("the store can be counted");
        }
        let options = sqlx::sqlite::SqliteConnectOptions::new()
            .filename(self.folder.join("fastjob.db"))
            .read_only(true);
        let store = sqlx::SqlitePool::connect_with(options).await.expect("the store can be read");
        let sql = "select count(*), count(distinct job * 4294967296 + fire_at / 1000 % 4294967296), \
                   coalesce(sum(state = 3), 0) from tasks where fire_at >= ? and fire_at < ?";
        let counted = sqlx::query_as(sql).bind(from).bind(until).fetch_one(&store).await;
        store.close().await;
        counted.expect("the store can be counted")
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        self.coordinators.iter_mut().for_each(Process::kill);
        self.executor.kill();
        drop(std::fs::remove_dir_all(&self.folder)); // a leftover folder does no harm
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
    rss_kib(process) / 1024
}

/// Kibibytes of resident memory of a process; 0 if it has ended.
pub fn rss_kib(process: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
    kib.unwrap_or(0)
}

/// The build folder.
pub fn target() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../target")
}

/// A description of the machine of the measurement.
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
    })
}

/// Writes the figures to `target/bench/NAME.json`.
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
