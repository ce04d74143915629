//! A duration: every parsed value survives a round trip through text.
#![no_main]

use fastjob_core::duration;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    if let Ok(read) = duration::parse(text) {
        assert!(read <= duration::MAX, "{read:?}");
        assert_eq!(duration::parse(&duration::to_text(read)), Ok(read));
    }
});
