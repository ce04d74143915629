use fastjob_core::{
    JobOutput,
    context::CHECKPOINT_MAX,
    wire::{BATCH_BYTES, BATCH_MAX, LOG_TAIL_MAX, MESSAGE_MAX, Start},
};
use prost::Message as _;

use super::*;

/// A start with one attempt, as the runtime gets it.
fn attempt(change: impl FnOnce(&mut v1::Attempt)) -> Attempt {
    let mut attempt = v1::Attempt {
        attempt: 12,
        created_at: 7,
        block: v1::Block::Serial.into(),
        cause: v1::Cause::Api.into(),
        ..v1::Attempt::default()
    };
    change(&mut attempt);
    let start = Start::of(v1::Lease::default(), vec![attempt]);
    let FromCoordinator::Start { mut attempts, .. } = hear(Hear::Start(start)) else {
        panic!("not a start")
    };
    attempts.remove(0).0
}

fn hear(message: Hear) -> FromCoordinator {
    read(v1::ToExecutor { message: Some(message) })
}

#[test]
fn an_attempt_is_read_with_its_rule() {
    let read = attempt(|attempt| {
        attempt.block = v1::Block::Parallel.into();
        (attempt.max_waiting, attempt.max_running) = (3, 4);
        (attempt.shard_index, attempt.shard_total) = (1, 2);
        (attempt.timeout_ms, attempt.grace_ms) = (5_000, 6_000);
        attempt.fire_at = Some(8);
        attempt.checkpoint = Some("9".to_owned());
    });
    assert_eq!(read.name, Name::of(12, 7));
    let strategy = BlockStrategy::Parallel;
    let block = Block { strategy, max_waiting: 3, max_running: 4, ..Block::default() };
    assert_eq!((read.turn, read.cause), (Turn::By(block), Ok(Cause::Api)));
    assert_eq!(read.shard, Shard { index: 1, total: 2 });
    assert_eq!((read.timeout, read.grace), (Duration::from_secs(5), Duration::from_secs(6)));
    assert_eq!(read.fire_at.unwrap().as_millisecond(), 8);
    assert_eq!(read.checkpoint.as_deref(), Some("9"));
}

#[test]
fn values_of_another_release_do_not_reject_the_attempt() {
    for unknown in [0, 77] {
        assert_eq!(attempt(|attempt| attempt.block = unknown).turn, Turn::Unknown);
        assert!(attempt(|attempt| attempt.cause = unknown).cause.is_err());
    }
    assert_eq!(attempt(|attempt| attempt.block = v1::Block::None.into()).turn, Turn::AtOnce);
    assert_eq!(attempt(|attempt| attempt.fire_at = Some(i64::MAX)).fire_at, None);
    assert_eq!(attempt(|attempt| attempt.created_at = i64::MAX).name, Name::of(12, i64::MAX));
    assert_eq!(attempt(|_| {}).shard, Shard::WHOLE, "there is at least one");
    assert!(matches!(read(v1::ToExecutor { message: None }), FromCoordinator::Unknown));
    let stat = hear(Hear::Stat(v1::Stat { id: 3, kind: None }));
    assert!(matches!(stat, FromCoordinator::Stat(StatId(3), Question::Unknown)));
}

#[test]
fn a_start_without_a_lease_has_the_lowest_one() {
    let start = hear(Hear::Start(Start::default()));
    let FromCoordinator::Start { lease, attempts, .. } = start else { panic!("not a start") };
    assert_eq!((lease, attempts.len()), (Lease::default(), 0));
}

#[test]
fn an_attempt_that_is_sent_early_has_the_instant_at_which_it_is_due() {
    let attempts = [0, 1_500].map(|enter_at_us| v1::Attempt { enter_at_us, ..Default::default() });
    let mut start = Start::of(v1::Lease::default(), attempts.to_vec());
    start.sent_at_us = 1_000;
    let FromCoordinator::Start { sent_at, attempts, .. } = hear(Hear::Start(start)) else {
        panic!("not a start")
    };
    let due: Vec<_> = attempts.iter().map(|(_, enter_at)| *enter_at).collect();
    assert_eq!(sent_at, Duration::from_millis(1));
    assert_eq!(due, [None, Some(Duration::from_micros(1_500))]);
}

