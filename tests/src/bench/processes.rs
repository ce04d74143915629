//! The processes of one measurement: coordinators, an executor, and their store.

use std::{
    path::PathBuf,
    process::Command,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use super::{
    Build, FASTJOB, FOLDER, Fill, Kind, PORT, ROLE, STORE,
    args::refuse,
    store::{Pool, Store},
    target,
    usage::{Group, Snapshot},
};
use crate::{
    eventually,
    process::{Process, free_port},
    rest::Rest,
};

/// How long processes may take until they are ready.
const PATIENCE: Duration = Duration::from_secs(120);

/// The processes of one measurement, and their store.
pub struct Bench {
    /// A client of the first coordinator.
    pub rest: Rest,
    /// The folder of the store.
    pub folder: PathBuf,
    /// The store.
    pub store: Store,
    /// Connections to the store, once a coordinator has created it.
    pub pool: Option<Pool>,
    build: Build,
    ports: Vec<u16>,
    coordinators: Vec<Process>,
    executor: Option<Process>,
    /// Whether the folder remains after the measurement.
    is_kept: bool,
}

impl Bench {
    /// Prepares an empty store, without starting a process of the build.
    ///
    /// # Panics
    ///
    /// Panics if the store cannot be created.
    pub async fn prepare(name: &str, kind: Kind, build: &Build) -> Self {
        let folder = target().join("bench").join(name);
        drop(std::fs::remove_dir_all(&folder)); // of an earlier run, if any
        std::fs::create_dir_all(&folder).expect("a folder can be made");
        Self::at(folder, kind, build, false).await
    }

    /// Uses the store of a folder, or creates one there; the folder remains.
    ///
    /// # Panics
    ///
    /// Panics if the folder cannot be created.
    pub(super) async fn kept(folder: PathBuf, build: &Build) -> Self {
        std::fs::create_dir_all(&folder).expect("the folder can be created");
        Self::at(folder, Kind::Sqlite, build, true).await
    }

    async fn at(folder: PathBuf, kind: Kind, build: &Build, is_kept: bool) -> Self {
        let store = Store::create(kind, &folder).await;
        let ports: Vec<_> = (0..kind.nodes()).map(|_| free_port()).collect();
        let rest = Rest::new(url(ports[0]));
        let (build, coordinators) = (build.clone(), Vec::new());
        let (pool, executor) = (None, None);
        Self { rest, folder, store, pool, build, ports, coordinators, executor, is_kept }
    }

    /// Starts coordinators and an executor on an empty store, and waits until they are connected.
    ///
    /// # Panics
    ///
    /// Panics if they do not become ready.
    pub async fn start(name: &str, kind: Kind, build: &Build) -> Self {
        let mut bench = Self::prepare(name, kind, build).await;
        bench.start_coordinators();
        bench.start_executor();
        bench.connected().await;
        bench
    }

    /// Starts the coordinators, and does not wait.
    pub fn start_coordinators(&mut self) {
        let ports = self.ports.iter();
        self.coordinators = ports.map(|port| self.role("coordinator", *port)).collect();
    }

    /// Starts the executor, and does not wait.
    pub fn start_executor(&mut self) {
        self.executor = Some(self.role("executor", self.ports[0]));
    }

    fn role(&self, role: &str, port: u16) -> Process {
        Process::start(
            Command::new(&self.build.program)
                .env(ROLE, role)
                .env(PORT, port.to_string())
                .env(STORE, self.store.url())
                .env(FOLDER, &self.folder),
        )
    }

    /// Waits until the executor is connected to each coordinator.
    ///
    /// # Panics
    ///
    /// Panics if that does not happen in time.
    async fn connected(&mut self) {
        let until = Instant::now() + PATIENCE;
        for port in self.ports.clone() {
            let rest = Rest::new(url(port));
            loop {
                if let Ok((200, page)) = rest.get("/api/v1/executors").await
                    && page["items"].as_array().is_some_and(|items| items.len() == 1)
                {
                    break;
                }
                self.check_processes();
                assert!(Instant::now() < until, "the executor is not connected to {port}");
                tokio::time::sleep(Duration::from_millis(40)).await;
            }
        }
        self.pool = Some(self.store.pool().await);
    }

    /// Exits with an error if a process has ended: then its program cannot play the role.
    fn check_processes(&mut self) {
        let mut processes = self.coordinators.iter_mut().chain(&mut self.executor);
        if let Some(status) = processes.find_map(Process::ended) {
            self.refuse(&format!("a process of it has ended with {status}"));
        }
    }

    /// Exits with an error about the program, without leaving processes behind.
    fn refuse(&mut self, why: &str) -> ! {
        self.coordinators.clear();
        self.executor = None;
        let program = self.build.program.display();
        refuse(&format!(
            "{program} is not a program of this bench, as built by `cargo bench -p fastjob-tests \
             --no-run`: {why}"
        ))
    }

    /// Waits until the coordinators say that they are ready.
    ///
    /// # Panics
    ///
    /// Panics if that does not happen in time.
    pub async fn ready(&mut self) {
        let until = Instant::now() + PATIENCE;
        while !matches!(self.rest.get("/readyz").await, Ok((200, _))) {
            self.check_processes();
            assert!(Instant::now() < until, "the coordinator is not ready");
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }

    /// Waits until the engines answer to these jobs, which must be stored as they are here. An engine
    /// that loads its jobs first answers when it has loaded all of them.
    ///
    /// # Panics
    ///
    /// Panics if that does not happen in time, or if the answer differs from what is stored.
    pub async fn loaded(&mut self, jobs: &[Value]) {
        let until = Instant::now() + PATIENCE;
        for job in jobs {
            loop {
                let answer = put(&self.rest, job).await;
                if let Ok((status @ 200..300, view)) = &answer {
                    let is_stored = *status == 200 && view["revision"] == 1;
                    assert!(is_stored, "the job was not stored like this: {status} {view}");
                    break;
                }
                self.check_processes();
                assert!(Instant::now() < until, "the jobs are not loaded: {answer:?}");
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        }
    }

    /// Creates the schema of the store, by a start of the coordinator, and fills it.
    ///
    /// # Panics
    ///
    /// Panics if the coordinator does not become ready, or the store cannot be written.
    pub async fn fill(&mut self, fill: Fill) {
        self.start_coordinators();
        self.ready().await;
        self.kill_coordinators().await;
        let pool = self.store.pool().await;
        fill.run(&pool).await;
        pool.close().await;
        self.index();
    }

    /// Builds the index of the tasks that were filled into the store.
    fn index(&self) {
        let program = std::env::current_exe().expect("this program");
        let done = std::process::Command::new(program)
            .args(["repair", "index", "--yes", "--store", &self.store.url()])
            .env(ROLE, FASTJOB)
            .stdout(std::process::Stdio::null())
            .status();
        assert!(done.is_ok_and(|status| status.success()), "the index is built");
    }

    /// Kills the coordinators, and lets the next ones start without waiting for their leases.
    ///
    /// # Panics
    ///
    /// Panics if the store cannot be written.
    pub async fn kill_coordinators(&mut self) {
        self.coordinators.clear();
        if let Store::Postgres(_) = &self.store {
            let pool = self.store.pool().await;
            pool.run("update partitions set node = null; delete from nodes").await;
            pool.close().await;
        }
    }

    /// Saves a job.
    ///
    /// # Panics
    ///
    /// Panics if it is rejected.
    pub async fn save(&self, job: Value) {
        save(&self.rest, job).await;
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
            saving.spawn(async move { save(&rest, job).await });
            if saving.len() >= 128 {
                saving.join_next().await.expect("one is there").expect("a job is saved");
            }
        }
        while let Some(saved) = saving.join_next().await {
            saved.expect("a job is saved");
        }
    }

    /// Runs a task of a handler and returns it. Exits with an error if the executor does not have
    /// this handler: then the build is that of another bench.
    ///
    /// # Panics
    ///
    /// Panics if the task does not end in time.
    pub async fn probe(&mut self, handler: &str) -> Value {
        self.save(json!({"name": "probe", "handler": handler})).await;
        let task = start(&self.rest, "probe", &json!({})).await;
        let view = self.ended(task).await;
        if view["state"] != "succeeded" {
            self.refuse(&format!("its task of the handler `{handler}` ended as {view}"));
        }
        view
    }

    /// Waits for the end of a task and returns it.
    ///
    /// # Panics
    ///
    /// Panics if it does not end in time.
    pub async fn ended(&self, task: i64) -> Value {
        let path = format!("/api/v1/tasks/{task}");
        eventually(&format!("task {task} has ended"), PATIENCE, || async {
            let (_, view) = self.rest.get(&path).await.ok()?;
            let state = view["state"].as_str()?;
            (!["queued", "running", "stopping"].contains(&state)).then_some(view)
        })
        .await
    }

    /// The address of the first coordinator.
    pub fn url(&self) -> String {
        url(self.ports[0])
    }

    /// The port of the first coordinator.
    pub fn port(&self) -> u16 {
        self.ports[0]
    }

    /// Connections to the store.
    ///
    /// # Panics
    ///
    /// Panics if no coordinator has created it yet.
    pub fn pool(&self) -> &Pool {
        self.pool.as_ref().expect("the store has been created")
    }

    /// The processor time that all parts of the measurement have used so far.
    ///
    /// # Panics
    ///
    /// Panics if the database server does not answer.
    pub async fn snapshot(&self) -> Snapshot {
        let names = ["coordinator".to_owned()].into_iter();
        let names = names.chain((2..).map(|n| format!("coordinator {n}")));
        let mut groups: Vec<_> = names
            .zip(&self.coordinators)
            .map(|(name, process)| Group::process(name, process.id()))
            .collect();
        groups.extend(self.executor.iter().map(|it| Group::process("executor", it.id())));
        if let Some(pool) = &self.pool {
            groups.extend(self.store.processes(pool).await);
        }
        groups.push(Group::process("bench", std::process::id()));
        Snapshot::of(groups)
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        self.coordinators.clear();
        self.executor = None;
        if self.is_kept {
            return;
        }
        drop(std::fs::remove_dir_all(&self.folder)); // a leftover folder does no harm
    }
}

/// Saves a job of the service `default`. The request is written here and not by the client, whose
/// requests may have fields that older coordinators reject.
async fn save(rest: &Rest, mut job: Value) {
    job["service"] = json!("default");
    let (status, answer) = put(rest, &job).await.expect("an answer");
    assert!(status == 200 || status == 201, "{status} {answer}");
}

async fn put(rest: &Rest, job: &Value) -> Result<(u16, Value), reqwest::Error> {
    let [service, name] = ["service", "name"].map(|key| job[key].as_str().expect("it has both"));
    let path = format!("/api/v1/jobs/{service}.{name}");
    rest.ask("PUT", &path, Some(job.to_string())).await
}

/// Starts a task and returns its id; the request is written here for the same reason.
///
/// # Panics
///
/// Panics if it is rejected.
pub async fn start(rest: &Rest, job: &str, request: &Value) -> i64 {
    let path = format!("/api/v1/jobs/{job}/start");
    let answer = rest.ask("POST", &path, Some(request.to_string())).await;
    let (status, answer) = answer.expect("an answer");
    assert_eq!(status, 200, "{answer}");
    answer["task"].as_i64().expect("a task")
}

fn url(port: u16) -> String {
    format!("http://127.0.0.1:{port}")
}
