//! Coordinators and executors as real processes, which are killed when the test ends.
//!
//! One file, because both kinds share how they are started, watched and killed.

use std::{
    io::{BufRead, BufReader},
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use crate::{eventually, rest::Rest};

/// A process that is killed when it is dropped.
pub struct Process(Child);

impl Process {
    /// Starts a program.
    ///
    /// # Panics
    ///
    /// Panics if it cannot be started.
    pub fn start(command: &mut Command) -> Self {
        Self(command.stdin(Stdio::null()).spawn().expect("the program can be started"))
    }

    /// Starts a program in `folder`, and appends what it logs to `NAME.log` there.
    ///
    /// # Panics
    ///
    /// Panics if it cannot be started.
    pub fn start_logged(command: &mut Command, folder: &Path, name: &str) -> Self {
        let log = std::fs::File::options()
            .create(true)
            .append(true)
            .open(folder.join(format!("{name}.log")))
            .expect("a log file can be made");
        Self::start(command.current_dir(folder).stdout(Stdio::null()).stderr(log))
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.0.id()
    }

    /// Kills it with SIGKILL, like a power failure.
    ///
    /// # Panics
    ///
    /// Panics if it cannot be waited for.
    pub fn kill(&mut self) {
        // Fails if it has exited by itself.
        drop(self.0.kill());
        self.0.wait().expect("a child can be waited for");
    }

    /// Sends a signal such as `TERM`, `STOP` or `CONT`.
    ///
    /// # Panics
    ///
    /// Panics if there is no `kill` program.
    pub fn signal(&self, name: &str) {
        let id = self.0.id().to_string();
        Command::new("kill").args(["-s", name, &id]).status().expect("there is a kill program");
    }

    /// How it ended, if it has.
    ///
    /// # Panics
    ///
    /// Panics if the system does not say.
    pub fn ended(&mut self) -> Option<std::process::ExitStatus> {
        self.0.try_wait().expect("a child can be waited for")
    }

    /// Waits for its end.
    ///
    /// # Panics
    ///
    /// Panics if it cannot be waited for.
    pub fn wait(&mut self) -> std::process::ExitStatus {
        self.0.wait().expect("a child can be waited for")
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

/// A port that is free now, and that no outgoing connection uses while its coordinator is down.
///
/// # Panics
///
/// Panics if there is none.
pub fn free_port() -> u16 {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    // Below the ephemeral range; different from those of other test processes.
    (0..10_000)
        .map(|_| std::process::id().wrapping_mul(97) + NEXT.fetch_add(1, Ordering::Relaxed))
        .filter_map(|n| u16::try_from(20_000 + n % 12_000).ok())
        .find(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok())
        .expect("there is a free port")
}

/// Writes a file that only this user can read, as required for files with secrets.
///
/// # Panics
///
/// Panics if it cannot be written.
pub fn write_private(path: &Path, text: &str) {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::write(path, text).expect("the file can be written");
    let mode = std::fs::Permissions::from_mode(0o600);
    std::fs::set_permissions(path, mode).expect("the permissions of an own file can be changed");
}

/// A coordinator with a private folder.
pub struct Coordinator {
    process: Option<Process>,
    program: PathBuf,
    port: u16,
    store: PathBuf,
    /// The store's address, in place of the file.
    store_url: Option<String>,
    env: Vec<(String, String)>,
    /// The certificate that clients trust, if it uses TLS.
    trusted: Option<PathBuf>,
    token: Option<String>,
    folder: tempfile::TempDir,
}

impl Coordinator {
    /// Starts `program serve` and waits until it is ready.
    ///
    /// # Panics
    ///
    /// Panics if it does not become ready.
    pub async fn start(program: impl Into<PathBuf>) -> Self {
        let mut coordinator = Self::prepare(program);
        coordinator.up().await;
        coordinator
    }

    /// Prepares one without starting it.
    ///
    /// # Panics
    ///
    /// Panics if its folder cannot be created.
    pub fn prepare(program: impl Into<PathBuf>) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder can be created");
        let store = folder.path().join("fastjob.db");
        let (program, port) = (program.into(), free_port());
        let (store_url, env, trusted, token) = (None, Vec::new(), None, None);
        Self { process: None, program, port, store, store_url, env, trusted, token, folder }
    }

    /// Sets a variable in its environment.
    #[must_use]
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.env.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Sets the port.
    #[must_use]
    pub fn port(mut self, port: u16) -> Self {
        self.port = port;
        self
    }

    /// Uses another program.
    #[must_use]
    pub fn program(mut self, program: impl Into<PathBuf>) -> Self {
        self.program = program.into();
        self
    }

    /// Sets the path of its store.
    #[must_use]
    pub fn store_at(mut self, path: impl Into<PathBuf>) -> Self {
        self.store = path.into();
        self
    }

    /// Uses a database as its store.
    #[must_use]
    pub fn store_url(mut self, url: impl Into<String>) -> Self {
        self.store_url = Some(url.into());
        self
    }

    /// Uses TLS with `cert` and `key`; clients trust `trusted`.
    #[must_use]
    pub fn tls(self, cert: &Path, key: &Path, trusted: &Path) -> Self {
        let mut this = self
            .env("FASTJOB_TLS_CERT", &cert.display().to_string())
            .env("FASTJOB_TLS_KEY", &key.display().to_string());
        this.trusted = Some(trusted.to_owned());
        this
    }

    /// Sets a token, which its executors and `rest` use too.
    #[must_use]
    pub fn token(self, token: &str) -> Self {
        let mut this = self.env("FASTJOB_TOKEN", token);
        this.token = Some(token.to_owned());
        this
    }

    /// Starts it, on the same port and store as before.
    ///
    /// # Panics
    ///
    /// Panics if it does not become ready.
    pub async fn up(&mut self) {
        self.begin();
        let rest = self.rest();
        eventually("the coordinator is ready", Duration::from_secs(20), || async {
            rest.get("/readyz").await.ok().filter(|(status, _)| *status == 200).map(drop)
        })
        .await;
    }

    /// Starts it and does not wait.
    pub fn begin(&mut self) {
        let store = self.store_url.clone();
        let store = store.unwrap_or_else(|| format!("sqlite:{}", self.store.display()));
        let mut command = Command::new(&self.program);
        command
            .args(["serve", "--listen", &format!("127.0.0.1:{}", self.port), "--store", &store])
            .envs(self.env.iter().cloned());
        self.process = Some(Process::start_logged(&mut command, self.folder(), "coordinator"));
    }

    /// Kills it with SIGKILL, like a power failure.
    pub fn kill(&mut self) {
        drop(self.process.take());
    }

    /// Asks it to stop and waits until it has exited.
    ///
    /// # Panics
    ///
    /// Panics if it is not running.
    pub fn stop(&mut self) -> std::process::ExitStatus {
        let mut process = self.process.take().expect("it runs");
        process.signal("TERM");
        process.wait()
    }

    /// Its folder.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Its store.
    pub fn store(&self) -> PathBuf {
        self.store.clone()
    }

    /// The output so far of a process of this folder: `coordinator`, or an executor's name.
    pub fn said(&self, who: &str) -> String {
        std::fs::read_to_string(self.folder.path().join(format!("{who}.log"))).unwrap_or_default()
    }

    /// The address of its API.
    pub fn url(&self) -> String {
        let scheme = if self.trusted.is_some() { "https" } else { "http" };
        format!("{scheme}://127.0.0.1:{}", self.port)
    }

    /// A client of its REST interface.
    ///
    /// # Panics
    ///
    /// Panics if the trusted certificate cannot be read.
    pub fn rest(&self) -> Rest {
        let rest = match &self.trusted {
            None => Rest::new(self.url()),
            Some(path) => {
                let pem = std::fs::read(path).expect("the trusted certificate can be read");
                Rest::trusting(self.url(), &pem)
            }
        };
        self.token.iter().fold(rest, |rest, token| rest.with_token(token))
    }

    /// Whether it was started, and neither killed nor stopped since.
    pub fn is_up(&self) -> bool {
        self.process.is_some()
    }

    /// Sends a signal such as `STOP` or `CONT`.
    ///
    /// # Panics
    ///
    /// Panics if it is not running.
    pub fn signal(&self, name: &str) {
        self.process.as_ref().expect("it runs").signal(name);
    }

    /// Its process id.
    ///
    /// # Panics
    ///
    /// Panics if it is not running.
    pub fn id(&self) -> u32 {
        self.process.as_ref().expect("it runs").id()
    }

    /// Its resident memory, in MiB.
    ///
    /// # Panics
    ///
    /// Panics if it is not running, or the system does not say.
    pub fn memory_mib(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.id()));
        let status = status.expect("/proc has the memory of the process");
        let line = status.lines().find(|line| line.starts_with("VmRSS:")).expect("its line");
        let kib = line.split_whitespace().nth(1).expect("its number");
        kib.parse::<u64>().expect("a number") / 1024
    }

    /// The CPU time that it has used.
    ///
    /// # Panics
    ///
    /// Panics if it is not running, or the system does not say.
    pub fn cpu_time(&self) -> Duration {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.id()));
        let stat = stat.expect("/proc has the CPU time of the process");
        // Fields 14 and 15 of the line; `rest` begins at field 3, after the name in parentheses.
        let rest = stat.rsplit_once(") ").expect("its name").1;
        let ticks = rest.split(' ').skip(11).take(2).map(|ticks| ticks.parse::<u64>());
        // Linux reports 100 ticks per second.
        Duration::from_millis(ticks.map(|ticks| 10 * ticks.expect("a number")).sum())
    }

    /// Runs the `fastjob` command against it.
    ///
    /// # Panics
    ///
    /// Panics if it cannot be started.
    pub fn cli(&self, words: &[&str]) -> std::process::Output {
        self.cli_at(&self.url(), words)
    }

    /// Runs the `fastjob` command against another address.
    ///
    /// # Panics
    ///
    /// Panics if it cannot be started.
    pub fn cli_at(&self, url: &str, words: &[&str]) -> std::process::Output {
        Command::new(&self.program)
            .args(words)
            .args(["--server", url])
            .env("TZ", "UTC")
            .env_remove("FASTJOB_CA_CERT")
            .current_dir(self.folder.path())
            .env_remove("FASTJOB_TOKEN")
            .env_remove("FASTJOB_CONFIG")
            .output()
            .expect("the command can be started")
    }

    /// Starts an executor of this coordinator.
    ///
    /// # Panics
    ///
    /// Panics if it cannot be started.
    pub fn executor(&self, program: impl AsRef<Path>, name: &str) -> Process {
        self.executor_with(program, name, &[])
    }

    /// Starts an executor of this coordinator with more variables in its environment.
    ///
    /// # Panics
    ///
    /// Panics if it cannot be started.
    pub fn executor_with(
        &self,
        program: impl AsRef<Path>,
        name: &str,
        env: &[(&str, &str)],
    ) -> Process {
        let mut command = Command::new(program.as_ref());
        command
            .env("FASTJOB_COORDINATORS", self.url())
            .env("FASTJOB_SERVICE", "default")
            .env("FASTJOB_EXECUTOR_NAME", name)
            .env("FASTJOB_LOG_PATH", self.folder.path().join(format!("{name}-logs")))
            .env("TEST_RECORDS", self.records())
            .envs(self.token.iter().map(|token| ("FASTJOB_TOKEN", token)))
            .envs(env.iter().copied());
        Process::start_logged(&mut command, self.folder(), name)
    }

    /// The file to which executors append the attempts that they start.
    pub fn records(&self) -> PathBuf {
        self.folder.path().join("records")
    }

    /// How often each attempt was started, by executor process.
    pub fn entered(&self) -> std::collections::HashMap<(String, String), u32> {
        let mut entered = std::collections::HashMap::new();
        if let Ok(file) = std::fs::File::open(self.records()) {
            for line in BufReader::new(file).lines().map_while(Result::ok) {
                if let Some((process, attempt)) = line.split_once(' ') {
                    *entered.entry((process.to_owned(), attempt.to_owned())).or_default() += 1;
                }
            }
        }
        entered
    }
}

impl Drop for Coordinator {
    fn drop(&mut self) {
        print_logs(self.folder.path());
    }
}

/// Prints the output of the processes of a folder if the test failed, before the folder is removed.
pub fn print_logs(folder: &Path) {
    if !std::thread::panicking() {
        return;
    }
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.extension().is_some_and(|extension| extension == "log") {
            let text = std::fs::read_to_string(&path).unwrap_or_default();
            let lines: Vec<_> = text.lines().collect();
            let last = &lines[lines.len().saturating_sub(40)..];
            eprintln!("--- {}\n{}", entry.file_name().display(), last.join("\n"));
        }
    }
}
