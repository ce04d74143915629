use fastjob_executor::job;

#[job("text", param_type = "Month")]
async fn text() {}

#[job("bare", param_type)]
async fn bare() {}

#[job("both", param_type = u8)]
async fn both(number: u32) -> Result<String, String> {
    Ok(number.to_string())
}

fn main() {}
