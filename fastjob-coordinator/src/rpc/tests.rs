//! Messages of executors are parsed and bounded.

use fastjob_core::{
    AttemptId, FailReason, Progress,
    attempt::End,
    context::CHECKPOINT_MAX,
    wire::{
        BATCH_MAX, PROTOCOL,
        v1::{self, from_executor},
    },
};
use fastjob_engine::{Held, SessionId};

use jiff::Timestamp;

use super::{
    hello::{self, HelloLimits},
    read::{Heard, Refused, outcome, read},
};

const SESSION: SessionId = SessionId(1);

fn heard(message: from_executor::Message) -> Result<String, Refused> {
    read(SESSION, message).map(|heard| match heard {
        Heard::Event(event) => format!("{event:?}"),
        Heard::Beat(beat, uptime_ms) => format!("{beat:?} after {uptime_ms}"),
        Heard::Holding(holding) => format!("{holding:?}"),
        Heard::Goodbye(returned) => format!("goodbye with {returned:?}"),
        Heard::Pong(id) => format!("pong {id}"),
        Heard::Schemas(schemas) => format!("{} schemas", schemas.len()),
        Heard::Reply(_) => "a reply".to_owned(),
    })
}

fn checkpoint(bytes: usize) -> v1::AttemptCheckpoint {
    v1::AttemptCheckpoint { attempt: 1, checkpoint: "1".repeat(bytes), created_at: 0 }
}

fn progress(note: usize) -> v1::AttemptProgress {
    v1::AttemptProgress { attempt: 1, done: 2, total: 3, note: "n".repeat(note), created_at: 0 }
}

fn checkpoints(attempts: Vec<v1::AttemptCheckpoint>) -> Result<String, Refused> {
    heard(from_executor::Message::Checkpoints(v1::Checkpoints { attempts }))
}

fn progress_read(attempts: Vec<v1::AttemptProgress>) -> Result<String, Refused> {
    heard(from_executor::Message::Progress(v1::Progress { attempts }))
}

#[test]
fn the_number_and_length_of_checkpoints_and_progress_are_bounded() {
    assert!(checkpoints(vec![checkpoint(CHECKPOINT_MAX)]).is_ok());
    let refused = checkpoints(vec![checkpoint(CHECKPOINT_MAX + 1)]);
    assert!(matches!(refused, Err(Refused::TooLong { what: "checkpoint", .. })));
    let refused = checkpoints(vec![checkpoint(1); BATCH_MAX + 1]);
    assert!(matches!(refused, Err(Refused::TooMany { .. })));

    assert!(progress_read(vec![progress(Progress::NOTE_MAX); BATCH_MAX]).is_ok());
    let refused = progress_read(vec![progress(Progress::NOTE_MAX + 1)]);
    assert!(matches!(refused, Err(Refused::TooLong { what: "note", .. })));
    assert!(matches!(
        progress_read(vec![progress(1); BATCH_MAX + 1]),
        Err(Refused::TooMany { .. })
    ));
}

#[test]
fn progress_a_beat_and_a_pong_keep_their_figures() {
    let shown = progress_read(vec![progress(1)]).unwrap();
    assert!(shown.contains("done: 2, total: 3, note: \"n\""), "{shown}");
    let beat = v1::Beat { cpu: f64::NAN, uptime_ms: 9, ..v1::Beat::default() };
    let shown = heard(from_executor::Message::Beat(beat)).unwrap();
    assert!(shown.contains("cpu: 0.0") && shown.ends_with("after 9"), "{shown}");
    assert_eq!(heard(from_executor::Message::Pong(v1::Pong { id: 4 })).unwrap(), "pong 4");
}

#[test]
fn an_attempt_that_was_cut_off_counts_as_executor_lost_and_keeps_its_checkpoint() {
    let sent = v1::Outcome {
        attempt: 1,
        end: v1::End::CutOff.into(),
        checkpoint: Some("7".to_owned()),
        ..v1::Outcome::default()
    };
    let taken = outcome(sent.clone()).unwrap();
    assert_eq!(taken.end, End::Failed(FailReason::ExecutorLost));
    assert_eq!(taken.checkpoint.as_deref(), Some("7"));
    let long = v1::Outcome { checkpoint: Some("1".repeat(CHECKPOINT_MAX + 1)), ..sent };
    assert!(matches!(outcome(long), Err(Refused::TooLong { what: "checkpoint", .. })));
}

