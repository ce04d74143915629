//! The protocol: reads and writes the messages of a session. Nothing else of the executor knows how
//! attempts and outcomes are encoded.
//!
//! A value that this release does not know is not an error of the whole message, because the
//! message's other attempts are still valid. An attempt with an unknown block strategy is skipped by
//! its lane, one with an unknown cause fails when its turn comes, and an unknown message is ignored.

use std::{sync::Arc, time::Duration};

use fastjob_core::{
    AttemptId, Cause, FailReason, JobId, Lease, Partition, Shard, TaskId, Trace,
    attempt::End,
    block::{Block, BlockStrategy},
    wire::{PROTOCOL, v1},
};
use jiff::Timestamp;
use v1::{from_executor::Message as Say, to_executor::Message as Hear};

use super::{
    Identity,
    messages::{
        Answer, Beat, FromCoordinator, Ping, PingId, Question, StatId, ToCoordinator, Welcome,
    },
    peers::{ClusterId, Node, NodeId},
};
use crate::runtime::{Attempt, CreatedAt, Holding, LinkId, Message, Name, Outcome, Turn};

/// Reads a message from a coordinator.
pub(super) fn read(message: v1::ToExecutor) -> FromCoordinator {
    match message.message {
        Some(Hear::Welcome(welcome)) => FromCoordinator::Welcome(read_welcome(welcome)),
        Some(Hear::Leases(leases)) => {
            FromCoordinator::Leases(leases.leases.into_iter().map(read_lease).collect())
        }
        Some(Hear::Start(start)) => {
            // Like every missing field, a missing lease has the default value.
            let lease = read_lease(start.lease.unwrap_or_default());
            let sent_at = Duration::from_micros(start.sent_at_us);
            let read = |attempt: v1::Attempt| {
                let enter_at = Some(attempt.enter_at_us).filter(|at| *at != 0);
                (read_attempt(attempt), enter_at.map(Duration::from_micros))
            };
            let attempts = start.attempts.into_iter().map(read).collect();
            FromCoordinator::Start { lease, sent_at, attempts }
        }
        Some(Hear::Stop(stop)) => {
            FromCoordinator::Stop(read_names(&stop.attempts, &stop.created_at))
        }
        Some(Hear::Recorded(recorded)) => {
            FromCoordinator::Recorded(read_names(&recorded.attempts, &recorded.created_at))
        }
        Some(Hear::Nodes(nodes)) => {
            let node = |node: v1::Node| Node { id: NodeId(node.node), address: node.address };
            FromCoordinator::Nodes(nodes.nodes.into_iter().map(node).collect())
        }
        Some(Hear::Farewell(v1::Farewell {})) => FromCoordinator::Farewell,
        Some(Hear::Ping(ping)) => FromCoordinator::Ping(Ping {
            id: PingId(ping.id),
            beat_at: Duration::from_millis(ping.uptime_ms),
            partitions: ping.partitions.into_iter().map(Partition).collect(),
            sent_at: Duration::from_micros(ping.sent_at_us),
        }),
        Some(Hear::Stat(stat)) => FromCoordinator::Stat(StatId(stat.id), read_question(stat.kind)),
        None => FromCoordinator::Unknown,
    }
}

fn read_welcome(welcome: v1::Welcome) -> Welcome {
    let millis = |ms: u32| Duration::from_millis(u64::from(ms));
    Welcome {
        cluster: ClusterId(welcome.cluster),
        node: NodeId(welcome.node),
        release: welcome.version,
        beat: millis(welcome.beat_ms),
        silence: millis(welcome.silence_ms),
        exclusive: millis(welcome.exclusive_ms),
        partitions: welcome.partitions,
        says_farewell: welcome.says_farewell,
        accepts_schemas: welcome.accepts_schemas,
        logs_ticket: welcome.logs.map(|logs| logs.ticket),
    }
}

fn read_lease(lease: v1::Lease) -> Lease {
    Lease { partition: Partition(lease.partition), term: lease.term }
}

/// Reads parallel lists. Missing creation times are unknown.
fn read_names(ids: &[i64], created_at: &[i64]) -> Vec<Name> {
    let created_at = created_at.iter().copied().map(CreatedAt);
    let created_at = created_at.chain(std::iter::repeat(CreatedAt::UNKNOWN));
    let names = ids.iter().zip(created_at);
    names.map(|(id, created_at)| Name { id: AttemptId(*id), created_at }).collect()
}

