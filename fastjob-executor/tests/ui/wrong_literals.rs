use fastjob_executor::job;

// All problems of an annotation are reported at once.
#[job(
    "report",
    cron = 5,
    retry = "3",
    timeout = 10,
    enabled = "no",
    param = concat!("a", "b"),
    labels(team = 7)
)]
async fn report() {}

#[job("negative", retry = -1)]
async fn negative() {}

#[job("large", retry = 5_000_000_000)]
async fn large() {}

fn main() {}
