//! An instant: every parsed value survives a round trip through text.
#![no_main]

use fastjob_core::instant;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    match instant::parse(text) {
        Ok(read) => {
            assert_eq!(read.subsec_nanosecond() % 1_000_000, 0, "{read}");
            assert_eq!(instant::parse(&read.to_string()), Ok(read));
        }
        Err(err) => assert!(err.to_string().len() < 1_000, "{err}"),
    }
});
