//! The one place where the executor reads the wall clock.

use jiff::Timestamp;

/// The wall clock.
#[expect(clippy::disallowed_methods, reason = "this is where the clock is read")]
pub(crate) fn now() -> Timestamp {
    Timestamp::now()
}

/// The wall clock in whole milliseconds, as the protocol has it.
pub(crate) fn now_ms() -> i64 {
    now().as_millisecond()
}
