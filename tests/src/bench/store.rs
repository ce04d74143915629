//! The store of a measurement, as SQL: what a coordinator wrote into it is counted without asking the
//! coordinator.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use fastjob_postgres::Postgres;
use sqlx::{
    AssertSqlSafe, PgPool, SqlitePool,
    postgres::PgPoolOptions,
    sqlite::{SqliteConnectOptions, SqlitePoolOptions},
};

use super::{
    Kind,
    usage::{Group, Member},
};

/// The database of a private PostgreSQL server.
const DATABASE: &str = "bench";

/// A new, empty store.
#[derive(Debug)]
pub enum Store {
    /// A file.
    Sqlite(PathBuf),
    /// A private server that syncs to disk.
    Postgres(Postgres),
}

/// Connections to a store.
#[derive(Clone, Debug)]
pub enum Pool {
    /// To a file.
    Sqlite(SqlitePool),
    /// To a server.
    Postgres(PgPool),
}

/// The fires of a run, as they are in the store.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counted {
    /// Recorded fires.
    pub recorded: i64,
    /// Distinct ones.
    pub distinct: i64,
    /// Those whose task succeeded.
    pub succeeded: i64,
    /// The longest time from a fire to the end of its task, in milliseconds.
    pub slowest_ms: i64,
}

impl Store {
    /// Creates a store in a folder.
    ///
    /// # Panics
    ///
    /// Panics if PostgreSQL does not start.
    pub async fn create(kind: Kind, folder: &Path) -> Self {
        match kind {
            Kind::Sqlite => Self::Sqlite(folder.join("fastjob.db")),
            Kind::Postgres { .. } => {
                let server = Postgres::start_durable().await;
                server.database(DATABASE).await;
                Self::Postgres(server)
            }
        }
    }

    /// The address that coordinators get.
    pub fn url(&self) -> String {
        match self {
            Self::Sqlite(path) => format!("sqlite:{}", path.display()),
            Self::Postgres(server) => server.url(DATABASE),
        }
    }

    /// Connects to it.
    ///
    /// # Panics
    ///
    /// Panics if it cannot be opened.
    pub async fn pool(&self) -> Pool {
        match self {
            Self::Sqlite(path) => {
                let options = SqliteConnectOptions::new()
                    .filename(path)
                    .busy_timeout(Duration::from_secs(60));
                let pool = SqlitePoolOptions::new().max_connections(1).connect_with(options).await;
                Pool::Sqlite(pool.expect("the store can be opened"))
            }
            Self::Postgres(server) => {
                let pool = PgPoolOptions::new().max_connections(1);
                let pool = pool.connect(&server.url(DATABASE)).await;
                Pool::Postgres(pool.expect("the store can be opened"))
            }
        }
    }

    /// The processes of a server; none of a file.
    ///
    /// # Panics
    ///
    /// Panics if the server does not answer.
    pub async fn processes(&self, pool: &Pool) -> Option<Group> {
        let (Self::Postgres(_), Pool::Postgres(pool)) = (self, pool) else { return None };
        // The statement tells backends apart: FastJob has one connection for each purpose.
        let rows: Vec<(i32, String, String)> = sqlx::query_as(
            "select pid, backend_type, regexp_replace(substr(query, 1, 28), '\\s+', ' ', 'g') \
             from pg_stat_activity where pid is not null order by pid",
        )
        .fetch_all(pool)
        .await
        .expect("the server lists its processes");
        let members = rows.into_iter().filter_map(|(id, backend, query)| {
            let name = match backend.as_str() {
                "client backend" => format!("backend \"{query}\""),
                other => other.to_owned(),
            };
            Some(Member { id: u32::try_from(id).ok()?, name })
        });
        let mut processes: Vec<_> = members.collect();
        let first = processes.first().and_then(|member| parent(member.id));
        processes.extend(first.map(|id| Member { id, name: "postmaster".to_owned() }));
        Some(Group { name: "postgres".to_owned(), processes })
    }

    /// Restarts the server, if there is one, so that nothing is in its cache; then removes the
    /// files of the store from the page cache of the operating system.
    ///
    /// # Panics
    ///
    /// Panics if the server does not start.
    pub async fn forget_pages(&mut self) {
        match self {
            Self::Sqlite(path) => path.parent().into_iter().for_each(evict),
            Self::Postgres(server) => {
                let pool = server.pool(DATABASE).await;
                let folder = sqlx::query_scalar("show data_directory").fetch_one(&pool).await;
                let folder: String = folder.expect("the server knows its folder");
                pool.close().await;
                server.stop();
                evict(Path::new(&folder));
                server.up().await;
            }
        }
    }
}

