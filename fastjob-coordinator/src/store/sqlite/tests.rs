//! SQLite passes the tests of all stores, and those for files.

mod losses;
mod transactions;

use std::{collections::BTreeMap, sync::Arc};

use sqlx::{
    ConnectOptions, Connection,
    sqlite::{SqliteConnectOptions, SqliteJournalMode},
};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

use super::Sqlite;
use crate::store::{
    Commit, CommitStore, Error, Lease, LoadStore, NewAttempt, Partition, Store,
    suite::{
        Home,
        rows::{at, base, head, plan},
        suite,
    },
    writer::{Health, Listener, Writer},
};

suite!(crate::store::sqlite::tests::File);

/// A store in its own folder.
pub(crate) struct File {
    /// `None` only while it is being reopened.
    store: Option<Arc<Sqlite>>,
    folder: TempDir,
}

impl File {
    fn path(&self) -> std::path::PathBuf {
        self.folder.path().join("fastjob.db")
    }

    fn sqlite(&self) -> &Arc<Sqlite> {
        self.store.as_ref().unwrap()
    }

    async fn run(&self, statement: &'static str) {
        let mut guard = self.sqlite().writer.lock().await;
        let writer = &mut guard.connection;
        sqlx::query(statement).execute(&mut *writer).await.unwrap();
    }
}

impl Home for File {
    async fn fresh() -> Self {
        let mut home = Self { store: None, folder: tempfile::tempdir().unwrap() };
        home.reopen().await;
        home
    }

    fn store(&self) -> Arc<dyn Store> {
        Arc::clone(self.sqlite()) as Arc<dyn Store>
    }

    async fn reopen(&mut self) {
        self.store = None;
        self.store = Some(Arc::new(Sqlite::open(&self.path()).await.unwrap()));
    }

    async fn refuse_alarms(&self) {
        self.run(
            "create trigger refuse before insert on alarms begin select raise(abort, 'no'); end",
        )
        .await;
    }

    async fn damage_the_index(&self) {
        self.run(
            "update index_blocks set entries = x'01ff' where kind = 1 and value = 32 \
             and number = (select max(number) from index_blocks where value = 32)",
        )
        .await;
    }

    async fn save_of_a_later_release(&self) {
        self.run("update jobs set definition = '{\"later\":1}' where id % 2 = 1").await;
    }

    async fn take_alarms(&self) {
        self.run("drop trigger refuse").await;
    }
}

#[tokio::test]
async fn a_file_belongs_to_one_coordinator() {
    let mut home = File::fresh().await;
    let other = Sqlite::open(&home.path()).await;
    assert!(matches!(other, Err(Error::InUse(_))), "{other:?}");
    home.reopen().await;
}

#[tokio::test]
async fn a_closed_store_is_complete_in_its_file() {
    let home = File::fresh().await;
    home.run("insert into meta (key, value) values ('left', 'behind')").await;
    home.store().close().await.unwrap();
    let copy = home.folder.path().join("copy.db");
    std::fs::copy(home.path(), &copy).unwrap();
    let copied = Sqlite::open(&copy).await.unwrap();
    let kept: String = sqlx::query_scalar("select value from meta where key = 'left'")
        .fetch_one(&copied.readers)
        .await
        .unwrap();
    assert_eq!(kept, "behind");
}

#[tokio::test]
async fn a_closed_store_can_be_opened_again_and_writes_nothing_more() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("fastjob.db");
    let first = Sqlite::open(&path).await.unwrap();
    first.close().await.unwrap();
    // A request may still refer to it.
    let second = Sqlite::open(&path).await.unwrap();
    let commit = Commit { clock: Some(at(5)), ..Commit::default() };
    assert!(first.commit(std::slice::from_ref(&commit)).await.is_err());
    second.commit(&[commit]).await.unwrap();
    assert_eq!(second.load(Partition(0)).await.unwrap().clock, Some(at(5)));
}

#[tokio::test]
async fn a_store_of_a_newer_release_is_not_changed() {
    let mut home = File::fresh().await;
    home.run(
        "insert into _sqlx_migrations (version, description, success, checksum, execution_time) \
         values (9999, 'later', true, x'00', 0)",
    )
    .await;
    home.store = None;
    let newer = Sqlite::open(&home.path()).await;
    assert!(matches!(newer, Err(Error::Newer { found: 9999, .. })), "{newer:?}");
}

#[tokio::test]
async fn a_file_that_is_not_a_store_is_rejected_and_not_changed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("notes.txt");
    let text = "this is not a database, it is a text of some length ".repeat(40);
    std::fs::write(&path, &text).unwrap();
    let said = Sqlite::open(&path).await.unwrap_err().to_string();
    assert!(said.contains("it is not a SQLite file"), "{said}");
    assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
    let said = Sqlite::open(folder.path()).await.unwrap_err().to_string();
    assert!(said.contains("it is a folder"), "{said}");
}

/// The full content of a folder.
fn content(folder: &std::path::Path) -> BTreeMap<std::ffi::OsString, Vec<u8>> {
    let files = std::fs::read_dir(folder).unwrap().map(Result::unwrap);
    files.map(|file| (file.file_name(), std::fs::read(file.path()).unwrap())).collect()
}

