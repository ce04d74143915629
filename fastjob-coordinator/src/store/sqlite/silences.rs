//! Silences, which suppress alarms for a limited time. An alarm that is covered when it is about to
//! be sent is done: it is not sent later either.

use fastjob_core::ChannelName;
use jiff::Timestamp;
use serde_json::Value;

use super::Sqlite;
use crate::store::{
    AlarmState, Result, Silence, SilenceRow, SilenceStore, WaitingAlarm, batch::clean,
    codes::alarm_state_code, rows::silences::silence, while_doing,
};

#[async_trait::async_trait]
impl SilenceStore for Sqlite {
    async fn add_silence(
        &self,
        silence: &Silence,
        now: Timestamp,
        most: u32,
    ) -> Result<Option<i64>> {
        let (job, job_name) = match &silence.job {
            Some((job, name)) => (Some(job.0), Some(name.as_str())),
            None => (None, None),
        };
        let mut guard = self.writer().await;
        let writer = &mut guard.connection;
        let id: Option<i64> = sqlx::query_scalar(
            "insert into silences (job, job_name, channel, until, reason, created_at) \
             select ?1, ?2, ?3, ?4, ?5, ?6 \
             where (select count(*) from silences where until > ?6) < ?7 returning id",
        )
        .bind(job)
        .bind(job_name)
        .bind(silence.channel.as_ref().map(ChannelName::as_str))
        .bind(silence.until.as_millisecond())
        .bind(clean(&silence.reason).into_owned())
        .bind(now.as_millisecond())
        .bind(most)
        .fetch_optional(&mut *writer)
        .await
        .map_err(while_doing("save a silence"))?;
        self.written().map(|()| id)
    }

    async fn silences(&self, now: Timestamp) -> Result<Vec<SilenceRow>> {
        sqlx::query(
            "select id, job, job_name, channel, until, reason, created_at from silences \
             where until > ? order by id",
        )
        .bind(now.as_millisecond())
        .fetch_all(&self.readers)
        .await
        .map_err(while_doing("read silences"))?
        .iter()
        .map(silence)
        .collect()
    }

    async fn remove_silence(&self, id: i64, now: Timestamp) -> Result<bool> {
        let mut guard = self.writer().await;
        let writer = &mut guard.connection;
        let done = sqlx::query("delete from silences where id = ? and until > ?")
            .bind(id)
            .bind(now.as_millisecond())
            .execute(&mut *writer)
            .await
            .map_err(while_doing("remove a silence"))?;
        self.written().map(|()| done.rows_affected() > 0)
    }

    async fn silence_alarms(
        &self,
        channel: &ChannelName,
        numbers: &[i64],
        now: Timestamp,
    ) -> Result<Option<Vec<WaitingAlarm>>> {
        // There are rarely any silences, and this avoids the writer.
        let any: bool = sqlx::query_scalar(
            "select exists (select 1 from silences \
             where until > ?1 and (channel is null or channel = ?2))",
        )
        .bind(now.as_millisecond())
        .bind(channel.as_str())
        .fetch_one(&self.readers)
        .await
        .map_err(while_doing("read silences"))?;
        if !any {
            return Ok(None);
        }
        let mut guard = self.writer().await;
        let writer = &mut guard.connection;
        sqlx::query(
            "update alarms set state = ?4, done_at = ?1 \
             where state = 0 and channel = ?2 and number in (select value from json_each(?3)) \
             and exists (select 1 from silences s where s.until > ?1 \
             and (s.channel is null or s.channel = ?2) \
             and (s.job is null or s.job = alarms.job))",
        )
        .bind(now.as_millisecond())
        .bind(channel.as_str())
        .bind(Value::from(numbers).to_string())
        .bind(alarm_state_code(AlarmState::Silenced))
        .execute(&mut *writer)
        .await
        .map_err(while_doing("silence alarms"))?;
        drop(guard);
        self.still_waiting(numbers).await.map(Some)
    }

    async fn remove_expired_silences(&self, now: Timestamp) -> Result<u64> {
        let mut guard = self.writer().await;
        let writer = &mut guard.connection;
        sqlx::query("delete from silences where until <= ?")
            .bind(now.as_millisecond())
            .execute(&mut *writer)
            .await
            .map(|done| done.rows_affected())
            .map_err(while_doing("remove expired silences"))
    }
}
