//! Private PostgreSQL servers for tests: each has its own folder and port, does not touch the
//! system's server, and is removed afterwards.
//!
//! This is a separate crate because both the coordinator's unit tests and the end-to-end tests use
//! it. A server ends with the process that started it, even if that process is killed: a shell
//! between the two waits until its input is closed.

use std::{
    io::Write,
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{
        OnceLock,
        atomic::{AtomicU32, Ordering},
    },
    time::{Duration, Instant},
};

use sqlx::{AssertSqlSafe, Connection, PgConnection, PgPool};

/// Starts the server and waits for the name of a signal to end it with. Cleans up if the test
/// process has died.
const GUARD: &str = r#"
    trap "" INT TERM HUP
    folder=$1; shift
    "$@" &
    if read -r how; then
        kill -s "$how" $!; wait $!
    else
        kill -s QUIT $!; wait $!; rm -rf "$folder"
    fi
"#;

/// How long a server may take to start.
const PATIENCE: Duration = Duration::from_secs(60);

/// Whether the server syncs to disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Disk {
    /// Never: the tests do not cover power failures.
    Ignored,
    /// At every commit, as by default.
    Awaited,
}

/// A server that is stopped when the test ends.
#[derive(Debug)]
pub struct Postgres {
    guard: Option<Child>,
    bin: PathBuf,
    port: u16,
    disk: Disk,
    folder: tempfile::TempDir,
}

impl Postgres {
    /// The server that all tests of this process share.
    ///
    /// # Panics
    ///
    /// Panics if PostgreSQL is not installed, or does not start.
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<Postgres> = OnceLock::new();
        SHARED.get_or_init(|| Self::begin(Disk::Ignored))
    }

    /// Creates a new, empty server and waits until it answers. It does not sync to disk.
    ///
    /// # Panics
    ///
    /// Panics if PostgreSQL is not installed, or does not start.
    pub async fn start() -> Self {
        Self::begin(Disk::Ignored)
    }

    /// Like `start`, but syncs to disk at every commit, as by default.
    ///
    /// # Panics
    ///
    /// Panics if PostgreSQL is not installed, or does not start.
    pub async fn start_durable() -> Self {
        Self::begin(Disk::Awaited)
    }

    fn begin(disk: Disk) -> Self {
        let bin = bin().expect("PostgreSQL is installed; scripts/test installs it");
        let folder = tempfile::tempdir().expect("a temporary folder can be created");
        if is_root() {
            // PostgreSQL refuses to run as root.
            let chown = Command::new("chown").arg("postgres").arg(folder.path()).status();
            assert!(chown.is_ok_and(|status| status.success()), "chown of the folder failed");
        }
        let made = as_postgres(&bin.join("initdb"))
            .args(["--username=fastjob", "--auth=trust", "--no-sync", "--encoding=UTF8"])
            .args(["--locale=C", "--pgdata"])
            .arg(folder.path().join("data"))
            .current_dir(folder.path())
            .stdout(Stdio::null())
            .status();
        assert!(made.is_ok_and(|status| status.success()), "initdb failed");
        let mut server = Self { guard: None, bin, port: free_port(), disk, folder };
        server.begin_again();
        server
    }

    /// Like `start`, but accepts connections only over TLS; certificate and key are PEM.
    ///
    /// # Panics
    ///
    /// Panics if PostgreSQL is not installed, or does not start.
    pub async fn start_tls(cert: &str, key: &str) -> Self {
        let mut server = Self::begin(Disk::Ignored);
        server.stop();
        let data = server.folder.path().join("data");
        let hba = "hostssl all all 127.0.0.1/32 trust\n";
        for (name, text) in [("server.crt", cert), ("server.key", key), ("pg_hba.conf", hba)] {
            write_private(&data.join(name), text).expect("its files can be written");
        }
        let conf = std::fs::File::options().append(true).open(data.join("postgresql.conf"));
        conf.and_then(|mut conf| conf.write_all(b"\nssl = on\n")).expect("it can be configured");
        server.begin_again();
        server
    }

    /// Starts it again, with the same port and data.
    ///
    /// # Panics
    ///
    /// Panics if it does not answer in time.
    pub async fn up(&mut self) {
        self.begin_again();
    }

    fn begin_again(&mut self) {
        let (folder, data) = (self.folder.path(), self.folder.path().join("data"));
        // Left behind if it was killed.
        drop(std::fs::remove_file(data.join("postmaster.pid")));
        let log = std::fs::File::options()
            .create(true)
            .append(true)
            .open(folder.join("postgres.log"))
            .expect("a log file can be made");
        let server = as_postgres(&self.bin.join("postgres"));
        let mut guard = Command::new("sh");
        guard.args(["-c", GUARD, "sh"]).arg(folder);
        guard.arg(server.get_program()).args(server.get_args()).arg("-D").arg(&data);
        let port = format!("port={}", self.port);
        let mut options = vec![
            port.as_str(),
            "listen_addresses=127.0.0.1",
            "unix_socket_directories=",
            "max_connections=200",
            "shared_buffers=256MB",
            "max_wal_size=4GB",
        ];
        if self.disk == Disk::Ignored {
            options.push("fsync=off");
        }
        for option in options {
            guard.args(["-c", option]);
        }
        guard.current_dir(folder).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(log);
        self.guard = Some(guard.spawn().expect("there is a shell"));
        let until = Instant::now() + PATIENCE;
        // The last line of this file is `ready` once the server accepts connections.
        while !std::fs::read_to_string(data.join("postmaster.pid"))
            .is_ok_and(|file| file.trim_end().ends_with("ready"))
        {
            assert!(Instant::now() < until, "PostgreSQL did not start in time: {}", self.said());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Stops it and disconnects all clients.
    ///
    /// # Panics
    ///
    /// Panics if it does not run.
    pub fn stop(&mut self) {
        self.end("INT");
    }

    /// Ends it immediately, like a crash: it has to recover when it is started again.
    ///
    /// # Panics
    ///
    /// Panics if it does not run.
    pub fn kill(&mut self) {
        // Not SIGKILL, which would leave its shared memory behind.
        self.end("QUIT");
    }

    fn end(&mut self, how: &str) {
        let mut guard = self.guard.take().expect("it runs");
        let mut input = guard.stdin.take().expect("it listens");
        writeln!(input, "{how}").expect("it listens");
        guard.wait().expect("a child can be waited for");
    }

    /// What it has logged.
    pub fn said(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("postgres.log")).unwrap_or_default()
    }

    /// Creates a new database and returns its address.
    ///
    /// # Panics
    ///
    /// Panics if the server does not answer.
    pub async fn database(&self, name: &str) -> String {
        self.run(&format!("create database \"{name}\"")).await;
        self.url(name)
    }

    /// Creates a new database that is dropped with the returned value.
    ///
    /// # Panics
    ///
    /// Panics if the server does not answer.
    pub async fn fresh(&'static self) -> Database {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("fresh{}", NEXT.fetch_add(1, Ordering::Relaxed));
        Database { url: self.database(&name).await, name, server: self }
    }

    async fn run(&self, statement: &str) {
        let mut connection = PgConnection::connect(&self.url("postgres")).await.expect("it runs");
        let statement = sqlx::raw_sql(AssertSqlSafe(statement.to_owned()));
        statement.execute(&mut connection).await.expect("the statement succeeds");
        connection.close().await.expect("the connection closes");
    }

    /// The address of a database.
    pub fn url(&self, database: &str) -> String {
        format!("postgres://fastjob@127.0.0.1:{}/{database}?sslmode=disable", self.port)
    }

    /// The address that it listens on.
    pub fn address(&self) -> std::net::SocketAddr {
        std::net::SocketAddr::from(([127, 0, 0, 1], self.port))
    }

    /// Connections for queries about what a coordinator wrote.
    ///
    /// # Panics
    ///
    /// Panics if the server does not answer.
    pub async fn pool(&self, database: &str) -> PgPool {
        PgPool::connect(&self.url(database)).await.expect("it answers")
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        if self.guard.is_some() {
            self.kill();
        }
    }
}

