//! Attempts that arrive before they are due.

use super::*;

const LEAD: Duration = Duration::from_millis(200);
const MOMENT: Duration = Duration::from_millis(2);

/// An attempt that is due this long from now.
fn early(id: i64, lead: Duration) -> Attempt {
    Attempt { enter_at: Some(Instant::now() + lead), ..attempt(id) }
}

/// The attempts that have started since the last call.
fn started(bench: &Bench) -> Vec<String> {
    bench.said().into_iter().filter(|said| said.starts_with("started")).collect()
}

#[tokio::test(start_paused = true)]
async fn attempts_are_entered_when_they_are_due_in_that_order() {
    let bench = Bench::new();
    bench.start_one(early(1, LEAD * 2));
    bench.start_one(early(2, LEAD));
    bench.start_one(attempt(3));
    pass(LEAD - MOMENT).await;
    assert_eq!(started(&bench), ["started 3"]);
    assert_eq!(bench.runtime.holding().len(), 3, "they are held");
    assert_eq!(bench.runtime.stat_counts(), (1, 0), "they do not count as waiting yet");
    pass(MOMENT * 2).await;
    assert_eq!(started(&bench), ["started 2"]);
    pass(LEAD).await;
    assert_eq!(started(&bench), ["started 1"]);
}

#[tokio::test(start_paused = true)]
async fn many_attempts_that_are_due_at_once_are_all_entered() {
    let bench = Bench::new();
    let many: Vec<_> = (1..=2_000)
        .map(|id| Attempt { job: JobId(id), handler: "none".to_owned(), ..early(id, LEAD) })
        .collect();
    bench.runtime.start(LinkId(0), LEASE, many);
    pass(LEAD + MOMENT).await;
    let ended: usize = bench.said().iter().map(|said| said.matches("fatal").count()).sum();
    assert_eq!(ended, 2_000);
}

#[tokio::test(start_paused = true)]
async fn the_block_strategy_applies_when_an_attempt_is_due() {
    let bench = Bench::new();
    let turn = by(BlockStrategy::SkipNew);
    bench.start_one(Attempt { turn, ..early(1, LEAD) });
    bench.start_one(Attempt { turn, ..attempt(2) });
    pass(MOMENT).await;
    assert_eq!(started(&bench), ["started 2"], "the first one does not block before it is due");
    bench.stop(2).await;
    bench.start_one(Attempt { turn, ..attempt(3) });
    pass(LEAD).await;
    let said = bench.said().join("; ");
    assert!(said.contains("started 3") && said.contains("1 skipped"), "{said}");
}

#[tokio::test(start_paused = true)]
async fn an_attempt_that_is_stopped_before_it_is_due_is_never_entered() {
    let bench = Bench::new();
    bench.start_one(early(1, LEAD));
    bench.stop(1).await;
    assert_eq!(bench.said(), ["finished 1 stopped with none"]);
    pass(LEAD * 2).await;
    assert!(bench.said().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_draining_executor_returns_attempts_that_are_not_due() {
    let bench = Bench::new();
    bench.start_one(early(1, LEAD));
    bench.runtime.leave();
    assert_eq!(bench.said(), ["goodbye 1"]);
    pass(LEAD * 2).await;
    assert!(bench.said().is_empty());
}

#[tokio::test(start_paused = true)]
async fn an_attempt_that_is_not_due_survives_a_reconnect_and_arrives_once() {
    let bench = Bench::new();
    bench.start_one(early(1, LEAD));
    bench.runtime.session_ended(LinkId(0));
    bench.runtime.session_began(LinkId(0), true);
    bench.runtime.take(LinkId(0), vec![Lease { term: 2, ..LEASE }]);
    assert_eq!(bench.said(), ["holding 1"]);
    bench.runtime.start(LinkId(0), Lease { term: 2, ..LEASE }, vec![early(1, LEAD)]);
    pass(LEAD * 3).await;
    assert_eq!(started(&bench), ["started 1"]);
}

#[tokio::test(start_paused = true)]
async fn an_id_from_before_a_restored_backup_is_not_entered_when_the_old_attempt_was_due() {
    let bench = Bench::new();
    bench.start_one(early(7, LEAD));
    bench.start_one(Attempt { name: Name::of(7, CREATED + 1), ..early(7, LEAD * 2) });
    pass(LEAD + MOMENT).await;
    assert!(started(&bench).is_empty());
    pass(LEAD).await;
    assert_eq!(started(&bench), ["started 7"]);
}
