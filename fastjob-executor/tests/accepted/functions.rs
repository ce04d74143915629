//! Functions: all forms of arguments and results.

use std::collections::BTreeMap;

use fastjob_executor::{JobContext, JobError, JobOutput, JobResult, job};
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
    let ctx = JobContext::for_test(None);
    nothing().await;
    unit(&ctx).await;
    kind().await.unwrap();
    assert_eq!(result(&ctx).await.unwrap().as_str(), Some("done"));
    assert_eq!(report(&ctx, Month { year: 3 }).await.unwrap().lines, 3);
    output(&ctx, vec!["7".to_owned()]).await.unwrap();
    pattern(&ctx, Month { year: 1 }).await.unwrap();
    assert!(opaque(&ctx, None).await.is_ok() && twice().await.is_err());

    #[job("inside")]
    async fn inside() {}
    inside().await;
}
