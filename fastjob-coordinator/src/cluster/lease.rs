//! Which partitions a node should hold.
//!
//! Pure rules: the database decides who holds a partition, and `node` carries out the plan.
//!
//! Each node gets its fair share. A node that cannot load a partition leaves it to others for a
//! while. If a partition stays without an owner, another node takes it in addition to its share,
//! because the node that it is due to probably cannot load it.

use std::{
    collections::{HashMap, HashSet},
    time::Duration,
};

use crate::store::{Alive, ClusterView, Holding, NodeId, Partition};

/// For how long a node leaves a partition to others after it could not load it or its engine
/// failed. A lease, if that is longer, because nodes look at the cluster a few times per lease.
const REFUSED: Duration = Duration::from_secs(10);
/// For how long an extra partition does not count as part of a node's share. Then the node releases
/// another partition, or this one if it has no other.
const EXTRA: Duration = Duration::from_secs(600);

/// The partitions that a node should acquire and release.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Plan {
    /// Free, and due to this node.
    pub(super) acquire: Vec<Partition>,
    /// Beyond its share.
    pub(super) release: Vec<Partition>,
}

/// Plans for one node, and keeps the state that a single view of the cluster does not show. `now`
/// is the node's uptime.
#[derive(Debug)]
pub(super) struct Planner {
    me: NodeId,
    /// For how long this node leaves a partition to others.
    pause: Duration,
    /// Partitions that this node leaves to others, and until when.
    refused: HashMap<Partition, Duration>,
    /// Partitions that no live node holds, and since when.
    vacant: HashMap<Partition, Duration>,
    /// Partitions that this node took in addition to its share, and until when they are not counted
    /// as part of it.
    extra: HashMap<Partition, Duration>,
    /// The live nodes in the last view.
    nodes: HashSet<NodeId>,
}

impl Planner {
    pub(super) fn new(me: NodeId, lease: Duration) -> Self {
        Self {
            me,
            pause: REFUSED.max(lease),
            refused: HashMap::new(),
            vacant: HashMap::new(),
            extra: HashMap::new(),
            nodes: HashSet::new(),
        }
    }

    /// Records that this node could not load the partition, or that its engine failed.
    pub(super) fn refuse(&mut self, now: Duration, partition: Partition) {
        self.refused.insert(partition, now + self.pause);
        self.extra.remove(&partition);
    }

    /// Whether this node leaves the partition to others.
    #[cfg(test)]
    pub(super) fn refuses(&self, partition: Partition) -> bool {
        self.refused.contains_key(&partition)
    }

    /// Gives each live node its fair share and moves as few partitions as possible.
    ///
    /// `held` are the partitions that this node acts on. Shares differ by one at most, and the
    /// nodes with the most partitions keep the larger shares.
    pub(super) fn plan(&mut self, now: Duration, view: &ClusterView, held: &[Partition]) -> Plan {
        self.look(now, view);
        let Some((rank, share)) = self.share(view, held.len()) else { return Plan::default() };
        let extra = held.iter().filter(|p| self.extra.get(p).is_some_and(|until| *until > now));
        let counted = held.len() - extra.count();
        if counted > share {
            return Plan { release: self.surplus(held, counted - share), ..Plan::default() };
        }
        let mut acquire: Vec<_> = view
            .partitions
            .iter()
            .filter(|p| self.is_free(p) && !held.contains(&p.lease.partition))
            .map(|p| p.lease.partition)
            .filter(|partition| !self.refused.contains_key(partition))
            .collect();
        let vacant_for = |partition: &Partition| {
            self.vacant.get(partition).map_or(Duration::ZERO, |since| now.saturating_sub(*since))
        };
        // Half a pause, so that the nodes that could not load it have not retried yet.
        let vacant = acquire.iter().copied().find(|p| vacant_for(p) >= self.pause / 2);
        // Nodes that plan at the same time start with different partitions.
        let begin = (acquire.len() * rank).checked_div(view.nodes.len()).unwrap_or_default();
        acquire.rotate_left(begin);
        acquire.truncate(share.saturating_sub(held.len()));
        // One at a time, in case the node that they are due to is only slow.
        if let Some(partition) = vacant.filter(|partition| !acquire.contains(partition)) {
            self.extra.insert(partition, now + EXTRA);
            acquire.push(partition);
        }
        Plan { acquire, release: Vec::new() }
    }

