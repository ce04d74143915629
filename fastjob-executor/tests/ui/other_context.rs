use fastjob_executor::job;

struct JobContext;

#[job("report")]
async fn report(_: &JobContext) {}

fn main() {}
