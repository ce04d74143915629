//! Limits on what clients and jobs can make a coordinator keep: `[coordinator.limits]`.

use std::time::Duration;

use fastjob_core::job::PARAM_MAX;

use super::{
    ByteSize, Problem,
    setting::{at_least, between, settings},
};

/// Smallest limit for a hello.
const HELLO_MIN: ByteSize = ByteSize(16 << 10);
/// Largest message of an executor, including a hello.
const HELLO_MAX: ByteSize = ByteSize::mib(16);
/// Enough for a few lists, or a few bodies, at the same time.
const MEMORY_MIN: ByteSize = ByteSize::mib(16);
/// The size of the largest param.
const OPEN_MIN: ByteSize = ByteSize(PARAM_MAX as u64);
/// Shortest time to authenticate: a TLS handshake over a slow network has to fit in.
const AUTHENTICATE_MIN: Duration = Duration::from_millis(100);
/// Longest time to authenticate.
const AUTHENTICATE_MAX: Duration = Duration::from_secs(300);
/// Largest limit on the tasks that may follow from one start.
const DESCENDANTS_MOST: u32 = 1_000_000_000;

settings! {
    /// Limits on what clients may make a coordinator keep. The defaults are far above normal use.
    /// They bound the memory that one client with a token, or one job, can allocate. Input above a
    /// limit is rejected with an error that names the setting.
    pub struct LimitsConfig {
        /// Maximum number of executors that are connected to this node at the same time.
        pub max_sessions: u32 = 10_000, at_least(1);
        /// Maximum number of connected executors of one service.
        pub max_sessions_per_service: u32 = 5_000, at_least(1);
        /// Maximum size of the first message of an executor: its handlers, labels and jobs.
        pub max_hello: ByteSize = ByteSize::mib(4), between(HELLO_MIN, HELLO_MAX);
        /// Maximum total size of the first messages of all connected executors. At least
        /// `max_hello`.
        pub max_hellos: ByteSize = ByteSize::mib(256);
        /// Maximum number of jobs that one executor may declare.
        pub max_declared_jobs: u32 = 1_000;
        /// Maximum number of jobs in the whole store, including deleted jobs that history refers
        /// to. Each partition gets a share, with a margin because names hash unevenly.
        pub max_jobs: u32 = 1_000_000, at_least(1);
        /// Maximum total size of all job definitions. Each partition gets a share.
        pub max_job_definitions: ByteSize = ByteSize::mib(1024), at_least(MEMORY_MIN);
        /// Maximum number of open tasks on this node. A task with several shards counts once per
        /// shard. A start above the limit is rejected; a fire above it is recorded as skipped.
        pub max_open_tasks: u32 = 1_000_000, at_least(1);
        /// Maximum total size of the params of all open tasks on this node. It is enforced like
        /// `max_open_tasks`.
        pub max_open_bytes: ByteSize = ByteSize::mib(1024), at_least(OPEN_MIN);
        /// Maximum number of tasks that may follow from one start through children, their children
        /// and so on. Each task divides its remaining budget among its children.
        pub max_descendants: u32 = 100_000, between(1, DESCENDANTS_MOST);
        /// Memory for the bodies of requests in progress.
        pub max_request_memory: ByteSize = ByteSize::mib(256), at_least(MEMORY_MIN);
        /// Memory for lists that are being read or sent.
        pub max_response_memory: ByteSize = ByteSize::mib(256), at_least(MEMORY_MIN);
        /// Maximum number of clients that follow a log at the same time.
        pub max_log_followers: u32 = 1_000, at_least(1);
        /// Maximum number of connections that have not authenticated, in addition to
        /// `max_connections`. A new one replaces the oldest of the address that holds the most.
        pub max_unauthenticated: u32 = 4_000, at_least(1);
        /// Maximum number of connections from one address, or one IPv6 /64 network, that have not
        /// authenticated. A new one replaces the oldest. Never more than `max_unauthenticated`.
        pub max_unauthenticated_per_address: u32 = 2_000, at_least(1);
        /// How long a connection may take to authenticate, including the TLS handshake, before it
        /// is closed. With a token configured, a call with the token authenticates; without one,
        /// any accepted call does.
        pub authenticate_within: Duration = Duration::from_secs(10),
            between(AUTHENTICATE_MIN, AUTHENTICATE_MAX);
    }
}

impl LimitsConfig {
    pub(super) fn check(&self, problems: &mut Vec<Problem>) {
        if self.max_hellos < self.max_hello {
            let message = format!("it is less than max_hello, {}", self.max_hello);
            problems.push(Problem::new("coordinator.limits.max_hellos", message));
        }
    }
}
