//! Commits: one set-based statement per kind of row for a whole batch, across all partitions of the
//! node.
//!
//! The first statement is the fence: it updates the rows of the partitions that are still held in
//! the terms of the commits. A node that takes over a partition updates the same row. So it waits
//! for a commit in progress, and any later commit sees the newer term and is rejected.
//!
//! Then the journals are brought up to date: what the commits do to tasks and attempts is applied to
//! them, one commit after the other. The rest is applied part by part. One file, because the order of
//! the statements matters.

use fastjob_core::Trace;
use jiff::Timestamp;
use sqlx::{Connection, PgConnection};

use super::{
    Postgres,
    connection::again,
    fence::{Fence, fence, is_behind, replay},
    history, int, small, versions,
};
use crate::store::{
    Commit, CommitStore, Error, JobRow, Lease, Result,
    batch::{self, clean, latest},
    codes::{alarm_kind_code, ids_code, origin_code},
    journal::{Journals, Staged, stage},
    while_doing,
};

pub(super) type Outcome = sqlx::Result<()>;

#[async_trait::async_trait]
impl CommitStore for Postgres {
    async fn commit(&self, commits: &[Commit]) -> Result<()> {
        let mut journals = self.journals.lock().await;
        let journals = &mut *journals;
        let over = again!(self.writer.with(async |writer| write(writer, journals, commits).await));
        let over = over.map_err(while_doing("write to the store"))?;
        if over.is_empty() {
            journals.written(commits);
            Ok(())
        } else {
            Err(Error::Fenced(over))
        }
    }

    async fn close(&self) -> Result<()> {
        self.readers.close().await;
        for line in [&self.writer, &self.cluster, &self.beats] {
            line.close().await.map_err(while_doing("close the connection to the database"))?;
        }
        Ok(())
    }
}

/// Writes the commits, or returns the leases that have ended. Those whose journals cannot be
/// continued end too: their engines start again from what is stored.
async fn write(
    writer: &mut PgConnection,
    journals: &mut Journals,
    commits: &[Commit],
) -> sqlx::Result<Vec<Lease>> {
    let mut tx = writer.begin().await?;
    let over = match fence(&mut tx, commits).await? {
        Fence::Over(over) => {
            journals.forget(&over);
            over
        }
        Fence::Held(held) => {
            let missing = journals.missing(commits);
            let behind = held.into_iter().filter(|(lease, mark)| !journals.is_at(*lease, *mark));
            let behind: Vec<_> = behind.map(|(lease, _)| lease).collect();
            behind.iter().for_each(|lease| is_behind(*lease));
            if behind.is_empty() { replay(&mut tx, journals, missing).await? } else { behind }
        }
    };
    if !over.is_empty() {
        tx.rollback().await?;
        return Ok(over);
    }
    let known = history::known(&mut tx, journals.doubtful(commits)).await?;
    let staged = stage(commits, journals, &known);
    apply(&mut tx, commits, &staged).await?;
    tx.commit().await?;
    Ok(over)
}

async fn cursors(tx: &mut PgConnection, commits: &[Commit]) -> Outcome {
    let cursors = batch::cursors(commits);
    if !cursors.is_empty() {
        let cursors = cursors.into_iter().map(|(job, at)| (job.0, at.as_millisecond()));
        let (jobs, cursors): (Vec<_>, Vec<_>) = cursors.unzip();
        sqlx::query(
            "insert into cursors (job, at) select * from unnest($1::bigint[], $2::bigint[]) \
             on conflict (job) do update set at = excluded.at",
        )
        .bind(jobs)
        .bind(cursors)
        .execute(&mut *tx)
        .await?;
    }
    Ok(())
}

