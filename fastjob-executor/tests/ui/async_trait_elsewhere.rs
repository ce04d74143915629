use fastjob_executor::async_trait;

trait Greets {
    async fn greet(&self);
}

struct Hello;

#[async_trait]
impl Greets for Hello {
    async fn greet(&self) {}
}

#[async_trait]
trait Other {}

fn main() {}
