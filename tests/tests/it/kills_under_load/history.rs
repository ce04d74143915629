//! What the coordinator has written, compared with what its executors and callers know.

use std::{
    collections::{HashMap, HashSet},
    fmt::Debug,
};

use sqlx::{AssertSqlSafe, FromRow, PgPool, SqlitePool, postgres::PgRow, sqlite::SqliteRow};

use super::{CALLED, Ended, SCHEDULED};
use crate::OPEN_IN_SQLITE;

/// Reads what the coordinator has written.
pub(super) enum Store {
    Sqlite(SqlitePool),
    Postgres(PgPool),
}

impl Store {
    async fn all<T>(&self, sql: &str) -> Vec<T>
    where
        T: for<'r> FromRow<'r, SqliteRow> + for<'r> FromRow<'r, PgRow> + Send + Unpin,
    {
        let sql = AssertSqlSafe(sql.to_owned());
        match self {
            Self::Sqlite(pool) => sqlx::query_as(sql).fetch_all(pool).await.unwrap(),
            Self::Postgres(pool) => sqlx::query_as(sql).fetch_all(pool).await.unwrap(),
        }
    }

    pub(super) async fn number(&self, sql: &str) -> i64 {
        self.all::<(i64,)>(sql).await[0].0
    }

    /// The number of open attempts.
    pub(super) async fn open(&self) -> i64 {
        self.number(match self {
            Self::Sqlite(_) => OPEN_IN_SQLITE,
            Self::Postgres(_) => "select sum(open)::bigint from partitions",
        })
        .await
    }
}

/// What has ended, as it is stored.
pub(super) struct History {
    /// Names by id.
    pub(super) jobs: HashMap<i64, String>,
    pub(super) tasks: Vec<Task>,
    pub(super) attempts: Vec<Attempt>,
    /// The tasks of the keys.
    keys: Vec<(i64,)>,
}

#[derive(FromRow)]
pub(super) struct Task {
    id: i64,
    pub(super) job: i64,
    state: i64,
    /// Set if the schedule started it.
    fire_at: Option<i64>,
}

#[derive(FromRow)]
pub(super) struct Attempt {
    id: i64,
    task: i64,
    number: i64,
    shard: i64,
    state: i64,
    reason: Option<i64>,
}

impl History {
    pub(super) async fn read(store: &Store) -> Self {
        let jobs =
            store.all::<(i64, String)>("select id, name from jobs").await.into_iter().collect();
        let tasks =
            store.all("select id, job, cast(state as bigint) as state, fire_at from tasks").await;
        let attempts = "select id, task, cast(number as bigint) as number, \
                        cast(shard_index as bigint) as shard, cast(state as bigint) as state, \
                        cast(reason as bigint) as reason from ended_attempts";
        let (attempts, keys) =
            (store.all(attempts).await, store.all("select task from keys").await);
        Self { jobs, tasks, attempts, keys }
    }

    /// Every attempt in the history was entered once, and there are no others.
    #[track_caller]
    pub(super) fn compare_attempts(&self, entered: &HashMap<i64, u32>) {
        none("attempts that were entered twice", entered.iter().filter(|(_, times)| **times > 1));
        let ids: HashSet<i64> = self.attempts.iter().map(|attempt| attempt.id).collect();
        assert_eq!(ids.len(), self.attempts.len(), "an attempt is in the history twice");
        let unknown = entered.keys().filter(|attempt| !ids.contains(*attempt));
        none("attempts that were entered, and are not in the history", unknown);
        let missing = ids.iter().filter(|attempt| !entered.contains_key(*attempt));
        none("attempts in the history that were not entered", missing);
    }

    /// Every task has succeeded, with the attempts of its kind.
    #[track_caller]
    pub(super) fn compare_tasks(&self) {
        let mut attempts: HashMap<i64, Vec<Ended>> = HashMap::new();
        for Attempt { task, number, shard, state, reason, .. } in &self.attempts {
            attempts.entry(*task).or_default().push((*number, *shard, *state, *reason));
        }
        let failed = self.tasks.iter().filter(|task| task.state != 3);
        none("tasks that did not succeed", failed.map(|task| (task.id, task.state)));
        let mut other = Vec::new();
        for task in &self.tasks {
            let name = self.jobs[&task.job].trim_end_matches(char::is_numeric);
            let kind = SCHEDULED.iter().chain([&CALLED]).find(|kind| kind.name == name).unwrap();
            let mut found = attempts.remove(&task.id).unwrap_or_default();
            found.sort_unstable();
            if found != kind.attempts {
                other.push((task.id, name, found));
            }
        }
        none("tasks with other attempts than their handler made", other);
        none("tasks of attempts that are not in the history", attempts);
    }

    /// Each job that fires has one task for each second from its first fire to its last one, which
    /// is later than `until`.
    #[track_caller]
    pub(super) fn compare_fires(&self, jobs: usize, until: i64) {
        let mut fires: HashMap<&str, Vec<i64>> = HashMap::new();
        for task in &self.tasks {
            fires.entry(self.jobs[&task.job].as_str()).or_default().extend(task.fire_at);
        }
        fires.retain(|job, _| !job.starts_with(CALLED.name));
        assert_eq!(fires.len(), jobs, "jobs that have fired");
        let mut wrong = Vec::new();
        for (job, mut fires) in fires {
            fires.sort_unstable();
            let pairs = fires.windows(2).filter(|pair| pair[1] - pair[0] != 1_000);
            wrong.extend(pairs.map(|pair| (job, pair[0], pair[1])));
            assert!(fires.last() > Some(&until), "{job} has not fired after the last kill");
        }
        none("fires that are lost or doubled between", wrong);
    }

    /// Each start that was answered is one task, and there are no others.
    #[track_caller]
    pub(super) fn compare_starts(&self, answered: &[i64]) {
        let tasks: HashSet<i64> = answered.iter().copied().collect();
        assert_eq!(tasks.len(), answered.len(), "two keys have the same task");
        let started = self.tasks.iter().filter(|task| task.fire_at.is_none());
        let started: HashSet<i64> = started.map(|task| task.id).collect();
        none("starts that were answered, and are not in the history", tasks.difference(&started));
        none("tasks that no caller was answered", started.difference(&tasks));
        let keys: HashSet<i64> = self.keys.iter().map(|(task,)| *task).collect();
        none("tasks without their key", tasks.symmetric_difference(&keys));
    }

    /// The number of tasks that succeeded, failed, were stopped and skipped.
    pub(super) fn ended(&self, of: impl Fn(&Task) -> bool) -> [i64; 4] {
        let tasks: Vec<_> = self.tasks.iter().filter(|task| of(task)).collect();
        [3, 4, 5, 6].map(|state| tasks.iter().filter(|task| task.state == state).count() as i64)
    }
}

/// Fails with the first ones if there are any.
#[track_caller]
pub(super) fn none<T: Debug>(what: &str, found: impl IntoIterator<Item = T>) {
    let found: Vec<T> = found.into_iter().collect();
    let first = &found[..found.len().min(5)];
    assert!(found.is_empty(), "{} {what}: {first:?}", found.len());
}
