use fastjob_executor::job;

#[job("report", fixed_rate = "30", timeout = "ten minutes", grace = "-5s", no_executor = "5x")]
async fn report() {}

#[job("once", once = "tomorrow")]
async fn once() {}

fn main() {}
