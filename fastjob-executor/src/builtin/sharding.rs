//! `shardingJobHandler`: an example of a sharded handler.
//!
//! Shard *i* of *n* processes the items whose number modulo *n* is *i*, so the shards together
//! process each item exactly once.

use std::time::Duration;

use fastjob_core::{JobContext, JobError, JobHandler, JobOutput, JobResult, Shard, duration};
use serde::Deserialize;

/// Bounds the result, which lists the items.
const ITEMS_MAX: u32 = 10_000;

/// `{"items": 10, "work": "10ms"}`: the number of items, and how long each takes.
#[derive(Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Param {
    items: u32,
    work: String,
}

impl Default for Param {
    fn default() -> Self {
        Self { items: 10, work: "10ms".to_owned() }
    }
}

pub(super) struct Sharding;

impl JobHandler for Sharding {
    async fn execute(&self, ctx: &JobContext) -> JobResult {
        let (items, work) = read(ctx)?;
        let Shard { index, total } = ctx.shard();
        ctx.log(format_args!("shard {index} of {total}: its part of {items} items"));
        let mut done = Vec::new();
        for item in (0..items).filter(|item| item % total.max(1) == index) {
            tokio::select! {
                () = ctx.stop_token().cancelled() => {
                    let text = format!("stopped after {} items", done.len());
                    return Err(JobError::retryable(text));
                }
                () = tokio::time::sleep(work) => {}
            }
            ctx.log(format_args!("item {item} done"));
            done.push(item);
        }
        JobOutput::json(&serde_json::json!({ "shard": index, "of": total, "items": done }))
    }
}

fn read(ctx: &JobContext) -> Result<(u32, Duration), JobError> {
    let param: Param = ctx.param::<Option<Param>>()?.unwrap_or_default();
    if param.items > ITEMS_MAX {
        return Err(JobError::fatal(format!("at most {ITEMS_MAX} items, not {}", param.items)));
    }
    Ok((param.items, duration::parse(&param.work).map_err(JobError::fatal)?))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::builtin::testing::context;

    #[tokio::test]
    async fn the_shards_cover_the_items_without_gap_or_overlap() {
        let mut seen = BTreeSet::new();
        for index in 0..3 {
            let shard = Shard { index, total: 3 };
            let (ctx, _stop, lines) = context(Some(r#"{"items": 8, "work": "0s"}"#), shard);
            let result = Sharding.execute(&ctx).await.unwrap().into_text().unwrap();
            let result: serde_json::Value = serde_json::from_str(&result).unwrap();
            assert_eq!((&result["shard"], &result["of"]), (&index.into(), &3.into()));
            for item in result["items"].as_array().unwrap() {
                assert!(seen.insert(item.as_u64().unwrap()), "{item} twice");
            }
            assert!(lines.has(&format!("shard {index} of 3")));
        }
        assert_eq!(seen, (0..8).collect());
    }

    #[tokio::test]
    async fn without_a_param_there_are_ten_items() {
        let (ctx, _stop, _) = context(None, Shard::WHOLE);
        let result = Sharding.execute(&ctx).await.unwrap().into_text().unwrap();
        assert_eq!(result, r#"{"items":[0,1,2,3,4,5,6,7,8,9],"of":1,"shard":0}"#);
    }

    #[tokio::test]
    async fn it_stops_between_two_items() {
        let (ctx, stop, _) = context(Some(r#"{"work": "1h"}"#), Shard::WHOLE);
        stop.cancel();
        let err = Sharding.execute(&ctx).await.unwrap_err();
        assert_eq!(err.message(), "stopped after 0 items");
    }

    #[tokio::test]
    async fn an_invalid_param_fails_permanently() {
        for param in [r#"{"item": 3}"#, r#"{"work": "soon"}"#, r#"{"items": 1000000}"#, "many"] {
            let (ctx, _stop, _) = context(Some(param), Shard::WHOLE);
            assert!(!Sharding.execute(&ctx).await.unwrap_err().is_retryable(), "{param}");
        }
    }
}
