use fastjob_executor::job;

#[job("report", misfire = "ignore", block = "queue")]
async fn report() {}

#[job("fields", block(strategy = "queue", scope = "everywhere"), route = "nearest", shard = "8")]
async fn fields() {}

fn main() {}
