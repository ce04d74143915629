use super::*;

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(seconds).unwrap()
}

fn one(executor: &str, incarnation: &str, attempts: u32) -> KnownExecutor {
    KnownExecutor {
        service: "billing".parse().unwrap(),
        executor: executor.parse().unwrap(),
        incarnation: incarnation.to_owned(),
        connected: true,
        leaving: false,
        address: String::new(),
        version: String::new(),
        since: at(1),
        seen_at: Some(at(5)),
        lost_at: None,
        capacity: 8,
        attempts,
    }
}

fn lost(executor: &str, incarnation: &str, attempts: u32, lost_at: i64) -> KnownExecutor {
    let lost_at = Some(at(lost_at));
    KnownExecutor { connected: false, lost_at, ..one(executor, incarnation, attempts) }
}

fn drain(executor: &str) -> DrainRow {
    let (service, executor) = ("billing".parse().unwrap(), executor.parse().unwrap());
    DrainRow { service, executor, since: at(9) }
}

fn only(all: ByName) -> ExecutorView {
    let mut views: Vec<_> = all.into_values().collect();
    assert_eq!(views.len(), 1);
    views.remove(0)
}

#[test]
fn what_an_executor_holds_on_all_nodes_is_summed_up() {
    let mut all = ByName::new();
    add(&mut all, KnownExecutor { connected: false, ..one("a", "i", 2) });
    add(&mut all, one("a", "i", 3));
    let view = only(all);
    assert_eq!((view.attempts, view.connected), (5, true), "one node reaches it");
    assert_eq!(view.state, ExecutorState::Connected);
}

#[test]
fn the_losses_of_all_nodes_are_one_unless_the_executor_is_back() {
    let mut all = ByName::new();
    add_lost(&mut all, lost("a", "i", 2, 20));
    add_lost(&mut all, lost("a", "i", 3, 10));
    add_lost(&mut all, lost("a", "older", 9, 1));
    let view = only(all);
    assert_eq!((view.lost_attempts, view.attempts), (5, 0));
    assert_eq!((view.lost_at, view.state), (Some(at(10)), ExecutorState::Lost.into()));

    let mut all = ByName::new();
    add(&mut all, one("a", "i2", 1));
    add_lost(&mut all, lost("a", "i", 2, 20));
    assert_eq!(only(all).state, ExecutorState::Connected);
}

#[test]
fn a_drain_shows_on_every_executor() {
    let mut all = ByName::new();
    add(&mut all, one("a", "i", 1));
    add(&mut all, KnownExecutor { leaving: true, ..one("b", "i", 1) });
    add_lost(&mut all, lost("c", "i", 1, 10));
    for name in ["a", "b", "c", "d"] {
        add_drained(&mut all, &drain(name));
    }
    assert!(all.values().all(|view| view.drained));
    let states: Vec<_> = all.values().map(|view| view.state.as_str()).collect();
    assert_eq!(states, ["drained", "draining", "lost", "disconnected"]);
}
