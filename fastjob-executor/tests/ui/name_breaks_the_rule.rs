use fastjob_executor::job;

#[job("")]
async fn empty() {}

#[job("monthly report", service = "a/b")]
async fn space() {}

#[job("0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789")]
async fn long() {}

fn main() {}
