use fastjob_executor::job;

#[job("zone", fixed_rate = "30s", zone = "Europe/Paris")]
async fn zone() {}

#[job("retry", retry_delay = "5s")]
async fn retry() {}

#[job("fields", retry(delay = "5s"), start_at = "2030-01-01T00:00:00Z", exclude(days = ["sun"]))]
async fn fields() {}

#[job("children", children(pass_result = true), alarm_when(runs_longer = "1h"))]
async fn children() {}

fn main() {}
