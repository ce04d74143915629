//! What a coordinator starts from.

use std::sync::Arc;

use fastjob_core::{AttemptId, AttemptState, JobId, TaskId};
use sqlx::{Row, sqlite::SqliteRow};
use tokio_stream::StreamExt;

use super::{Sqlite, jobs, while_doing};
use crate::store::{
    Error, LifeId, LifeRow, LoadStore, Loaded, NewAttempt, OpenAttempt, Result,
    codes::{cause, task_state},
};

#[async_trait::async_trait]
impl LoadStore for Sqlite {
    async fn load(&self) -> Result<Loaded> {
        let doing = while_doing("read the store");
        // The writer's connection: nothing is written meanwhile.
        let mut writer = self.writer.lock().await;
        let mut loaded = Loaded::default();
        let meta = sqlx::query("select key, value from meta").fetch_all(&mut *writer).await;
        for row in meta.map_err(&doing)? {
            let (key, value): (String, String) =
                (row.try_get(0).map_err(&doing)?, row.try_get(1).map_err(&doing)?);
            let number = || {
                value.parse::<i64>().map_err(|_| Error::Corrupt { what: format!("{key} {value}") })
            };
            match key.as_str() {
                "cluster" => loaded.cluster = value,
                "ids_until" => loaded.ids_until = number()?,
                "watermark" => loaded.watermark = Some(instant(number()?)?),
                _ => {}
            }
        }
        {
            let mut rows = sqlx::query(jobs::SELECT_ALL).fetch(&mut *writer);
            while let Some(row) = rows.next().await {
                loaded.jobs.push(jobs::read(&row.map_err(&doing)?)?);
            }
        }
        {
            let mut rows = sqlx::query(
                "select a.id, a.task, a.job, a.number, a.cause, a.fire_at, a.due_at, \
                 a.created_at, a.life, head.task_state, head.param \
                 from attempts a join attempts head on head.id = a.task \
                 where a.state = 0 order by a.id",
            )
            .fetch(&mut *writer);
            while let Some(row) = rows.next().await {
                loaded.open.push(open(&row.map_err(&doing)?)?);
            }
        }
        let lives = sqlx::query(
            "select id, service, executor, incarnation, since from lives where id in \
             (select life from attempts where state = 0)",
        );
        for row in lives.fetch_all(&mut *writer).await.map_err(&doing)? {
            loaded.lives.push(life(&row)?);
        }
        loaded.next_life = sqlx::query_scalar("select coalesce(max(id), 0) + 1 from lives")
            .fetch_one(&mut *writer)
            .await
            .map_err(&doing)?;
        Ok(loaded)
    }
}

fn open(row: &SqliteRow) -> Result<OpenAttempt> {
    let get = |index: usize| row.try_get::<i64, _>(index).map_err(while_doing("read an attempt"));
    let maybe =
        |index: usize| row.try_get::<Option<i64>, _>(index).map_err(while_doing("read an attempt"));
    let param: Option<String> = row.try_get(10).map_err(while_doing("read an attempt"))?;
    let task_state = task_state(get(9)?)?;
    Ok(OpenAttempt {
        planned: NewAttempt {
            attempt: AttemptId(get(0)?),
            task: TaskId(get(1)?),
            job: JobId(get(2)?),
            number: number(get(3)?)?,
            cause: cause(get(4)?)?,
            fire_at: maybe(5)?.map(instant).transpose()?,
            due_at: instant(get(6)?)?,
            created_at: instant(get(7)?)?,
            life: maybe(8)?.map(LifeId),
            param: None,
            note: None,
            state: AttemptState::Planned,
            task_state,
        },
        task_state,
        task_param: param.map(Arc::from),
    })
}

fn life(row: &SqliteRow) -> Result<LifeRow> {
    let doing = while_doing("read an executor");
    let text = |index: usize| row.try_get::<String, _>(index).map_err(&doing);
    Ok(LifeRow {
        id: LifeId(row.try_get(0).map_err(&doing)?),
        service: name(&text(1)?)?,
        executor: name(&text(2)?)?,
        incarnation: name(&text(3)?)?,
        since: instant(row.try_get(4).map_err(&doing)?)?,
    })
}

pub(super) fn instant(millis: i64) -> Result<jiff::Timestamp> {
    jiff::Timestamp::from_millisecond(millis)
        .map_err(|_| Error::Corrupt { what: format!("the instant {millis}") })
}

pub(super) fn number(value: i64) -> Result<u32> {
    u32::try_from(value).map_err(|_| Error::Corrupt { what: format!("the number {value}") })
}

pub(super) fn name<T: std::str::FromStr>(text: &str) -> Result<T> {
    text.parse().map_err(|_| Error::Corrupt { what: format!("the name `{text}`") })
}
