//! A message from an executor, decoded by the coordinator.
#![no_main]

use fastjob_core::wire::v1::FromExecutor;
use libfuzzer_sys::fuzz_target;
use prost::Message;

fuzz_target!(|bytes: &[u8]| {
    let Ok(message) = FromExecutor::decode(bytes) else { return };
    let written = message.encode_to_vec();
    let again = FromExecutor::decode(&*written).expect("the encoded message decodes");
    // A message with a NaN does not equal itself.
    let is_comparable = message == message.clone();
    assert!(again == message || !is_comparable, "{again:?} was {message:?}");
    fastjob_coordinator::fuzzing::executor_message(message);
});
