//! Which partitions a node should have.
//!
//! Rules only: the database decides who holds a partition, `node` carries out what is said here.

use crate::store::{Alive, ClusterView, NodeId, Partition};

/// What a node should do about its partitions.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Plan {
    /// Free, and due to this node.
    pub(super) acquire: Vec<Partition>,
    /// More than its share.
    pub(super) release: Vec<Partition>,
}

/// Gives each living node its fair share and moves only what it must.
///
/// `held` are the partitions that this node acts on. Shares differ by one at most, and those who
/// have most keep the larger ones.
pub(super) fn plan(me: &NodeId, view: &ClusterView, held: &[Partition]) -> Plan {
    let total = view.partitions.len();
    let mut counts: Vec<(usize, &NodeId)> = view
        .nodes
        .iter()
        .map(|node| {
            let of = |holder: &Option<(NodeId, Alive)>| {
                matches!(holder, Some((id, Alive::Yes)) if *id == node.id)
            };
            let count = match node.id == *me {
                true => held.len(),
                false => view.partitions.iter().filter(|p| of(&p.holder)).count(),
            };
            (count, &node.id)
        })
        .collect();
    counts.sort_by(|a, b| b.0.cmp(&a.0).then(a.1.cmp(b.1)));
    let Some(rank) = counts.iter().position(|(_, id)| *id == me) else { return Plan::default() };
    let nodes = counts.len();
    let share = total / nodes + usize::from(rank < total % nodes);
    if held.len() > share {
        let mut release = held.to_vec();
        release.sort_unstable();
        return Plan { release: release.split_off(share), ..Plan::default() };
    }
    let free = |holder: &Option<(NodeId, Alive)>| match holder {
        None | Some((_, Alive::No)) => true,
        Some((id, Alive::Yes)) => id == me,
    };
    let mut acquire: Vec<_> = view
        .partitions
        .iter()
        .filter(|p| free(&p.holder) && !held.contains(&p.lease.partition))
        .map(|p| p.lease.partition)
        .collect();
    // Nodes that look at the same moment begin at different ones.
    let begin = (acquire.len() * rank).checked_div(nodes).unwrap_or_default();
    acquire.rotate_left(begin);
    acquire.truncate(share - held.len());
    Plan { acquire, release: Vec::new() }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use proptest::prelude::*;

    use super::*;
    use crate::store::{Holding, Lease, NodeRow};

    fn node(n: usize) -> NodeId {
        NodeId(format!("n{n}"))
    }

    /// `holders[p]` is the node that holds partition `p`; nodes at or above `alive` are dead.
    fn view(alive: usize, holders: &[Option<usize>]) -> ClusterView {
        let row = |n| NodeRow {
            id: node(n),
            address: String::new(),
            version: String::new(),
            since: Timestamp::UNIX_EPOCH,
        };
        let holding = |(p, holder): (u32, &Option<usize>)| Holding {
            lease: Lease { partition: Partition(p), term: 1 },
            holder: holder.map(|n| (node(n), if n < alive { Alive::Yes } else { Alive::No })),
        };
        ClusterView {
            nodes: (0..alive).map(row).collect(),
            partitions: (0..).zip(holders).map(holding).collect(),
            ..ClusterView::default()
        }
    }

    fn held(n: usize, holders: &[Option<usize>]) -> Vec<Partition> {
        let mine = (0..).zip(holders).filter(|(_, holder)| **holder == Some(n));
        mine.map(|(p, _)| Partition(p)).collect()
    }

    /// Lets all nodes act in turns until nothing moves; how many moves there were.
    fn settle(alive: usize, holders: &mut [Option<usize>]) -> usize {
        let mut moves = 0;
        for _ in 0..100 {
            let before = moves;
            for n in 0..alive {
                let plan = plan(&node(n), &view(alive, holders), &held(n, holders));
                moves += plan.release.len() + plan.acquire.len();
                plan.release.iter().for_each(|p| holders[p.0 as usize] = None);
                plan.acquire.iter().for_each(|p| holders[p.0 as usize] = Some(n));
            }
            if moves == before {
                return moves;
            }
        }
        panic!("it does not come to rest: {holders:?}");
    }

    #[test]
    fn a_node_that_joins_gets_its_share_and_nothing_else_moves() {
        let mut holders: Vec<_> = (0..32).map(|p| Some(p % 2)).collect();
        // Ten go from the two, and come to the third.
        assert_eq!(settle(3, &mut holders), 20);
        assert_eq!([0, 1, 2].map(|n| held(n, &holders).len()), [11, 11, 10]);
    }

    #[test]
    fn the_partitions_of_a_dead_node_are_shared_out() {
        let mut holders: Vec<_> = (0..32).map(|p| Some(p % 3)).collect();
        assert_eq!(
            settle(2, &mut holders),
            held(2, &(0..32).map(|p| Some(p % 3)).collect::<Vec<_>>()).len()
        );
        assert_eq!([0, 1].map(|n| held(n, &holders).len()), [16, 16]);
    }

    proptest! {
        #[test]
        fn everything_is_held_in_fair_shares_in_the_end(
            alive in 1_usize..7,
            mut holders in prop::collection::vec(prop::option::of(0_usize..9), 32),
        ) {
            settle(alive, &mut holders);
            let counts: Vec<_> = (0..alive).map(|n| held(n, &holders).len()).collect();
            prop_assert_eq!(counts.iter().sum::<usize>(), 32);
            let (least, most) = (counts.iter().min().unwrap(), counts.iter().max().unwrap());
            prop_assert!(most - least <= 1, "{:?}", counts);
        }
    }
}
