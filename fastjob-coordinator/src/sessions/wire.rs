//! What is sent to executors, in the wire format.

use std::time::Duration;

use fastjob_core::{
    block::{Block, BlockScope},
    wire::{AttemptToSend, BATCH_MAX, Encoded, Start, v1},
};
use fastjob_engine::{Held, Message, StartAttempt};

use super::Outbound;
use crate::store::{Lease, NodeRow};

/// Converts a lease to the wire format.
pub(crate) fn lease_to_wire(lease: Lease) -> v1::Lease {
    v1::Lease { partition: lease.partition.0, term: lease.term }
}

/// Converts a message that is sent now to the wire format.
pub(crate) fn to_wire(outbound: Outbound, now: Sent) -> v1::ToExecutor {
    use v1::to_executor::Message as Wire;
    let names = |held: Vec<Held>| -> (Vec<i64>, Vec<i64>) {
        held.into_iter().map(|held| (held.attempt.0, held.created_at.as_millisecond())).unzip()
    };
    let message = match outbound {
        Outbound::Stat(stat) => Wire::Stat(stat),
        Outbound::Ping(ping) => Wire::Ping(v1::Ping { sent_at_us: micros(now.elapsed), ..ping }),
        Outbound::Farewell => Wire::Farewell(v1::Farewell {}),
        Outbound::Leases(leases) => {
            let leases = leases.into_iter().map(lease_to_wire).collect();
            Wire::Leases(v1::Leases { leases })
        }
        Outbound::Nodes(nodes) => {
            let node = |row: NodeRow| v1::Node { node: row.id.0, address: row.address };
            Wire::Nodes(v1::Nodes { nodes: nodes.into_iter().map(node).collect() })
        }
        Outbound::Message(lease, Message::Start(attempts)) => {
            debug_assert!(attempts.len() <= BATCH_MAX, "a batch is too long");
            let mut encoded = Encoded::with_capacity(attempts.len());
            attempts.iter().for_each(|attempt| encoded.add(&start(attempt, now)));
            Wire::Start(Start::to_send(lease_to_wire(lease), micros(now.elapsed), encoded))
        }
        Outbound::Message(_, Message::Stop(attempts)) => {
            let (attempts, created_at) = names(attempts);
            Wire::Stop(v1::Stop { attempts, created_at })
        }
        Outbound::Message(_, Message::Recorded(attempts)) => {
            let (attempts, created_at) = names(attempts);
            Wire::Recorded(v1::Recorded { attempts, created_at })
        }
        // Closing ends the stream and is never sent over it.
        Outbound::Message(_, Message::Close) => Wire::Recorded(v1::Recorded::default()),
    };
    v1::ToExecutor { message: Some(message) }
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

/// When a message is sent.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sent {
    /// By the clock of the engine.
    pub(crate) uptime: Duration,
    /// By the clock of the protocol, which continues while the machine is suspended.
    pub(crate) elapsed: Duration,
}

fn start(start: &StartAttempt, now: Sent) -> AttemptToSend<'_> {
    let job = &start.job;
    let millis = |duration: Duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    AttemptToSend {
        attempt: start.row.attempt.0,
        task: start.row.task.0,
        job: start.row.job.0,
        job_name: job.name.as_str(),
        handler: job.handler.as_str(),
        number: start.row.number,
        cause: v1::Cause::from(start.row.cause).into(),
        fire_at: start.row.fire_at.map(jiff::Timestamp::as_millisecond),
        param: start.param.as_deref().or(job.param.as_deref()),
        shard_index: start.row.shard.index,
        shard_total: start.row.shard.total,
        timeout_ms: job.timeout.map_or(0, millis),
        grace_ms: millis(job.grace),
        block: lane_rule(&job.block).into(),
        max_waiting: job.block.max_waiting,
        max_running: job.block.max_running,
        exclusive: job.block.is_exclusive(),
        checkpoint: start.checkpoint.as_deref(),
        created_at: start.row.created_at.as_millisecond(),
        enter_at_us: start
            .enter_at
            .map_or(0, |at| micros(now.elapsed + at.saturating_sub(now.uptime))),
        trace: start.trace.as_ref(),
    }
}

