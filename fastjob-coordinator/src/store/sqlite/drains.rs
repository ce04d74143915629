//! Executors that users drain.

use fastjob_core::{ExecutorName, ServiceName};

use super::Sqlite;
use crate::store::{AddedDrain, DrainRow, DrainStore, Result, rows::drains::drain, while_doing};

#[async_trait::async_trait]
impl DrainStore for Sqlite {
    async fn add_drain(&self, drain: &DrainRow, most: u32) -> Result<AddedDrain> {
        let mut guard = self.writer().await;
        let writer = &mut guard.connection;
        let added = sqlx::query(
            "insert into drains (service, executor, since) select ?1, ?2, ?3 \
             where (select count(*) from drains) < ?4 on conflict do nothing",
        )
        .bind(drain.service.as_str())
        .bind(drain.executor.as_str())
        .bind(drain.since.as_millisecond())
        .bind(i64::from(most))
        .execute(&mut *writer)
        .await
        .map_err(while_doing("drain an executor"))?;
        self.written()?;
        if added.rows_affected() > 0 {
            return Ok(AddedDrain::Added);
        }
        let exists: bool = sqlx::query_scalar(
            "select exists (select 1 from drains where service = ?1 and executor = ?2)",
        )
        .bind(drain.service.as_str())
        .bind(drain.executor.as_str())
        .fetch_one(&mut *writer)
        .await
        .map_err(while_doing("drain an executor"))?;
        Ok(if exists { AddedDrain::Existed } else { AddedDrain::Full })
    }

    async fn remove_drain(&self, service: &ServiceName, executor: &ExecutorName) -> Result<bool> {
        let mut guard = self.writer().await;
        let writer = &mut guard.connection;
        let done = sqlx::query("delete from drains where service = ?1 and executor = ?2")
            .bind(service.as_str())
            .bind(executor.as_str())
            .execute(&mut *writer)
            .await
            .map_err(while_doing("resume an executor"))?;
        self.written().map(|()| done.rows_affected() > 0)
    }

    async fn drains(&self) -> Result<Vec<DrainRow>> {
        sqlx::query("select service, executor, since from drains order by since, service, executor")
            .fetch_all(&self.readers)
            .await
            .map_err(while_doing("read the drained executors"))?
            .iter()
            .map(drain)
            .collect()
    }
}
