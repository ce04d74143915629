//! A machine that was suspended while exclusive attempts ran. The coordinator's clock continued.

use super::*;

#[tokio::test(start_paused = true)]
async fn an_exclusive_attempt_is_aborted_soon_after_the_machine_resumes_too_late() {
    let bench = Bench::new();
    bench.heard();
    bench.start(1, "stubborn", true);
    bench.start(2, "stubborn", false);
    pass(Duration::from_millis(1)).await;
    bench.said();
    bench.clock.suspend(LIMIT * 2);
    pass(LOOK).await;
    assert_eq!(bench.said(), ["finished 1 executor lost with 7"], "the other keeps running");
}

#[tokio::test(start_paused = true)]
async fn an_exclusive_attempt_outlasts_a_short_suspension() {
    let bench = Bench::new();
    bench.heard();
    bench.start(1, "gives-up", true);
    pass(Duration::from_millis(1)).await;
    bench.said();
    bench.clock.suspend(LIMIT / 2);
    pass(LIMIT / 2 - Duration::from_millis(2)).await;
    assert!(!bench.said().iter().any(|said| said.starts_with("finished")));
    bench.heard();
    pass(LIMIT - Duration::from_millis(1)).await;
    assert!(bench.said().is_empty());
    pass(Duration::from_millis(2)).await;
    assert_eq!(bench.said(), ["finished 1 executor lost with 7"]);
}

#[tokio::test(start_paused = true)]
async fn an_answer_right_after_the_machine_resumes_is_too_late() {
    for new_owner in [false, true] {
        let bench = Bench::new();
        bench.heard();
        bench.start(1, "stubborn", true);
        pass(Duration::from_millis(1)).await;
        bench.said();
        bench.clock.suspend(LIMIT * 2);
        if new_owner {
            bench.runtime.take(LinkId(0), vec![Lease { term: 2, ..LEASE }]);
        } else {
            bench.heard();
        }
        pass(Duration::from_millis(1)).await;
        assert_eq!(bench.said().last().unwrap(), "finished 1 executor lost with 7");
    }
}

#[tokio::test(start_paused = true)]
async fn an_exclusive_attempt_that_arrives_right_after_the_machine_resumes_is_not_entered() {
    let bench = Bench::new();
    bench.heard();
    bench.clock.suspend(LIMIT * 2);
    bench.start(1, "gives-up", true);
    assert_eq!(bench.said(), ["finished 1 executor lost with 6"]);
}
