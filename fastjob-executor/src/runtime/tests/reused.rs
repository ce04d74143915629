//! Redispatched attempts that ended here before, and new attempts with reused ids, as after a store
//! was restored from a backup.

use super::*;

/// Creation time of the attempt that reuses the id after the restore.
const LATER: i64 = 9;

fn later(id: i64) -> Attempt {
    Attempt { name: Name::of(id, LATER), ..attempt(id) }
}

impl Bench {
    fn recorded_later(&self, id: i64) {
        self.runtime.recorded(vec![Name::of(id, LATER)]);
    }

    /// The link reconnects. Returns what it reports as held, with the creation times.
    fn holds(&self) -> Vec<(i64, i64)> {
        self.runtime.session_began(LinkId(0), true);
        self.runtime.take(LinkId(0), vec![LEASE]);
        let messages = self.runtime.to_deliver(LinkId(0)).messages;
        let Message::Holding(holding) = &messages[0] else { panic!("{messages:?}") };
        holding.attempts.iter().map(|name| (name.id.0, name.created_at.0)).collect()
    }
}

#[tokio::test(start_paused = true)]
async fn a_dispatch_of_an_acknowledged_attempt_is_answered_with_its_outcome() {
    let bench = Bench::new();
    bench.start(7, "unknown", false);
    pass(Duration::from_millis(1)).await;
    let reported = bench.said();
    assert_eq!(reported, ["finished 7 fatal error with none"]);
    bench.recorded(&[7]);
    assert!(bench.said().is_empty() && bench.runtime.holding().is_empty());
    for _ in 0..2 {
        bench.start(7, "unknown", false);
        assert_eq!(bench.said(), reported);
        assert_eq!(bench.runtime.holding(), [AttemptId(7)]);
        bench.recorded(&[7]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_new_attempt_with_the_id_of_an_ended_one_runs_and_the_two_are_kept_apart() {
    let bench = Bench::new();
    bench.start(7, "unknown", false);
    pass(Duration::from_millis(1)).await;
    assert_eq!(bench.said(), ["finished 7 fatal error with none"]);
    bench.start_one(later(7));
    pass(Duration::from_millis(1)).await;
    assert_eq!(bench.said()[0], "started 7");
    assert_eq!(bench.holds(), [(7, LATER)], "the old outcome is forgotten");
    bench.said();
    bench.recorded(&[7]);
    bench.stop(7).await;
    assert_eq!(bench.runtime.stat_counts(), (1, 0), "the stop was for the other attempt");
    bench.runtime.stop(LinkId(0), vec![Name::of(7, LATER)]);
    pass(Duration::from_millis(1)).await;
    assert_eq!(bench.said(), ["finished 7 stopped with 7"]);
    bench.recorded(&[7]);
    assert_eq!(
        bench.runtime.holding(),
        [AttemptId(7)],
        "the acknowledgement was for the other attempt"
    );
    bench.recorded_later(7);
    assert!(bench.runtime.holding().is_empty());
    // And the other way round: now the later attempt is remembered.
    bench.start(7, "unknown", false);
    pass(Duration::from_millis(1)).await;
    assert_eq!(bench.said(), ["finished 7 fatal error with none"]);
}

#[tokio::test(start_paused = true)]
async fn a_new_attempt_with_the_id_of_a_running_one_is_returned() {
    let bench = Bench::new();
    bench.start(7, "gives-up", false);
    pass(Duration::from_millis(1)).await;
    bench.said();
    bench.start_one(later(7));
    assert_eq!(bench.said(), ["returned 7"]);
    assert_eq!(bench.holds(), [(7, CREATED)]);
    bench.said();
    bench.stop(7).await;
    assert_eq!(bench.said(), ["finished 7 stopped with 7"]);
    bench.start_one(later(7));
    pass(Duration::from_millis(1)).await;
    assert_eq!(bench.said()[0], "started 7");
}

#[tokio::test(start_paused = true)]
async fn a_new_attempt_with_the_id_of_a_waiting_one_takes_its_turn() {
    let bench = Bench::new();
    bench.start_blocked(1, 2, BlockStrategy::Serial);
    bench.start_blocked(7, 2, BlockStrategy::Serial);
    let turn = Turn::By(Block { max_waiting: 1, ..Block::default() });
    bench.start_one(Attempt { job: JobId(2), turn, ..later(7) });
    pass(Duration::from_millis(1)).await;
    assert_eq!(bench.runtime.stat_counts(), (1, 1));
    bench.stop(1).await;
    assert_eq!(bench.holds(), [(7, LATER), (1, CREATED)]);
}

#[tokio::test(start_paused = true)]
async fn an_attempt_of_an_earlier_release_is_known_by_its_id_alone() {
    let bench = Bench::new();
    let unknown = CreatedAt::UNKNOWN.0;
    let old = || Attempt { name: Name::of(7, unknown), ..attempt(7) };
    bench.start_one(old());
    pass(Duration::from_millis(1)).await;
    bench.said();
    bench.start_one(old());
    assert_eq!(bench.said(), ["started 7"]);
    bench.start(7, "gives-up", false);
    assert_eq!(bench.said(), ["started 7"], "its coordinator was upgraded to this release");
    bench.stop(7).await;
    bench.runtime.recorded(vec![Name::of(7, unknown)]);
    assert!(bench.runtime.holding().is_empty());
}

#[tokio::test(start_paused = true)]
async fn the_highest_id_ever_sent_is_reported_with_the_held_attempts() {
    let bench = Bench::new();
    bench.start(9, "unknown", false);
    bench.start(7, "unknown", false);
    pass(Duration::from_millis(1)).await;
    bench.recorded(&[7, 9]);
    bench.runtime.session_began(LinkId(0), true);
    bench.runtime.take(LinkId(0), vec![LEASE, Lease { term: 0, ..LEASE }]);
    let messages = bench.runtime.to_deliver(LinkId(0)).messages;
    let Message::Holding(holding) = &messages[0] else { panic!("{messages:?}") };
    assert_eq!((&holding.attempts, &holding.highest), (&vec![], &vec![AttemptId(9)]));
    assert_eq!((&holding.leases, &holding.refused), (&vec![LEASE], &vec![LEASE]));
}