fn holding(created_at: Vec<i64>) -> from_executor::Message {
    from_executor::Message::Holding(v1::Holding {
        attempts: vec![1, 2],
        created_at,
        leaving: true,
        highest_attempts: vec![9],
        ..v1::Holding::default()
    })
}

#[test]
fn a_message_names_at_most_as_many_partitions_as_a_store_may_have() {
    let lease = v1::Lease { partition: 1, term: 1 };
    let named = |leases, refused, highest| v1::Holding {
        leases: vec![lease; leases],
        refused: vec![lease; refused],
        highest_attempts: vec![1; highest],
        ..v1::Holding::default()
    };
    let answer = |holding| heard(from_executor::Message::Holding(holding));
    answer(named(1_024, 1, 1_024)).unwrap();
    for too_many in [named(1_025, 0, 0), named(0, 1_025, 0), named(0, 0, 1_025)] {
        let Err(why) = answer(too_many) else { panic!("it was accepted") };
        assert!(why.to_string().contains("1025 partitions, at most 1024"), "{why}");
    }
}

#[test]
fn held_attempts_are_identified_by_id_and_creation_time() {
    let Ok(Heard::Holding(report)) = read(SESSION, holding(vec![5, 6])) else { panic!("refused") };
    let names = |held: &Held| (held.attempt.0, held.created_at.as_millisecond());
    assert_eq!(report.held.iter().map(names).collect::<Vec<_>>(), [(1, 5), (2, 6)]);
    assert!(report.leaving && report.highest == [AttemptId(9)]);
    let refused = heard(holding(vec![5]));
    assert!(matches!(refused, Err(Refused::NotParallel { attempts: 2, instants: 1 })));
    // An earlier release sends ids alone.
    let Ok(Heard::Holding(report)) = read(SESSION, holding(Vec::new())) else { panic!("refused") };
    let later = Timestamp::from_millisecond(7).unwrap();
    assert!(report.held.iter().all(|held| held.names(later)));
}

#[test]
fn returned_attempts_are_bounded() {
    let returned =
        |count| from_executor::Message::Returned(v1::Returned { attempts: vec![1; count] });
    assert!(heard(returned(BATCH_MAX)).is_ok());
    assert!(matches!(heard(returned(BATCH_MAX + 1)), Err(Refused::TooMany { .. })));
    let goodbye = from_executor::Message::Goodbye(v1::Goodbye { returned: vec![1, 2] });
    assert!(heard(goodbye).unwrap().starts_with("goodbye with"));
}

#[test]
fn a_hello_is_bounded_and_its_secret_is_not_public() {
    let limits = HelloLimits { bytes: 1 << 20, jobs: 10 };
    let hello = || v1::Hello {
        protocol: PROTOCOL,
        service: "s".to_owned(),
        executor: "e".to_owned(),
        secret: "a-secret-of-this-start-of-the-process".to_owned(),
        capacity: 100,
        ..v1::Hello::default()
    };
    let read = |hello| hello::read(SESSION, hello, &limits);
    let taken = read(hello()).unwrap();
    let seen = taken.incarnation.to_string();
    assert_eq!(seen.len(), 32);
    // A process that sends the public incarnation as its secret gets another incarnation.
    let thief = read(v1::Hello { secret: seen.clone(), ..hello() }).unwrap();
    assert_ne!(thief.incarnation, taken.incarnation);
    assert_eq!(read(hello()).unwrap().incarnation, taken.incarnation, "the secret is the same");

    let refused = |hello| read(hello).unwrap_err().message().to_owned();
    let greedy = refused(v1::Hello { capacity: u32::MAX, ..hello() });
    assert!(greedy.contains("4294967295, at most 1000000"), "{greedy}");
    for secret in ["", "short"] {
        let short = refused(v1::Hello { secret: secret.to_owned(), ..hello() });
        assert!(short.contains("16 to 128 are needed"), "{short}");
    }
    let labels = [("zone".to_owned(), "x".repeat(5_000))].into();
    assert!(refused(v1::Hello { labels, ..hello() }).contains("more than 4096 bytes"));
}
