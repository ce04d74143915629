//! Session parameters from a coordinator's welcome.

use std::time::Duration;

use fastjob_core::wire::v1;

/// Minimum time between two heartbeats, whatever a coordinator requests.
const BEAT_LEAST: Duration = Duration::from_millis(20);

/// How a coordinator wants its sessions kept.
#[derive(Clone, Copy)]
pub(super) struct Terms {
    pub(super) beat: Duration,
    /// The session is abandoned after this time without a message.
    pub(super) silence: Duration,
    /// Exclusive attempts are stopped after this time without an answer; zero means never.
    pub(super) exclusive: Duration,
}

impl Terms {
    pub(super) fn of(welcome: &v1::Welcome) -> Self {
        let millis = |ms: u32| Duration::from_millis(u64::from(ms));
        let exclusive = millis(welcome.exclusive_ms);
        let beat = millis(welcome.beat_ms).max(BEAT_LEAST);
        let silence = millis(welcome.silence_ms).max(beat * 2);
        // Often enough that a late answer or a takeover does not stop attempts.
        let beat = if exclusive.is_zero() { beat } else { beat.min(exclusive / 6) };
        Self { beat: beat.max(BEAT_LEAST), silence, exclusive }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(beat_ms: u32, silence_ms: u32, exclusive_ms: u32, expected: [u64; 3]) {
        let welcome = v1::Welcome { beat_ms, silence_ms, exclusive_ms, ..v1::Welcome::default() };
        let Terms { beat, silence, exclusive } = Terms::of(&welcome);
        assert_eq!([beat, silence, exclusive], expected.map(Duration::from_millis));
    }

    #[test]
    fn an_executor_beats_often_enough_for_its_exclusive_attempts() {
        check(3_000, 9_000, 0, [3_000, 9_000, 0]);
        check(3_000, 9_000, 6_000, [1_000, 9_000, 6_000]);
        check(1_000, 3_000, 9_000, [1_000, 3_000, 9_000]);
        check(0, 0, 1, [20, 40, 1]);
    }
}
