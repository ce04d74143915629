//! A library with strict lints and full documentation.

#![forbid(unsafe_code)]
#![deny(
    warnings,
    missing_docs,
    missing_debug_implementations,
    unreachable_pub,
    unused_qualifications
)]
#![deny(rust_2018_idioms, single_use_lifetimes, trivial_casts, unused_results)]

use fastjob_executor::{JobContext, JobHandler, JobOutput, JobResult, async_trait, job};

/// Public.
pub mod jobs {
    use super::{JobContext, JobHandler, JobOutput, JobResult, async_trait, job};

    /// Says hello.
    #[job("hello")]
    #[derive(Debug)]
    pub struct Hello;

    #[async_trait]
    impl JobHandler for Hello {
        async fn execute(&self, _ctx: &JobContext) -> JobResult {
            Ok(JobOutput::default())
        }
    }

    /// Says so twice.
    #[job("twice")]
    pub async fn twice(_ctx: &JobContext, times: u32) -> Result<u32, std::fmt::Error> {
        Ok(2 * times)
    }

    /// Says nothing.
    #[job("tidy")]
    pub async fn tidy() {}

    #[job("hidden")]
    async fn hidden(_ctx: &JobContext, (): ()) -> JobResult {
        Ok("done".into())
    }
}
