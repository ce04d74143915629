use std::rc::Rc;

use fastjob_executor::{JobContext, job};

#[job("report")]
async fn report(_: &JobContext) {
    let count = Rc::new(1);
    tokio::task::yield_now().await;
    drop(count);
}

fn main() {}
