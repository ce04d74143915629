use fastjob_executor::{JobContext, State, job};

#[job("two-params")]
async fn two_params(_: &JobContext, _: u8, _: State<u8>, _second: u8) {}

#[job("two-contexts")]
async fn two_contexts(_: &JobContext, _: u8, _again: &JobContext) {}

#[job("by-value")]
async fn by_value(_: JobContext) {}

#[job("mutable")]
async fn mutable(_: &mut JobContext) {}

#[job("borrowed-state")]
async fn borrowed_state(_: &State<u8>) {}

#[job("borrowed")]
async fn borrowed(_: &JobContext, _: &str) {}

#[job("opaque")]
async fn opaque(_: &JobContext, _: impl Send) {}

fn main() {}
