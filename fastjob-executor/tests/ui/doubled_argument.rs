use fastjob_executor::job;

#[job("report", retry = 3, timeout = "10m", retry = 4)]
async fn report() {}

#[job("labels", labels(team = "billing", "team" = "sales"))]
async fn labels() {}

#[job("labels", labels(a = "1"), labels(b = "2"))]
async fn labels_twice() {}

fn main() {}
