//! The configuration of a coordinator, with variables behind an empty line.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| fastjob_coordinator::fuzzing::config(text));
