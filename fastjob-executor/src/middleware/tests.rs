//! Middleware around handlers.

use std::sync::{
    Mutex,
    atomic::{AtomicU64, Ordering},
};

use fastjob_core::JobHandler;

use super::*;

/// Succeeds, fails or panics, as its param says.
struct Obeys;

impl JobHandler for Obeys {
    async fn execute(&self, ctx: &JobContext) -> JobResult {
        ctx.log("entered");
        match ctx.param_text() {
            Some("fail") => Err(JobError::fatal("failed")),
            Some("panic") => panic!("oh no"),
            _ => Ok("done".into()),
        }
    }
}

fn layers(layers: Vec<Box<dyn DynMiddleware>>) -> Layers {
    layers.into()
}

async fn run(handler: &Arc<dyn DynHandler>, param: &str) -> (JobResult, Vec<String>) {
    let ctx = JobContext::for_test().param(param).build();
    let result = handler.call(&ctx).await;
    (result, ctx.log_lines())
}

/// Logs before and after.
struct Logging(&'static str);

impl Middleware for Logging {
    async fn handle(&self, ctx: JobContext, next: Next) -> JobResult {
        ctx.log(format_args!("{} begins", self.0));
        let result = next.run().await;
        let how = match &result {
            Ok(_) => "succeeded",
            Err(err) if err.is_panic() => "panicked",
            Err(_) => "failed",
        };
        ctx.log(format_args!("{} {how}", self.0));
        result
    }
}

#[derive(Default)]
struct Counted {
    successes: AtomicU64,
    failures: AtomicU64,
}

async fn short_circuit(ctx: JobContext, next: Next) -> JobResult {
    if ctx.param_text() == Some("cached") {
        return Ok("from the cache".into());
    }
    next.run().await
}

#[tokio::test]
async fn the_first_middleware_is_the_outermost_and_each_sees_the_outcome() {
    let both = layers(vec![Box::new(Logging("outer")), Box::new(Logging("inner"))]);
    let handler = around(Arc::new(Obeys), &both);
    let (result, lines) = run(&handler, "succeed").await;
    assert_eq!(result.unwrap().as_str(), Some("done"));
    let expected =
        ["outer begins", "inner begins", "entered", "inner succeeded", "outer succeeded"];
    assert_eq!(lines, expected);
    let (result, lines) = run(&handler, "fail").await;
    assert!(!result.unwrap_err().is_retryable());
    assert_eq!(lines[3..], ["inner failed", "outer failed"]);
}

#[tokio::test]
async fn a_panic_of_the_handler_or_of_inner_middleware_is_an_error_to_the_outer() {
    let handler = around(Arc::new(Obeys), &layers(vec![Box::new(Logging("outer"))]));
    let (result, lines) = run(&handler, "panic").await;
    let err = result.unwrap_err();
    assert!(err.is_panic() && err.is_retryable());
    assert_eq!(err.message(), "panicked: oh no");
    assert_eq!(lines, ["outer begins", "entered", "outer panicked"]);
    let panics = |_: JobContext, _: Next| -> std::future::Ready<JobResult> { panic!("inside") };
    let both = layers(vec![Box::new(Logging("outer")), Box::new(panics)]);
    let (result, lines) = run(&around(Arc::new(Obeys), &both), "succeed").await;
    assert_eq!(result.unwrap_err().message(), "panicked: inside");
    assert_eq!(lines, ["outer begins", "outer panicked"]);
}

#[tokio::test]
async fn middleware_can_answer_in_place_of_the_handler() {
    let handler = around(Arc::new(Obeys), &layers(vec![Box::new(short_circuit)]));
    let (result, lines) = run(&handler, "cached").await;
    assert_eq!(result.unwrap().as_str(), Some("from the cache"));
    assert!(lines.is_empty());
    assert_eq!(run(&handler, "succeed").await.0.unwrap().as_str(), Some("done"));
}

#[tokio::test]
async fn a_closure_counts_outcomes() {
    let counted = Arc::new(Counted::default());
    let counting = {
        let counted = Arc::clone(&counted);
        move |_: JobContext, next: Next| {
            let counted = Arc::clone(&counted);
            async move {
                let result = next.run().await;
                let counter = if result.is_ok() { &counted.successes } else { &counted.failures };
                counter.fetch_add(1, Ordering::Relaxed);
                result
            }
        }
    };
    let handler = around(Arc::new(Obeys), &layers(vec![Box::new(counting)]));
    for param in ["succeed", "fail", "panic", "succeed"] {
        let _outcome = run(&handler, param).await;
    }
    let counts = [&counted.successes, &counted.failures];
    assert_eq!(counts.map(|count| count.load(Ordering::Relaxed)), [2, 2]);
}

#[tokio::test]
async fn a_panic_while_a_handler_is_dropped_does_not_reach_its_middleware() {
    struct Bomb(Arc<Mutex<bool>>);
    impl Drop for Bomb {
        fn drop(&mut self) {
            *self.0.lock().unwrap() = true;
            panic!("dropped");
        }
    }
    struct Holds(Arc<Mutex<bool>>);
    impl JobHandler for Holds {
        async fn execute(&self, _: &JobContext) -> JobResult {
            let _bomb = Bomb(Arc::clone(&self.0));
            std::future::pending().await
        }
    }
    let dropped = Arc::new(Mutex::new(false));
    let held: Arc<dyn DynHandler> = Arc::new(Holds(Arc::clone(&dropped)));
    let handler = around(held, &layers(vec![Box::new(Logging("outer"))]));
    let ctx = JobContext::for_test().build();
    let mut running = handler.call(&ctx);
    let first = std::future::poll_fn(|cx| std::task::Poll::Ready(running.as_mut().poll(cx))).await;
    assert!(first.is_pending());
    drop(running);
    assert!(*dropped.lock().unwrap());
}

#[test]
fn a_handler_without_middleware_is_not_wrapped() {
    let handler: Arc<dyn DynHandler> = Arc::new(Obeys);
    assert!(Arc::ptr_eq(&handler, &around(Arc::clone(&handler), &layers(Vec::new()))));
}
