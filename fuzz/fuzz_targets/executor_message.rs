//! A message of an executor, as the coordinator reads it.
#![no_main]

use fastjob_core::wire::v1::FromExecutor;
use libfuzzer_sys::fuzz_target;
use prost::Message;

fuzz_target!(|bytes: &[u8]| {
    let Ok(message) = FromExecutor::decode(bytes) else { return };
    let written = message.encode_to_vec();
    let again = FromExecutor::decode(&*written).expect("what was written is read");
    // A figure that is no number equals nothing, itself included.
    let is_comparable = message == message.clone();
    assert!(again == message || !is_comparable, "{again:?} was {message:?}");
    fastjob_coordinator::fuzzing::executor_message(message);
});