/// The block strategy for the executor's lane. With cluster scope the engine decides, so the lane
/// has nothing to block.
fn lane_rule(block: &Block) -> v1::Block {
    match block.scope {
        BlockScope::Executor => block.strategy.into(),
        BlockScope::Cluster => v1::Block::None,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use fastjob_core::{
        AttemptId, Cause, Job, JobDraft, JobId, Shard, TaskId, block::BlockStrategy,
    };
    use prost::Message as _;

    use super::*;
    use crate::store::Attempt;

    fn named<T, const N: usize>(names: [(&str, T); N], wanted: &str) -> T {
        names.into_iter().find(|(name, _)| *name == wanted).unwrap().1
    }

    fn sent(block: &str) -> v1::Attempt {
        let draft = r#"{"name": "n", "service": "s", "handler": "h"}"#;
        let draft: JobDraft = serde_json::from_str(draft).unwrap();
        let mut job = Job::try_from(draft).unwrap();
        let (strategy, scope) = block.split_once(' ').unwrap();
        let block = &mut Arc::make_mut(&mut job.settings).block;
        block.strategy = named(BlockStrategy::NAMES, strategy);
        block.scope = named(BlockScope::NAMES, scope);
        let created_at = jiff::Timestamp::from_millisecond(1_234).unwrap();
        let start = StartAttempt {
            row: Attempt {
                attempt: AttemptId(12),
                task: TaskId(11),
                job: JobId(1),
                number: 2,
                shard: Shard { index: 3, total: 4 },
                cause: Cause::Api,
                fire_at: None,
                due_at: created_at,
                created_at,
            },
            job: Arc::new(job),
            param: None,
            checkpoint: Some("7".into()),
            enter_at: Some(Duration::from_micros(1_500)),
            trace: Some(
                "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01 a=1".parse().unwrap(),
            ),
        };
        let outbound = Outbound::Message(Lease::default(), Message::Start(vec![start]));
        let (uptime, elapsed) = (Duration::from_millis(1), Duration::from_millis(61));
        let message = to_wire(outbound, Sent { uptime, elapsed });
        let received = v1::ToExecutor::decode(&*message.encode_to_vec()).unwrap().message;
        let Some(v1::to_executor::Message::Start(start)) = received else { panic!("no start") };
        assert_eq!(start.sent_at_us, 61_000);
        start.attempts.into_iter().next().unwrap()
    }

    #[track_caller]
    fn check(block: &str, expected: v1::Block, exclusive: bool) {
        let attempt = sent(block);
        assert_eq!((attempt.block(), attempt.exclusive), (expected, exclusive));
    }

    #[test]
    fn a_lane_does_not_block_jobs_with_cluster_scope() {
        check("serial executor", v1::Block::Serial, false);
        check("skip_new executor", v1::Block::SkipNew, false);
        check("replace_running executor", v1::Block::ReplaceRunning, false);
        check("parallel executor", v1::Block::Parallel, false);
        check("serial cluster", v1::Block::None, true);
        check("skip_new cluster", v1::Block::None, true);
        check("replace_running cluster", v1::Block::None, true);
        check("parallel cluster", v1::Block::None, true);
    }

    #[test]
    fn an_attempt_is_sent_with_its_shard_and_the_previous_checkpoint() {
        let attempt = sent("parallel executor");
        assert_eq!((attempt.attempt, attempt.created_at), (12, 1_234));
        assert_eq!((attempt.shard_index, attempt.shard_total), (3, 4));
        assert_eq!(attempt.enter_at_us, 61_500);
        assert_eq!(attempt.checkpoint.as_deref(), Some("7"));
        let traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        assert_eq!((&*attempt.traceparent, &*attempt.tracestate), (traceparent, "a=1"));
        assert_eq!((attempt.max_waiting, attempt.max_running), (1_000, 16));
    }
}
