use fastjob_executor::job;

#[job("few", cron = "0 2 * *")]
async fn few() {}

#[job("word", cron = "daily")]
async fn word() {}

fn main() {}