/// A database on the shared server. Dropped with this value, and all its connections are closed.
#[derive(Debug)]
pub struct Database {
    url: String,
    name: String,
    server: &'static Postgres,
}

impl Database {
    /// Its address.
    pub fn url(&self) -> &str {
        &self.url
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        let statement = format!("drop database \"{}\" with (force)", self.name);
        let server = self.server;
        // In a separate runtime: the current one may be shutting down.
        let gone = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.expect("a runtime").block_on(server.run(&statement));
        });
        if gone.join().is_err() && !std::thread::panicking() {
            panic!("the database {} could not be dropped", self.name);
        }
    }
}

/// A port that is free now, and that no outgoing connection uses while the server is down.
fn free_port() -> u16 {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    // Below the ephemeral range and the ports that the tests use for coordinators.
    (0..9_000)
        .map(|_| std::process::id().wrapping_mul(97) + NEXT.fetch_add(1, Ordering::Relaxed))
        .filter_map(|n| u16::try_from(11_000 + n % 9_000).ok())
        .find(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok())
        .expect("there is a free port")
}

/// The folder of PostgreSQL's programs: on the path, or where Debian installs them.
fn bin() -> Option<PathBuf> {
    let on_path = std::env::var_os("PATH")?;
    let mut folders: Vec<_> = std::env::split_paths(&on_path).collect();
    if let Ok(versions) = std::fs::read_dir("/usr/lib/postgresql") {
        let mut versions: Vec<_> = versions.flatten().map(|entry| entry.path()).collect();
        versions.sort();
        folders.extend(versions.into_iter().rev().map(|version| version.join("bin")));
    }
    folders.into_iter().find(|bin| bin.join("initdb").exists() && bin.join("postgres").exists())
}

/// Writes a file that only the server can read.
fn write_private(path: &Path, text: &str) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::write(path, text)?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600))?;
    if is_root() {
        Command::new("chown").arg("postgres").arg(path).status()?;
    }
    Ok(())
}

fn is_root() -> bool {
    let id = Command::new("id").arg("-u").output();
    id.is_ok_and(|id| id.stdout.trim_ascii() == b"0")
}

/// Runs a program of PostgreSQL, as the user `postgres` if this one is root.
fn as_postgres(program: &Path) -> Command {
    if !is_root() {
        return Command::new(program);
    }
    let mut command = Command::new("setpriv");
    command.args(["--reuid=postgres", "--regid=postgres", "--clear-groups"]).arg(program);
    command
}