#[tokio::test]
async fn the_database_of_another_program_is_rejected_and_not_changed() {
    const MIGRATED: &str = "create table _sqlx_migrations (version integer primary key, \
                            description text, success integer, checksum blob); \
                            insert into _sqlx_migrations values (1, 'its own', 1, x'00'); \
                            create table jobs (id integer primary key)";
    for (made_of, named) in [
        ("create table notes (text)", "`notes`"),
        ("pragma journal_mode = wal; create table notes (text)", "`notes`"),
        ("pragma user_version = 7", "a SQLite file of another program"),
        ("pragma application_id = 7", "a SQLite file of another program"),
        (MIGRATED, "`_sqlx_migrations`, `jobs`"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("app.db");
        let options = SqliteConnectOptions::new().filename(&path).create_if_missing(true);
        let mut app = options.connect().await.unwrap();
        sqlx::raw_sql(made_of).execute(&mut app).await.unwrap();
        app.close().await.unwrap();
        let before = content(folder.path());
        let said = Sqlite::open(&path).await.unwrap_err().to_string();
        assert!(said.contains(named) && said.contains("a separate file"), "{said}");
        assert!(content(folder.path()) == before, "{made_of}: it was left as it was");
    }
}

#[tokio::test]
async fn a_store_of_a_development_version_is_not_changed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("fastjob.db");
    let options = SqliteConnectOptions::new().filename(&path).create_if_missing(true);
    let mut old = options.connect().await.unwrap();
    let tables = "create table _sqlx_migrations (version integer primary key, description text, \
                  success integer, checksum blob); \
                  insert into _sqlx_migrations values (1, 'first', 1, x'00'); \
                  create table jobs (id integer); create table lives (id integer); \
                  create table attempts (id integer)";
    sqlx::raw_sql(tables).execute(&mut old).await.unwrap();
    old.close().await.unwrap();
    let refused = Sqlite::open(&path).await.unwrap_err();
    assert!(matches!(refused, Error::TooOld { found: 1, .. }), "{refused}");
    assert!(refused.to_string().contains("use a new store"), "{refused}");
}

#[tokio::test]
async fn a_database_in_use_by_another_program_is_rejected_too() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("app.db");
    let options = SqliteConnectOptions::new().filename(&path).create_if_missing(true);
    let mut app = options.journal_mode(SqliteJournalMode::Wal).connect().await.unwrap();
    sqlx::query("create table notes (text)").execute(&mut app).await.unwrap();
    let said = Sqlite::open(&path).await.unwrap_err().to_string();
    assert!(said.contains("`notes`"), "{said}");
    sqlx::query("insert into notes values ('on')").execute(&mut app).await.unwrap();
}

#[cfg(unix)]
#[tokio::test]
async fn a_file_with_two_names_is_rejected() {
    let mut home = File::fresh().await;
    home.store = None;
    let other = home.folder.path().join("other.db");
    std::fs::hard_link(home.path(), &other).unwrap();
    for path in [&home.path(), &other] {
        let said = Sqlite::open(path).await.unwrap_err().to_string();
        assert!(said.contains("more than one name"), "{said}");
    }
    std::fs::remove_file(&other).unwrap();
    home.reopen().await;
}

#[tokio::test]
async fn a_store_after_a_crash_is_recognized_by_its_wal() {
    let home = File::fresh().await;
    // The files as they are while the store is in use.
    let copy = tempfile::tempdir().unwrap();
    for name in ["fastjob.db", "fastjob.db-wal"] {
        std::fs::copy(home.folder.path().join(name), copy.path().join(name)).unwrap();
    }
    Sqlite::open(&copy.path().join("fastjob.db")).await.unwrap();
}

#[tokio::test]
async fn a_row_with_an_unknown_value_is_rejected() {
    let home = File::fresh().await;
    home.run(
        "insert into jobs values (1, 'default', 'a', '{\"name\":\"a\"}', 99, 1, 0, 0, 0, null, '[]', \
         null)",
    )
    .await;
    let said = home.store().load(Partition(0)).await.unwrap_err().to_string();
    assert!(said.contains("the origin 99"), "{said}");
}

/// Records which commits are durable.
struct Durable(tokio::sync::mpsc::UnboundedSender<u64>);

impl Listener for Durable {
    fn durable(&self, commits: &[(Lease, u64)]) {
        for (_, id) in commits {
            self.0.send(*id).unwrap();
        }
    }

    fn over(&self, _: Lease) {}
}

