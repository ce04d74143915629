use fastjob_executor::{JobContext, job};

#[job("three")]
async fn three(_: &JobContext, _: u8, _third: u8) {}

#[job("no-context")]
async fn no_context(_month: u8) {}

#[job("by-value")]
async fn by_value(_: JobContext) {}

#[job("mutable")]
async fn mutable(_: &mut JobContext) {}

#[job("swapped")]
async fn swapped(_: u8, _: &JobContext) {}

#[job("borrowed")]
async fn borrowed(_: &JobContext, _: &str) {}

#[job("opaque")]
async fn opaque(_: &JobContext, _: impl Send) {}

fn main() {}
