use super::*;

fn gone(executor: &str, incarnation: &str, why: GoneWhy) -> Arc<Gone> {
    Arc::new(Gone {
        service: "billing".parse().unwrap(),
        executor: executor.parse().unwrap(),
        incarnation: incarnation.parse().unwrap(),
        why,
        silent_for: Some(Duration::from_secs(10)),
    })
}

fn lost(gone: &Arc<Gone>, held: u32) -> Notice {
    Notice::Gone { gone: Arc::clone(gone), held, first: Vec::new() }
}

fn listed(losses: &Losses) -> Vec<(String, u32)> {
    losses.list().into_iter().map(|lost| (lost.executor.to_string(), lost.held)).collect()
}

#[test]
fn the_reports_of_all_partitions_are_one_loss() {
    let losses = Losses::new(Duration::from_secs(3600));
    let a = gone("a", "i1", GoneWhy::Disconnected);
    losses.report([lost(&a, 2)]);
    losses.report([lost(&a, 0), lost(&a, 3)]);
    assert_eq!(listed(&losses), [("a".to_owned(), 5)]);
    assert_eq!(losses.lock().gathered.len(), 1);
    let seen = losses.list()[0].seen_at.unwrap();
    assert_eq!(losses.list()[0].lost_at.duration_since(seen), SignedDuration::from_secs(10));
}

#[test]
fn a_goodbye_and_a_restart_are_not_listed_as_losses() {
    let losses = Losses::new(Duration::from_secs(3600));
    losses.report([lost(&gone("a", "i1", GoneWhy::Stopped), 0)]);
    losses.report([lost(&gone("b", "i1", GoneWhy::Restarted), 7)]);
    assert_eq!(listed(&losses), []);
    losses.report([lost(&gone("c", "i1", GoneWhy::Stopped), 1)]);
    assert_eq!(listed(&losses), [("c".to_owned(), 1)], "it was killed while it drained");
}

#[test]
fn an_executor_that_connects_is_not_lost_any_more() {
    let losses = Losses::new(Duration::from_secs(3600));
    let a = gone("a", "i1", GoneWhy::Disconnected);
    losses.report([lost(&a, 2), lost(&gone("b", "i1", GoneWhy::Disconnected), 0)]);
    losses.forget(&a.service, &a.executor);
    assert_eq!(listed(&losses), [("b".to_owned(), 0)]);
}

#[test]
fn the_last_thousand_are_remembered_and_nothing_if_that_is_off() {
    let losses = Losses::new(Duration::from_secs(3600));
    losses.report((0..1_005).map(|n| lost(&gone(&format!("e{n}"), "i", GoneWhy::Disconnected), 1)));
    let all = losses.list();
    assert_eq!((all.len(), all[0].executor.as_str()), (1_000, "e5"));
    let off = Losses::new(Duration::ZERO);
    off.report([lost(&gone("a", "i", GoneWhy::Disconnected), 1)]);
    assert_eq!(off.list(), []);
}
