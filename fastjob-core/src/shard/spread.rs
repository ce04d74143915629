//! Assigns the shards of one task to the live executors, by the shard strategy.

use super::{Facts, ShardStrategy};

/// The shards of one task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spread {
    /// The number of shards, 1 to [`ShardStrategy::MOST`].
    pub total: u32,
    /// For each shard the index of its executor; `None` leaves the choice to the route.
    pub on: Vec<Option<usize>>,
}

/// Why a task cannot be spread now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NoSpread {
    /// No executor with the handler is connected.
    #[error("no executor with the handler is connected")]
    NoExecutor,
    /// No connected executor matches the filter.
    #[error("none of the {0} executors with the handler matches the shard filter")]
    NoneMatches(usize),
    /// The task would have too many shards.
    #[error("{0} executors would run a shard, at most {most} can", most = ShardStrategy::MOST)]
    TooMany(usize),
}

/// Spreads a task over `from`, the executors that host its handler, sorted by name.
///
/// `One` creates one shard and leaves its executor to the route. `All` and `Dynamic` create one
/// shard for each executor, or for each that matches the filter, in their order. `Count`
/// distributes its shards evenly in round-robin order. Shard 0 goes to the executor at `offset`,
/// modulo their number, which the caller changes from task to task.
///
/// # Errors
///
/// Fails with [`NoSpread::NoExecutor`] or [`NoSpread::NoneMatches`] while there is no suitable
/// executor, and with [`NoSpread::TooMany`] if every executor would run a shard and there are more
/// than [`ShardStrategy::MOST`]: skipping some would go unnoticed.
pub fn spread(
    strategy: &ShardStrategy,
    from: &[Facts<'_>],
    offset: usize,
) -> Result<Spread, NoSpread> {
    if from.is_empty() {
        return Err(NoSpread::NoExecutor);
    }
    let on: Vec<_> = match strategy {
        ShardStrategy::One => vec![None],
        ShardStrategy::All => (0..from.len()).map(Some).collect(),
        ShardStrategy::Dynamic(filter) => {
            let facts = from.iter().enumerate();
            facts.filter(|(_, facts)| filter.matches(facts)).map(|(index, _)| Some(index)).collect()
        }
        ShardStrategy::Count(count) => {
            // A saved job's count is within this range; other values are clamped.
            let count = (*count).clamp(1, ShardStrategy::MOST);
            let start = offset % from.len();
            let round = (0..from.len()).cycle().skip(start).map(Some);
            (0..count).zip(round).map(|(_, index)| index).collect()
        }
    };
    match u32::try_from(on.len()) {
        Ok(0) => Err(NoSpread::NoneMatches(from.len())),
        Ok(total) if total <= ShardStrategy::MOST => Ok(Spread { total, on }),
        Ok(_) | Err(_) => Err(NoSpread::TooMany(on.len())),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;
    use crate::{id::ExecutorName, route::Figures};

    fn spread_over(
        strategy: &ShardStrategy,
        count: usize,
        offset: usize,
    ) -> Result<Spread, NoSpread> {
        let names: Vec<ExecutorName> =
            (0..count).map(|n| format!("e{n}").parse().unwrap()).collect();
        let (labels, figures) = (BTreeMap::new(), Figures::default());
        let facts = |name| Facts { name, labels: &labels, figures: &figures };
        spread(strategy, &names.iter().map(facts).collect::<Vec<_>>(), offset)
    }

    #[track_caller]
    fn check(strategy: &ShardStrategy, count: usize, offset: usize, on: &[Option<usize>]) {
        let spread = spread_over(strategy, count, offset).unwrap();
        assert_eq!(spread.on, on);
        assert_eq!(usize::try_from(spread.total), Ok(on.len()));
    }

    fn dynamic(filter: &str) -> ShardStrategy {
        ShardStrategy::Dynamic(filter.parse().unwrap())
    }

    #[test]
    fn a_task_is_spread_as_its_strategy_says() {
        check(&ShardStrategy::One, 3, 1, &[None]);
        check(&ShardStrategy::All, 3, 1, &[Some(0), Some(1), Some(2)]);
        check(&dynamic("executor in (e2, e0, x)"), 3, 1, &[Some(0), Some(2)]);
        check(&ShardStrategy::Count(2), 3, 2, &[Some(2), Some(0)]);
        check(&ShardStrategy::Count(4), 3, 7, &[Some(1), Some(2), Some(0), Some(1)]);
    }

    #[test]
    fn without_an_executor_it_returns_the_reason() {
        assert_eq!(spread_over(&ShardStrategy::One, 0, 0), Err(NoSpread::NoExecutor));
        assert_eq!(spread_over(&ShardStrategy::Count(3), 0, 5), Err(NoSpread::NoExecutor));
        assert_eq!(spread_over(&dynamic("has gpu"), 2, 0), Err(NoSpread::NoneMatches(2)));
        assert_eq!(spread_over(&ShardStrategy::All, 1_001, 0), Err(NoSpread::TooMany(1_001)));
        assert!(spread_over(&ShardStrategy::All, 1_000, 0).is_ok());
    }

    proptest! {
        #[test]
        fn a_count_is_spread_evenly(
            count in 1..=ShardStrategy::MOST, executors in 1..50usize, offset: usize,
        ) {
            let spread = spread_over(&ShardStrategy::Count(count), executors, offset).unwrap();
            prop_assert_eq!(spread.total, count);
            prop_assert_eq!(spread.on[0], Some(offset % executors));
            let mut held = vec![0; executors];
            for index in spread.on {
                held[index.unwrap()] += 1;
            }
            prop_assert!(held.iter().max().unwrap() - held.iter().min().unwrap() <= 1);
        }
    }
}
