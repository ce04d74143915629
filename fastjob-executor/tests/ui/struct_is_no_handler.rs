use fastjob_executor::job;

#[job("unit")]
struct Unit;

#[job("stateful")]
struct Stateful {
    #[expect(dead_code)]
    count: u32,
}

fn main() {}
