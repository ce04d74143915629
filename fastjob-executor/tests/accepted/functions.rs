//! Functions: all forms of arguments and results.

use std::collections::BTreeMap;

use fastjob_executor::{JobContext, JobError, JobHandler, JobOutput, JobResult, State, job};
use serde::{Deserialize, Serialize};

#[derive(Deserialize)]
pub(crate) struct Month {
    year: u16,
}

#[derive(Serialize)]
pub(crate) struct Report {
    lines: u32,
}

#[job("nothing")]
async fn nothing() {}

#[job("unit")]
async fn unit(_: &JobContext) -> () {}

#[job("result")]
async fn result(ctx: &JobContext) -> JobResult {
    ctx.log("hello");
    Ok("done".into())
}

#[job("report")]
pub(crate) async fn report(_ctx: &JobContext, month: Month) -> Result<Report, std::fmt::Error> {
    Ok(Report { lines: month.year.into() })
}

#[job("output")]
async fn output(
    ctx: &fastjob_executor::JobContext,
    mut names: Vec<String>,
) -> Result<JobOutput, std::num::ParseIntError> {
    names.push(ctx.job_name().to_owned());
    let _: u32 = names[0].parse()?;
    Ok(names[0].as_str().into())
}

#[job("pattern")]
async fn pattern(_: &'_ JobContext, Month { year }: Month) -> std::io::Result<()> {
    tokio::task::yield_now().await;
    assert!(year > 0);
    Ok(())
}

#[job("opaque")]
async fn opaque(_: &JobContext, _: Option<u8>) -> Result<impl Serialize + use<>, JobError> {
    Ok(BTreeMap::from([("a", 1)]))
}

#[job("first")]
#[job("second", fixed_rate = "1h")]
async fn twice() -> Result<Box<str>, JobError> {
    Err(JobError::fatal("no"))
}

#[job("any-order", crate = "fastjob_executor")]
async fn any_order(
    month: Month,
    _: State<String>,
    ctx: &JobContext,
    State(n): State<u8>,
) -> JobResult {
    Ok(format!("{} {n} {}", month.year, ctx.attempt()).into())
}

/// Through another path, as with a renamed dependency.
mod renamed {
    pub(super) use fastjob_executor as scheduler;
}

#[job("renamed", crate = "renamed::scheduler")]
async fn renamed_crate(_: &JobContext, _: u8) -> Result<u8, &'static str> {
    Err("a text is an error")
}

#[job("anyhow", crate = "::fastjob_executor")]
async fn with_anyhow(_: &JobContext, n: String) -> anyhow::Result<u8> {
    Ok(n.parse()?)
}

#[job("renamed-struct", crate = "self::renamed::scheduler")]
struct Renamed;

impl JobHandler for Renamed {
    async fn execute(&self, _: &JobContext) -> JobResult {
        Ok("done".into())
    }
}

/// An error with a method that the expansion must not call.
#[job("kind")]
async fn kind() -> Result<Kind, JobError> {
    Ok(Kind)
}

#[derive(Serialize)]
struct Kind;

impl Kind {
    #[expect(dead_code, reason = "only its name matters")]
    fn kind(&self) -> u8 {
        1
    }
}

#[tokio::test]
async fn an_annotated_function_is_still_a_function() {
    let ctx = JobContext::for_test().build();
    nothing().await;
    unit(&ctx).await;
    kind().await.unwrap();
    assert_eq!(result(&ctx).await.unwrap().as_str(), Some("done"));
    assert_eq!(report(&ctx, Month { year: 3 }).await.unwrap().lines, 3);
    output(&ctx, vec!["7".to_owned()]).await.unwrap();
    pattern(&ctx, Month { year: 1 }).await.unwrap();
    let month = Month { year: 3 };
    let states = (State::new(String::new()), State::new(2));
    assert_eq!(any_order(month, states.0, &ctx, states.1).await.unwrap().as_str(), Some("3 2 1"));
    assert_eq!(with_anyhow(&ctx, "7".to_owned()).await.unwrap(), 7);
    assert!(renamed_crate(&ctx, 1).await.is_err());
    assert!(Renamed.execute(&ctx).await.is_ok());
    assert!(opaque(&ctx, None).await.is_ok() && twice().await.is_err());

    #[job("inside")]
    async fn inside() {}
    inside().await;
}
