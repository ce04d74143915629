//! What happens to an attempt of a job that is still running.

/// Where the rule about overlapping holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum BlockScope {
    /// Within each executor.
    #[default]
    Executor,
    /// Across all executors of the service.
    Cluster,
}

/// What happens to an attempt of a job that is still running.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum BlockStrategy {
    /// It waits for its turn.
    #[default]
    Serial,
    /// It is skipped.
    SkipNew,
    /// The running one is stopped, and those that wait are too; then it runs.
    ReplaceRunning,
    /// It runs beside the others.
    Parallel,
}

/// A job's rule about overlapping.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Block {
    /// What happens to an attempt of a job that is still running.
    pub strategy: BlockStrategy,
    /// Where that holds.
    pub scope: BlockScope,
    /// Most attempts that wait for their turn, with [`BlockStrategy::Serial`] and
    /// [`BlockStrategy::Parallel`]; what comes on top is skipped.
    pub max_waiting: u32,
    /// Most attempts that run beside each other, with [`BlockStrategy::Parallel`].
    pub max_running: u32,
}

impl Default for Block {
    fn default() -> Self {
        Self {
            strategy: BlockStrategy::Serial,
            scope: BlockScope::Executor,
            max_waiting: 1_000,
            max_running: 16,
        }
    }
}

impl Block {
    /// Whether the rule holds across executors, so that one that is cut off from its coordinator
    /// has to stop what it runs before another may be given it.
    pub const fn is_exclusive(&self) -> bool {
        matches!(self.scope, BlockScope::Cluster)
    }

    /// Whether a new task of the job replaces one that runs, on whichever executor.
    pub const fn replaces_across_the_cluster(&self) -> bool {
        self.is_exclusive() && matches!(self.strategy, BlockStrategy::ReplaceRunning)
    }

    /// Largest bound that a job may set.
    pub const MOST: u32 = 100_000;
}

impl BlockStrategy {
    /// Whether attempts wait for their turn, so that there is a bound on how many do.
    pub const fn waits(self) -> bool {
        matches!(self, Self::Serial | Self::Parallel)
    }

    /// Every strategy with its name, the default first.
    pub const NAMES: [(&'static str, Self); 4] = [
        ("serial", Self::Serial),
        ("skip_new", Self::SkipNew),
        ("replace_running", Self::ReplaceRunning),
        ("parallel", Self::Parallel),
    ];
}

impl BlockScope {
    /// Every scope with its name, the default first.
    pub const NAMES: [(&'static str, Self); 2] =
        [("executor", Self::Executor), ("cluster", Self::Cluster)];
}
