//! A file of jobs, in TOML or JSON: every accepted file is a list of valid jobs.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| fastjob_coordinator::fuzzing::job_file(text));
