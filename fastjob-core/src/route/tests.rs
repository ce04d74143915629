//! What each strategy picks, and properties of all strategies.

use proptest::prelude::*;

use super::*;

fn name(text: &str) -> ExecutorName {
    text.parse().unwrap()
}

fn names(count: usize) -> Vec<ExecutorName> {
    (0..count).map(|n| name(&format!("e{n:03}"))).collect()
}

fn free(names: &[ExecutorName]) -> Vec<Candidate<'_>> {
    let free = |name| Candidate { name, has_place: true, figures: Figures::default() };
    names.iter().map(free).collect()
}

fn all_strategies() -> Vec<RouteStrategy> {
    let named = RouteStrategy::NAMES.into_iter().map(|(_, strategy)| strategy);
    named.chain([RouteStrategy::Specific(name("e001"))]).collect()
}

const ASK: Ask<'static> = Ask { job: JobId(7), avoid: None };

/// A job that is placed repeatedly.
struct Placed {
    strategy: RouteStrategy,
    memory: Memory,
}

impl Placed {
    fn new(strategy: RouteStrategy) -> Self {
        Self { strategy, memory: Memory::default() }
    }

    fn next(&mut self, from: &[Candidate<'_>]) -> Option<usize> {
        self.next_but(from, None)
    }

    fn next_but(&mut self, from: &[Candidate<'_>], avoid: Option<&ExecutorName>) -> Option<usize> {
        let ask = Ask { avoid, ..ASK };
        let index = pick(&self.strategy, ask, from, &self.memory, |_| 0)?;
        self.memory.given(&self.strategy, from, index);
        Some(index)
    }

    fn many(&mut self, from: &[Candidate<'_>], count: usize) -> Vec<usize> {
        (0..count).map(|_| self.next(from).unwrap()).collect()
    }
}

/// Checks that the free executors `among` are picked in the order `expected`.
#[track_caller]
fn check(strategy: RouteStrategy, among: &[(&str, Figures)], expected: &[&str]) {
    let names: Vec<_> = among.iter().map(|(text, _)| name(text)).collect();
    let mut from = free(&names);
    for (candidate, (_, figures)) in from.iter_mut().zip(among) {
        candidate.figures = *figures;
    }
    let mut placed = Placed::new(strategy);
    let picked = placed.many(&from, expected.len());
    let picked: Vec<_> = picked.into_iter().map(|index| names[index].as_str()).collect();
    assert_eq!(picked, expected);
}

const NONE: Figures = Figures {
    cpu: None,
    memory_free: None,
    memory_total: None,
    response_ms: None,
    running: 0,
    waiting: 0,
    holds: 0,
};

fn cpu(cpu: f64) -> Figures {
    Figures { cpu: Some(cpu), ..NONE }
}

fn memory(free: u64) -> Figures {
    Figures { memory_free: Some(free), ..NONE }
}

fn response(ms: f64, holds: u32) -> Figures {
    Figures { response_ms: Some(ms), holds, ..NONE }
}

fn held(holds: u32, running: u32, waiting: u32) -> Figures {
    Figures { holds, running, waiting, ..NONE }
}

#[test]
fn each_strategy_picks_what_its_name_says() {
    use RouteStrategy::*;
    let three = [("a", NONE), ("b", NONE), ("c", NONE)];
    check(RoundRobin, &three, &["a", "b", "c", "a"]);
    check(Specific(name("b")), &three, &["b", "b"]);
    check(Random, &three, &["a", "a"]); // the dice are loaded
    check(LeastScheduled, &three, &["a", "b", "c", "a"]);
    check(LeastRecentlyUsed, &three, &["a", "b", "c", "a"]);
    check(Failover, &three, &["a", "a"]);
    check(First, &three, &["a", "a"]);
    check(Last, &three, &["c", "c"]);
    check(MemoryFirst, &[("a", memory(1)), ("b", memory(9)), ("c", memory(5))], &["b", "b"]);
    check(CpuFirst, &[("a", cpu(0.9)), ("b", cpu(0.5)), ("c", cpu(0.1))], &["c", "c"]);
    check(ResponseFirst, &[("a", response(80.0, 0)), ("b", response(9.0, 0))], &["b", "b"]);
    check(IdleFirst, &[("a", held(3, 0, 0)), ("b", held(1, 9, 9)), ("c", held(2, 0, 0))], &["b"]);
}

#[test]
fn ties_rotate() {
    use RouteStrategy::*;
    for strategy in [MemoryFirst, CpuFirst, ResponseFirst, IdleFirst] {
        check(strategy, &[("a", NONE), ("b", NONE), ("c", NONE)], &["a", "b", "c", "a"]);
    }
    let pair = [("a", cpu(0.2)), ("b", cpu(0.9)), ("c", cpu(0.2))];
    check(CpuFirst, &pair, &["a", "c", "a"]);
    let held_more = Figures { holds: 4, ..cpu(0.2) };
    check(CpuFirst, &[("a", held_more), ("b", cpu(0.2))], &["b", "b"]);
    check(IdleFirst, &[("a", held(1, 2, 2)), ("b", held(1, 2, 1))], &["b", "b"]);
}

#[test]
fn executors_with_missing_figures_are_not_preferred() {
    use RouteStrategy::*;
    check(MemoryFirst, &[("a", NONE), ("b", memory(1))], &["b", "b"]);
    check(CpuFirst, &[("a", NONE), ("b", cpu(1.0))], &["b", "b"]);
    check(CpuFirst, &[("a", cpu(f64::NAN)), ("b", cpu(1.0))], &["b", "b"]);
}

#[test]
fn an_executor_without_a_response_time_gets_one_attempt_at_a_time() {
    let known = ("a", response(5.0, 0));
    check(RouteStrategy::ResponseFirst, &[known, ("b", NONE)], &["b"]);
    check(RouteStrategy::ResponseFirst, &[known, ("b", held(1, 0, 0))], &["a", "a"]);
}

#[test]
fn a_fast_executor_with_many_attempts_shares() {
    let among = [("quick", response(10.0, 5)), ("slow", response(50.0, 0))];
    check(RouteStrategy::ResponseFirst, &among, &["slow"]);
}

#[test]
fn failover_moves_only_when_necessary_and_does_not_move_back() {
    let names = names(3);
    let mut from = free(&names);
    let mut placed = Placed::new(RouteStrategy::Failover);
    assert_eq!(placed.many(&from, 3), [0, 0, 0]);
    from[0].has_place = false;
    assert_eq!(placed.many(&from, 2), [1, 1]);
    from[0].has_place = true;
    assert_eq!(placed.many(&from, 2), [1, 1]);
    assert_eq!(placed.many(&from[..1], 2), [0, 0], "the others are gone");
    assert_eq!(placed.next_but(&from, Some(&names[0])), Some(1), "a retry moves on");
    assert_eq!(placed.next(&from), Some(1));
}

#[test]
fn a_new_executor_is_not_given_everything_until_it_has_caught_up() {
    let names = names(3);
    let from = free(&names);
    let mut placed = Placed::new(RouteStrategy::LeastScheduled);
    placed.many(&from[..2], 10_000);
    let picked = placed.many(&from, 9);
    let new = picked.iter().filter(|index| **index == 2).count();
    assert_eq!(new, 3, "{picked:?}");
}

#[test]
fn a_returning_executor_counts_as_new() {
    let names = names(2);
    let from = free(&names);
    let mut placed = Placed::new(RouteStrategy::LeastScheduled);
    placed.many(&from, 2);
    placed.many(&from[..1], 1_000);
    let picked = placed.many(&from, 6);
    assert_eq!(picked.iter().filter(|index| **index == 1).count(), 3, "{picked:?}");
}

#[test]
fn an_executor_that_was_full_catches_up() {
    let names = names(2);
    let mut from = free(&names);
    let mut placed = Placed::new(RouteStrategy::LeastScheduled);
    placed.many(&from, 2);
    from[1].has_place = false;
    placed.many(&from, 5);
    from[1].has_place = true;
    assert_eq!(placed.many(&from, 5), [1; 5]);
}

#[test]
fn a_route_remembers_only_the_candidates() {
    let names = names(100);
    let from = free(&names);
    let mut placed = Placed::new(RouteStrategy::LeastRecentlyUsed);
    for window in from.windows(4) {
        placed.next(window);
    }
    let gone = names[..96].iter().filter(|name| placed.memory.seat(0, name).is_some());
    assert_eq!(gone.count(), 0);
    placed.strategy = RouteStrategy::Random;
    placed.next(&from);
    assert_eq!(placed.memory, Memory::default());
}

#[test]
fn a_retry_stays_on_its_executor_if_no_other_has_a_place() {
    let names = names(2);
    let mut from = free(&names);
    from[0].has_place = false;
    for strategy in all_strategies() {
        assert_eq!(Placed::new(strategy).next_but(&from, Some(&names[1])), Some(1));
    }
}

#[test]
fn random_follows_the_dice_among_executors_with_a_free_place() {
    let names = names(4);
    let mut from = free(&names);
    from[1].has_place = false;
    let memory = Memory::default();
    let picked = |fallen: usize| {
        pick(&RouteStrategy::Random, ASK, &from, &memory, |count| {
            assert_eq!(count, 3);
            fallen
        })
    };
    assert_eq!([picked(0), picked(1), picked(2)], [Some(0), Some(2), Some(3)]);
}

#[test]
fn an_additional_executor_takes_its_share_of_the_jobs_and_moves_no_other() {
    const JOBS: i64 = 20_000;
    let names = names(10);
    let (after, memory) = (free(&names), Memory::default());
    // The new executor is in the middle by name.
    let before: Vec<_> = after.iter().filter(|one| *one.name != names[4]).copied().collect();
    let place = |from: &[Candidate<'_>], job| {
        let ask = Ask { job: JobId(job), avoid: None };
        let index = pick(&RouteStrategy::ConsistentHash, ask, from, &memory, |_| 0).unwrap();
        from[index].name.clone()
    };
    let mut held = [0; 10];
    let mut moved = 0;
    for job in 1..=JOBS {
        let (old, new) = (place(&before, job), place(&after, job));
        if old != new {
            assert_eq!(new, names[4]);
            moved += 1;
        }
        held[names.binary_search(&new).unwrap()] += 1;
    }
    assert!((1_700..2_300).contains(&moved), "{moved} of {JOBS} moved");
    assert!(held.iter().all(|held| (1_700..2_300).contains(held)), "{held:?}");
}

fn any_figures() -> impl Strategy<Value = Figures> {
    let response = prop::option::of(0.0..1e4f64);
    (prop::option::of(any::<f64>()), prop::option::of(any::<u64>()), response, 0..5u32).prop_map(
        |(cpu, memory_free, response_ms, holds)| Figures {
            cpu,
            memory_free,
            response_ms,
            holds,
            running: u32::MAX,
            waiting: holds,
            ..NONE
        },
    )
}

fn any_round() -> impl Strategy<Value = Vec<(bool, Figures)>> {
    prop::collection::vec((any::<bool>(), any_figures()), 0..6)
}

proptest! {
    #[test]
    fn no_executor_without_a_free_place_is_picked(
        rounds in prop::collection::vec((any_round(), prop::option::of(0..8usize)), 1..12),
        dice in any::<usize>(),
    ) {
        let names = names(8);
        for strategy in all_strategies() {
            let mut memory = Memory::default();
            for (round, avoid) in &rounds {
                let from: Vec<_> = names.iter().zip(round)
                    .map(|(name, (has_place, figures))| Candidate {
                        name, has_place: *has_place, figures: *figures,
                    })
                    .collect();
                let avoid = avoid.map(|index| &names[index]);
                let ask = Ask { avoid, ..ASK };
                let picked = pick(&strategy, ask, &from, &memory, |count| dice % count);
                let is_other = |one: &Candidate<'_>| one.has_place && Some(one.name) != avoid;
                match picked {
                    Some(index) => {
                        prop_assert!(from[index].has_place);
                        if strategy.names().is_none() && from.iter().any(is_other) {
                            prop_assert!(is_other(&from[index]), "a retry goes elsewhere");
                        }
                        memory.given(&strategy, &from, index);
                    }
                    None => {
                        let named = strategy.names();
                        let would_do = |one: &Candidate<'_>| {
                            one.has_place && named.is_none_or(|named| named == one.name)
                        };
                        prop_assert!(!from.iter().any(would_do));
                    }
                }
            }
        }
    }

    #[test]
    fn cyclic_strategies_share_equally(count in 1..20usize, rounds in 1..5usize) {
        use RouteStrategy::{LeastRecentlyUsed, LeastScheduled, RoundRobin};
        let names = names(count);
        let from = free(&names);
        for strategy in [RoundRobin, LeastScheduled, LeastRecentlyUsed] {
            let mut given = vec![0; count];
            for index in Placed::new(strategy).many(&from, count * rounds) {
                given[index] += 1;
            }
            prop_assert!(given.iter().all(|n| *n == rounds));
        }
    }

    #[test]
    fn least_scheduled_evens_out(full in prop::collection::vec(0..4usize, 1..40)) {
        let names = names(4);
        let mut placed = Placed::new(RouteStrategy::LeastScheduled);
        let mut given = [0; 4];
        let even = std::iter::repeat_n(None, 4 * full.len());
        for full in full.iter().copied().map(Some).chain(even) {
            let mut from = free(&names);
            if let Some(full) = full {
                from[full].has_place = false;
            }
            given[placed.next(&from).unwrap()] += 1;
        }
        let (most, fewest) = (given.iter().max().unwrap(), given.iter().min().unwrap());
        prop_assert!(most - fewest <= 1, "{given:?}");
    }

    #[test]
    fn the_least_recently_used_executor_is_picked(
        open in prop::collection::vec(prop::collection::vec(any::<bool>(), 5), 1..40),
    ) {
        let names = names(5);
        let mut placed = Placed::new(RouteStrategy::LeastRecentlyUsed);
        let mut used = [0; 5];
        for (now, open) in open.iter().enumerate() {
            let mut from = free(&names);
            for (candidate, open) in from.iter_mut().zip(open) {
                candidate.has_place = *open;
            }
            let Some(index) = placed.next(&from) else { continue };
            let oldest = used.iter().zip(open).filter(|(_, open)| **open).map(|(when, _)| *when);
            prop_assert_eq!(Some(used[index]), oldest.min());
            used[index] = now + 1;
        }
    }
}
