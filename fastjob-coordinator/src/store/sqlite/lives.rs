//! Lives that are over, and that nothing refers to any more. A life is over for sure when another has
//! its seat: then no attempt is placed on it again.

use std::collections::HashSet;

use jiff::Timestamp;
use serde_json::Value;

use super::Sqlite;
use crate::store::{LIVES, MANY_LIVES};

impl Sqlite {
    pub(super) async fn remove_lives(&self, before: Timestamp) -> sqlx::Result<()> {
        let over: Vec<i64> = sqlx::query_scalar(
            "select id from (select id, lead(since) over \
             (partition by service, executor order by id) as next from lives) \
             where next < ? order by id limit ?",
        )
        .bind(before.as_millisecond())
        .bind(LIVES)
        .fetch_all(&self.readers)
        .await?;
        if over.len() < MANY_LIVES {
            return Ok(());
        }
        let used: Vec<i64> = sqlx::query_scalar(
            "select distinct life from attempts where life in (select value from json_each(?))",
        )
        .bind(Value::from(over.clone()).to_string())
        .fetch_all(&self.readers)
        .await?;
        let used: HashSet<_> = used.into_iter().collect();
        let unused: Vec<_> = over.into_iter().filter(|life| !used.contains(life)).collect();
        let removed = sqlx::query("delete from lives where id in (select value from json_each(?))")
            .bind(Value::from(unused).to_string())
            .execute(&mut *self.writer.lock().await)
            .await?
            .rows_affected();
        tracing::debug!(removed, "old lives of executors removed");
        Ok(())
    }
}
