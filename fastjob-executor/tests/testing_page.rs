//! The handler and its tests in `docs/testing.md`, and that the page has them.

use fastjob_executor::prelude::*;

struct Prices {
    page: u64,
}

/// Adds up the pages of a month, and continues where the last attempt stopped.
#[job("report", retry = 3)]
async fn report(ctx: &JobContext, prices: State<Prices>, month: u8) -> anyhow::Result<u64> {
    anyhow::ensure!(prices.page > 0, "no prices for month {month}");
    let mut sum: u64 = ctx.last_checkpoint()?.unwrap_or(0);
    while sum < 10 * prices.page {
        if ctx.is_stopping() {
            anyhow::bail!("stopped at {sum}");
        }
        sum += prices.page;
        ctx.checkpoint(&sum)?;
        ctx.progress(sum / prices.page, 10, "pages");
        ctx.log(format_args!("{sum} so far"));
    }
    Ok(sum)
}

#[tokio::test]
async fn a_retry_continues_after_the_last_checkpoint() {
    let ctx = JobContext::for_test().attempt(2).checkpoint(24).build();
    assert_eq!(report(&ctx, State::new(Prices { page: 3 }), 11).await.unwrap(), 30);
    assert_eq!(ctx.saved_checkpoints::<u64>(), [27, 30]);
    assert_eq!(ctx.log_lines(), ["27 so far", "30 so far"]);
    assert_eq!(ctx.reported_progress().last().unwrap().done, 10);
}

#[tokio::test]
async fn it_ends_when_it_is_asked_to_stop() {
    let ctx = JobContext::for_test().stopping().build();
    let err = report(&ctx, State::new(Prices { page: 3 }), 11).await.unwrap_err();
    assert_eq!(err.to_string(), "stopped at 0");
}

#[test]
fn the_page_has_this_handler_and_these_tests() {
    let page = include_str!("../../docs/testing.md");
    let (_, block) = page.split_once("```rust\n").unwrap();
    let (block, _) = block.split_once("```").unwrap();
    let this = include_str!("testing_page.rs");
    assert!(
        this.contains(block),
        "the first block of docs/testing.md is not in tests/testing_page.rs"
    );
}
