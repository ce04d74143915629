use fastjob_executor::{JobContext, job};

struct Broken;

#[job("report")]
async fn report(_: &JobContext) -> Result<u32, Broken> {
    Err(Broken)
}

fn main() {}
