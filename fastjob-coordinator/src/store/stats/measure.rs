//! A histogram of durations.
//!
//! Its buckets are fixed: eight for each power of two milliseconds, and one for each millisecond
//! below 16. So histograms add up exactly, in any order, and a quantile is at most 12.5 % too high.

use crate::store::binary::{Read, read_unsigned, write_unsigned};

/// The number of buckets, for all durations of 64 bits.
const BUCKETS: usize = 496;
/// A power of two has `1 << BITS` buckets.
const BITS: u32 = 3;

/// How often a duration was measured, and how long it was.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Measure {
    /// How often it was measured.
    pub(crate) count: u64,
    /// All of them together, in milliseconds.
    pub(crate) sum: u64,
    /// The longest one, in milliseconds.
    pub(crate) max: u64,
    /// Counts by bucket, up to that of the longest one.
    buckets: Vec<u64>,
}

impl Measure {
    /// Adds a duration in milliseconds.
    pub(in crate::store) fn add(&mut self, millis: u64) {
        self.put(bucket(millis), 1);
        self.measured(1, millis, millis);
    }

    fn put(&mut self, bucket: usize, count: u64) {
        if self.buckets.len() <= bucket {
            self.buckets.resize(bucket + 1, 0);
        }
        if let Some(sum) = self.buckets.get_mut(bucket) {
            *sum = sum.saturating_add(count);
        }
    }

    fn measured(&mut self, count: u64, sum: u64, max: u64) {
        self.count = self.count.saturating_add(count);
        self.sum = self.sum.saturating_add(sum);
        self.max = self.max.max(max);
    }

    /// Adds all of another one.
    pub(crate) fn merge(&mut self, other: &Self) {
        for (bucket, count) in other.filled() {
            self.put(bucket, count);
        }
        self.measured(other.count, other.sum, other.max);
    }

    /// Forgets everything, and keeps the memory.
    pub(super) fn clear(&mut self) {
        self.buckets.clear();
        (self.count, self.sum, self.max) = (0, 0, 0);
    }

    fn filled(&self) -> impl Iterator<Item = (usize, u64)> {
        self.buckets.iter().copied().enumerate().filter(|(_, count)| *count > 0)
    }

    /// The mean in milliseconds; `None` if there is none.
    pub(crate) fn mean(&self) -> Option<f64> {
        (self.count > 0).then(|| self.sum as f64 / self.count as f64)
    }

    /// A duration in milliseconds that this share of all, in percent, does not exceed: at least the
    /// exact one, and at most an eighth more. `None` if there is none.
    pub(crate) fn percentile(&self, percent: u64) -> Option<u64> {
        let rank = u128::from(self.count) * u128::from(percent);
        let rank = u64::try_from(rank.div_ceil(100)).unwrap_or(u64::MAX).max(1);
        let mut counted: u64 = 0;
        let (bucket, _) = self.filled().find(|(_, count)| {
            counted = counted.saturating_add(*count);
            counted >= rank
        })?;
        Some(last_of(bucket).min(self.max))
    }

    /// Writes it. There has to be a duration.
    pub(super) fn write(&self, bytes: &mut Vec<u8>) {
        write_unsigned(bytes, self.count);
        write_unsigned(bytes, self.sum);
        if self.count == 1 {
            return;
        }
        write_unsigned(bytes, self.max);
        let mut before = 0;
        for (bucket, count) in self.filled() {
            write_unsigned(bytes, (bucket - before) as u64);
            write_unsigned(bytes, count);
            before = bucket;
        }
    }

    /// Reads what [`write`](Self::write) wrote from the front, and adds it.
    pub(super) fn read(rest: &mut &[u8], mut into: Option<&mut Self>) -> Read<()> {
        let count = read_unsigned(rest)?;
        let sum = read_unsigned(rest)?;
        if count == 1 {
            if let Some(into) = into {
                into.add(sum);
            }
            return Ok(());
        }
        let max = read_unsigned(rest)?;
        let (mut left, mut bucket) = (count, 0_usize);
        while left > 0 {
            let gap = usize::try_from(read_unsigned(rest)?).unwrap_or(BUCKETS);
            bucket = bucket.saturating_add(gap);
            let count = read_unsigned(rest)?;
            if bucket >= BUCKETS || count == 0 || count > left {
                return Err("it has a wrong histogram".to_owned());
            }
            left -= count;
            if let Some(into) = into.as_deref_mut() {
                into.put(bucket, count);
            }
        }
        if count == 0 || bucket != self::bucket(max) {
            return Err("it has a wrong histogram".to_owned());
        }
        if let Some(into) = into {
            into.measured(count, sum, max);
        }
        Ok(())
    }
}

const fn bucket(millis: u64) -> usize {
    if millis < 1 << (BITS + 1) {
        return millis as usize;
    }
    // The highest bit and the `BITS` bits after it.
    let shift = millis.ilog2() - BITS;
    ((shift as usize) << BITS) + (millis >> shift) as usize
}

/// The longest duration of a bucket.
const fn last_of(bucket: usize) -> u64 {
    let Some(shift) = (bucket >> BITS).checked_sub(1) else { return bucket as u64 };
    let lead = ((bucket & ((1 << BITS) - 1)) | (1 << BITS)) as u64;
    (lead << shift) + ((1 << shift) - 1)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn durations() -> impl Strategy<Value = Vec<u64>> {
        proptest::collection::vec(prop_oneof![0..100_u64, 0..100_000_u64, any::<u64>()], 1..200)
    }

    #[test]
    fn buckets_follow_each_other_and_are_an_eighth_wide() {
        let mut first = 0;
        for at in 0..BUCKETS {
            let last = last_of(at);
            assert_eq!((bucket(first), bucket(last)), (at, at));
            assert!(u128::from(last - first) * 8 <= u128::from(first), "{first} to {last}");
            if at + 1 < BUCKETS {
                first = last + 1;
            } else {
                assert_eq!(last, u64::MAX);
            }
        }
    }

    proptest! {
        #[test]
        fn a_percentile_is_at_most_an_eighth_too_high(all in durations(), percent in 1..=100_u64) {
            let mut measure = Measure::default();
            all.iter().for_each(|millis| measure.add(*millis));
            let mut sorted = all.clone();
            sorted.sort_unstable();
            let exact = sorted[(all.len() * percent as usize).div_ceil(100) - 1];
            let found = measure.percentile(percent).unwrap();
            prop_assert!(exact <= found, "{exact} {found}");
            prop_assert!(found - exact <= exact / 8, "{exact} {found}");
            prop_assert_eq!(measure.percentile(100), all.iter().max().copied());
        }
    }

    #[test]
    fn an_empty_histogram_has_no_mean_and_no_percentile() {
        let empty = Measure::default();
        assert_eq!((empty.mean(), empty.percentile(50)), (None, None));
    }
}
