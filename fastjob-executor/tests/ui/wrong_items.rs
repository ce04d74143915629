use fastjob_executor::job;

#[job("enum")]
enum Enum {
    One,
}

#[job("trait")]
trait Trait {}

struct Struct;

#[job("impl")]
impl Struct {}

#[job("mod")]
mod module {}

#[job("const")]
const NUMBER: u8 = 1;

fn main() {}
