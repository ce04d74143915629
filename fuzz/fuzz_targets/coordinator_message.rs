//! A message from a coordinator, decoded by an executor.
#![no_main]

use fastjob_core::{
    Cause,
    wire::{
        instant,
        v1::{ToExecutor, to_executor},
    },
};
use libfuzzer_sys::fuzz_target;
use prost::Message;

fuzz_target!(|bytes: &[u8]| {
    let Ok(message) = ToExecutor::decode(bytes) else { return };
    let written = message.encode_to_vec();
    assert_eq!(ToExecutor::decode(&*written).expect("the encoded message decodes"), message);
    if let Some(to_executor::Message::Start(start)) = message.message {
        for attempt in start.attempts {
            drop((instant(attempt.created_at), Cause::try_from(attempt.cause())));
        }
    }
});