impl Pool {
    /// Executes statements.
    ///
    /// # Panics
    ///
    /// Panics if one fails.
    pub async fn run(&self, statements: &str) {
        let sql = sqlx::raw_sql(AssertSqlSafe(statements.to_owned()));
        let done = match self {
            Self::Sqlite(pool) => sql.execute(pool).await.map(drop),
            Self::Postgres(pool) => sql.execute(pool).await.map(drop),
        };
        done.unwrap_or_else(|err| panic!("{err}: {statements}"));
    }

    /// Counts the fires from one instant up to another, in milliseconds.
    ///
    /// # Panics
    ///
    /// Panics if the store cannot be read.
    pub async fn count(&self, from: i64, until: i64) -> Counted {
        let table = if self.has_history().await { "tasks" } else { "attempts" };
        // By number rather than as a pair, so that PostgreSQL sorts integers.
        let sql = format!(
            "select count(*), count(distinct job * 4294967296 + fire_at / 1000 % 4294967296), \
             count(case when state = 3 then 1 end), coalesce(max(ended_at - fire_at), 0) \
             from {table} where fire_at >= {from} and fire_at < {until}"
        );
        let sql = AssertSqlSafe(sql);
        let counted: sqlx::Result<(i64, i64, i64, i64)> = match self {
            Self::Sqlite(pool) => sqlx::query_as(sql).fetch_one(pool).await,
            Self::Postgres(pool) => sqlx::query_as(sql).fetch_one(pool).await,
        };
        let (recorded, distinct, succeeded, slowest_ms) = counted.expect("fires can be counted");
        Counted { recorded, distinct, succeeded, slowest_ms }
    }

    /// Whether fires are in `tasks`, as since the journal; before, they were in `attempts`.
    async fn has_history(&self) -> bool {
        let sql = match self {
            Self::Sqlite(_) => {
                "select count(*) from pragma_table_info('tasks') \
                                where name = 'fire_at'"
            }
            Self::Postgres(_) => {
                "select count(*) from information_schema.columns \
                                  where table_name = 'tasks' and column_name = 'fire_at'"
            }
        };
        self.number(sql.to_owned()).await > 0
    }

    /// The number that a query returns.
    ///
    /// # Panics
    ///
    /// Panics if the query fails.
    pub(super) async fn number(&self, sql: String) -> i64 {
        let number: sqlx::Result<i64> = match self {
            Self::Sqlite(pool) => {
                sqlx::query_scalar(AssertSqlSafe(sql.clone())).fetch_one(pool).await
            }
            Self::Postgres(pool) => {
                sqlx::query_scalar(AssertSqlSafe(sql.clone())).fetch_one(pool).await
            }
        };
        number.unwrap_or_else(|err| panic!("{err}: {sql}"))
    }

    /// The size of the database, in MiB.
    ///
    /// # Panics
    ///
    /// Panics if the store cannot be read.
    pub async fn mib(&self) -> i64 {
        let sql = match self {
            Self::Sqlite(_) => {
                "select page_count * page_size \
                                from pragma_page_count, pragma_page_size"
            }
            Self::Postgres(_) => "select pg_database_size(current_database())",
        };
        self.number(sql.to_owned()).await >> 20
    }

    /// Closes the connections.
    pub async fn close(self) {
        match self {
            Self::Sqlite(pool) => pool.close().await,
            Self::Postgres(pool) => pool.close().await,
        }
    }
}

/// The process that started a process.
fn parent(process: u32) -> Option<u32> {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    stat.rsplit_once(')')?.1.split_whitespace().nth(1)?.parse().ok()
}

/// Writes the files of a folder to disk and removes them from the page cache.
fn evict(folder: &Path) {
    use rustix::fs::{Advice, fadvise, fsync};
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            evict(&path);
        } else if let Ok(file) = std::fs::File::open(&path) {
            // Pages that are not on disk yet cannot be removed. Without success the next call is
            // measured warm, which the size of the figures shows.
            if fsync(&file).and_then(|()| fadvise(&file, 0, None, Advice::DontNeed)).is_err() {
                eprintln!("warning: {} stays in the page cache", path.display());
            }
        }
    }
}
