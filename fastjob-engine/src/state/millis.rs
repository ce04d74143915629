//! Instants in half the memory, for what an engine keeps of each job.

use jiff::Timestamp;

/// An instant in whole milliseconds, the precision of clocks, schedules and stored instants.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Millis(i64);

impl Millis {
    /// Later than every [`Timestamp`].
    pub(crate) const NEVER: Self = Self(i64::MAX);
    /// Not later than any [`Timestamp`].
    pub(crate) const MIN: Self = Self(i64::MIN);
}

impl From<Timestamp> for Millis {
    fn from(at: Timestamp) -> Self {
        Self(at.as_millisecond())
    }
}

impl From<Millis> for Timestamp {
    fn from(Millis(at): Millis) -> Self {
        // Only the constants are beyond what an instant can be.
        Self::from_millisecond(at).unwrap_or(if at < 0 { Self::MIN } else { Self::MAX })
    }
}

impl From<Option<Timestamp>> for Millis {
    fn from(at: Option<Timestamp>) -> Self {
        at.map_or(Self::NEVER, Self::from)
    }
}

impl Millis {
    /// The instant, unless it is [`NEVER`](Self::NEVER).
    pub(crate) fn instant(self) -> Option<Timestamp> {
        (self != Self::NEVER).then(|| self.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instant_stays_the_same_to_the_millisecond() {
        for at in
            ["-009999-01-02T01:59:59Z", "1969-12-31T23:59:59.999Z", "2026-01-01T00:00:00.123Z"]
        {
            let at: Timestamp = at.parse().unwrap();
            assert_eq!(Timestamp::from(Millis::from(at)), at);
        }
        assert_eq!(Timestamp::from(Millis::MIN), Timestamp::MIN);
        assert_eq!(Millis::from(None).instant(), None);
        assert_eq!(Timestamp::from(Millis::NEVER), Timestamp::MAX);
        assert!(Millis::from(Timestamp::MAX) < Millis::NEVER);
        assert!(Millis::MIN < Millis::from(Timestamp::MIN));
    }
}
