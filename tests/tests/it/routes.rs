//! Each route picks the right executor.

use std::time::Duration;

use fastjob_tests::{
    eventually,
    stand_in::{Machine, Manner, StandIn},
};
use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::{
    coordinator,
    strategies::{counts, runs, text, three, three_in},
};

#[tokio::test]
async fn each_route_picks_the_right_executor() {
    let mut three = three().await;
    for route in [
        "round_robin",
        "consistent_hash",
        "least_scheduled",
        "failover",
        "first",
        "last",
        "least_recently_used",
        "idle_first",
    ] {
        let job = json!({"name": route, "handler": "noop", "route": route});
        three.rest.save(job).await;
    }
    let even = counts(&[("e1", 2), ("e2", 2), ("e3", 2)]);
    for route in ["round_robin", "least_scheduled", "least_recently_used", "idle_first"] {
        assert_eq!(three.runs(route, 6).await, even, "{route}");
    }
    assert_eq!(three.runs("first", 3).await, counts(&[("e1", 3)]));
    assert_eq!(three.runs("last", 3).await, counts(&[("e3", 3)]));
    three.rest.save(json!({"name": "one", "handler": "noop", "route": {"specific": "e2"}})).await;
    assert_eq!(three.runs("one", 3).await, counts(&[("e2", 3)]));
    assert_eq!(three.runs("failover", 3).await, counts(&[("e1", 3)]));
    let hashed = three.runs("consistent_hash", 4).await;
    assert_eq!(hashed.len(), 1, "a job always runs on the same executor: {hashed:?}");

    three.executors[0].kill();
    three.rest.executors(2).await;
    assert_eq!(three.runs("failover", 2).await, counts(&[("e2", 2)]));
    let again = three.runs("consistent_hash", 2).await;
    if !hashed.contains_key("e1") {
        assert_eq!(again.keys().next(), hashed.keys().next(), "the job moved to another executor");
    }
}

#[tokio::test]
async fn the_random_route_is_even_and_unordered() {
    let three = three().await;
    three
        .rest
        .save(json!({"name": "random", "handler": "noop", "route": "random",
            "block": {"max_waiting": 100}}))
        .await;
    let tasks = join_all((0..60).map(|_| three.rest.start("random", json!({})))).await;
    let mut who = Vec::new();
    for task in tasks {
        who.push(text(&three.rest.ended(task).await["attempts"][0]["executor"]));
    }
    for name in ["e1", "e2", "e3"] {
        // The probability of fewer than four out of sixty is one in a million.
        let count = who.iter().filter(|executor| *executor == name).count();
        assert!(count >= 4, "{name} ran {count} of {who:?}");
    }
    let in_turn = who.windows(4).all(|run| run[0] == run[3]);
    assert!(!in_turn, "the order is not random: {who:?}");
}

#[tokio::test]
async fn the_fastest_executor_gets_the_work() {
    let three = three_in([("e1", "1000"), ("e2", "1000"), ("e3", "0")], "TEST_PACE").await;
    three.rest.save(json!({"name": "j", "handler": "paced", "route": "response_first"})).await;
    // Wait until each was tried: an executor without a measured response time is preferred.
    eventually("each was tried", Duration::from_secs(30), || async {
        let task = three.rest.ended(three.rest.start("j", json!({})).await).await;
        assert_eq!(task["state"], "succeeded", "{task}");
        let tasks = three.rest.tasks("j").await;
        let mut who: Vec<_> =
            tasks.iter().map(|task| text(&task["attempts"][0]["executor"])).collect();
        who.sort();
        who.dedup();
        (who.len() == 3).then_some(())
    })
    .await;
    assert_eq!(three.runs("j", 8).await, counts(&[("e3", 8)]));
}

#[tokio::test]
async fn memory_and_load_routes_follow_the_reported_figures() {
    let coordinator = coordinator().await;
    let rest = coordinator.rest();
    let machine = |cpu, memory_free_gib| Machine { cpu, memory_free_gib };
    let join = |name, machine| StandIn::join(coordinator.url(), name, machine, Manner::Prompt);
    let e1 = join("e1", machine(0.9, 1)).await;
    let _e2 = join("e2", machine(0.5, 8)).await;
    let e3 = join("e3", machine(0.2, 3)).await;
    // The loads are known once each executor has sent a heartbeat.
    let known = async |loads: [f64; 3]| {
        eventually("the loads are known", Duration::from_secs(20), || async {
            let executors = rest.executors(3).await;
            let has = |(executor, load): (&Value, f64)| executor["cpu"] == load;
            executors.iter().zip(loads).all(has).then_some(())
        })
        .await;
    };
    known([0.9, 0.5, 0.2]).await;
    for (name, more) in [
        ("memory", json!({"route": "memory_first"})),
        ("load", json!({"route": "cpu_first"})),
        ("roomy", json!({"shard": {"dynamic": "memory_free > 2GiB and cpu < 0.8"}})),
    ] {
        let mut job = json!({"name": name, "handler": "noop"});
        job.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        rest.save(job).await;
    }
    assert_eq!(runs(&rest, "memory", 4).await, counts(&[("e2", 4)]));
    assert_eq!(runs(&rest, "load", 4).await, counts(&[("e3", 4)]));
    let shards = async || {
        let task = rest.ended(rest.start("roomy", json!({})).await).await;
        assert_eq!(task["state"], "succeeded", "{task}");
        let attempts = task["attempts"].as_array().unwrap().clone();
        attempts.iter().map(|attempt| text(&attempt["executor"])).collect::<Vec<_>>()
    };
    assert_eq!(shards().await, ["e2", "e3"]);

    // When the figures change, so do the picked executors.
    e1.is_like(machine(0.1, 32));
    e3.is_like(machine(0.7, 1));
    known([0.1, 0.5, 0.7]).await;
    assert_eq!(runs(&rest, "memory", 4).await, counts(&[("e1", 4)]));
    assert_eq!(runs(&rest, "load", 4).await, counts(&[("e1", 4)]));
    assert_eq!(shards().await, ["e1", "e2"]);
}