#[tokio::test]
async fn decisions_before_a_rejected_commit_are_written() {
    let home = File::fresh().await;
    home.store().commit(&[base()]).await.unwrap();
    home.run(
        "create trigger refuse before insert on keys when new.task = 13 \
         begin select raise(abort, 'no'); end",
    )
    .await;
    let metrics = crate::metrics::Metrics::default();
    let (writer, handle) = Writer::new(home.store());
    let writer = writer.counting(metrics.clone());
    for id in 10..16 {
        let key = Some(format!("k{id}").into());
        handle.submit(u64::try_from(id).unwrap(), plan([NewAttempt { key, ..head(id) }]));
    }
    let (durable, mut written) = tokio::sync::mpsc::unbounded_channel();
    let stop = CancellationToken::new();
    let running = tokio::spawn(writer.run(stop.clone(), Durable(durable)));
    for id in 10..13 {
        assert_eq!(written.recv().await, Some(id));
    }
    let mut health = handle.health();
    health.wait_for(|health| *health != Health::Well).await.unwrap();
    assert_eq!(metrics.saved.read(), [0, 3, 0], "what is durable");
    // No other node could take over the partition, so the commit is retried.
    home.take_alarms().await;
    for id in 13..16 {
        assert_eq!(written.recv().await, Some(id));
    }
    assert_eq!(metrics.saved.read(), [0, 6, 0]);
    stop.cancel();
    running.await.unwrap().unwrap();
}

#[cfg(unix)]
mod of_one_user {
    //! No other user of the machine can read, lock or replace the files of a store.

    use std::{
        os::unix::fs::{PermissionsExt, symlink},
        path::Path,
    };

    use super::*;

    fn set_mode(path: &Path, mode: u32) {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    }

    /// The modes of everything in a folder.
    fn modes(folder: &Path) -> BTreeMap<String, u32> {
        let files = std::fs::read_dir(folder).unwrap().map(Result::unwrap);
        let mode = |file: std::fs::DirEntry| {
            let mode = file.metadata().unwrap().permissions().mode() & 0o7777;
            (file.file_name().into_string().unwrap(), mode)
        };
        files.map(mode).collect()
    }

    const FILES: [&str; 4] = ["fastjob.db", "fastjob.db-shm", "fastjob.db-wal", "fastjob.db.lock"];

    #[tokio::test]
    async fn a_new_store_and_its_folders_are_private() {
        let outer = tempfile::tempdir().unwrap();
        let folder = outer.path().join("a/b");
        let store = Sqlite::open(&folder.join("fastjob.db")).await.unwrap();
        assert_eq!(modes(&folder), FILES.map(|name| (name.to_owned(), 0o600)).into());
        assert_eq!(modes(outer.path())["a"], 0o700);
        assert_eq!(modes(&outer.path().join("a"))["b"], 0o700);
        drop(store);
    }

    #[tokio::test]
    async fn a_store_that_others_could_read_is_made_private_when_opened() {
        let mut home = File::fresh().await;
        // The files as they are after a crash.
        let killed = tempfile::tempdir().unwrap();
        for name in FILES {
            std::fs::copy(home.folder.path().join(name), killed.path().join(name)).unwrap();
            set_mode(&killed.path().join(name), 0o666);
        }
        home.store = None;
        let store = Sqlite::open(&killed.path().join("fastjob.db")).await.unwrap();
        assert_eq!(modes(killed.path()), FILES.map(|name| (name.to_owned(), 0o600)).into());
        drop(store);
    }

    #[tokio::test]
    async fn a_link_in_place_of_a_file_is_rejected_and_its_target_is_not_changed() {
        for name in ["fastjob.db.lock", "fastjob.db-wal", "fastjob.db-shm", "fastjob.db-journal"] {
            let folder = tempfile::tempdir().unwrap();
            let target = folder.path().join("target");
            std::fs::write(&target, "precious").unwrap();
            symlink(&target, folder.path().join(name)).unwrap();
            let said = Sqlite::open(&folder.path().join("fastjob.db")).await.unwrap_err();
            assert!(said.to_string().contains("is a symbolic link"), "{name}: {said}");
            assert_eq!(std::fs::read_to_string(&target).unwrap(), "precious");
            assert!(!folder.path().join("fastjob.db").exists(), "{name}");
        }
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("fastjob.db");
        symlink(folder.path().join("nowhere.db"), &path).unwrap();
        let said = Sqlite::open(&path).await.unwrap_err().to_string();
        assert!(said.contains("is a symbolic link"), "{said}");
    }

    #[tokio::test]
    async fn an_own_link_may_point_to_an_existing_store() {
        let mut home = File::fresh().await;
        let link = home.folder.path().join("link.db");
        symlink(home.path(), &link).unwrap();
        let other = Sqlite::open(&link).await;
        assert!(matches!(other, Err(Error::InUse(_))), "one file has one lock: {other:?}");
        home.store = None;
        drop(Sqlite::open(&link).await.unwrap());
    }

    #[tokio::test]
    async fn a_file_of_another_user_is_rejected() {
        if !rustix::process::geteuid().is_root() {
            return; // only root can change the owner of a file
        }
        for name in ["fastjob.db.lock", "fastjob.db", "fastjob.db-wal"] {
            let folder = tempfile::tempdir().unwrap();
            let file = folder.path().join(name);
            std::fs::write(&file, "").unwrap();
            std::os::unix::fs::chown(&file, Some(12345), None).unwrap();
            let said = Sqlite::open(&folder.path().join("fastjob.db")).await.unwrap_err();
            let said = said.to_string();
            assert!(said.contains("belongs to user 12345"), "{name}: {said}");
        }
    }
}