#[test]
fn an_earlier_release_sends_no_creation_times() {
    assert_eq!(read_names(&[1, 2], &[5]), [Name::of(1, 5), Name::of(2, 0)]);
    let stop = v1::Stop { attempts: vec![1], created_at: Vec::new() };
    let FromCoordinator::Stop(names) = hear(Hear::Stop(stop)) else { panic!("not a stop") };
    assert_eq!(names, [Name::of(1, 0)]);
}

#[test]
fn every_end_that_can_be_written_is_read_as_itself() {
    let reasons = [
        FailReason::Error,
        FailReason::Fatal,
        FailReason::TimedOut,
        FailReason::ExecutorLost,
        FailReason::Panicked,
    ];
    let ends = [End::Succeeded, End::Stopped, End::Skipped];
    for end in ends.into_iter().chain(reasons.map(End::Failed)) {
        assert_eq!(End::try_from(write_end(end)), Ok(end));
    }
}

#[test]
fn an_outcome_is_written_with_its_times_and_texts() {
    let outcome = Outcome {
        started_at: Some(Timestamp::from_millisecond(8).unwrap()),
        ended_at: Timestamp::from_millisecond(9).unwrap(),
        result: Some("result".to_owned()),
        message: "message".to_owned(),
        log_tail: "tail".to_owned(),
        log_at: 70,
        checkpoint: Some("1".into()),
        ..Outcome::for_test(Name::of(12, 7))
    };
    let written = v1::Outcome {
        attempt: 12,
        created_at: 7,
        end: v1::End::Succeeded.into(),
        started_at: 8,
        ended_at: 9,
        result: Some("result".to_owned()),
        message: "message".to_owned(),
        log_tail: "tail".to_owned(),
        log_at: 70,
        checkpoint: Some("1".to_owned()),
    };
    assert_eq!(write_outcome(outcome.clone()), written);
    let unentered = write_outcome(Outcome { started_at: None, ..outcome });
    assert_eq!(unentered.started_at, 0);
}

#[test]
fn the_lists_of_holding_are_parallel() {
    let lease = |partition, term| Lease { partition: Partition(partition), term };
    let holding = Holding {
        leases: vec![lease(1, 2)],
        attempts: vec![Name::of(3, 4), Name::of(5, 6)],
        leaving: true,
        highest: vec![AttemptId(7)],
        refused: vec![lease(8, 9)],
    };
    let written = v1::Holding {
        leases: vec![v1::Lease { partition: 1, term: 2 }],
        attempts: vec![3, 5],
        created_at: vec![4, 6],
        leaving: true,
        highest_attempts: vec![7],
        refused: vec![v1::Lease { partition: 8, term: 9 }],
    };
    assert_eq!(write_holding(holding), written);
}

/// An outcome whose numbers have the longest encoding.
fn longest(result: usize) -> Outcome {
    Outcome {
        started_at: Some(Timestamp::MIN),
        ended_at: Timestamp::MIN,
        log_at: u64::MAX,
        result: Some("x".repeat(result)),
        ..Outcome::for_test(Name::of(-1, -1))
    }
}

#[test]
fn the_largest_batch_of_outcomes_fits_into_a_message() {
    // A batch ends with the outcome whose texts reach the limit.
    let mut outcomes: Vec<_> =
        (1..BATCH_MAX).map(|_| longest((BATCH_BYTES - 1) / (BATCH_MAX - 1))).collect();
    outcomes.push(Outcome {
        message: "x".repeat(16 * 1024),
        log_tail: "x".repeat(LOG_TAIL_MAX),
        checkpoint: Some("x".repeat(CHECKPOINT_MAX).into()),
        ..longest(JobOutput::MAX)
    });
    assert_eq!(outcomes.len(), BATCH_MAX);
    let message = write(ToCoordinator::Runtime(Message::Finished(outcomes)));
    let bytes = message.encoded_len();
    assert!(bytes > BATCH_BYTES && bytes < MESSAGE_MAX / 2, "{bytes} bytes");
}
