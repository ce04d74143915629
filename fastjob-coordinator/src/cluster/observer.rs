//! How a node detects steps of the database's clock.
//!
//! The database decides by its own clock which nodes are alive. When that clock steps, its decision
//! is wrong for a while: after a step forward, live nodes look dead, and after a step back, dead
//! nodes look alive. A node that compares with its own clock detects both:
//!
//! - After a step forward, it takes nothing from a node that was alive before, or has sent a heartbeat
//!   since then, until that node has had the time to send the next one, or to stop.
//! - A node that has not sent a heartbeat for a whole lease by the observer's clock is dead,
//!   whatever the database's clock says. Its row is removed if it is still unchanged.

use std::{
    collections::{HashMap, HashSet},
    time::Duration,
};

use jiff::{SignedDuration, Timestamp};

use crate::store::{Alive, ClusterView, NodeId, NodeUntil};

/// The result of one look.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Observed {
    /// How far the database's clock stepped since the last look, if it did.
    pub(super) step: Option<SignedDuration>,
    /// Dead nodes that the database considers alive.
    pub(super) silent: Vec<NodeUntil>,
}

/// Watches the other nodes and the database's clock.
pub(super) struct Observer {
    /// For how long a node is alive after a beat.
    lease: Duration,
    /// The smallest step that is detected: a larger one could cause a takeover before the holder
    /// ends.
    margin: Duration,
    /// The database's clock minus this node's, in milliseconds, and the measurement error.
    last: Option<(i64, Duration)>,
    /// The rows of the nodes, and since when each has not changed.
    rows: HashMap<NodeId, (i64, Duration)>,
    /// The nodes that were alive at the last look.
    alive: HashSet<NodeId>,
    /// Nodes that nothing is taken from, and until when.
    spared: Option<(HashSet<NodeId>, Duration)>,
}

impl Observer {
    /// `lease` is the duration that the nodes send to the database.
    pub(super) fn new(lease: Duration) -> Self {
        Self {
            lease,
            margin: lease / 15,
            last: None,
            rows: HashMap::new(),
            alive: HashSet::new(),
            spared: None,
        }
    }

    /// Checks the result of a beat, and corrects which nodes are alive. The beat was sent and
    /// answered at these instants of the node's own clock.
    pub(super) fn look(
        &mut self,
        view: &mut ClusterView,
        sent: Duration,
        answered: Duration,
    ) -> Observed {
        let step = view.clock.and_then(|clock| self.step(clock, sent, answered));
        if step.is_some_and(|step| step.is_positive()) {
            let mut spared = std::mem::take(&mut self.alive);
            // A node that was silent at the last look may act again.
            let has_beaten = |row: &&NodeUntil| {
                self.rows.get(&row.node).is_none_or(|(until, _)| *until != row.until)
            };
            let beaten = view.until.iter().filter(has_beaten).map(|row| row.node.clone());
            spared.extend(beaten);
            if let Some((before, _)) = self.spared.take() {
                spared.extend(before);
            }
            self.spared = Some((spared, answered + self.lease));
        }
        if self.spared.as_ref().is_some_and(|(_, until)| answered >= *until) {
            self.spared = None;
        }
        let silent = self.silent(view, answered);
        let alive = view.nodes.iter().map(|node| &node.id);
        self.alive =
            alive.filter(|id| !silent.iter().any(|gone| gone.node == **id)).cloned().collect();
        let spared = self.spared.as_ref().map(|(spared, _)| spared);
        for holding in &mut view.partitions {
            if let Some((node, alive @ Alive::No)) = &mut holding.holder
                && spared.is_some_and(|spared| spared.contains(node))
            {
                *alive = Alive::Yes;
            }
        }
        Observed { step, silent }
    }

    /// How much further the database's clock moved than this node's.
    fn step(
        &mut self,
        clock: Timestamp,
        sent: Duration,
        answered: Duration,
    ) -> Option<SignedDuration> {
        let half = answered.saturating_sub(sent) / 2;
        let middle = i64::try_from((sent + half).as_millis()).unwrap_or(i64::MAX);
        let offset = clock.as_millisecond().saturating_sub(middle);
        let (before, inexact) = self.last.replace((offset, half))?;
        let step = SignedDuration::from_millis(offset.saturating_sub(before));
        let noticed = SignedDuration::try_from(self.margin + half + inexact).ok()?;
        (step.abs() > noticed).then_some(step)
    }

