//! Memory bounds: waiting attempts and unacknowledged outcomes.

use fastjob_core::JobOutput;

use super::*;

/// Returns the largest allowed result.
struct Long;

impl JobHandler for Long {
    async fn execute(&self, _: &JobContext) -> JobResult {
        Ok("x".repeat(JobOutput::MAX).into())
    }
}

fn bench() -> Bench {
    let handlers = vec![
        Registration::named("long", Long),
        Registration::named("gives-up", Works { gives_up: true }),
    ];
    Bench::with(handlers, &Handle::current())
}

#[tokio::test(start_paused = true)]
async fn attempts_are_returned_when_waiting_ones_take_too_many_bytes() {
    let bench = bench();
    for id in 1..=3 {
        bench.start(id, "gives-up", false);
    }
    pass(Duration::from_millis(1)).await;
    bench.said();
    let large = |id| Attempt { param: Some("x".repeat(600_000)), ..attempt(id) };
    bench.start_one(large(4));
    bench.start_one(large(5));
    assert_eq!(bench.said(), ["returned 5"]);
    bench.stop(4).await;
    bench.said();
    bench.start_one(large(5));
    assert!(bench.said().is_empty(), "there is room again");
    assert_eq!(bench.runtime.stat_counts(), (3, 1));
}

#[tokio::test(start_paused = true)]
async fn the_message_about_an_unknown_handler_is_bounded() {
    let names = (0..400).map(|n| format!("{n:03}-{}", "x".repeat(90)));
    let handlers = names.map(|name| Registration::named(name, Long)).collect();
    let bench = Bench::with(handlers, &Handle::current());
    bench.start(1, "gives-up", false);
    pass(Duration::from_millis(1)).await;
    let delivery = bench.runtime.to_deliver(LinkId(0));
    let [Message::Finished(outcomes)] = delivery.messages.as_slice() else { panic!("not ended") };
    let message = &outcomes[0].message;
    assert!(message.starts_with("this executor has no handler `gives-up`; it has "));
    assert!(message.len() <= 16 * 1024 && message.ends_with('…'), "{} bytes", message.len());
}

#[tokio::test(start_paused = true)]
async fn nothing_is_entered_while_too_many_bytes_are_not_acknowledged() {
    let bench = bench();
    for id in 1..=4 {
        bench.start(id, "long", false);
        pass(Duration::from_millis(1)).await;
    }
    bench.start(5, "gives-up", false);
    pass(Duration::from_secs(60)).await;
    assert_eq!(bench.runtime.stat_counts(), (0, 1));
    bench.said();
    bench.recorded(&[2]);
    pass(Duration::from_millis(1)).await;
    assert_eq!(bench.runtime.stat_counts(), (1, 0));
    assert_eq!(bench.said()[0], "started 5");
}

#[tokio::test(start_paused = true)]
async fn a_waiting_exclusive_attempt_is_ended_when_contact_with_its_coordinator_is_lost() {
    let bench = bench();
    bench.heard();
    for id in 1..=3 {
        bench.start(id, "gives-up", false);
    }
    bench.start(4, "gives-up", true);
    bench.start(5, "gives-up", false);
    pass(LIMIT - Duration::from_millis(1)).await;
    bench.said();
    pass(Duration::from_millis(2)).await;
    assert_eq!(bench.said(), ["finished 4 executor lost with none"]);
    bench.heard();
    bench.stop(1).await;
    bench.stop(2).await;
    assert_eq!(bench.said()[0], "started 5", "the other still has its turn");
    assert_eq!(bench.runtime.stat_counts(), (2, 0));
}

#[tokio::test(start_paused = true)]
async fn an_arriving_exclusive_attempt_is_ended_while_contact_with_its_coordinator_is_lost() {
    let bench = bench();
    bench.heard();
    for id in 1..=3 {
        bench.start(id, "gives-up", false);
    }
    pass(LIMIT * 2).await;
    bench.said();
    bench.start(4, "gives-up", true);
    assert_eq!(bench.said(), ["finished 4 executor lost with 6"]);
}
