use fastjob_executor::{JobContext, job};

struct Month;

#[job("report")]
async fn report(_: &JobContext, _month: Month) {}

fn main() {}
