//! A job as JSON: every accepted job survives a round trip through JSON.
#![no_main]

use fastjob_core::{Job, JobDraft};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok(draft) = serde_json::from_slice::<JobDraft>(bytes) else { return };
    let Ok(job) = Job::try_from(draft) else { return };
    let text = serde_json::to_string(&JobDraft::from(&job)).expect("a job can be serialized");
    let draft: JobDraft = serde_json::from_str(&text).expect("a serialized job parses");
    assert_eq!(Job::try_from(draft).expect("the job is still valid"), job, "{text}");
});