async fn fired_ahead(tx: &mut PgConnection, commits: &[Commit]) -> Outcome {
    let ahead = commits.iter().flat_map(|commit| &commit.fired_ahead);
    let mut ahead: Vec<_> = ahead.map(|(job, at)| (job.0, at.as_millisecond())).collect();
    ahead.sort_unstable();
    let ahead = latest(ahead.into_iter());
    if !ahead.is_empty() {
        let (jobs, ahead): (Vec<_>, Vec<_>) = ahead.into_iter().unzip();
        sqlx::query(
            "insert into fired_ahead (job, at) select * from unnest($1::bigint[], $2::bigint[]) \
             on conflict (job) do update set at = greatest(fired_ahead.at, excluded.at)",
        )
        .bind(jobs)
        .bind(ahead)
        .execute(&mut *tx)
        .await?;
    }
    Ok(())
}

async fn keys(tx: &mut PgConnection, commits: &[Commit]) -> Outcome {
    let keys: Vec<_> = batch::keys(commits).collect();
    if keys.is_empty() {
        return Ok(());
    }
    sqlx::query(
        "insert into keys (job, key, task) \
         select * from unnest($1::bigint[], $2::text[], $3::bigint[]) on conflict do nothing",
    )
    .bind(keys.iter().map(|(job, ..)| job.0).collect::<Vec<_>>())
    .bind(keys.iter().map(|(_, key, _)| key.as_ref()).collect::<Vec<_>>())
    .bind(keys.iter().map(|(.., task)| task.0).collect::<Vec<_>>())
    .execute(tx)
    .await
    .map(drop)
}

async fn apply(tx: &mut PgConnection, commits: &[Commit], staged: &Staged<'_>) -> Outcome {
    versions::keep(tx, commits).await?;
    jobs(tx, commits).await?;
    lives(tx, commits).await?;
    keys(tx, commits).await?;
    checkpoints(tx, commits).await?;
    history::apply(tx, staged).await?;
    let anchors = commits.iter().flat_map(|commit| &commit.anchors);
    let mut anchors: Vec<_> =
        anchors.map(|(job, anchor)| (job.0, anchor.as_millisecond())).collect();
    anchors.sort_unstable();
    let anchors = latest(anchors.into_iter());
    if !anchors.is_empty() {
        let (jobs, anchors): (Vec<_>, Vec<_>) = anchors.into_iter().unzip();
        sqlx::query(
            "update jobs set anchor = greatest(jobs.anchor, new.anchor) \
             from unnest($1::bigint[], $2::bigint[]) as new (id, anchor) where jobs.id = new.id",
        )
        .bind(jobs)
        .bind(anchors)
        .execute(&mut *tx)
        .await?;
    }
    cursors(tx, commits).await?;
    fired_ahead(tx, commits).await?;
    children(tx, commits).await?;
    // Last, because other nodes wait while its numbers are locked.
    alarms(tx, commits).await
}

