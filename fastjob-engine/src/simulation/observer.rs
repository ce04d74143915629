//! How a node determines which other nodes are alive: by the database's clock, corrected by its
//! own.
//!
//! After a forward jump of the database's clock, it considers the nodes that were alive before, and
//! those whose rows have changed since then, as alive for the length of a lease. A node whose row has not changed for that long is dead,
//! whatever the database says.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use jiff::SignedDuration;

use super::cluster::LEASE;

/// The smallest jump of the database's clock that is noticed.
const MARGIN: SignedDuration = SignedDuration::from_millis(200);

#[derive(Debug, Default)]
pub(super) struct Observer {
    /// The database's clock minus the node's own.
    offset: Option<SignedDuration>,
    /// By node: its row, and since when the row has not changed.
    rows: BTreeMap<usize, (SignedDuration, Duration)>,
    alive: BTreeSet<usize>,
    /// Nodes whose partitions must not be taken, and until when.
    spared: (BTreeSet<usize>, Duration),
}

impl Observer {
    /// The nodes that are alive. `rows` has the instant until which the database considers each
    /// alive, `now` is the database's clock and `uptime` the node's own.
    pub(super) fn look(
        &mut self,
        rows: &BTreeMap<usize, SignedDuration>,
        now: SignedDuration,
        uptime: Duration,
    ) -> BTreeSet<usize> {
        let offset = now - SignedDuration::try_from(uptime).unwrap_or_default();
        let before = self.offset.replace(offset);
        if before.is_some_and(|before| offset - before > MARGIN) {
            let alive = std::mem::take(&mut self.alive);
            self.spared.0.extend(alive);
            let changed = rows.iter().filter(|(node, until)| {
                self.rows.get(node).is_none_or(|(before, _)| before != *until)
            });
            self.spared.0.extend(changed.map(|(node, _)| *node));
            self.spared.1 = uptime + LEASE;
        }
        if uptime >= self.spared.1 {
            self.spared.0.clear();
        }
        let mut alive = BTreeSet::new();
        for (node, until) in rows {
            let row = self.rows.entry(*node).or_insert((*until, uptime));
            if row.0 != *until {
                *row = (*until, uptime);
            }
            let silent = uptime.saturating_sub(row.1) >= LEASE;
            if !silent && *until > now {
                alive.insert(*node);
            }
        }
        self.alive.clone_from(&alive);
        alive.extend(&self.spared.0);
        alive
    }
}
