//! Alarms and the results of sending them. An alarm that is done is never sent again.

use fastjob_core::ChannelName;
use jiff::Timestamp;
use serde_json::Value;
use sqlx::AssertSqlSafe;

use super::Sqlite;
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
impl AlarmStore for Sqlite {
    async fn waiting_alarms(
        &self,
        channel: &ChannelName,
        after: i64,
        limit: u32,
    ) -> Result<Vec<WaitingAlarm>> {
        sqlx::query(
            "select number, job, task, kind, at, job_name, reason, message, executor, attempts \
             from alarms where state = 0 and channel = ?1 and number > ?2 order by number limit ?3",
        )
        .bind(channel.as_str())
        .bind(after)
        .bind(limit)
        .fetch_all(&self.readers)
        .await
        .map_err(while_doing("read alarms"))?
        .iter()
        .map(waiting)
        .collect()
    }

    async fn past_alarms(&self, filter: &AlarmFilter) -> Result<Vec<PastAlarm>> {
        let mut wants = String::from("true");
        for (given, want) in [
            (filter.job.is_some(), " and job = ?1"),
            (filter.channel.is_some(), " and channel = ?2"),
            (filter.below.is_some(), " and number < ?3"),
        ] {
            wants.push_str(if given { want } else { "" });
        }
        let sql = format!(
            "select number, job, task, kind, at, job_name, reason, message, executor, attempts, \
             channel, state, tries, last_error, done_at from alarms where {wants} \
             order by number desc limit ?4"
        );
        sqlx::query(AssertSqlSafe(sql))
            .bind(filter.job.map(|job| job.0))
            .bind(filter.channel.as_ref().map(ChannelName::as_str))
            .bind(filter.below)
            .bind(filter.limit)
            .fetch_all(&self.readers)
            .await
            .map_err(while_doing("read alarms"))?
            .iter()
            .map(past)
            .collect()
    }

    async fn alarms_sent(&self, numbers: &[i64], at: Timestamp) -> Result<u64> {
        let mut guard = self.writer().await;
        let writer = &mut guard.connection;
        sqlx::query(
            "update alarms set state = 1, tries = tries + 1, done_at = ?2, last_error = null \
             where state = 0 and number in (select value from json_each(?1))",
        )
        .bind(Value::from(numbers).to_string())
        .bind(at.as_millisecond())
        .execute(&mut *writer)
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
        let mut guard = self.writer().await;
        let writer = &mut guard.connection;
        sqlx::query(
            "update alarms set state = iif(?2 is null, 0, 2), tries = tries + 1, done_at = ?2, \
             last_error = ?3 \
             where state = 0 and number in (select value from json_each(?1))",
        )
        .bind(Value::from(numbers).to_string())
        .bind(given_up.map(Timestamp::as_millisecond))
        .bind(clean(error).into_owned())
        .execute(&mut *writer)
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
        let mut guard = self.writer().await;
        let writer = &mut guard.connection;
        let channels: Vec<String> = sqlx::query_scalar(
            "update alarms set state = 2, done_at = ?3, last_error = ?4 where number in (\
             select number from alarms where state = 0 and at < ?2 \
             and channel not in (select value from json_each(?1)) limit ?5) returning channel",
        )
        .bind(Value::from(configured).to_string())
        .bind(before.as_millisecond())
        .bind(now.as_millisecond())
        .bind(clean(error).into_owned())
        .bind(limit)
        .fetch_all(&mut *writer)
        .await
        .map_err(while_doing("abandon alarms"))?;
        channels.iter().map(|channel| name(channel)).collect()
    }

    async fn remove_alarms(&self, before: Timestamp, limit: u32) -> Result<u64> {
        let mut guard = self.writer().await;
        let writer = &mut guard.connection;
        sqlx::query(
            "delete from alarms where number in (select number from alarms \
             where state > 0 and done_at < ?1 order by done_at limit ?2)",
        )
        .bind(before.as_millisecond())
        .bind(limit)
        .execute(&mut *writer)
        .await
        .map(|done| done.rows_affected())
        .map_err(while_doing("remove old alarms"))
    }
}

impl Sqlite {
    /// Those of the alarms that are still waiting, in order.
    pub(super) async fn still_waiting(&self, numbers: &[i64]) -> Result<Vec<WaitingAlarm>> {
        sqlx::query(
            "select number, job, task, kind, at, job_name, reason, message, executor, attempts \
             from alarms where state = 0 and number in (select value from json_each(?)) \
             order by number",
        )
        .bind(Value::from(numbers).to_string())
        .fetch_all(&self.readers)
        .await
        .map_err(while_doing("read alarms"))?
        .iter()
        .map(waiting)
        .collect()
    }
}