async fn jobs(tx: &mut PgConnection, commits: &[Commit]) -> Outcome {
    let rows = batch::jobs(commits);
    if rows.is_empty() {
        return Ok(());
    }
    // Deletions in a statement of their own, because rows within one statement have no defined
    // order.
    let living = rows.partition_point(|row| row.deleted_at.is_some());
    for rows in [&rows[..living], &rows[living..]] {
        if rows.is_empty() {
            continue;
        }
        let column = |get: fn(&&JobRow) -> i64| rows.iter().map(get).collect::<Vec<_>>();
        let text = |get: fn(&&JobRow) -> String| rows.iter().map(get).collect::<Vec<_>>();
        sqlx::query(
            "insert into jobs (id, service, name, definition, origin, revision, anchor, \
             created_at, updated_at, deleted_at, children, declared) \
             select * from unnest($1::bigint[], $2::text[], $3::text[], $4::text[], \
             $5::smallint[], $6::bigint[], $7::bigint[], $8::bigint[], $9::bigint[], \
             $10::bigint[], $11::text[], $12::text[]) \
             on conflict (id) do update set service = excluded.service, name = excluded.name, \
             definition = excluded.definition, children = excluded.children, \
             declared = excluded.declared, origin = excluded.origin, \
             revision = excluded.revision, anchor = excluded.anchor, \
             updated_at = excluded.updated_at, deleted_at = excluded.deleted_at \
             where excluded.revision >= jobs.revision",
        )
        .bind(column(|row| row.id.0))
        .bind(text(|row| row.job.service.to_string()))
        .bind(text(|row| row.job.name.to_string()))
        .bind(text(|row| batch::definition(&row.job)))
        .bind(rows.iter().map(|row| small(origin_code(row))).collect::<Vec<_>>())
        .bind(column(|row| row.revision))
        .bind(column(|row| row.anchor.as_millisecond()))
        .bind(column(|row| row.created_at.as_millisecond()))
        .bind(column(|row| row.updated_at.as_millisecond()))
        .bind(
            rows.iter()
                .map(|row| row.deleted_at.map(Timestamp::as_millisecond))
                .collect::<Vec<_>>(),
        )
        .bind(text(|row| ids_code(&row.children)))
        .bind(rows.iter().map(|row| batch::declared(row)).collect::<Vec<_>>())
        .execute(&mut *tx)
        .await?;
    }
    let ids: Vec<_> = rows.iter().map(|row| row.id.0).collect();
    sqlx::query("delete from job_children where parent = any($1)")
        .bind(&ids)
        .execute(&mut *tx)
        .await?;
    // From the current rows: the higher of two revisions wins.
    sqlx::query(
        "insert into job_children (child, parent) select distinct \
         unnest(string_to_array(trim(both '[]' from children), ',')::bigint[]), id from jobs \
         where id = any($1) and children <> '[]' and deleted_at is null on conflict do nothing",
    )
    .bind(ids)
    .execute(tx)
    .await
    .map(drop)
}

async fn lives(tx: &mut PgConnection, commits: &[Commit]) -> Outcome {
    let rows: Vec<_> = commits.iter().flat_map(|commit| &commit.lives).collect();
    if rows.is_empty() {
        return Ok(());
    }
    sqlx::query(
        "insert into lives (id, service, executor, incarnation, since) \
         select * from unnest($1::bigint[], $2::text[], $3::text[], $4::text[], $5::bigint[]) \
         on conflict do nothing",
    )
    .bind(rows.iter().map(|life| life.id.0).collect::<Vec<_>>())
    .bind(rows.iter().map(|life| life.service.to_string()).collect::<Vec<_>>())
    .bind(rows.iter().map(|life| life.executor.to_string()).collect::<Vec<_>>())
    .bind(rows.iter().map(|life| life.incarnation.to_string()).collect::<Vec<_>>())
    .bind(rows.iter().map(|life| life.since.as_millisecond()).collect::<Vec<_>>())
    .execute(tx)
    .await
    .map(drop)
}

async fn checkpoints(tx: &mut PgConnection, commits: &[Commit]) -> Outcome {
    let points = commits.iter().flat_map(|commit| &commit.checkpoints);
    let points = latest(points.map(|point| ((point.task.0, point.shard), clean(&point.value))));
    if !points.is_empty() {
        sqlx::query(
            "insert into checkpoints (task, shard, value) \
             select * from unnest($1::bigint[], $2::int4[], $3::text[]) \
             on conflict (task, shard) do update set value = excluded.value",
        )
        .bind(points.keys().map(|(task, _)| *task).collect::<Vec<_>>())
        .bind(points.keys().map(|(_, shard)| int(*shard)).collect::<Vec<_>>())
        .bind(points.values().map(|value| value.as_ref()).collect::<Vec<_>>())
        .execute(&mut *tx)
        .await?;
    }
    Ok(())
}