    /// Records what has changed since the last view.
    fn look(&mut self, now: Duration, view: &ClusterView) {
        self.refused.retain(|_, until| *until > now);
        for Holding { lease, holder } in &view.partitions {
            match holder {
                Some((node, Alive::Yes)) => {
                    self.vacant.remove(&lease.partition);
                    if *node != self.me {
                        self.extra.remove(&lease.partition);
                    }
                }
                Some((_, Alive::No)) | None => {
                    self.vacant.entry(lease.partition).or_insert(now);
                }
            }
        }
        let nodes: HashSet<_> = view.nodes.iter().map(|node| node.id.clone()).collect();
        if !nodes.is_subset(&self.nodes) {
            // A new node may be able to load them.
            self.extra.values_mut().for_each(|until| *until = now);
        }
        self.nodes = nodes;
    }

    /// This node's rank by number of partitions, and its share.
    fn share(&self, view: &ClusterView, held: usize) -> Option<(usize, usize)> {
        let mut counts: Vec<(usize, &NodeId)> = view
            .nodes
            .iter()
            .map(|node| {
                let of = |holder: &Option<(NodeId, Alive)>| {
                    matches!(holder, Some((id, Alive::Yes)) if *id == node.id)
                };
                let count = match node.id == self.me {
                    true => held,
                    false => view.partitions.iter().filter(|p| of(&p.holder)).count(),
                };
                (count, &node.id)
            })
            .collect();
        counts.sort_by(|a, b| b.0.cmp(&a.0).then(a.1.cmp(b.1)));
        let rank = counts.iter().position(|(_, id)| **id == self.me)?;
        let (total, nodes) = (view.partitions.len(), counts.len());
        Some((rank, total / nodes + usize::from(rank < total % nodes)))
    }

    /// Selects `count` of the held partitions to release; extra partitions come last.
    fn surplus(&self, held: &[Partition], count: usize) -> Vec<Partition> {
        let mut order = held.to_vec();
        order.sort_unstable_by_key(|p| (self.extra.get(p).copied(), std::cmp::Reverse(*p)));
        order.truncate(count);
        order
    }

    fn is_free(&self, Holding { holder, .. }: &Holding) -> bool {
        match holder {
            None | Some((_, Alive::No)) => true,
            Some((id, Alive::Yes)) => *id == self.me,
        }
    }
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

