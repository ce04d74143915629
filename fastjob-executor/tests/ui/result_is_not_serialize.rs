use fastjob_executor::{JobContext, JobError, job};

struct Report;

#[job("report")]
async fn report(_: &JobContext) -> Result<Report, JobError> {
    Ok(Report)
}

fn main() {}
