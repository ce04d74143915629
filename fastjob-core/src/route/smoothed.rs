//! A figure that jumps, smoothed so that one odd sample does not turn a choice round.

/// The mean of many samples in which older ones count less and less.
///
/// Each sample moves it by an eighth of the difference, as TCP does with its round trips: after
/// eight samples about two thirds of a lasting change are seen, after 24 about 96 percent.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Smoothed(Option<f64>);

impl Smoothed {
    /// What part of the difference a sample moves it by.
    const WEIGHT: f64 = 1.0 / 8.0;

    /// Takes a sample; the first is taken as it is. One that is negative or no number is ignored,
    /// because no duration is: a clock was set between its two ends.
    pub fn add(&mut self, sample_ms: f64) {
        if !sample_ms.is_finite() || sample_ms < 0.0 {
            return;
        }
        let moved = self.0.map_or(sample_ms, |old| old + (sample_ms - old) * Self::WEIGHT);
        self.0 = Some(moved);
    }

    /// Returns the smoothed figure; `None` before the first sample.
    pub const fn get(&self) -> Option<f64> {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_odd_sample_moves_it_little_and_a_lasting_change_moves_it_all_the_way() {
        let mut figure = Smoothed::default();
        assert_eq!(figure.get(), None);
        figure.add(100.0);
        figure.add(900.0);
        assert_eq!(figure.get(), Some(200.0));
        for _ in 0..100 {
            figure.add(10.0);
        }
        assert!((figure.get().unwrap() - 10.0).abs() < 0.01);
    }

    #[test]
    fn what_is_no_duration_is_ignored() {
        let mut figure = Smoothed::default();
        for sample in [f64::NAN, f64::INFINITY, -1.0] {
            figure.add(sample);
        }
        assert_eq!(figure.get(), None);
    }
}
