//! A smoothed figure: a single outlier does not change a choice.

/// An exponential moving average.
///
/// Each sample moves it by an eighth of the difference, as TCP does with round-trip times. After
/// eight samples, about two thirds of a lasting change show; after 24, about 96 percent.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Smoothed(Option<f64>);

impl Smoothed {
    /// The fraction of the difference that a sample moves it by.
    const WEIGHT: f64 = 1.0 / 8.0;

    /// Adds a sample; the first is used as it is. A negative sample or NaN is ignored: it means
    /// that the clock was set between the two ends of the measurement.
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
    fn an_outlier_changes_the_average_little_and_a_lasting_change_changes_it_completely() {
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
    fn an_invalid_duration_is_ignored() {
        let mut figure = Smoothed::default();
        for sample in [f64::NAN, f64::INFINITY, -1.0] {
            figure.add(sample);
        }
        assert_eq!(figure.get(), None);
    }
}