    /// Nodes whose row has not changed for a lease.
    fn silent(&mut self, view: &ClusterView, now: Duration) -> Vec<NodeUntil> {
        let rows = std::mem::take(&mut self.rows);
        let mut silent = Vec::new();
        for row in &view.until {
            let since = match rows.get(&row.node) {
                Some((until, since)) if *until == row.until => *since,
                Some(_) | None => now,
            };
            self.rows.insert(row.node.clone(), (row.until, since));
            let is_alive = view.nodes.iter().any(|node| node.id == row.node);
            if is_alive && now.saturating_sub(since) >= self.lease {
                silent.push(row.clone());
            }
        }
        silent
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{Holding, Lease, NodeRow, Partition};

    const LEASE: Duration = Duration::from_secs(3);

    fn id(name: &str) -> NodeId {
        NodeId(name.to_owned())
    }

    /// `a` looks; `b` holds the partition, and its row says until when it is alive.
    fn view(clock: i64, b_until: i64) -> ClusterView {
        let b_alive = b_until > clock;
        let row = |name| NodeRow {
            id: id(name),
            address: String::new(),
            version: String::new(),
            since: Timestamp::UNIX_EPOCH,
        };
        let alive = if b_alive { Alive::Yes } else { Alive::No };
        ClusterView {
            nodes: if b_alive { vec![row("a"), row("b")] } else { vec![row("a")] },
            partitions: vec![Holding {
                lease: Lease { partition: Partition(0), term: 1 },
                holder: Some((id("b"), alive)),
            }],
            until: vec![
                NodeUntil { node: id("a"), until: clock + 3_000 },
                NodeUntil { node: id("b"), until: b_until },
            ],
            clock: Some(Timestamp::from_millisecond(clock).unwrap()),
        }
    }

    fn ms(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    fn is_free(view: &ClusterView) -> bool {
        view.partitions.iter().all(|held| matches!(held.holder, Some((_, Alive::No))))
    }

    #[test]
    fn a_node_that_was_silent_and_acts_again_keeps_its_partitions_when_the_clock_steps_forward() {
        let mut observer = Observer::new(LEASE);
        // The clock has stepped back, so `b` looks alive; it sends nothing for a whole lease.
        for at in (0..=3_000_u32).step_by(500) {
            observer.look(&mut view(i64::from(at), 9_000), ms(at.into()), ms(at.into()));
        }
        // Before the next look, `b` sends a heartbeat, and the clock steps by 7 s.
        let mut seen = view(20_400, 16_400);
        let observed = observer.look(&mut seen, ms(13_400), ms(13_400));
        assert!(observed.step.is_some() && !is_free(&seen));
        // It has a lease to send the next one.
        let mut later = view(23_500, 16_400);
        observer.look(&mut later, ms(16_500), ms(16_500));
        assert!(is_free(&later));
    }

    #[test]
    fn a_node_without_heartbeats_is_dead_when_its_lease_expires() {
        let mut observer = Observer::new(LEASE);
        for at in (0..3_000).step_by(500) {
            let mut seen = view(1_000_000 + at, 1_003_000);
            let look =
                observer.look(&mut seen, ms(at.try_into().unwrap()), ms(at.try_into().unwrap()));
            assert_eq!((look, is_free(&seen)), (Observed::default(), false));
        }
        let mut seen = view(1_003_000, 1_003_000);
        assert_eq!(observer.look(&mut seen, ms(3_000), ms(3_000)), Observed::default());
        assert!(is_free(&seen));
    }

    #[test]
    fn a_step_forward_of_the_databases_clock_takes_nothing_from_a_node_that_is_alive() {
        let mut observer = Observer::new(LEASE);
        observer.look(&mut view(1_000_000, 1_003_000), ms(0), ms(0));
        let mut seen = view(4_600_500, 1_003_000);
        let look = observer.look(&mut seen, ms(500), ms(500));
        assert_eq!(look.step, Some(SignedDuration::from_hours(1)));
        assert!(!is_free(&seen), "its holder may still act");
        // The holder has sent a heartbeat by the new clock.
        let mut seen = view(4_601_000, 4_603_900);
        observer.look(&mut seen, ms(1_000), ms(1_000));
        assert!(!is_free(&seen));
    }

    #[test]
    fn a_node_that_dies_with_a_step_forward_is_taken_over_after_a_lease() {
        let mut observer = Observer::new(LEASE);
        observer.look(&mut view(1_000_000, 1_003_000), ms(0), ms(0));
        for at in [500, 2_000, 3_499] {
            let mut seen = view(4_600_000 + at, 1_003_000);
            let at = at.try_into().unwrap();
            observer.look(&mut seen, ms(at), ms(at));
            assert!(!is_free(&seen), "{at}");
        }
        let mut seen = view(4_603_500, 1_003_000);
        observer.look(&mut seen, ms(3_500), ms(3_500));
        assert!(is_free(&seen));
    }

    #[test]
    fn a_node_that_was_dead_before_a_step_is_not_spared() {
        let mut observer = Observer::new(LEASE);
        observer.look(&mut view(1_003_500, 1_003_000), ms(0), ms(0));
        let mut seen = view(4_600_500, 1_003_000);
        assert!(observer.look(&mut seen, ms(500), ms(500)).step.is_some());
        assert!(is_free(&seen));
    }

    #[test]
    fn a_step_back_of_the_databases_clock_does_not_keep_a_dead_node_alive() {
        let mut observer = Observer::new(LEASE);
        observer.look(&mut view(4_600_000, 4_603_000), ms(0), ms(0));
        let look = observer.look(&mut view(1_000_500, 4_603_000), ms(500), ms(500));
        assert_eq!(look.step, Some(SignedDuration::from_hours(-1)));
        assert_eq!(look.silent, []);
        let look = observer.look(&mut view(1_002_999, 4_603_000), ms(2_999), ms(2_999));
        assert_eq!(look, Observed::default());
        let look = observer.look(&mut view(1_003_000, 4_603_000), ms(3_000), ms(3_000));
        assert_eq!(look.silent, [NodeUntil { node: id("b"), until: 4_603_000 }]);
    }

    #[test]
    fn a_slow_answer_is_not_taken_for_a_step() {
        let mut observer = Observer::new(LEASE);
        observer.look(&mut view(1_000_000, 1_003_000), ms(0), ms(0));
        // The database read its clock at the end of the two seconds.
        let look = observer.look(&mut view(1_002_500, 1_005_000), ms(500), ms(2_500));
        assert_eq!(look.step, None);
    }
}
