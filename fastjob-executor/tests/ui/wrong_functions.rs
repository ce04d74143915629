use fastjob_executor::{JobContext, JobResult, job};

#[job("sync")]
fn sync(_: &JobContext) -> JobResult {
    Ok("done".into())
}

#[job("generic")]
async fn generic<T: Send>(_: &JobContext, _: T) {}

#[job("unsafe")]
async unsafe fn dangerous() {}

struct Struct;

impl Struct {
    #[job("method")]
    async fn method(&self, _: &JobContext) {}
}

fn main() {}
