use fastjob_executor::job;

#[job("path", crate = fastjob_executor)]
async fn path() {}

#[job("no-path", crate = "a b")]
async fn no_path() {}

#[job("no-value", crate)]
async fn no_value() {}

fn main() {}
