//! Every argument, and every way to write one.

use fastjob_executor::{JobContext, JobHandler, JobResult, async_trait, job, registry::Declared};

#[job(
    "all:of.them-1",
    description = "says \"hello\"",
    service = "billing",
    cron = r"0/10 * * * * ?",
    zone = "Europe/Paris",
    param = r#"{"name": "ann"}"#,
    retry = 3,
    retry_delay = "5s",
    timeout = "10m",
    grace = "10s",
    misfire = "fire_once",
    route = "round_robin",
    block = "serial",
    no_executor = "60s",
    enabled = false,
    labels(team = "billing", type = "nightly", "cost-centre" = "7"),
)]
struct All;

#[async_trait]
impl JobHandler for All {
    async fn execute(&self, _: &JobContext) -> JobResult {
        Ok("done".into())
    }
}

#[job("rate", fixed_rate = "1h 30m", retry = 3u64)]
async fn rate() {}

#[job("delay", fixed_delay = "250ms", misfire = "skip", block = "parallel")]
async fn delay() {}

#[job("once", once = "2030-01-01T00:00:00Z", misfire = "fire_all", labels())]
async fn once() {}

#[job("daily", cron = "@daily", block = "skip_new")]
async fn daily() {}

#[job("报表", cron = "*/5 * * * *", block = "replace_running", labels(a = "1",))]
async fn r#async() {}

macro_rules! named {
    ($name:literal, $every:expr, $item:ident) => {
        #[job($name, fixed_rate = $every)]
        async fn $item() {}
    };
}
named!("passed", "1m", passed);
named!("passed-too", "2m", passed_too);

fn main() {
    let draft = (All::DECLARATION.draft)();
    let retry = draft.retry.as_ref().unwrap();
    assert_eq!(
        (draft.name.as_str(), draft.handler.as_deref()),
        ("all:of.them-1", Some("all:of.them-1"))
    );
    assert_eq!(draft.description.as_deref(), Some("says \"hello\""));
    assert_eq!((retry.count, retry.delay.as_deref()), (Some(3), Some("5s")));
    assert_eq!(draft.enabled, Some(false));
    assert_eq!(draft.labels.len(), 3);
    assert_eq!(draft.labels["cost-centre"], "7");
    assert_eq!(All::DECLARATION.service, Some("billing"));
}
