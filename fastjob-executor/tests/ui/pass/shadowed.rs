//! Names that the expansion must not stumble over.

use ::fastjob_executor::job;

#[allow(dead_code)]
mod shadows {
    pub mod core {}
    pub mod std {}
    pub mod alloc {}
    pub mod inventory {}
    pub mod fastjob_executor {}
    pub struct Option;
    pub struct Some;
    pub struct Result;
    pub struct Box;
    pub struct JobContext;
    pub trait Fn {}
}
#[allow(unused_imports)]
use shadows::*;

use ::fastjob_executor::JobContext as Context;

type JobContext = Context;

#[job("param")]
async fn param(_: &JobContext, returned: u8) -> ::std::result::Result<u8, ::std::fmt::Error> {
    ::std::result::Result::Ok(returned)
}

mod tidy {
    pub fn up() {}
}

#[job("tidy")]
async fn tidy() {
    tidy::up();
}

#[job("ctx")]
async fn __ctx(ctx: &JobContext) {
    ctx.log("hello");
}

fn main() {}
