//! The `fastjob` command.
fn main() {}
