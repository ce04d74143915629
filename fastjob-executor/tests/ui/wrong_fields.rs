use fastjob_executor::job;

// All problems of an annotation are reported at once.
#[job(
    "report",
    fixed_rate = "1m",
    block(strategies = "serial", max_running = "4"),
    misfire(fire_all(most = 3)),
    misfire_all(max = 3),
    retry(factor = "2", jitter = 0.1, jitter = 0.2),
    exclude = "sun",
    shard(count = 8, dynamic = "x > 1"),
    route(),
)]
async fn report() {}

#[job("texts", fixed_rate = "1m", exclude(days = "sun", hours = [22, "1-2"]))]
async fn texts() {}

#[job("twice", retry(count = 3, delay = "5s"), retry_delay = "5s")]
async fn twice() {}

#[job("both", retry = 3, retry(delay = "5s"))]
async fn both() {}

#[job("no_fields", timeout(long = "5s"))]
async fn no_fields() {}

fn main() {}
