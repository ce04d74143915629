//! The configuration of a coordinator: the file, an empty line, then environment variables.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| fastjob_coordinator::fuzzing::config(text));
