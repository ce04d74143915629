//! What happens when an attempt of a job arrives while another one runs.

/// The scope of the overlap rule.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum BlockScope {
    /// Within each executor.
    #[default]
    Executor,
    /// Across all executors of the service.
    Cluster,
}

/// What happens when an attempt arrives while another one runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum BlockStrategy {
    /// It waits for its turn.
    #[default]
    Serial,
    /// It is skipped.
    SkipNew,
    /// The running one is stopped, waiting ones are removed, and then the new one runs.
    ReplaceRunning,
    /// It runs in parallel with the others.
    Parallel,
}

/// A job's overlap rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Block {
    /// What happens when an attempt arrives while another one runs.
    pub strategy: BlockStrategy,
    /// The scope of the rule.
    pub scope: BlockScope,
    /// Maximum number of waiting attempts, with [`BlockStrategy::Serial`] and
    /// [`BlockStrategy::Parallel`]. Further attempts are skipped.
    pub max_waiting: u32,
    /// Maximum number of attempts that run in parallel, with [`BlockStrategy::Parallel`].
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
    /// Whether the rule applies across executors. An executor that loses contact with its
    /// coordinator must then stop its attempts before another executor may run them.
    pub const fn is_exclusive(&self) -> bool {
        matches!(self.scope, BlockScope::Cluster)
    }

    /// Whether a new task of the job replaces a running one on any executor.
    pub const fn replaces_across_the_cluster(&self) -> bool {
        self.is_exclusive() && matches!(self.strategy, BlockStrategy::ReplaceRunning)
    }

    /// Maximum value that a job may set.
    pub const MOST: u32 = 100_000;
}

impl BlockStrategy {
    /// Whether attempts wait for their turn, so that their number must be bounded.
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
