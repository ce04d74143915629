use std::rc::Rc;

use fastjob_executor::{State, job};

#[job("report")]
async fn report(_: State<Rc<u8>>) {}

fn main() {}
