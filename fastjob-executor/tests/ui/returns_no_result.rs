use fastjob_executor::{JobContext, job};

#[job("report")]
async fn report(_: &JobContext) -> u32 {
    3
}

fn main() {}
