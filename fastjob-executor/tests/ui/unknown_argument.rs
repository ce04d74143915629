use fastjob_executor::job;

#[job("report", corn = "0 0 2 * * ?")]
async fn misspelt() {}

#[job("report", once_a_day)]
async fn without_value() {}

#[job("report", enabled)]
async fn known_without_value() {}

fn main() {}