async fn alarms(tx: &mut PgConnection, commits: &[Commit]) -> Outcome {
    let rows: Vec<_> = batch::alarms(commits).collect();
    if rows.is_empty() {
        return Ok(());
    }
    let many = i64::try_from(rows.len()).unwrap_or(i64::MAX);
    let last: i64 = sqlx::query_scalar(
        "update counters set value = value + $1 where name = 'alarms' returning value",
    )
    .bind(many)
    .fetch_one(&mut *tx)
    .await?;
    sqlx::query(
        "insert into alarms (number, id, channel, job, task, kind, at, job_name, reason, message, \
         executor, attempts) \
         select * from unnest($12::bigint[], $1::bigint[], $2::text[], $3::bigint[], \
         $4::bigint[], $5::smallint[], $6::bigint[], $7::text[], $8::text[], $9::text[], \
         $10::text[], $11::int4[]) on conflict do nothing",
    )
    .bind(rows.iter().map(|(alarm, _)| alarm.id).collect::<Vec<_>>())
    .bind(rows.iter().map(|(_, channel)| channel.to_string()).collect::<Vec<_>>())
    .bind(rows.iter().map(|(alarm, _)| alarm.job.0).collect::<Vec<_>>())
    .bind(rows.iter().map(|(alarm, _)| alarm.task.map(|task| task.0)).collect::<Vec<_>>())
    .bind(rows.iter().map(|(alarm, _)| small(alarm_kind_code(alarm.kind))).collect::<Vec<_>>())
    .bind(rows.iter().map(|(alarm, _)| alarm.at.as_millisecond()).collect::<Vec<_>>())
    .bind(rows.iter().map(|(alarm, _)| alarm.job_name.clone()).collect::<Vec<_>>())
    .bind(rows.iter().map(|(alarm, _)| clean(&alarm.reason)).collect::<Vec<_>>())
    .bind(rows.iter().map(|(alarm, _)| clean(&alarm.message)).collect::<Vec<_>>())
    .bind(rows.iter().map(|(alarm, _)| alarm.executor.clone()).collect::<Vec<_>>())
    .bind(rows.iter().map(|(alarm, _)| int(alarm.attempts)).collect::<Vec<_>>())
    .bind((last - many + 1..=last).collect::<Vec<_>>())
    .execute(tx)
    .await
    .map(drop)
}

async fn children(tx: &mut PgConnection, commits: &[Commit]) -> Outcome {
    let rows: Vec<_> = commits.iter().flat_map(|commit| &commit.child_starts).collect();
    if !rows.is_empty() {
        sqlx::query(
            // A commit that is sent again must not restore the start of a child that has started.
            "insert into child_starts (id, partition, job, parent, param, depth, budget, trace) \
             select * from unnest($1::bigint[], $2::int4[], $3::bigint[], $4::bigint[], \
             $5::text[], $6::int4[], $7::int4[], $8::text[]) \
             as new (id, partition, job, parent, param, depth, budget, trace) \
             where not exists (select 1 from keys where keys.job = new.job \
             and keys.key = 'fastjob:child:' || new.id) on conflict do nothing",
        )
        .bind(rows.iter().map(|child| child.id).collect::<Vec<_>>())
        .bind(rows.iter().map(|child| int(child.partition.0)).collect::<Vec<_>>())
        .bind(rows.iter().map(|child| child.job.0).collect::<Vec<_>>())
        .bind(rows.iter().map(|child| child.parent.0).collect::<Vec<_>>())
        .bind(rows.iter().map(|child| child.param.as_deref().map(clean)).collect::<Vec<_>>())
        .bind(rows.iter().map(|child| child.lineage.map(|l| int(l.depth))).collect::<Vec<_>>())
        .bind(rows.iter().map(|child| child.lineage.map(|l| int(l.budget))).collect::<Vec<_>>())
        .bind(
            rows.iter().map(|child| child.trace.as_ref().map(Trace::to_string)).collect::<Vec<_>>(),
        )
        .execute(&mut *tx)
        .await?;
    }
    let started = commits.iter().flat_map(|commit| &commit.children_started).copied();
    let started: Vec<i64> = started.collect();
    if started.is_empty() {
        return Ok(());
    }
    sqlx::query("delete from child_starts where id = any($1)")
        .bind(started)
        .execute(tx)
        .await
        .map(drop)
}
