//! The handlers, each with its default job.

use fastjob_executor::prelude::*;
use serde::{Deserialize, Serialize};

/// Reports which fire it was started for.
#[job("tick", cron = "0/5 * * * * ?")]
struct Tick;

impl JobHandler for Tick {
    async fn execute(&self, ctx: &JobContext) -> JobResult {
        let Some(fire_at) = ctx.fire_at() else { return Ok("started manually".into()) };
        ctx.log(format_args!("this is the fire of {fire_at}"));
        Ok(format!("fire of {fire_at}").into())
    }
}

/// Counts the primes below its param.
#[job("primes", fixed_rate = "7s", param = "20000", timeout = "30s")]
async fn primes(_: &JobContext, below: u32) -> Result<String, JobError> {
    if below > 1_000_000 {
        return Err(JobError::fatal("that would take too long"));
    }
    let is_prime = |n: &u32| (2..).take_while(|d| d * d <= *n).all(|d| !n.is_multiple_of(d));
    let count = (2..below).filter(is_prime).count();
    Ok(format!("{count} primes below {below}"))
}

/// Fails twice, then succeeds.
#[job("flaky", fixed_rate = "15s", retry = 3, retry_delay = "500ms")]
async fn flaky(ctx: &JobContext) -> JobResult {
    match ctx.attempt() {
        number @ ..3 => Err(JobError::retryable(format!("attempt {number} failed"))),
        number => Ok(format!("worked at attempt {number}").into()),
    }
}

#[derive(Deserialize)]
struct Guest {
    name: String,
}

#[derive(Serialize)]
struct Greeting {
    text: String,
}

/// Greets the name in its param.
#[job("greet")]
async fn greet(ctx: &JobContext, guest: Guest) -> Result<Greeting, JobError> {
    ctx.log(format_args!("greeting {}", guest.name));
    Ok(Greeting { text: format!("Hello, {}!", guest.name) })
}
