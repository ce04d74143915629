//! The kind of history that a seed has: the number of nodes, the faults that happen, and the
//! checks.
//!
//! Seeds with `seed % 4 < 2` get the basic faults only, on one node or on three. The others get a
//! random selection of the extended faults as well: a history with few kinds of faults goes deeper
//! into each of them than a history with all of them.

use rand::{RngExt, SeedableRng, rngs::SmallRng};

/// A fault of the extended histories, or a check.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Feature {
    /// Wall clocks differ between nodes and executors, drift, and jump one by one; the database's
    /// clock jumps within the margin of a lease.
    Clocks,
    /// Executors report impossible instants.
    Lies,
    /// The database's clock jumps by seconds.
    DatabaseSteps,
    /// An executor that leaves drains: it continues for a while, and partitions may get new owners
    /// in that time.
    Drains,
    /// The last commits of a released partition are written one by one; nodes shut down gracefully.
    Handovers,
    /// A node's deadline passes between an engine's decision and its messages.
    Stalls,
    /// An executor is suspended, together with its monotonic clock.
    Suspends,
    /// Executors have few places.
    Capacity,
    /// Handlers report progress and checkpoints.
    Reports,
    /// Jobs have alarms.
    Alarms,
    /// The store is restored from a backup.
    Restores,
    /// An engine panics.
    Panics,
    /// Children to start are read for one engine and also delivered to its successor.
    StaleReads,
    /// There are many more jobs, and pauses of hours.
    Crowd,
    /// Attempts wait long for an executor, and jobs have long time limits.
    Waits,
    /// Nodes send heartbeats in time and the store is fast, unless another fault prevents it.
    Steady,
    /// No crash, broken stream or pause happens, only drains and handovers.
    Gentle,
    /// Executors lose all nodes for a long time and keep running, even beside their successors.
    Isolation,
    /// Handlers run for long.
    Slow,
    /// A node writes several commits in one transaction. Transactions fail, and answers of others
    /// are lost: the same commits are written again.
    Transactions,
    /// Executors accept attempts before they are due.
    Early,

    /// Check: every collection of an engine is at most proportional to the number of open attempts.
    CheckSizes,
    /// Check: the work of one step is bounded.
    CheckWork,
    /// Check: no recorded instant is later than the clock of the engine that recorded it.
    CheckTimes,
    /// Check: no fire is sent before its due instant by the clock of the node that sends it.
    CheckEarly,
}

impl Feature {
    /// Every feature with its name on the command line.
    pub(super) const NAMES: [(&'static str, Self); 25] = [
        ("clocks", Self::Clocks),
        ("lies", Self::Lies),
        ("database-steps", Self::DatabaseSteps),
        ("drains", Self::Drains),
        ("handovers", Self::Handovers),
        ("stalls", Self::Stalls),
        ("suspends", Self::Suspends),
        ("capacity", Self::Capacity),
        ("reports", Self::Reports),
        ("alarms", Self::Alarms),
        ("restores", Self::Restores),
        ("panics", Self::Panics),
        ("stale-reads", Self::StaleReads),
        ("crowd", Self::Crowd),
        ("waits", Self::Waits),
        ("steady", Self::Steady),
        ("gentle", Self::Gentle),
        ("isolation", Self::Isolation),
        ("slow", Self::Slow),
        ("transactions", Self::Transactions),
        ("early", Self::Early),
        ("check-sizes", Self::CheckSizes),
        ("check-work", Self::CheckWork),
        ("check-times", Self::CheckTimes),
        ("check-early", Self::CheckEarly),
    ];

    const CHECKS: [Self; 4] =
        [Self::CheckSizes, Self::CheckWork, Self::CheckTimes, Self::CheckEarly];

    pub(super) fn named(name: &str) -> Option<Self> {
        Self::NAMES.iter().find(|(known, _)| *known == name).map(|(_, feature)| *feature)
    }
}

/// A set of features.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Features(u32);

impl Features {
    pub(super) fn has(self, feature: Feature) -> bool {
        self.0 & Self::bit(feature) != 0
    }

    pub(super) fn set(&mut self, feature: Feature, on: bool) {
        let bit = Self::bit(feature);
        self.0 = if on { self.0 | bit } else { self.0 & !bit };
    }

