//! Alarms and the results of sending them. An alarm that is done is never sent again.

use fastjob_core::ChannelName;
use jiff::Timestamp;
use sqlx::QueryBuilder;

use super::Postgres;
use crate::store::{
    AlarmFilter, AlarmStore, PastAlarm, Result, WaitingAlarm,
    batch::clean,
    rows::{
        alarms::{past, waiting},
        name,
    },
    while_doing,
};

#[async_trait::async_trait]
impl AlarmStore for Postgres {
    async fn waiting_alarms(
        &self,
        channel: &ChannelName,
        after: i64,
        limit: u32,
    ) -> Result<Vec<WaitingAlarm>> {
        sqlx::query(
            "select number, job, task, kind, at, job_name, reason, message, executor, attempts \
             from alarms where state = 0 and channel = $1 and number > $2 order by number limit $3",
        )
        .bind(channel.as_str())
        .bind(after)
        .bind(i64::from(limit))
        .fetch_all(&self.readers)
        .await
        .map_err(while_doing("read alarms"))?
        .iter()
        .map(waiting)
        .collect()
    }

    async fn past_alarms(&self, filter: &AlarmFilter) -> Result<Vec<PastAlarm>> {
        let mut sql = QueryBuilder::<sqlx::Postgres>::new(
            "select number, job, task, kind, at, job_name, reason, message, executor, attempts, \
             channel, state, tries, last_error, done_at from alarms where true",
        );
        if let Some(job) = filter.job {
            sql.push(" and job = ").push_bind(job.0);
        }
        if let Some(channel) = &filter.channel {
            sql.push(" and channel = ").push_bind(channel.as_str());
        }
        if let Some(below) = filter.below {
            sql.push(" and number < ").push_bind(below);
        }
        sql.push(" order by number desc limit ").push_bind(i64::from(filter.limit));
        sql.build()
            .fetch_all(&self.readers)
            .await
            .map_err(while_doing("read alarms"))?
            .iter()
            .map(past)
            .collect()
    }

    async fn alarms_sent(&self, numbers: &[i64], at: Timestamp) -> Result<u64> {
        sqlx::query(
            "update alarms set state = 1, tries = tries + 1, done_at = $2, last_error = null \
             where state = 0 and number = any($1)",
        )
        .bind(numbers)
        .bind(at.as_millisecond())
        .execute(&self.readers)
        .await
        .map(|done| done.rows_affected())
        .map_err(while_doing("mark alarms as sent"))
    }

    async fn alarms_failed(
        &self,
        numbers: &[i64],
        given_up: Option<Timestamp>,
        error: &str,
    ) -> Result<()> {
        sqlx::query(
            "update alarms set state = case when $2::bigint is null then 0 else 2 end, \
             tries = tries + 1, done_at = $2::bigint, last_error = $3 where state = 0 and number = any($1)",
        )
        .bind(numbers)
        .bind(given_up.map(Timestamp::as_millisecond))
        .bind(clean(error))
        .execute(&self.readers)
        .await
        .map(drop)
        .map_err(while_doing("record that alarms were not sent"))
    }

    async fn give_up_alarms(
        &self,
        configured: &[ChannelName],
        before: Timestamp,
        now: Timestamp,
        error: &str,
        limit: u32,
    ) -> Result<Vec<ChannelName>> {
        let configured: Vec<_> = configured.iter().map(ChannelName::as_str).collect();
        let channels: Vec<String> = sqlx::query_scalar(
            "update alarms set state = 2, done_at = $3, last_error = $4 where number in (\
             select number from alarms where state = 0 and at < $2 \
             and channel <> all($1) limit $5) returning channel",
        )
        .bind(configured)
        .bind(before.as_millisecond())
        .bind(now.as_millisecond())
        .bind(clean(error))
        .bind(i64::from(limit))
        .fetch_all(&self.readers)
        .await
        .map_err(while_doing("abandon alarms"))?;
        channels.iter().map(|channel| name(channel)).collect()
    }

    async fn remove_alarms(&self, before: Timestamp, limit: u32) -> Result<u64> {
        sqlx::query(
            "delete from alarms where number in (select number from alarms \
             where state > 0 and done_at < $1 order by done_at limit $2)",
        )
        .bind(before.as_millisecond())
        .bind(i64::from(limit))
        .execute(&self.readers)
        .await
        .map(|done| done.rows_affected())
        .map_err(while_doing("remove old alarms"))
    }
}

impl Postgres {
    /// Those of the alarms that are still waiting, in order.
    pub(super) async fn still_waiting(&self, numbers: &[i64]) -> Result<Vec<WaitingAlarm>> {
        sqlx::query(
            "select number, job, task, kind, at, job_name, reason, message, executor, attempts \
             from alarms where state = 0 and number = any($1) \
             order by number",
        )
        .bind(numbers)
        .fetch_all(&self.readers)
        .await
        .map_err(while_doing("read alarms"))?
        .iter()
        .map(waiting)
        .collect()
    }
}
