//! A draining executor: no attempt that was sent to it is lost.

use super::*;

const GRACE: Duration = Duration::from_secs(4);

impl Bench {
    /// Begins to drain. The returned handle completes when the drain has ended.
    async fn leave(&self) -> tokio::task::JoinHandle<()> {
        self.leave_within(GRACE).await
    }

    async fn leave_within(&self, grace: Duration) -> tokio::task::JoinHandle<()> {
        self.runtime.leave();
        let runtime = self.runtime.clone();
        let drained = tokio::spawn(async move { runtime.drain(grace).await });
        pass(Duration::from_millis(1)).await;
        drained
    }
}

#[tokio::test(start_paused = true)]
async fn attempts_that_arrive_while_the_executor_drains_are_returned_at_once() {
    let bench = Bench::new();
    bench.start(1, "gives-up", false);
    pass(Duration::from_millis(1)).await;
    bench.said();
    bench.runtime.leave();
    assert_eq!(bench.said(), ["goodbye "], "it says so once");
    bench.start(7, "gives-up", false);
    assert_eq!(bench.said(), ["goodbye 7"]);
    bench.start(1, "gives-up", false);
    assert_eq!(bench.said(), ["started 1"], "what runs is known, and not returned");
    assert_eq!(bench.runtime.stat_counts(), (1, 0));
}

#[tokio::test(start_paused = true)]
async fn every_new_owner_of_a_partition_learns_that_the_executor_drains() {
    let bench = Bench::new();
    bench.runtime.leave();
    assert_eq!(bench.said(), ["goodbye "]);
    // Another node takes the partition.
    let lease = Lease { term: 2, ..LEASE };
    bench.runtime.link(LinkId(1));
    bench.runtime.session_began(LinkId(1), true);
    assert_eq!(bench.said_over(LinkId(1)), ["goodbye "]);
    bench.runtime.take(LinkId(1), vec![lease]);
    assert_eq!(bench.said_over(LinkId(1)), ["leaving, holding ", "goodbye "]);
    bench.runtime.start(LinkId(1), lease, vec![attempt(8)]);
    assert_eq!(bench.said_over(LinkId(1)), ["goodbye 8"]);
    // The session ends before the return has arrived. The executor no longer holds the attempt, and
    // reports so again.
    bench.runtime.start(LinkId(1), lease, vec![attempt(8)]);
    bench.runtime.session_ended(LinkId(1));
    bench.runtime.session_began(LinkId(1), true);
    bench.runtime.take(LinkId(1), vec![lease]);
    assert_eq!(bench.said_over(LinkId(1)), ["goodbye ", "leaving, holding ", "goodbye "]);
}

#[tokio::test(start_paused = true)]
async fn it_ends_when_every_coordinator_has_answered_each_goodbye_and_not_before() {
    let bench = Bench::new();
    bench.runtime.link(LinkId(1));
    bench.runtime.session_began(LinkId(1), true);
    let drained = bench.leave().await;
    assert_eq!(
        (bench.said(), bench.said_over(LinkId(1))),
        (vec!["goodbye ".into()], vec!["goodbye ".into()])
    );
    bench.start(7, "gives-up", false);
    bench.runtime.farewell(LinkId(0));
    bench.runtime.farewell(LinkId(1));
    assert_eq!(bench.said(), ["goodbye 7"]);
    pass(Duration::from_millis(1)).await;
    assert!(!drained.is_finished(), "the returned attempts may be in transit");
    bench.runtime.farewell(LinkId(0));
    pass(Duration::from_millis(1)).await;
    assert!(drained.is_finished());
}

#[tokio::test(start_paused = true)]
async fn it_does_not_wait_for_a_disconnected_coordinator_that_has_sent_it_nothing() {
    let bench = Bench::new();
    bench.runtime.link(LinkId(1));
    bench.runtime.session_began(LinkId(1), true);
    let drained = bench.leave().await;
    bench.said();
    bench.runtime.farewell(LinkId(0));
    bench.said_over(LinkId(1));
    pass(Duration::from_millis(1)).await;
    assert!(!drained.is_finished());
    bench.runtime.session_ended(LinkId(1));
    pass(Duration::from_millis(1)).await;
    assert!(drained.is_finished(), "it acts on no partition");

    let bench = Bench::new();
    bench.runtime.session_ended(LinkId(0));
    assert!(bench.leave().await.is_finished());
}

#[tokio::test(start_paused = true)]
async fn it_ends_without_a_coordinator_that_does_not_answer_or_reconnect() {
    for goes in [false, true] {
        let bench = Bench::new();
        let drained = bench.leave().await;
        bench.said();
        if goes {
            bench.runtime.session_ended(LinkId(0));
        }
        pass(Duration::from_secs(4)).await;
        assert!(!drained.is_finished(), "it waits as long as for outcomes");
        pass(Duration::from_secs(2)).await;
        assert!(drained.is_finished(), "and no longer");
    }
}

