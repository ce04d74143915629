//! Which new traces are recorded.

use super::TraceId;

/// Records a share of all new traces. The decision depends on the trace id alone, in the way of
/// OpenTelemetry's sampler by trace id, so that all nodes and other services come to the same one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sampler {
    /// Of the values that 63 bits of an id have, so many are recorded.
    bound: u64,
}

/// The ratio is not between 0 and 1.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
#[error("the ratio {0} is not between 0 and 1")]
pub struct InvalidRatio(pub f64);

impl Sampler {
    /// Records this share, from 0 to 1.
    ///
    /// # Errors
    ///
    /// Fails with [`InvalidRatio`] for other values.
    pub fn new(ratio: f64) -> Result<Self, InvalidRatio> {
        if !(0.0..=1.0).contains(&ratio) {
            return Err(InvalidRatio(ratio));
        }
        // At most 2^63, so it fits.
        let bound = (ratio * (1_u64 << 63) as f64) as u64;
        Ok(Self { bound })
    }

    /// Whether a new trace is recorded.
    pub fn samples(self, trace: TraceId) -> bool {
        // The lower half.
        let low = trace.get() as u64;
        low >> 1 < self.bound
    }
}
