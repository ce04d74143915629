//! When a line was written. The wall clock, since people compare it with other logs.

use jiff::Timestamp;

#[expect(clippy::disallowed_methods, reason = "this is the clock of the logs")]
pub(super) fn now() -> Timestamp {
    Timestamp::now()
}