    fn bit(feature: Feature) -> u32 {
        1 << feature as u32
    }
}

impl FromIterator<Feature> for Features {
    fn from_iter<T: IntoIterator<Item = Feature>>(features: T) -> Self {
        let mut set = Self::default();
        features.into_iter().for_each(|feature| set.set(feature, true));
        set
    }
}

/// Features with which the engine is known to fail: each with its number in the list of defects and
/// a seed that reproduces it. They are off unless requested; a fix removes its line.
pub(super) const KNOWN: &[(Feature, &str, u64)] = &[];

/// Changes the selection of features for all seeds.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Selection {
    /// Whether features that are known to fail stay on.
    pub(super) known: bool,
    /// If set, extended histories have exactly these faults.
    pub(super) only: Option<Features>,
    pub(super) without: Features,
    /// Whether a second store is compared with the model: its transactions fail in all histories.
    pub(super) beside: bool,
}

/// The number of nodes and partitions, and the features that are on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Shape {
    pub(super) nodes: usize,
    pub(super) partitions: u32,
    /// Whether extended faults happen.
    pub(super) extended: bool,
    features: Features,
}

impl Shape {
    pub(super) fn of(seed: u64, selection: Selection) -> Self {
        let (nodes, partitions) = if seed.is_multiple_of(2) { (1, 1) } else { (3, 4) };
        let extended = seed % 4 >= 2;
        let mut features: Features = Feature::CHECKS.into_iter().collect();
        if extended {
            for (_, feature) in Feature::NAMES {
                let on = match selection.only {
                    Some(only) => only.has(feature) || Feature::CHECKS.contains(&feature),
                    None => Feature::CHECKS.contains(&feature) || chosen(seed, feature),
                };
                features.set(feature, on);
            }
        }
        if selection.beside {
            features.set(Feature::Transactions, true);
        }
        for (_, feature) in Feature::NAMES {
            let known = KNOWN.iter().any(|(known, _, _)| *known == feature);
            let off = selection.without.has(feature)
                || (known && !selection.known && selection.only.is_none());
            if off {
                features.set(feature, false);
            }
        }
        if nodes > 1 {
            features.set(Feature::Restores, false);
        } else {
            features.set(Feature::DatabaseSteps, false);
            features.set(Feature::StaleReads, false);
        }
        if features.has(Feature::StaleReads) && !selection.without.has(Feature::Panics) {
            // Panics replace the engine on a node, so that a read is delivered to the next one.
            features.set(Feature::Panics, true);
        }
        if features.has(Feature::Gentle) {
            for fault in [
                Feature::DatabaseSteps,
                Feature::Stalls,
                Feature::Suspends,
                Feature::Isolation,
                Feature::Restores,
                Feature::Panics,
                Feature::Crowd,
            ] {
                features.set(fault, false);
            }
            features.set(Feature::Drains, true);
            features.set(Feature::Steady, true);
        }
        Self { nodes, partitions, extended, features }
    }

    pub(super) fn has(&self, feature: Feature) -> bool {
        self.features.has(feature)
    }

    /// The names of its faults.
    pub(super) fn faults(&self) -> Vec<&'static str> {
        let faults = Feature::NAMES.iter().filter(|(_, f)| !Feature::CHECKS.contains(f));
        faults.filter(|(_, feature)| self.has(*feature)).map(|(name, _)| *name).collect()
    }
}

/// Whether the seed's history has the feature. Each feature has its own dice, so that a new feature
/// does not change the selection of the others.
fn chosen(seed: u64, feature: Feature) -> bool {
    let mut dice = SmallRng::seed_from_u64(seed ^ ((feature as u64 + 1) << 48));
    let chance = match feature {
        Feature::Crowd => 0.04,
        Feature::Gentle => 0.15,
        Feature::DatabaseSteps => 0.2,
        Feature::Clocks
        | Feature::Lies
        | Feature::Drains
        | Feature::Handovers
        | Feature::Stalls
        | Feature::Suspends
        | Feature::Capacity
        | Feature::Reports
        | Feature::Alarms
        | Feature::Restores
        | Feature::Panics
        | Feature::StaleReads
        | Feature::Waits
        | Feature::Steady
        | Feature::Isolation
        | Feature::Slow
        | Feature::Transactions
        | Feature::Early
        | Feature::CheckSizes
        | Feature::CheckWork
        | Feature::CheckTimes
        | Feature::CheckEarly => 0.4,
    };
    dice.random_bool(chance)
}
