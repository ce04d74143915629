//! A PostgreSQL server of a test's own: a private folder and port, nothing of the system, and
//! nothing left afterwards.

use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use sqlx::{Connection, PgConnection, PgPool, postgres::PgConnectOptions};

use crate::process::{Process, free_port};

/// A server that ends with the test.
pub struct Postgres {
    process: Option<Process>,
    bin: PathBuf,
    port: u16,
    durable: bool,
    folder: tempfile::TempDir,
}

impl Postgres {
    /// Makes a new, empty server and waits until it answers. It does not wait for the disk: a
    /// machine that loses its power is not what the tests are about.
    ///
    /// # Panics
    ///
    /// Panics if PostgreSQL is not installed, or does not start.
    pub async fn start() -> Self {
        Self::start_with(false).await
    }

    /// One that waits for the disk at every commit, as it does by default.
    ///
    /// # Panics
    ///
    /// Panics if PostgreSQL is not installed, or does not start.
    pub async fn start_durable() -> Self {
        Self::start_with(true).await
    }

    async fn start_with(durable: bool) -> Self {
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
        let mut server = Self { process: None, bin, port: free_port(), durable, folder };
        server.up().await;
        server
    }

    /// Starts it again, on the same port and data.
    ///
    /// # Panics
    ///
    /// Panics if it does not answer in time.
    pub async fn up(&mut self) {
        let log = std::fs::File::options()
            .create(true)
            .append(true)
            .open(self.folder.path().join("postgres.log"))
            .expect("a log file can be made");
        let mut command = as_postgres(&self.bin.join("postgres"));
        let set = |name: &str, value: &str| format!("{name}={value}");
        command.arg("-D").arg(self.folder.path().join("data")).current_dir(self.folder.path());
        for option in [
            set("port", &self.port.to_string()),
            set("listen_addresses", "127.0.0.1"),
            set("unix_socket_directories", ""),
            set("max_connections", "100"),
            set("shared_buffers", "256MB"),
            set("max_wal_size", "4GB"),
            set("fsync", if self.durable { "on" } else { "off" }),
        ] {
            command.args(["-c", &option]);
        }
        self.process = Some(Process::start(command.stdout(Stdio::null()).stderr(log)));
        let until = Instant::now() + Duration::from_secs(30);
        while self.connect("postgres").await.is_none() {
            assert!(Instant::now() < until, "PostgreSQL answers within 30 s");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Ends it, and cuts off whoever is connected.
    ///
    /// # Panics
    ///
    /// Panics if it does not run.
    pub fn stop(&mut self) {
        let mut process = self.process.take().expect("it runs");
        process.signal("INT");
        process.wait();
    }

    /// Ends it at once, as a crash does: it has to recover when it is started again.
    ///
    /// # Panics
    ///
    /// Panics if it cannot be waited for.
    pub fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.signal("QUIT");
            process.wait();
        }
    }

    /// Makes a new database and returns its address.
    ///
    /// # Panics
    ///
    /// Panics if the server does not answer.
    pub async fn database(&self, name: &str) -> String {
        let mut connection = self.connect("postgres").await.expect("it answers");
        let create = sqlx::AssertSqlSafe(format!("create database \"{name}\""));
        sqlx::raw_sql(create).execute(&mut connection).await.expect("a database can be made");
        self.url(name)
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

    async fn connect(&self, database: &str) -> Option<PgConnection> {
        let options: PgConnectOptions = self.url(database).parse().ok()?;
        PgConnection::connect_with(&options).await.ok()
    }
}

impl Drop for Postgres {
    /// Not by force: it would leave its shared memory behind.
    fn drop(&mut self) {
        self.kill();
    }
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
