use fastjob_executor::job;

/// As `axum` has it.
struct State<S>(pub S);

#[job("report")]
async fn report(_db: State<u8>) {}

fn main() {}
