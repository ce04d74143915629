use fastjob_executor::job;

#[job]
async fn none() {}

#[job()]
async fn empty() {}

#[job(cron = "0 0 2 * * ?")]
async fn first_is_a_key() {}

#[job(name = "keyed")]
async fn name_is_a_key() {}

fn main() {}
