use fastjob_executor::prelude::*;

struct WithoutAttribute;

impl JobHandler for WithoutAttribute {
    async fn execute(&self, _: &JobContext) -> JobResult {
        Ok("done".into())
    }
}

fn main() {
    let _ = Executor::builder("billing").handler(WithoutAttribute);
    let _ = Executor::builder("billing").handler("report");
}
