use fastjob_executor::job;

#[job("comma" retry = 3)]
async fn comma() {}

#[job("labels", labels = "billing")]
async fn labels() {}

#[job("label", labels(team: "billing"))]
async fn label() {}

fn main() {}
