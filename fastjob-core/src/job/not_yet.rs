//! What a job can say and this release cannot do: refused, so that nothing is accepted and ignored.
//!
//! One line a feature. A line goes when the engine knows what it names, and this file with the last.

use super::{BlockDraft, JobDraft, Problem, ShardDraft, WordOr};
use crate::route::RouteStrategy;

/// What the draft asks for in vain.
pub(super) fn not_yet(draft: &JobDraft) -> impl Iterator<Item = Problem> {
    [
        ("start_at", draft.start_at.is_some()),
        ("end_at", draft.end_at.is_some()),
        ("jitter", draft.jitter.is_some()),
        ("exclude", draft.exclude.is_some()),
        ("route", routes(draft, |word| word != "round_robin")),
        ("shard", draft.shard.as_ref().is_some_and(is_sharded)),
        ("block", blocks(draft, |block| block.strategy.as_deref() == Some("parallel"))),
        ("block.scope", blocks(draft, |block| block.scope.as_deref() == Some("cluster"))),
        ("children", !draft.children.is_empty()),
        ("alarms", !draft.alarms.is_empty()),
        ("alarm_when", draft.alarm_when.is_some()),
    ]
    .into_iter()
    .filter(|(_, asked)| *asked)
    .map(|(field, _)| Problem {
        field: field.to_owned(),
        message: "it is not available in this release; leave it out".to_owned(),
    })
}

fn is_sharded(shard: &WordOr<ShardDraft>) -> bool {
    is_word(shard, "all") || matches!(shard, WordOr::Table(_))
}

fn is_word<T>(value: &WordOr<T>, name: &str) -> bool {
    matches!(value, WordOr::Word(word) if word == name)
}

/// Whether the route is one that has a name, and `asks` for what is not there.
fn routes(draft: &JobDraft, asks: impl Fn(&str) -> bool) -> bool {
    RouteStrategy::NAMES.iter().any(|(name, _)| {
        asks(name) && draft.route.as_ref().is_some_and(|route| is_word(route, name))
    })
}

fn blocks(draft: &JobDraft, asks: impl Fn(&BlockDraft) -> bool) -> bool {
    match &draft.block {
        None => false,
        Some(WordOr::Table(table)) => asks(table),
        Some(WordOr::Word(word)) => {
            asks(&BlockDraft { strategy: Some(word.clone()), ..BlockDraft::default() })
        }
    }
}
