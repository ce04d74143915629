//! Checks the strategies (misfire, route, shard, block) and the retry settings.

use super::{
    super::{BlockDraft, FireAllDraft, MisfireDraft, RetryDraft, RouteDraft, ShardDraft, WordOr},
    problems::Problems,
};
use crate::{
    block::{Block, BlockScope, BlockStrategy},
    duration,
    misfire::{FIRE_ALL_MOST, MisfireStrategy},
    retry::RetryPolicy,
    route::RouteStrategy,
    shard::ShardStrategy,
};

pub(super) fn misfire(draft: Option<&WordOr<MisfireDraft>>, p: &mut Problems) -> MisfireStrategy {
    let fire_all = |bounds: &FireAllDraft, p: &mut Problems| MisfireStrategy::FireAll {
        max: p.at_most("misfire.fire_all.max", bounds.max.unwrap_or(10), 1, FIRE_ALL_MOST),
        window: bounds
            .window
            .as_deref()
            .and_then(|text| p.take("misfire.fire_all.window", duration::parse(text))),
    };
    match draft {
        None => MisfireStrategy::Skip,
        Some(WordOr::Table(table)) => fire_all(&table.fire_all, p),
        Some(WordOr::Word(word)) => match word.as_str() {
            "skip" => MisfireStrategy::Skip,
            "fire_once" => MisfireStrategy::FireOnce,
            "fire_all" => fire_all(&FireAllDraft::default(), p),
            _ => {
                p.add(
                    "misfire",
                    format_args!("`{word}` is unknown; there are skip, fire_once and fire_all"),
                );
                MisfireStrategy::Skip
            }
        },
    }
}

pub(super) fn route(draft: Option<&WordOr<RouteDraft>>, p: &mut Problems) -> RouteStrategy {
    let route = match draft {
        None => None,
        Some(WordOr::Table(table)) => {
            p.parse("route.specific", &table.specific).map(RouteStrategy::Specific)
        }
        Some(WordOr::Word(word)) => {
            p.word("route", word, &RouteStrategy::NAMES, " and { specific = \"executor\" }")
        }
    };
    route.unwrap_or_default()
}

pub(super) fn shard(draft: Option<&WordOr<ShardDraft>>, p: &mut Problems) -> ShardStrategy {
    let shard = match draft {
        None => None,
        Some(WordOr::Word(word)) => {
            let names = [("one", ShardStrategy::One), ("all", ShardStrategy::All)];
            p.word("shard", word, &names, ", { dynamic = \"filter\" } and { count = 8 }")
        }
        Some(WordOr::Table(ShardDraft { dynamic: Some(filter), count: None })) => {
            p.parse("shard.dynamic", filter).map(ShardStrategy::Dynamic)
        }
        Some(WordOr::Table(ShardDraft { dynamic: None, count: Some(count) })) => {
            Some(ShardStrategy::Count(p.at_most("shard.count", *count, 1, ShardStrategy::MOST)))
        }
        Some(WordOr::Table(_)) => {
            p.add("shard", "it needs exactly one of dynamic and count");
            None
        }
    };
    shard.unwrap_or_default()
}

pub(super) fn block(draft: Option<&WordOr<BlockDraft>>, p: &mut Problems) -> Block {
    let whole = Block::default();
    let (word, table) = match draft {
        None => return whole,
        Some(WordOr::Word(word)) => (word.as_str(), BlockDraft::default()),
        Some(WordOr::Table(table)) => {
            (table.strategy.as_deref().unwrap_or("serial"), table.clone())
        }
    };
    let field = if table.strategy.is_some() { "block.strategy" } else { "block" };
    let strategy = p.word(field, word, &BlockStrategy::NAMES, "").unwrap_or_default();
    let scope = table.scope.as_deref();
    let scope = scope.and_then(|word| p.word("block.scope", word, &BlockScope::NAMES, ""));
    if table.max_waiting.is_some() && !strategy.waits() {
        p.add("block.max_waiting", "it is valid only with serial and parallel");
    }
    if table.max_running.is_some() && strategy != BlockStrategy::Parallel {
        p.add("block.max_running", "it is valid only with parallel");
    }
    Block {
        strategy,
        scope: scope.unwrap_or_default(),
        max_waiting: table
            .max_waiting
            .map_or(whole.max_waiting, |n| p.at_most("block.max_waiting", n, 0, Block::MOST)),
        max_running: table
            .max_running
            .map_or(whole.max_running, |n| p.at_most("block.max_running", n, 1, Block::MOST)),
    }
}

pub(super) fn retry(draft: Option<&RetryDraft>, p: &mut Problems) -> RetryPolicy {
    let whole = RetryPolicy::default();
    let Some(draft) = draft else { return whole };
    let retry = RetryPolicy {
        count: p.at_most("retry.count", draft.count.unwrap_or(0), 0, RetryPolicy::MOST),
        delay: p.duration("retry.delay", draft.delay.as_deref(), whole.delay),
        factor: draft.factor.unwrap_or(whole.factor),
        max_delay: p.duration("retry.max_delay", draft.max_delay.as_deref(), whole.max_delay),
        jitter: draft.jitter.unwrap_or(whole.jitter),
    };
    if !(1.0..=100.0).contains(&retry.factor) {
        p.add("retry.factor", format_args!("{} is not between 1 and 100", retry.factor));
    }
    if !(0.0..=1.0).contains(&retry.jitter) {
        p.add("retry.jitter", format_args!("{} is not between 0 and 1", retry.jitter));
    }
    retry
}
