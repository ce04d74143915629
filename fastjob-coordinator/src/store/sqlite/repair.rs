//! Manual repairs. The file is locked while the store is open, so no coordinator uses it.

use jiff::Timestamp;
use sqlx::{Connection, SqliteConnection};

use super::{
    Sqlite,
    commit::{self, OPEN},
    history, index,
    script::Script,
};
use crate::store::{
    Error, Marks, Partition, RepairStore, Result, Survey,
    index::{NewSegment, Rebuild},
    journal::{self, Journals, Staged},
    repair::{INDEXED, check_room},
    rows::index::indexed,
    while_doing,
};

#[async_trait::async_trait]
impl RepairStore for Sqlite {
    async fn survey(&self, now: Timestamp) -> Result<Survey> {
        let mut writer = self.writer().await;
        let attempts = journal::later_than(&history::replay(&mut writer.connection).await?, now);
        let found = later_than(&mut writer.connection, attempts, now).await;
        found.map_err(while_doing("read the store"))?.survey()
    }

    async fn set_back(&self, now: Timestamp) -> Result<Survey> {
        let mut writer = self.writer().await;
        writer.journals = Journals::default();
        let mut journal = history::replay(&mut writer.connection).await?;
        let attempts = journal::later_than(&journal, now);
        let records = journal::set_back(Partition(0), &mut journal, now);
        let staged = Staged { records, ..Staged::default() };
        let done = set_back(&mut writer.connection, attempts, staged, now).await;
        done.map_err(while_doing("set back the clocks of the store"))?.survey()
    }

    async fn lift_ids(&self, by: i64) -> Result<Vec<Marks>> {
        let doing = while_doing("raise the ids of the store");
        let mut writer = self.writer().await;
        let mut tx = writer.connection.begin_with("begin immediate").await.map_err(&doing)?;
        let marks = meta(&mut tx).await.map_err(&doing)?.marks()?;
        check_room(marks.ids_until, by)?;
        sqlx::query(
            "insert into meta (key, value) values ('ids_until', cast(?1 as text)) \
             on conflict (key) do update set value = excluded.value",
        )
        .bind(marks.ids_until + by)
        .execute(&mut *tx)
        .await
        .map_err(&doing)?;
        tx.commit().await.map_err(&doing)?;
        Ok(vec![marks])
    }

    async fn count_tasks(&self) -> Result<u64> {
        let count = sqlx::query_scalar("select count(*) from tasks").fetch_one(&self.readers);
        let count: i64 = count.await.map_err(while_doing("count the history"))?;
        Ok(count.unsigned_abs())
    }

    async fn rebuild_index(&self) -> Result<u64> {
        let doing = while_doing("build the index of tasks");
        let mut writer = self.writer().await;
        let mut tx = writer.connection.begin_with("begin immediate").await.map_err(&doing)?;
        for statement in ["delete from index_segments", "delete from index_blocks"] {
            sqlx::query(statement).execute(&mut *tx).await.map_err(&doing)?;
        }
        let (mut rebuild, mut count, mut after) = (Rebuild::new(1), 0, i64::MIN);
        loop {
            let rows = sqlx::query(INDEXED).bind(after).fetch_all(&mut *tx);
            let rows = rows.await.map_err(&doing)?;
            let ended = rows.iter().map(indexed).collect::<Result<Vec<_>>>()?;
            let Some(last) = ended.last() else { break };
            (after, count) = (last.task.0, count + ended.len() as u64);
            write(&mut tx, rebuild.add(ended)).await.map_err(&doing)?;
        }
        write(&mut tx, rebuild.finish()).await.map_err(&doing)?;
        tx.commit().await.map_err(doing)?;
        Ok(count)
    }
}

async fn write(
    tx: &mut SqliteConnection,
    segments: impl IntoIterator<Item = NewSegment>,
) -> sqlx::Result<()> {
    for segment in segments {
        let mut script = Script::default();
        index::write(&mut script, vec![segment]);
        script.run_on(&mut *tx).await?;
    }
    Ok(())
}

async fn set_back(
    connection: &mut SqliteConnection,
    attempts: usize,
    staged: Staged<'_>,
    now: Timestamp,
) -> sqlx::Result<Found> {
    let mut tx = connection.begin_with("begin immediate").await?;
    let found = later_than(&mut tx, attempts, now).await?;
    for statement in [
        "update meta set value = cast(?1 as text) \
         where key in ('watermark', 'clock') and cast(value as integer) > ?1",
        "update jobs set anchor = ?1 where anchor > ?1",
        "delete from cursors where at > ?1",
        "delete from fired_ahead where at > ?1",
    ] {
        sqlx::query(statement).bind(now.as_millisecond()).execute(&mut *tx).await?;
    }
    let mut script = Script::default();
    commit::meta(&mut script, &[(OPEN, history::open(&staged))]);
    history::records(&mut script, staged.records);
    script.run_on(&mut tx).await?;
    tx.commit().await?;
    Ok(found)
}

/// What the file contains.
struct Found {
    meta: Meta,
    anchors: i64,
    attempts: usize,
}

impl Found {
    fn survey(self) -> Result<Survey> {
        Ok(Survey::new(vec![self.meta.marks()?], self.anchors, self.attempts, None))
    }
}

async fn later_than(
    line: &mut SqliteConnection,
    attempts: usize,
    now: Timestamp,
) -> sqlx::Result<Found> {
    let meta = meta(line).await?;
    let anchors = sqlx::query_scalar("select count(*) from jobs where anchor > ?1")
        .bind(now.as_millisecond())
        .fetch_one(line)
        .await?;
    Ok(Found { meta, anchors, attempts })
}

/// Keys and values.
struct Meta(Vec<(String, String)>);

async fn meta(line: &mut SqliteConnection) -> sqlx::Result<Meta> {
    let rows = sqlx::query_as(
        "select key, value from meta where key in ('watermark', 'clock', 'ids_until')",
    );
    rows.fetch_all(line).await.map(Meta)
}

impl Meta {
    fn marks(&self) -> Result<Marks> {
        Ok(Marks {
            partition: Partition(0),
            watermark: self.instant("watermark")?,
            clock: self.instant("clock")?,
            ids_until: self.number("ids_until")?.unwrap_or_default(),
        })
    }

    fn number(&self, key: &str) -> Result<Option<i64>> {
        let found = self.0.iter().find(|(name, _)| name == key);
        let parse = |(key, value): &(String, String)| {
            value.parse().map_err(|_| Error::Corrupt { what: format!("{key} {value}") })
        };
        found.map(parse).transpose()
    }

    fn instant(&self, key: &str) -> Result<Option<Timestamp>> {
        let corrupt = |millis| Error::Corrupt { what: format!("{key} {millis}") };
        let instant = |millis| Timestamp::from_millisecond(millis).map_err(|_| corrupt(millis));
        self.number(key)?.map(instant).transpose()
    }
}
