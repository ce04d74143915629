use fastjob_executor::job;

#[job("report", misfire = "ignore", block = "queue")]
async fn report() {}

fn main() {}
