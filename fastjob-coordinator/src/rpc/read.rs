//! Parses and validates the messages of an executor after its hello.

use fastjob_core::{
    AttemptId, Progress,
    attempt::End,
    context::CHECKPOINT_MAX,
    wire::{
        BATCH_MAX, LOG_TAIL_MAX, UnknownValue, instant,
        v1::{self, from_executor},
    },
};
use fastjob_engine::{Beat, Event, Held, Outcome, SessionId};

use super::hello;
use crate::{
    cluster::Holding,
    store::{Lease, Partition},
};

pub(super) enum Heard {
    Event(Event),
    Holding(Holding),
    /// The executor is draining, and returns these attempts.
    Goodbye(Vec<AttemptId>),
    /// With the executor's uptime when the beat was sent.
    Beat(Beat, u64),
    Pong(u64),
    /// The schemas of its handlers' params.
    Schemas(Vec<v1::HandlerSchema>),
    Reply(v1::StatReply),
}

/// Why a message was rejected and its stream closed.
#[derive(Debug, thiserror::Error)]
pub(super) enum Refused {
    #[error(transparent)]
    Unknown(#[from] UnknownValue),
    #[error("received a second hello")]
    SecondHello,
    #[error("a message lists {count} attempts, at most {most} are allowed")]
    TooMany { count: usize, most: usize },
    #[error("a message lists {0} partitions, at most {most} are allowed", most = hello::LEASES_MAX)]
    TooManyLeases(usize),
    #[error("a message lists {attempts} attempts but {instants} creation times")]
    NotParallel { attempts: usize, instants: usize },
    #[error("the {what} of an attempt has {bytes} bytes, at most {most} are allowed")]
    TooLong { what: &'static str, bytes: usize, most: usize },
    #[error("an outcome has the unknown end {0}")]
    End(i32),
}

pub(super) fn read(session: SessionId, message: from_executor::Message) -> Result<Heard, Refused> {
    use from_executor::Message as Wire;
    let event = match message {
        Wire::Hello(_) => return Err(Refused::SecondHello),
        Wire::StatReply(reply) => return Ok(Heard::Reply(reply)),
        Wire::Schemas(schemas) => return Ok(Heard::Schemas(schemas.schemas)),
        Wire::Pong(pong) => return Ok(Heard::Pong(pong.id)),
        Wire::Holding(holding) => return Ok(Heard::Holding(read_holding(holding)?)),
        Wire::Beat(beat) => {
            let figures = Beat {
                cpu: if beat.cpu.is_finite() { beat.cpu.clamp(0.0, 1.0) } else { 0.0 },
                memory_free: beat.memory_free,
                memory_total: beat.memory_total,
                running: beat.running,
                waiting: beat.waiting,
            };
            return Ok(Heard::Beat(figures, beat.uptime_ms));
        }
        Wire::Started(started) => {
            bound(started.attempts.len())?;
            let attempts = started
                .attempts
                .into_iter()
                .map(|started| {
                    Ok((named(started.attempt, started.created_at)?, instant(started.at)?))
                })
                .collect::<Result<_, UnknownValue>>()?;
            Event::Started(session, attempts)
        }
        Wire::Finished(finished) => {
            bound(finished.outcomes.len())?;
            let outcomes = finished.outcomes.into_iter().map(outcome).collect::<Result<_, _>>()?;
            Event::Finished(session, outcomes)
        }
        Wire::Checkpoints(checkpoints) => {
            bound(checkpoints.attempts.len())?;
            let attempts = checkpoints
                .attempts
                .into_iter()
                .map(|report| {
                    short("checkpoint", &report.checkpoint, CHECKPOINT_MAX)?;
                    Ok((named(report.attempt, report.created_at)?, report.checkpoint.into()))
                })
                .collect::<Result<_, Refused>>()?;
            Event::Checkpoints(session, attempts)
        }
        Wire::Progress(progress) => {
            bound(progress.attempts.len())?;
            let attempts = progress
                .attempts
                .into_iter()
                .map(|report| {
                    let v1::AttemptProgress { attempt, done, total, note, created_at } = report;
                    short("note", &note, Progress::NOTE_MAX)?;
                    Ok((named(attempt, created_at)?, Progress { done, total, note }))
                })
                .collect::<Result<_, Refused>>()?;
            Event::Progress(session, attempts)
        }
        Wire::Goodbye(goodbye) => {
            at_most(goodbye.returned.len(), hello::HOLDING_MAX)?;
            return Ok(Heard::Goodbye(goodbye.returned.into_iter().map(AttemptId).collect()));
        }
        Wire::Returned(returned) => {
            bound(returned.attempts.len())?;
            Event::Returned(session, returned.attempts.into_iter().map(AttemptId).collect())
        }
    };
    Ok(Heard::Event(event))
}

fn read_holding(holding: v1::Holding) -> Result<Holding, Refused> {
    at_most(holding.attempts.len(), hello::HOLDING_MAX)?;
    for count in [holding.leases.len(), holding.refused.len(), holding.highest_attempts.len()] {
        if count > hello::LEASES_MAX {
            return Err(Refused::TooManyLeases(count));
        }
    }
    let (attempts, instants) = (holding.attempts.len(), holding.created_at.len());
    if instants != 0 && instants != attempts {
        return Err(Refused::NotParallel { attempts, instants });
    }
    for lease in &holding.refused {
        tracing::error!(
            partition = lease.partition,
            known_term = lease.term,
            "an executor rejected this node's lease: it knows a later term; if the store was \
             restored from a backup, restart the executor"
        );
    }
    // Executors of earlier releases send no creation times.
    let instants = holding.created_at.into_iter().chain(std::iter::repeat(0));
    let lease =
        |lease: v1::Lease| Lease { partition: Partition(lease.partition), term: lease.term };
    Ok(Holding {
        leases: holding.leases.into_iter().map(lease).collect(),
        held: holding
            .attempts
            .into_iter()
            .zip(instants)
            .map(|(attempt, created_at)| named(attempt, created_at))
            .collect::<Result<_, _>>()?,
        leaving: holding.leaving,
        highest: holding.highest_attempts.into_iter().map(AttemptId).collect(),
    })
}

fn named(attempt: i64, created_at: i64) -> Result<Held, UnknownValue> {
    Ok(Held { attempt: AttemptId(attempt), created_at: instant(created_at)? })
}

fn bound(count: usize) -> Result<(), Refused> {
    at_most(count, BATCH_MAX)
}

fn at_most(count: usize, most: usize) -> Result<(), Refused> {
    if count > most { Err(Refused::TooMany { count, most }) } else { Ok(()) }
}

fn short(what: &'static str, text: &str, most: usize) -> Result<(), Refused> {
    let bytes = text.len();
    if bytes > most { Err(Refused::TooLong { what, bytes, most }) } else { Ok(()) }
}

pub(super) fn outcome(outcome: v1::Outcome) -> Result<Outcome, Refused> {
    const MESSAGE: usize = 16 * 1024;
    let end = v1::End::try_from(outcome.end).map_err(|_| Refused::End(outcome.end))?;
    short("message", &outcome.message, MESSAGE)?;
    short("log tail", &outcome.log_tail, LOG_TAIL_MAX)?;
    if let Some(result) = &outcome.result {
        short("result", result, fastjob_core::JobOutput::MAX)?;
    }
    if let Some(checkpoint) = &outcome.checkpoint {
        short("checkpoint", checkpoint, CHECKPOINT_MAX)?;
    }
    let started_at = match outcome.started_at {
        0 => None,
        at => Some(instant(at)?),
    };
    Ok(Outcome {
        attempt: AttemptId(outcome.attempt),
        created_at: instant(outcome.created_at)?,
        end: End::try_from(end)?,
        result: outcome.result,
        message: Some(outcome.message).filter(|message| !message.is_empty()),
        started_at,
        ended_at: instant(outcome.ended_at)?,
        log_tail: outcome.log_tail,
        log_at: outcome.log_at,
        checkpoint: outcome.checkpoint,
    })
}
