//! `param_type` that is no type, or beside a param.

use fastjob_executor::{JobContext, JobResult, job};

#[job("text", param_type = "Month")]
async fn text() {}

#[job("bare", param_type)]
async fn bare() {}

#[job("both", param_type = u8)]
async fn both(number: u32) -> Result<String, String> {
    Ok(number.to_string())
}

#[job("unknown", param_type = Month)]
async fn unknown(ctx: &JobContext) -> JobResult {
    ctx.log("hello");
    Ok("done".into())
}

fn main() {}
