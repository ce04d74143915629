//! The first statement of a transaction: which leases are still held, and how far the database is.
//!
//! It also counts the transactions of each partition, with or without a record in its journal. So a
//! database that has lost some, because it was restored or a replica that was behind took over, is
//! noticed before anything else is written: the leases end, and the engines restart from its state.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use sqlx::PgConnection;

use super::{history, int};
use crate::store::{
    Commit, Lease,
    journal::{Journal, Journals, Mark},
};

/// How long a node may be silent in a transaction while it replays journals.
pub(super) const REPLAYING: &str = "set local idle_in_transaction_session_timeout = '30s'";

/// What the database says about the leases of commits.
pub(super) enum Fence {
    /// All are held. How far each partition was before this transaction.
    Held(BTreeMap<Lease, Mark>),
    /// These have ended.
    Over(Vec<Lease>),
}

/// Updates the rows of the partitions, and counts the transaction in each of them.
pub(super) async fn fence(tx: &mut PgConnection, commits: &[Commit]) -> sqlx::Result<Fence> {
    #[derive(Default)]
    struct Reached {
        watermark: Option<i64>,
        clock: Option<i64>,
        ids_until: Option<i64>,
    }
    let mut leases: BTreeMap<Lease, Reached> = BTreeMap::new();
    for commit in commits {
        let reached = leases.entry(commit.lease).or_default();
        let millis = |at: Option<Timestamp>| at.map(Timestamp::as_millisecond);
        reached.watermark = reached.watermark.max(millis(commit.watermark));
        reached.clock = reached.clock.max(millis(commit.clock));
        reached.ids_until = reached.ids_until.max(commit.ids_until);
    }
    let column = |get: fn(&Reached) -> Option<i64>| leases.values().map(get).collect::<Vec<_>>();
    let held: Vec<(i32, i64, i64, i64)> = sqlx::query_as(
        "update partitions p set commits = p.commits + 1, \
         watermark = greatest(p.watermark, new.watermark), \
         clock = greatest(p.clock, new.clock), ids_until = greatest(p.ids_until, new.ids_until) \
         from unnest($1::int4[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[]) \
         as new (partition, term, watermark, clock, ids_until) \
         where p.partition = new.partition and p.term = new.term \
         returning p.partition, p.term, p.seq, p.commits - 1",
    )
    .bind(leases.keys().map(|lease| int(lease.partition.0)).collect::<Vec<_>>())
    .bind(leases.keys().map(|lease| lease.term).collect::<Vec<_>>())
    .bind(column(|reached| reached.watermark))
    .bind(column(|reached| reached.clock))
    .bind(column(|reached| reached.ids_until))
    .fetch_all(tx)
    .await?;
    let held: BTreeMap<_, _> = held
        .into_iter()
        .map(|(partition, term, seq, commits)| ((partition, term), Mark { seq, commits }))
        .collect();
    let mark = |lease: &Lease| held.get(&(int(lease.partition.0), lease.term)).copied();
    let over: Vec<_> = leases.keys().filter(|lease| mark(lease).is_none()).copied().collect();
    if !over.is_empty() {
        return Ok(Fence::Over(over));
    }
    let held = leases.into_keys().filter_map(|lease| Some((lease, mark(&lease)?)));
    Ok(Fence::Held(held.collect()))
}

/// Replays journals. Returns the leases of those that cannot be continued.
pub(super) async fn replay(
    tx: &mut PgConnection,
    journals: &mut Journals,
    missing: BTreeSet<Lease>,
) -> sqlx::Result<Vec<Lease>> {
    let mut over = Vec::new();
    if !missing.is_empty() {
        // Replaying takes time, without a statement.
        sqlx::query(REPLAYING).execute(&mut *tx).await?;
    }
    for lease in missing {
        let records = history::records_of(&mut *tx, lease.partition).await?;
        match Journal::replay(records.into_iter().map(Ok)) {
            Ok(journal) => match journals.keep(lease, journal) {
                true => continue,
                false => is_behind(lease),
            },
            Err(err) => lost(lease, &err.to_string()),
        }
        over.push(lease);
    }
    Ok(over)
}

/// Logs that the database does not have all that was written under a lease.
pub(super) fn is_behind(lease: Lease) {
    lost(lease, "the database has lost commits");
}

fn lost(lease: Lease, why: &str) {
    tracing::error!(
        partition = lease.partition.0,
        term = lease.term,
        error = why,
        "the journal cannot be continued: the partition restarts from its persisted state"
    );
}
