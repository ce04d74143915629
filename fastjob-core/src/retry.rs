//! Decides whether and when a failed attempt is retried.

use std::{
    hash::{Hash, Hasher},
    time::Duration,
};

/// How often and when a failed attempt is retried.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RetryPolicy {
    /// Maximum number of retries of a task; 0 means no retries.
    pub count: u32,
    /// Delay before the first retry.
    pub delay: Duration,
    /// Factor by which each further delay grows, at least 1.
    pub factor: f64,
    /// Maximum delay, before jitter.
    pub max_delay: Duration,
    /// Fraction of the delay that is randomly added or subtracted, 0 to 1.
    pub jitter: f64,
}

// Jobs are valid by construction: neither number is NaN.
impl Eq for RetryPolicy {}

impl Hash for RetryPolicy {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let Self { count, delay, factor, max_delay, jitter } = self;
        // Adding zero gives both zeros, which are equal, the same bits.
        let [factor, jitter] = [factor, jitter].map(|number| (number + 0.0).to_bits());
        (count, delay, factor, max_delay, jitter).hash(state);
    }
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self {
            count: 0,
            delay: Duration::from_secs(5),
            factor: 2.0,
            max_delay: Duration::from_secs(300),
            jitter: 0.0,
        }
    }
}

impl RetryPolicy {
    /// Maximum number of retries that a job may set.
    pub const MOST: u32 = 100;

    /// The delay after the failure of attempt `number` (1 is the first); `None` if no retry is
    /// left. `dice` is uniform in `0.0..1.0` and determines the jitter.
    pub fn delay_after(&self, number: u32, dice: f64) -> Option<Duration> {
        if number > self.count {
            return None;
        }
        let steps = i32::try_from(number.saturating_sub(1)).unwrap_or(i32::MAX);
        let grown = self.delay.as_secs_f64() * self.factor.powi(steps);
        let capped = grown.min(self.max_delay.as_secs_f64());
        let spread = capped * (1.0 + self.jitter * (2.0 * dice - 1.0));
        let millis = Duration::try_from_secs_f64(spread.max(0.0)).unwrap_or(self.max_delay);
        Some(Duration::from_millis(u64::try_from(millis.as_millis()).unwrap_or(u64::MAX)))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn delays_grow_by_the_factor_up_to_the_longest() {
        let retry =
            RetryPolicy { count: 5, max_delay: Duration::from_secs(30), ..Default::default() };
        let delays: Vec<_> =
            (1..=6).map(|n| retry.delay_after(n, 0.5).map(|d| d.as_secs())).collect();
        assert_eq!(delays, [Some(5), Some(10), Some(20), Some(30), Some(30), None]);
    }

    #[test]
    fn without_a_count_nothing_is_retried() {
        assert_eq!(RetryPolicy::default().delay_after(1, 0.5), None);
    }

    proptest! {
        #[test]
        fn jitter_stays_within_its_part_of_the_delay(number in 1u32..=100, dice in 0.0f64..1.0,
            jitter in 0.0f64..=1.0, factor in 1.0f64..10.0) {
            let retry = RetryPolicy { count: 100, factor, jitter, ..Default::default() };
            let delay = retry.delay_after(number, dice).unwrap().as_secs_f64();
            let plain = RetryPolicy { jitter: 0.0, ..retry }.delay_after(number, dice).unwrap().as_secs_f64();
            prop_assert!(delay >= plain * (1.0 - jitter) - 0.002);
            prop_assert!(delay <= plain * (1.0 + jitter) + 0.002);
        }
    }
}
