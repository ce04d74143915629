//! Names that must not conflict with the expansion.

use ::fastjob_executor::job;

#[expect(dead_code, reason = "only their names matter")]
mod shadows {
    pub(super) mod core {}
    pub(super) mod std {}
    pub(super) mod alloc {}
    pub(super) mod inventory {}
    pub(super) mod fastjob_executor {}
    pub(super) struct Option;
    pub(super) struct Some;
    pub(super) struct Result;
    pub(super) struct Box;
    pub(super) struct JobContext;
    pub(super) trait Fn {}
}
#[expect(unused_imports, reason = "only their names matter")]
use shadows::*;

use ::fastjob_executor::JobContext as Context;

type JobContext = Context;

#[job("param")]
async fn param(_: &JobContext, returned: u8) -> ::std::result::Result<u8, ::std::fmt::Error> {
    ::std::result::Result::Ok(returned)
}

mod tidy {
    pub(super) fn up() {}
}

#[job("tidy")]
async fn tidy() {
    tidy::up();
}

#[job("ctx")]
async fn __ctx(ctx: &JobContext) {
    ctx.log("hello");
}