#[tokio::test(start_paused = true)]
async fn outcomes_may_be_delivered_for_as_long_as_the_grace_lasts() {
    let bench = Bench::new();
    bench.start(1, "gives-up", false);
    pass(Duration::from_millis(1)).await;
    bench.stop(1).await;
    let drained = bench.leave_within(Duration::from_secs(30)).await;
    bench.said();
    bench.runtime.farewell(LinkId(0));
    pass(Duration::from_secs(20)).await;
    assert!(!drained.is_finished());
    bench.recorded(&[1]);
    pass(Duration::from_millis(1)).await;
    assert!(drained.is_finished());
}

#[tokio::test(start_paused = true)]
async fn an_outcome_at_the_end_of_the_grace_has_some_seconds_to_be_delivered() {
    let bench = Bench::new();
    bench.start(1, "stubborn", false);
    let drained = bench.leave().await;
    bench.said();
    bench.runtime.farewell(LinkId(0));
    pass(GRACE).await;
    assert_eq!(bench.said(), ["finished 1 error with 7"], "it was aborted");
    pass(GRACE).await;
    assert!(!drained.is_finished());
    bench.recorded(&[1]);
    pass(Duration::from_millis(1)).await;
    assert!(drained.is_finished());
}

#[tokio::test(start_paused = true)]
async fn unconfirmed_returns_are_reported_to_the_next_owner_before_the_executor_ends() {
    let bench = Bench::new();
    bench.start_blocked(1, 2, BlockStrategy::Serial);
    bench.start_blocked(2, 2, BlockStrategy::Serial);
    pass(Duration::from_millis(1)).await;
    bench.said();
    let drained = bench.leave().await;
    assert_eq!(bench.said(), ["goodbye 2"]);
    bench.stop(1).await;
    bench.said();
    bench.recorded(&[1]);
    bench.runtime.session_ended(LinkId(0));
    pass(Duration::from_millis(1)).await;
    assert!(!drained.is_finished(), "whether 2 was returned is unknown");
    bench.runtime.session_began(LinkId(0), true);
    assert_eq!(bench.said(), ["goodbye "]);
    bench.runtime.farewell(LinkId(0));
    pass(Duration::from_millis(1)).await;
    assert!(!drained.is_finished(), "it does not act on the partition yet");
    bench.runtime.take(LinkId(0), vec![Lease { term: 2, ..LEASE }]);
    assert_eq!(bench.said(), ["leaving, holding ", "goodbye "]);
    pass(Duration::from_millis(1)).await;
    assert!(!drained.is_finished(), "it may not have arrived");
    bench.runtime.farewell(LinkId(0));
    pass(Duration::from_millis(1)).await;
    assert!(drained.is_finished());
}

#[tokio::test(start_paused = true)]
async fn attempts_that_waited_without_a_coordinator_are_returned_to_the_next_owner() {
    let bench = Bench::new();
    bench.start_blocked(1, 2, BlockStrategy::Serial);
    bench.start_blocked(2, 2, BlockStrategy::Serial);
    pass(Duration::from_millis(1)).await;
    bench.stop(1).await;
    bench.start_blocked(3, 2, BlockStrategy::Serial);
    bench.runtime.session_ended(LinkId(0));
    let drained = bench.leave().await;
    pass(GRACE).await;
    bench.recorded(&[1, 2]);
    pass(Duration::from_millis(1)).await;
    assert!(!drained.is_finished(), "3 is still placed here");
    bench.runtime.link(LinkId(1));
    bench.runtime.session_began(LinkId(1), true);
    bench.runtime.take(LinkId(1), vec![Lease { term: 2, ..LEASE }]);
    assert_eq!(bench.said_over(LinkId(1))[..3], ["goodbye ", "leaving, holding ", "goodbye "]);
    bench.runtime.farewell(LinkId(1));
    bench.runtime.farewell(LinkId(1));
    pass(Duration::from_millis(1)).await;
    assert!(drained.is_finished());
}

#[tokio::test(start_paused = true)]
async fn a_coordinator_of_an_earlier_release_is_not_waited_for() {
    let bench = Bench::new();
    bench.runtime.session_began(LinkId(0), false);
    bench.runtime.take(LinkId(0), vec![LEASE]);
    bench.said();
    let drained = bench.leave().await;
    assert!(!drained.is_finished());
    assert_eq!(bench.said(), ["goodbye "]);
    pass(Duration::from_millis(1)).await;
    assert!(drained.is_finished());
    bench.start(7, "gives-up", false);
    assert_eq!(bench.said(), ["goodbye 7"], "it accepts attempts returned with a goodbye");
}

#[tokio::test(start_paused = true)]
async fn waiting_attempts_of_a_disconnected_coordinator_are_no_longer_held() {
    let bench = Bench::new();
    bench.start_blocked(1, 2, BlockStrategy::Serial);
    bench.start_blocked(2, 2, BlockStrategy::Serial);
    pass(Duration::from_millis(1)).await;
    bench.runtime.session_ended(LinkId(0));
    bench.runtime.leave();
    bench.runtime.session_began(LinkId(0), true);
    bench.runtime.take(LinkId(0), vec![LEASE]);
    assert_eq!(bench.said()[..3], ["goodbye ", "leaving, holding 1", "goodbye "]);
}
