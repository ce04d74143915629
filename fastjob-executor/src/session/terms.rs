//! Session parameters from a coordinator's welcome.

use std::time::Duration;

use super::messages::Welcome;

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
    pub(super) fn of(welcome: &Welcome) -> Self {
        let exclusive = welcome.exclusive;
        let beat = welcome.beat.max(BEAT_LEAST);
        let silence = welcome.silence.max(beat * 2);
        // Often enough that a late answer or a takeover does not stop attempts.
        let beat = if exclusive.is_zero() { beat } else { beat.min(exclusive / 6) };
        Self { beat: beat.max(BEAT_LEAST), silence, exclusive }
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::peers::{ClusterId, NodeId},
        *,
    };

    #[track_caller]
    fn check(beat_ms: u64, silence_ms: u64, exclusive_ms: u64, expected: [u64; 3]) {
        let welcome = Welcome {
            cluster: ClusterId("c".to_owned()),
            node: NodeId("n".to_owned()),
            release: "1".to_owned(),
            beat: Duration::from_millis(beat_ms),
            silence: Duration::from_millis(silence_ms),
            exclusive: Duration::from_millis(exclusive_ms),
            partitions: 1,
            says_farewell: true,
            accepts_schemas: true,
            logs_ticket: None,
        };
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
