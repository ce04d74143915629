//! Lives that are over, and that nothing refers to any more. A life is over for sure when another has
//! its seat in the same partition: then no attempt is placed on it again.

use std::{collections::HashSet, time::Duration};

use jiff::Timestamp;

use super::{Postgres, late};
use crate::store::{LIVES, MANY_LIVES};

/// How long it may take to look through all attempts.
const SCAN: Duration = Duration::from_secs(300);

impl Postgres {
    pub(super) async fn remove_lives(&self, before: Timestamp) -> sqlx::Result<()> {
        let over: Vec<i64> = sqlx::query_scalar(
            "select id from (select id, lead(since) over \
             (partition by service, executor, id % $2 order by id) as next from lives) l \
             where next < $1 order by id limit $3",
        )
        .bind(before.as_millisecond())
        .bind(i64::from(self.partitions))
        .bind(i64::from(LIVES))
        .fetch_all(&self.readers.patient())
        .await?;
        if over.len() < MANY_LIVES {
            return Ok(());
        }
        let removed = tokio::time::timeout(SCAN, self.remove_unused_lives(over)).await;
        let removed = removed.map_err(|_| late())??;
        tracing::debug!(removed, "old lives of executors removed");
        Ok(())
    }

    async fn remove_unused_lives(&self, over: Vec<i64>) -> sqlx::Result<u64> {
        let mut tx = self.readers.begin().await?;
        sqlx::query("set local statement_timeout = '5min'").execute(&mut *tx).await?;
        let used: Vec<i64> = sqlx::query_scalar(
            "select distinct a.life from attempts a \
             join unnest($1::bigint[]) as over (id) on over.id = a.life",
        )
        .bind(&over)
        .fetch_all(&mut *tx)
        .await?;
        let used: HashSet<_> = used.into_iter().collect();
        let unused: Vec<_> = over.into_iter().filter(|life| !used.contains(life)).collect();
        let removed = sqlx::query("delete from lives where id = any($1)")
            .bind(unused)
            .execute(&mut *tx)
            .await?;
        tx.commit().await?;
        Ok(removed.rows_affected())
    }
}
