//! A job as JSON: what is accepted is written and read again as the same job.
#![no_main]

use fastjob_core::{Job, JobDraft};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok(draft) = serde_json::from_slice::<JobDraft>(bytes) else { return };
    let Ok(job) = Job::try_from(draft) else { return };
    let text = serde_json::to_string(&JobDraft::from(&job)).expect("a job is written");
    let draft: JobDraft = serde_json::from_str(&text).expect("what was written is read");
    assert_eq!(Job::try_from(draft).expect("it is still a job"), job, "{text}");
});
