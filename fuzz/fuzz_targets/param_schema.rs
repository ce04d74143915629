//! A JSON schema of a param, and a param: neither takes long, whatever they are.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| fastjob_coordinator::fuzzing::param_schema(text));