fn read_attempt(attempt: v1::Attempt) -> Attempt {
    Attempt {
        name: Name { id: AttemptId(attempt.attempt), created_at: CreatedAt(attempt.created_at) },
        task: TaskId(attempt.task),
        job: JobId(attempt.job),
        number: attempt.number,
        cause: read_cause(attempt.cause),
        // A handler does not fail because of an instant that cannot be read.
        fire_at: attempt.fire_at.and_then(|at| Timestamp::from_millisecond(at).ok()),
        shard: Shard { index: attempt.shard_index, total: attempt.shard_total.max(1) },
        timeout: Duration::from_millis(attempt.timeout_ms),
        grace: Duration::from_millis(attempt.grace_ms),
        turn: read_turn(&attempt),
        exclusive: attempt.exclusive,
        trace: Trace::of_headers(Some(&attempt.traceparent), Some(&attempt.tracestate)),
        job_name: attempt.job_name,
        handler: attempt.handler,
        param: attempt.param,
        checkpoint: attempt.checkpoint.map(Arc::from),
        // Set when it is known what time it is for the coordinator.
        enter_at: None,
    }
}

fn read_cause(cause: i32) -> Result<Cause, String> {
    let cause = v1::Cause::try_from(cause).map_err(|err| err.to_string())?;
    Cause::try_from(cause).map_err(|err| err.to_string())
}

fn read_turn(attempt: &v1::Attempt) -> Turn {
    let strategy = match v1::Block::try_from(attempt.block) {
        Ok(v1::Block::None) => return Turn::AtOnce,
        Ok(v1::Block::Serial) => BlockStrategy::Serial,
        Ok(v1::Block::Parallel) => BlockStrategy::Parallel,
        Ok(v1::Block::SkipNew) => BlockStrategy::SkipNew,
        Ok(v1::Block::ReplaceRunning) => BlockStrategy::ReplaceRunning,
        Ok(v1::Block::Unspecified) | Err(_) => return Turn::Unknown,
    };
    let v1::Attempt { max_waiting, max_running, .. } = *attempt;
    Turn::By(Block { strategy, max_waiting, max_running, ..Block::default() })
}

fn read_question(kind: Option<v1::stat::Kind>) -> Question {
    match kind {
        Some(v1::stat::Kind::Log(ask)) => {
            Question::Log { attempt: AttemptId(ask.attempt), offset: ask.offset, limit: ask.limit }
        }
        Some(v1::stat::Kind::Executor(v1::StatExecutor {})) => Question::Executor,
        None => Question::Unknown,
    }
}

/// Writes a message to a coordinator.
pub(super) fn write(message: ToCoordinator) -> v1::FromExecutor {
    let message = match message {
        ToCoordinator::Hello(identity, link) => Say::Hello(write_hello(&identity, link)),
        ToCoordinator::Schemas(identity) => Say::Schemas(write_schemas(&identity)),
        ToCoordinator::Beat(beat) => Say::Beat(write_beat(beat)),
        ToCoordinator::Pong(PingId(id)) => Say::Pong(v1::Pong { id }),
        ToCoordinator::Answer(StatId(id), answer) => {
            Say::StatReply(v1::StatReply { id, kind: Some(write_answer(answer)) })
        }
        ToCoordinator::Runtime(message) => write_runtime(message),
    };
    v1::FromExecutor { message: Some(message) }
}

