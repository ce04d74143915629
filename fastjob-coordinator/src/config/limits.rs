//! Limits on what clients and jobs can make a coordinator keep: `[coordinator.limits]`.
//!
//! The defaults are far above normal use. They bound the memory that one client with a token, or
//! one job, can allocate. Whatever exceeds a limit is rejected with an error that names the
//! setting.

use std::time::Duration;

use fastjob_core::job::PARAM_MAX;

use super::{ByteSize, Problem, read::Section};

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

/// Limits on what clients may make a coordinator keep.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LimitsConfig {
    /// Most executors connected to this node at the same time. Default: 10,000.
    pub max_sessions: u32,
    /// Most executors of one service connected to this node. Default: 5,000.
    pub max_sessions_per_service: u32,
    /// Largest first message of an executor: its handlers, labels and jobs. Default: 4 MiB.
    pub max_hello: ByteSize,
    /// Total size of the first messages of all connected executors. Default: 256 MiB.
    pub max_hellos: ByteSize,
    /// Most jobs that one executor may declare. Default: 1,000.
    pub max_declared_jobs: u32,
    /// Most jobs in the whole store, including deleted jobs that history refers to. Each partition
    /// gets a share, with a margin because names hash unevenly. Default: 1,000,000.
    pub max_jobs: u32,
    /// Total size of all job definitions. Each partition gets a share. Default: 1 GiB.
    pub max_job_definitions: ByteSize,
    /// Most open tasks on this node; each shard of a task counts. A start above the limit is
    /// rejected; a fire above it is recorded as skipped. Default: 1,000,000.
    pub max_open_tasks: u32,
    /// Total size of the params of all open tasks on this node, enforced like `max_open_tasks`.
    /// Default: 1 GiB.
    pub max_open_bytes: ByteSize,
    /// Most tasks that may follow from one start through children, their children and so on. Each
    /// task divides its remaining budget among its children. Default: 100,000.
    pub max_descendants: u32,
    /// Memory for the bodies of requests that are being handled. Default: 256 MiB.
    pub max_request_memory: ByteSize,
    /// Memory for lists that are being read or sent. Default: 256 MiB.
    pub max_response_memory: ByteSize,
    /// Most clients that follow a log at the same time. Default: 1,000.
    pub max_log_followers: u32,
    /// Most unauthenticated connections, in addition to `max_connections` authenticated ones. A new
    /// one replaces the oldest of the address that holds the most. Default: 4,000.
    pub max_unauthenticated: u32,
    /// Most unauthenticated connections from one address, or one IPv6 /64 network. A new one
    /// replaces the oldest. Never more than `max_unauthenticated`. Default: 2,000.
    pub max_unauthenticated_per_address: u32,
    /// How long a connection may take to authenticate, TLS handshake included, before it is closed.
    /// With a token configured, a call with the token authenticates; without one, any accepted call
    /// does. Default: 10 s.
    pub authenticate_within: Duration,
}

impl Default for LimitsConfig {
    fn default() -> Self {
        Self {
            max_sessions: 10_000,
            max_sessions_per_service: 5_000,
            max_hello: ByteSize::mib(4),
            max_hellos: ByteSize::mib(256),
            max_declared_jobs: 1_000,
            max_jobs: 1_000_000,
            max_job_definitions: ByteSize::mib(1024),
            max_open_tasks: 1_000_000,
            max_open_bytes: ByteSize::mib(1024),
            max_descendants: 100_000,
            max_request_memory: ByteSize::mib(256),
            max_response_memory: ByteSize::mib(256),
            max_log_followers: 1_000,
            max_unauthenticated: 4_000,
            max_unauthenticated_per_address: 2_000,
            authenticate_within: Duration::from_secs(10),
        }
    }
}

impl LimitsConfig {
    pub(super) fn read(&mut self, section: &mut Section<'_>) {
        section.number("max_sessions", &mut self.max_sessions);
        section.number("max_sessions_per_service", &mut self.max_sessions_per_service);
        section.parse("max_hello", &mut self.max_hello);
        section.parse("max_hellos", &mut self.max_hellos);
        section.number("max_declared_jobs", &mut self.max_declared_jobs);
        section.number("max_jobs", &mut self.max_jobs);
        section.parse("max_job_definitions", &mut self.max_job_definitions);
        section.number("max_open_tasks", &mut self.max_open_tasks);
        section.parse("max_open_bytes", &mut self.max_open_bytes);
        section.number("max_descendants", &mut self.max_descendants);
        section.parse("max_request_memory", &mut self.max_request_memory);
        section.parse("max_response_memory", &mut self.max_response_memory);
        section.number("max_log_followers", &mut self.max_log_followers);
        section.number("max_unauthenticated", &mut self.max_unauthenticated);
        section
            .number("max_unauthenticated_per_address", &mut self.max_unauthenticated_per_address);
        section.duration("authenticate_within", &mut self.authenticate_within);
    }

    pub(super) fn check(&self, problems: &mut Vec<Problem>) {
        let mut problem = |key: &str, message: String| {
            problems.push(Problem::new(format!("coordinator.limits.{key}"), message));
        };
        for (key, count, what) in [
            ("max_sessions", self.max_sessions, "no executor could connect"),
            (
                "max_sessions_per_service",
                self.max_sessions_per_service,
                "no executor could connect",
            ),
            ("max_jobs", self.max_jobs, "no job could be saved"),
            ("max_open_tasks", self.max_open_tasks, "no task could start"),
            ("max_log_followers", self.max_log_followers, "no log could be followed"),
            ("max_unauthenticated", self.max_unauthenticated, "no client could connect"),
            (
                "max_unauthenticated_per_address",
                self.max_unauthenticated_per_address,
                "no client could connect",
            ),
        ] {
            if count == 0 {
                problem(key, format!("it is 0: {what}"));
            }
        }
        if !(AUTHENTICATE_MIN..=AUTHENTICATE_MAX).contains(&self.authenticate_within) {
            problem("authenticate_within", "it is not between 100ms and 5min".to_owned());
        }
        if !(HELLO_MIN..=HELLO_MAX).contains(&self.max_hello) {
            problem("max_hello", format!("it is not between {HELLO_MIN} and {HELLO_MAX}"));
        }
        if self.max_hellos < self.max_hello {
            problem("max_hellos", format!("it is less than max_hello, {}", self.max_hello));
        }
        if self.max_open_bytes < OPEN_MIN {
            problem(
                "max_open_bytes",
                format!("it is less than {OPEN_MIN}, the size of the largest param"),
            );
        }
        if !(1..=DESCENDANTS_MOST).contains(&self.max_descendants) {
            problem("max_descendants", format!("it is not between 1 and {DESCENDANTS_MOST}"));
        }
        for (key, size) in [
            ("max_job_definitions", self.max_job_definitions),
            ("max_request_memory", self.max_request_memory),
            ("max_response_memory", self.max_response_memory),
        ] {
            if size < MEMORY_MIN {
                problem(key, format!("it is less than {MEMORY_MIN}"));
            }
        }
    }
}
