//! How much one piece removes, and how long the rest after it is.

use std::time::Duration;

/// Target time of one piece. Fires are planned a second ahead, so this does not delay them.
const TARGET: Duration = Duration::from_millis(50);
/// Shortest rest.
const SHORTEST: Duration = Duration::from_millis(1);
/// Rows in the smallest and in the largest piece.
const ROWS: std::ops::RangeInclusive<u32> = 100..=20_000;

/// The size of the next piece; adapts to how long pieces take.
#[derive(Debug)]
pub(super) struct Pace {
    rows: u32,
}

impl Default for Pace {
    fn default() -> Self {
        Self { rows: 500 }
    }
}

impl Pace {
    /// Rows in the next piece.
    pub(super) fn rows(&self) -> u32 {
        self.rows
    }

    /// Records that a piece removed `removed` rows in `took`, and returns how long to rest: as long
    /// as the piece took, so that commits get at least half of the time.
    pub(super) fn took(&mut self, took: Duration, removed: u64) -> Duration {
        if took > TARGET {
            self.rows = (self.rows / 2).max(*ROWS.start());
        } else if took < TARGET / 2 && removed * 2 > u64::from(self.rows) {
            self.rows = (self.rows * 2).min(*ROWS.end());
        }
        took.max(SHORTEST)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_grow_while_they_are_fast_and_shrink_when_they_are_slow() {
        let mut pace = Pace::default();
        for _ in 0..20 {
            let rows = u64::from(pace.rows());
            assert_eq!(pace.took(Duration::ZERO, rows), SHORTEST);
        }
        assert_eq!(pace.rows(), *ROWS.end());
        assert_eq!(pace.took(4 * TARGET, 20_000), 4 * TARGET, "half of the time is left to others");
        assert_eq!(pace.rows(), 10_000);
        for _ in 0..20 {
            pace.took(2 * TARGET, 1);
        }
        assert_eq!(pace.rows(), *ROWS.start());
    }

    #[test]
    fn pieces_do_not_grow_if_there_is_little_to_remove() {
        let mut pace = Pace::default();
        pace.took(Duration::ZERO, 10);
        assert_eq!(pace.rows(), 500);
    }
}
