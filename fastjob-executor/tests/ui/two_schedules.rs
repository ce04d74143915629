use fastjob_executor::job;

#[job("report", cron = "0 0 2 * * ?", fixed_rate = "30s", once = "2030-01-01T00:00:00Z")]
async fn report() {}

fn main() {}
