//! Histograms of durations with fixed buckets, of atomics: nothing waits for a lock.
//!
//! Those of `prometheus-client` have a mutex, and its native histograms exist in its protobuf
//! formats only, which need a code generator at build time.

use std::{
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::Duration,
};

/// A histogram as it is written.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Counted {
    pub(super) sum: f64,
    pub(super) count: u64,
    /// The upper bounds in seconds with their counts, not cumulative; the last bound is infinite.
    pub(super) buckets: Vec<(f64, u64)>,
}

/// Counts durations by bucket.
#[derive(Debug)]
pub(crate) struct Histogram {
    /// Upper bounds in microseconds, ascending.
    bounds: &'static [u64],
    /// One more than bounds.
    counts: Box<[AtomicU64]>,
    sum_us: AtomicU64,
}

impl Histogram {
    pub(super) fn new(bounds: &'static [u64]) -> Self {
        let counts = (0..=bounds.len()).map(|_| AtomicU64::new(0)).collect();
        Self { bounds, counts, sum_us: AtomicU64::new(0) }
    }

    pub(crate) fn observe(&self, took: Duration) {
        let took = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        let bucket = self.bounds.partition_point(|bound| *bound < took);
        if let Some(count) = self.counts.get(bucket) {
            count.fetch_add(1, Relaxed);
        }
        self.sum_us.fetch_add(took, Relaxed);
    }

    pub(super) fn read(&self) -> Counted {
        let counts: Vec<_> = self.counts.iter().map(|count| count.load(Relaxed)).collect();
        let bounds = self.bounds.iter().map(|us| *us as f64 / 1e6);
        counted(bounds, &counts, self.sum_us.load(Relaxed) as f64 / 1e6)
    }
}

/// Counts that a part adds up by itself.
#[derive(Debug)]
pub(super) struct Sums<const N: usize> {
    counts: [AtomicU64; N],
    sum_ms: AtomicU64,
}

impl<const N: usize> Default for Sums<N> {
    fn default() -> Self {
        Self { counts: [const { AtomicU64::new(0) }; N], sum_ms: AtomicU64::new(0) }
    }
}

impl<const N: usize> Sums<N> {
    pub(super) fn add(&self, counts: &[u64; N], sum_ms: u64) {
        add_all(&self.counts, counts);
        add(&self.sum_ms, sum_ms);
    }

    /// `bounds` are in milliseconds.
    pub(super) fn read(&self, bounds: &[u64]) -> Counted {
        let counts: Vec<_> = self.counts.iter().map(|count| count.load(Relaxed)).collect();
        let bounds = bounds.iter().map(|ms| *ms as f64 / 1e3);
        counted(bounds, &counts, self.sum_ms.load(Relaxed) as f64 / 1e3)
    }
}

fn counted(bounds: impl Iterator<Item = f64>, counts: &[u64], sum: f64) -> Counted {
    let bounds = bounds.chain([f64::INFINITY]);
    // The count is the sum of the buckets, so that they agree while others are counting.
    Counted {
        sum,
        count: counts.iter().sum(),
        buckets: bounds.zip(counts.iter().copied()).collect(),
    }
}

/// Adds a number, and does not touch the cache line for zero.
pub(super) fn add(to: &AtomicU64, number: u64) {
    if number > 0 {
        to.fetch_add(number, Relaxed);
    }
}

/// Adds numbers one by one.
pub(super) fn add_all<const N: usize>(to: &[AtomicU64; N], numbers: &[u64; N]) {
    to.iter().zip(numbers).for_each(|(to, number)| add(to, *number));
}

/// Reads numbers one by one.
pub(super) fn read_all<const N: usize>(from: &[AtomicU64; N]) -> [u64; N] {
    std::array::from_fn(|at| from[at].load(Relaxed))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_counts_in_the_first_bucket_that_it_does_not_exceed() {
        let histogram = Histogram::new(&[1_000, 2_000]);
        for us in [0, 1_000, 1_001, 2_000, 2_001, 9_000_000] {
            histogram.observe(Duration::from_micros(us));
        }
        let Counted { sum, count, buckets } = histogram.read();
        assert_eq!(buckets, [(0.001, 2), (0.002, 2), (f64::INFINITY, 2)]);
        assert_eq!(count, 6);
        assert!((sum - 9.006_002).abs() < 1e-9, "{sum}");
    }
}
