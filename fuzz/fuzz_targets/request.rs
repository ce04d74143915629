//! The query and the body of a request.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| fastjob_coordinator::fuzzing::request(text));
