//! PostgreSQL servers of the tests' own: a private folder and port, nothing of the system, and
//! nothing left afterwards.
//!
//! A crate by itself, for the unit tests of the coordinator use it as well as the tests over real
//! processes. A server ends with the process that started it, however that ends: a shell between
//! the two waits until its input is closed.

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

/// Starts the server, waits to be told how to end it, and cleans up if nobody is left to do so.
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

/// Whether the server waits for the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Disk {
    /// It does not: a machine that loses its power is not what the tests are about.
    Ignored,
    /// At every commit, as it does by default.
    Awaited,
}

/// A server that ends with the test.
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

    /// Makes a new, empty server and waits until it answers. It does not wait for the disk.
    ///
    /// # Panics
    ///
    /// Panics if PostgreSQL is not installed, or does not start.
    pub async fn start() -> Self {
        Self::begin(Disk::Ignored)
    }

    /// One that waits for the disk at every commit, as it does by default.
    ///
    /// # Panics
    ///
    /// Panics if PostgreSQL is not installed, or does not start.
    pub async fn start_durable() -> Self {
        Self::begin(Disk::Awaited)
    }

    fn begin(disk: Disk) -> Self {
        let bin = bin().expect("PostgreSQL is installed: scripts/test does it, or says how");
        let folder = tempfile::tempdir().expect("there is a place for files");
        if is_root() {
            // It refuses to run as root.
            let chown = Command::new("chown").arg("postgres").arg(folder.path()).status();
            assert!(chown.is_ok_and(|status| status.success()), "the folder can be given away");
        }
        let made = as_postgres(&bin.join("initdb"))
            .args(["--username=fastjob", "--auth=trust", "--no-sync", "--encoding=UTF8"])
            .args(["--locale=C", "--pgdata"])
            .arg(folder.path().join("data"))
            .current_dir(folder.path())
            .stdout(Stdio::null())
            .status();
        assert!(made.is_ok_and(|status| status.success()), "initdb made a server");
        let mut server = Self { guard: None, bin, port: free_port(), disk, folder };
        server.begin_again();
        server
    }

    /// One that takes connections over TLS alone; certificate and key are PEM.
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

    /// Starts it again, on the same port and data.
    ///
    /// # Panics
    ///
    /// Panics if it does not answer in time.
    pub async fn up(&mut self) {
        self.begin_again();
    }

    fn begin_again(&mut self) {
        let (folder, data) = (self.folder.path(), self.folder.path().join("data"));
        // Of one that was killed.
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
        // The last line of this file says so.
        while !std::fs::read_to_string(data.join("postmaster.pid"))
            .is_ok_and(|file| file.trim_end().ends_with("ready"))
        {
            assert!(Instant::now() < until, "PostgreSQL starts in time: {}", self.said());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Ends it, and cuts off whoever is connected.
    ///
    /// # Panics
    ///
    /// Panics if it does not run.
    pub fn stop(&mut self) {
        self.end("INT");
    }

    /// Ends it at once, as a crash does: it has to recover when it is started again.
    ///
    /// # Panics
    ///
    /// Panics if it does not run.
    pub fn kill(&mut self) {
        // Not by force: it would leave its shared memory behind.
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

    /// Makes a new database and returns its address.
    ///
    /// # Panics
    ///
    /// Panics if the server does not answer.
    pub async fn database(&self, name: &str) -> String {
        self.run(&format!("create database \"{name}\"")).await;
        self.url(name)
    }

    /// Makes a new database that goes with what is returned.
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
        statement.execute(&mut connection).await.expect("the statement is taken");
        connection.close().await.expect("it says goodbye");
    }

    /// The address of a database.
    pub fn url(&self, database: &str) -> String {
        format!("postgres://fastjob@127.0.0.1:{}/{database}?sslmode=disable", self.port)
    }

    /// Where it listens.
    pub fn address(&self) -> std::net::SocketAddr {
        std::net::SocketAddr::from(([127, 0, 0, 1], self.port))
    }

    /// Connections for questions about what a coordinator wrote.
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

/// A database on the shared server that goes when this is dropped, with whoever is connected.
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
        // In a runtime of its own: this one may be what is dropped.
        let gone = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.expect("a runtime").block_on(server.run(&statement));
        });
        if gone.join().is_err() && !std::thread::panicking() {
            panic!("the database {} could not be dropped", self.name);
        }
    }
}

/// A port that is free now, and that no outgoing connection takes while the server is down.
fn free_port() -> u16 {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    // Below those that the system hands out, and those that the tests take for coordinators.
    (0..9_000)
        .map(|_| std::process::id().wrapping_mul(97) + NEXT.fetch_add(1, Ordering::Relaxed))
        .filter_map(|n| u16::try_from(11_000 + n % 9_000).ok())
        .find(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok())
        .expect("there is a free port")
}

/// Where its programs are: on the path, or where Debian puts them.
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

/// Writes a file that its server alone can read.
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

/// A program of PostgreSQL, as the user of that name if this one is root.
fn as_postgres(program: &Path) -> Command {
    if !is_root() {
        return Command::new(program);
    }
    let mut command = Command::new("setpriv");
    command.args(["--reuid=postgres", "--regid=postgres", "--clear-groups"]).arg(program);
    command
}