    /// Nodes that plan in turn, once per second.
    struct Nodes<'a> {
        planners: Vec<Planner>,
        /// Whether a node can load a partition.
        can: &'a dyn Fn(usize, usize) -> bool,
        seconds: u64,
    }

    impl<'a> Nodes<'a> {
        fn new(alive: usize, can: &'a dyn Fn(usize, usize) -> bool) -> Self {
            let planners = (0..alive).map(|n| Planner::new(node(n), Duration::from_secs(4)));
            Self { planners: planners.collect(), can, seconds: 0 }
        }

        /// Lets each node act once; returns the number of moves.
        fn look(&mut self, holders: &mut [Option<usize>]) -> usize {
            let now = Duration::from_secs(self.seconds);
            self.seconds += 1;
            let (alive, mut moves) = (self.planners.len(), 0);
            for (n, planner) in self.planners.iter_mut().enumerate() {
                let plan = planner.plan(now, &view(alive, holders), &held(n, holders));
                moves += plan.release.len() + plan.acquire.len();
                plan.release.iter().for_each(|p| holders[p.0 as usize] = None);
                for partition in plan.acquire {
                    let p = partition.0 as usize;
                    let is_loaded = (self.can)(n, p);
                    holders[p] = is_loaded.then_some(n);
                    if !is_loaded {
                        planner.refuse(now, partition);
                    }
                }
            }
            moves
        }

        fn looks(&mut self, times: usize, holders: &mut [Option<usize>]) {
            for _ in 0..times {
                self.look(holders);
            }
        }
    }

    /// Lets all nodes act until nothing moves; returns the number of moves.
    fn settle(alive: usize, holders: &mut [Option<usize>]) -> usize {
        let mut nodes = Nodes::new(alive, &|_, _| true);
        let mut moves = 0;
        for _ in 0..100 {
            match nodes.look(holders) {
                0 => return moves,
                more => moves += more,
            }
        }
        panic!("it does not settle: {holders:?}");
    }

    /// Two nodes with sixteen partitions each; `can` says which node can load which partition.
    fn two_nodes(can: &dyn Fn(usize, usize) -> bool) -> (Nodes<'_>, Vec<Option<usize>>) {
        let holders = (0..32).map(|p| Some(p / 16).filter(|n| can(*n, p)));
        (Nodes::new(2, can), holders.collect())
    }

    #[test]
    fn a_partition_that_its_node_cannot_load_goes_to_one_that_can_and_stays_there() {
        let (mut nodes, mut holders) = two_nodes(&|n, p| n == 0 || p != 20);
        nodes.looks(8, &mut holders);
        assert_eq!(holders[20], Some(0));
        let before = holders.clone();
        (0..100).for_each(|_| assert_eq!(nodes.look(&mut holders), 0, "{holders:?}"));
        assert_eq!(holders, before);
    }

    #[test]
    fn a_node_with_an_extra_partition_later_gives_the_other_node_a_different_one() {
        let (mut nodes, mut holders) = two_nodes(&|n, p| n == 0 || p != 20);
        for _ in 0..1_000 {
            nodes.look(&mut holders);
            assert!(nodes.seconds < 8 || holders[20] == Some(0), "{holders:?}");
        }
        assert_eq!([0, 1].map(|n| held(n, &holders).len()), [16, 16]);
    }

    #[test]
    fn a_node_that_can_load_nothing_does_not_affect_the_others() {
        let (mut nodes, mut holders) = two_nodes(&|n, _| n == 0);
        for _ in 0..100 {
            nodes.look(&mut holders);
            assert_eq!(holders[..16], [Some(0); 16]);
        }
        assert_eq!(holders, [Some(0); 32]);
    }

    #[test]
    fn if_no_node_can_load_a_partition_they_pause_between_attempts() {
        let tries = std::cell::Cell::new(0);
        let can = |_, p| {
            tries.set(tries.get() + usize::from(p == 20));
            p != 20
        };
        let mut holders: Vec<_> = (0..32).map(|p| Some(p / 16).filter(|_| p != 20)).collect();
        let mut nodes = Nodes::new(2, &can);
        nodes.looks(100, &mut holders);
        assert!((10..=20).contains(&tries.get()), "{}", tries.get());
    }

    #[test]
    fn a_new_node_may_get_a_partition_that_another_could_not_load() {
        let (mut nodes, mut holders) = two_nodes(&|n, _| n != 1);
        nodes.looks(50, &mut holders);
        assert_eq!(holders, [Some(0); 32]);
        nodes.planners.push(Planner::new(node(2), Duration::from_secs(4)));
        nodes.looks(100, &mut holders);
        assert!(holders.iter().all(Option::is_some), "{holders:?}");
        assert!(held(2, &holders).len() >= 10, "{holders:?}");
    }

    #[test]
    fn a_new_node_gets_its_share_and_nothing_else_moves() {
        let mut holders: Vec<_> = (0..32).map(|p| Some(p % 2)).collect();
        // The two release ten, and the third acquires them.
        assert_eq!(settle(3, &mut holders), 20);
        assert_eq!([0, 1, 2].map(|n| held(n, &holders).len()), [11, 11, 10]);
    }

    #[test]
    fn the_partitions_of_a_dead_node_are_distributed() {
        let mut holders: Vec<_> = (0..32).map(|p| Some(p % 3)).collect();
        assert_eq!(
            settle(2, &mut holders),
            held(2, &(0..32).map(|p| Some(p % 3)).collect::<Vec<_>>()).len()
        );
        assert_eq!([0, 1].map(|n| held(n, &holders).len()), [16, 16]);
    }

    proptest! {
        #[test]
        fn all_partitions_are_eventually_held_in_fair_shares(
            alive in 1_usize..7,
            mut holders in prop::collection::vec(prop::option::of(0_usize..9), 32),
        ) {
            settle(alive, &mut holders);
            let counts: Vec<_> = (0..alive).map(|n| held(n, &holders).len()).collect();
            prop_assert_eq!(counts.iter().sum::<usize>(), 32);
            let (least, most) = (counts.iter().min().unwrap(), counts.iter().max().unwrap());
            prop_assert!(most - least <= 1, "{:?}", counts);
        }

        #[test]
        fn a_partition_that_a_node_can_load_is_eventually_held_and_stays(
            alive in 1_usize..5,
            mut holders in prop::collection::vec(prop::option::of(0_usize..5), 32),
            cannot in prop::collection::hash_set((0_usize..5, 0_usize..32), 0..80),
        ) {
            let can = |n, p| !cannot.contains(&(n, p));
            for (p, holder) in holders.iter_mut().enumerate() {
                *holder = holder.filter(|n| can(*n, p));
            }
            let mut nodes = Nodes::new(alive, &can);
            nodes.looks(150, &mut holders);
            let before = holders.clone();
            for (p, holder) in holders.iter().enumerate() {
                prop_assert_eq!(holder.is_some(), (0..alive).any(|n| can(n, p)), "{}", p);
            }
            nodes.looks(100, &mut holders);
            prop_assert_eq!(holders, before);
        }
    }
}
