//! What a coordinator says in its welcome about how its sessions are kept.

use std::time::Duration;

use fastjob_core::wire::v1;

/// Shortest time between two beats, whatever a coordinator wants.
const BEAT_LEAST: Duration = Duration::from_millis(20);

/// How a coordinator wants its sessions kept.
#[derive(Clone, Copy)]
pub(super) struct Terms {
    pub(super) beat: Duration,
    /// After how long without a message the session is given up.
    pub(super) silence: Duration,
    /// After how long without an answer exclusive attempts are stopped; zero: never.
    pub(super) exclusive: Duration,
}

impl Terms {
    pub(super) fn of(welcome: &v1::Welcome) -> Self {
        let millis = |ms: u32| Duration::from_millis(u64::from(ms));
        let exclusive = millis(welcome.exclusive_ms);
        let beat = millis(welcome.beat_ms).max(BEAT_LEAST);
        let silence = millis(welcome.silence_ms).max(beat * 2);
        // Often enough that neither a late answer nor a takeover stops anything.
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