fn write_hello(identity: &Identity, link: LinkId) -> v1::Hello {
    let metadata = identity
        .registry
        .iter()
        .map(|(name, description)| (format!("JobHandler.{name}"), description.to_owned()));
    let jobs = identity.registry.drafts().iter().filter_map(|draft| {
        serde_json::to_string(draft)
            .inspect_err(|err| tracing::warn!(job = draft.name, %err, "cannot send a default job"))
            .ok()
    });
    v1::Hello {
        protocol: PROTOCOL,
        service: identity.service.to_string(),
        executor: identity.name.to_string(),
        secret: identity.secret.clone(),
        address: identity.config.address(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        capacity: identity.config.capacity,
        labels: identity.config.labels.clone().into_iter().collect(),
        metadata: metadata.collect(),
        jobs: jobs.collect(),
        link: link.0,
        accepts_early: true,
    }
}

fn write_schemas(identity: &Identity) -> v1::Schemas {
    let schema = |(handler, schema): (&str, &str)| v1::HandlerSchema {
        handler: handler.to_owned(),
        schema: schema.to_owned(),
    };
    v1::Schemas { schemas: identity.registry.schemas().map(schema).collect() }
}

fn write_beat(beat: Beat) -> v1::Beat {
    v1::Beat {
        cpu: beat.sample.cpu,
        memory_free: beat.sample.memory_free,
        memory_total: beat.sample.memory_total,
        running: beat.running,
        waiting: beat.waiting,
        uptime_ms: u64::try_from(beat.uptime.as_millis()).unwrap_or(u64::MAX),
    }
}

fn write_answer(answer: Answer) -> v1::stat_reply::Kind {
    use v1::stat_reply::Kind;
    match answer {
        Answer::Log(page) => Kind::Log(v1::Log {
            offset: page.offset,
            next_offset: page.next_offset,
            text: page.text,
            ended: page.ended,
        }),
        Answer::Executor { beat, handlers, holding } => Kind::Executor(v1::Figures {
            beat: Some(write_beat(beat)),
            handlers,
            holding: write_ids(holding),
        }),
        Answer::Error(why) => Kind::Error(why),
    }
}

fn write_runtime(message: Message) -> Say {
    match message {
        Message::Holding(holding) => Say::Holding(write_holding(holding)),
        Message::Returned(attempts) => {
            Say::Returned(v1::Returned { attempts: write_ids(attempts) })
        }
        Message::Goodbye(returned) => Say::Goodbye(v1::Goodbye { returned: write_ids(returned) }),
        Message::Started(started) => {
            let started = started.into_iter().map(|(name, at)| v1::StartedAttempt {
                attempt: name.id.0,
                at: at.as_millisecond(),
                created_at: name.created_at.0,
            });
            Say::Started(v1::Started { attempts: started.collect() })
        }
        Message::Checkpoints(checkpoints) => {
            let checkpoints = checkpoints.into_iter().map(|(name, json)| v1::AttemptCheckpoint {
                attempt: name.id.0,
                checkpoint: json.as_ref().to_owned(),
                created_at: name.created_at.0,
            });
            Say::Checkpoints(v1::Checkpoints { attempts: checkpoints.collect() })
        }
        Message::Progress(progress) => {
            let progress = progress.into_iter().map(|(name, progress)| v1::AttemptProgress {
                attempt: name.id.0,
                done: progress.done,
                total: progress.total,
                note: progress.note,
                created_at: name.created_at.0,
            });
            Say::Progress(v1::Progress { attempts: progress.collect() })
        }
        Message::Finished(outcomes) => {
            let outcomes = outcomes.into_iter().map(write_outcome).collect();
            Say::Finished(v1::Finished { outcomes })
        }
    }
}

fn write_holding(holding: Holding) -> v1::Holding {
    let names = holding.attempts.into_iter().map(|name| (name.id.0, name.created_at.0));
    let (attempts, created_at) = names.unzip();
    v1::Holding {
        leases: holding.leases.into_iter().map(write_lease).collect(),
        attempts,
        leaving: holding.leaving,
        created_at,
        highest_attempts: write_ids(holding.highest),
        refused: holding.refused.into_iter().map(write_lease).collect(),
    }
}

fn write_lease(lease: Lease) -> v1::Lease {
    v1::Lease { partition: lease.partition.0, term: lease.term }
}

fn write_ids(ids: Vec<AttemptId>) -> Vec<i64> {
    ids.into_iter().map(|id| id.0).collect()
}

fn write_outcome(outcome: Outcome) -> v1::Outcome {
    v1::Outcome {
        attempt: outcome.name.id.0,
        end: write_end(outcome.end).into(),
        result: outcome.result,
        message: outcome.message,
        started_at: outcome.started_at.map_or(0, Timestamp::as_millisecond),
        ended_at: outcome.ended_at.as_millisecond(),
        log_tail: outcome.log_tail,
        log_at: outcome.log_at,
        checkpoint: outcome.checkpoint.map(|json| json.as_ref().to_owned()),
        created_at: outcome.name.created_at.0,
    }
}

fn write_end(end: End) -> v1::End {
    match end {
        End::Succeeded => v1::End::Succeeded,
        End::Stopped => v1::End::Stopped,
        End::Skipped => v1::End::Skipped,
        End::Failed(FailReason::Error) => v1::End::Failed,
        End::Failed(FailReason::TimedOut) => v1::End::TimedOut,
        End::Failed(FailReason::Panicked) => v1::End::Panicked,
        End::Failed(FailReason::ExecutorLost) => v1::End::CutOff,
        // Only coordinators have attempts without an executor. Such an attempt is not retried.
        End::Failed(FailReason::Fatal | FailReason::NoExecutor) => v1::End::FailedFatal,
    }
}

#[cfg(test)]
mod tests;
