use fastjob_executor::{Next, prelude::*};

async fn no_next(_: JobContext) -> JobResult {
    Ok("done".into())
}

async fn no_result(_: JobContext, _: Next) {}

fn main() {
    let _ = Executor::builder("billing").middleware(no_next);
    let _ = Executor::builder("billing").middleware(no_result);
    let _ = Executor::builder("billing").run_until(3);
}
