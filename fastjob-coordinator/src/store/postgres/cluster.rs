//! Nodes and leases, by the database's clock.
//!
//! No call waits more than a moment for another node's transaction: locked rows are skipped, or the
//! call reports that it did nothing. Heartbeats have a connection of their own.

use std::time::Duration;

use sqlx::Connection;

use super::{Postgres, code, connection::again, int, partition};
use crate::store::{
    Alive, ClusterStore, ClusterView, Holding, Lease, NodeId, NodeRow, NodeUntil, Partition,
    Result, rows::instant, while_doing,
};

#[async_trait::async_trait]
impl ClusterStore for Postgres {
    async fn beat(&self, node: &NodeRow, lease: Duration) -> Result<ClusterView> {
        type Node = (String, String, String, i64, bool, i64, i64);
        type Held = (i32, Option<String>, i64, bool);
        let millis = i64::try_from(lease.as_millis()).unwrap_or(i64::MAX);
        let rows = again!(self.beats.with(async |line| {
            let mut tx = line.begin().await?;
            sqlx::query(
                "insert into nodes (id, address, version, since, until) \
                 values ($1, $2, $3, $4, clock_timestamp() + $5 * interval '1 millisecond') \
                 on conflict (id) do update set until = excluded.until",
            )
            .bind(&node.id.0)
            .bind(&node.address)
            .bind(&node.version)
            .bind(node.since.as_millisecond())
            .bind(millis)
            .execute(&mut *tx)
            .await?;
            let nodes: Vec<Node> = sqlx::query_as(
                "select id, address, version, since, until > clock_timestamp(), \
                 cast(extract(epoch from until) * 1000000 as bigint), \
                 cast(extract(epoch from clock_timestamp()) * 1000 as bigint) \
                 from nodes order by id",
            )
            .fetch_all(&mut *tx)
            .await?;
            let held: Vec<Held> = sqlx::query_as(
                "select p.partition, p.node, p.term, \
                 coalesce(n.until > clock_timestamp(), false) \
                 from partitions p left join nodes n on n.id = p.node order by p.partition",
            )
            .fetch_all(&mut *tx)
            .await?;
            // Rows that another node has locked are left for that node to remove.
            sqlx::query(
                "delete from nodes where id in (select id from nodes \
                 where until < clock_timestamp() - interval '1 day' for update skip locked)",
            )
            .execute(&mut *tx)
            .await?;
            tx.commit().await?;
            Ok((nodes, held))
        }));
        let (nodes, held) = rows.map_err(while_doing("renew the lease"))?;
        let clock = nodes.last().map(|(.., clock)| instant(*clock)).transpose()?;
        let until = |(id, _, _, _, _, until, _): &Node| NodeUntil {
            node: NodeId(id.clone()),
            until: *until,
        };
        let until = nodes.iter().map(until).collect();
        let alive = |(.., alive, _, _): &Node| *alive;
        let node = |(id, address, version, since, ..): Node| {
            Ok(NodeRow { id: NodeId(id), address, version, since: instant(since)? })
        };
        let holding = |(number, holder, term, alive): Held| {
            let alive = if alive { Alive::Yes } else { Alive::No };
            Ok(Holding {
                lease: Lease { partition: partition(number)?, term },
                holder: holder.map(|id| (NodeId(id), alive)),
            })
        };
        Ok(ClusterView {
            nodes: nodes.into_iter().filter(alive).map(node).collect::<Result<_>>()?,
            partitions: held.into_iter().map(holding).collect::<Result<_>>()?,
            until,
            clock,
        })
    }

    async fn acquire(&self, node: &NodeId, partition: Partition) -> Result<Option<Lease>> {
        let term: sqlx::Result<Option<i64>> = again!(self.cluster.with(async |line| {
            // The term is also at least the time: executors remember terms from before a backup was
            // restored.
            sqlx::query_scalar(
                "update partitions p set node = $1, term = greatest(term + 1, \
                     cast(extract(epoch from clock_timestamp()) as bigint)) where partition = $2 \
                     and (node is null or node = $1 or not exists (select 1 from nodes n \
                     where n.id = p.node and n.until > clock_timestamp())) returning term",
            )
            .bind(&node.0)
            .bind(int(partition.0))
            .fetch_optional(line)
            .await
            .or_else(busy)
        }));
        let term = term.map_err(while_doing("acquire a partition"))?;
        Ok(term.map(|term| Lease { partition, term }))
    }

    async fn release(&self, node: &NodeId, lease: Lease) -> Result<()> {
        // If a commit is in progress, the journal is forgotten at the next lease.
        if let Ok(mut journals) = self.journals.try_lock() {
            journals.forget(&[lease]);
        }
        again!(self.cluster.with(async |line| {
            sqlx::query(
                "update partitions set node = null \
                     where partition = $1 and node = $2 and term = $3",
            )
            .bind(int(lease.partition.0))
            .bind(&node.0)
            .bind(lease.term)
            .execute(line)
            .await
            .map(drop)
        }))
        .map_err(while_doing("release a partition"))
    }

    async fn leave(&self, node: &NodeId) -> Result<()> {
        again!(self.cluster.with(async |line| {
            let mut tx = line.begin().await?;
            // A partition whose row is locked counts as free too, because its node's row is removed
            // here.
            sqlx::query(
                "update partitions set node = null where partition in \
                     (select partition from partitions where node = $1 for update skip locked)",
            )
            .bind(&node.0)
            .execute(&mut *tx)
            .await?;
            sqlx::query("delete from nodes where id = $1").bind(&node.0).execute(&mut *tx).await?;
            tx.commit().await
        }))
        .map_err(while_doing("leave the cluster"))
    }

    async fn forget(&self, node: &NodeUntil) -> Result<()> {
        again!(self.cluster.with(async |line| {
            sqlx::query(
                "delete from nodes where id = $1 \
                 and cast(extract(epoch from until) * 1000000 as bigint) = $2",
            )
            .bind(&node.node.0)
            .bind(node.until)
            .execute(line)
            .await
            .map(drop)
        }))
        .map_err(while_doing("remove a dead node"))
    }
}

/// Maps a locked row to `None`.
fn busy<T>(err: sqlx::Error) -> sqlx::Result<Option<T>> {
    // lock_not_available
    if code(&err).as_deref() == Some("55P03") { Ok(None) } else { Err(err) }
}
