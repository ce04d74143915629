use fastjob_executor::job;

#[job("zone", fixed_rate = "30s", zone = "Europe/Paris")]
async fn zone() {}

#[job("retry", retry_delay = "5s")]
async fn retry() {}

fn main() {}
