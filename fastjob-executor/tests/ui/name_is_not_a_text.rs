use fastjob_executor::job;

const NAME: &str = "name";

#[job(5)]
async fn number() {}

#[job(NAME, retry = 3)]
async fn constant() {}

#[job(report)]
struct Word;

fn main() {}
