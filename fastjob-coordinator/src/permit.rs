//! The right of a node to act, and its expiry.
//!
//! Time is divided into generations. A generation begins when a heartbeat has succeeded and all
//! engines of the last generation have ended. Heartbeats extend it while it is valid. Once it has
//! expired, it stays expired, even if no check noticed at that moment. Each engine holds the permit
//! of the generation in which it started, so it never acts after that generation, whatever the node
//! does.

use std::{
    sync::{
        Arc, PoisonError, RwLock,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

/// The generation has expired.
const OVER: u64 = 0;

/// The right to act during one generation. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Permit(Arc<AtomicU64>);

impl Permit {
    fn until(until: Duration) -> Self {
        Self(Arc::new(AtomicU64::new(millis(until))))
    }

    /// For a node that does not share its store. Never expires.
    pub(crate) fn unlimited() -> Self {
        Self(Arc::new(AtomicU64::new(u64::MAX)))
    }

    /// Whether the node may act, by [`Clock::elapsed`](crate::clock::Clock::elapsed).
    pub(crate) fn holds(&self, elapsed: Duration) -> bool {
        let now = millis(elapsed);
        let mut until = self.0.load(Ordering::Acquire);
        while until != OVER && until <= now {
            // Once one check has seen it expire, it can no longer be extended.
            let over = self.0.compare_exchange(until, OVER, Ordering::AcqRel, Ordering::Acquire);
            until = over.map_or_else(|extended| extended, |_| OVER);
        }
        until != OVER
    }

    /// Extends the permit, unless it has expired.
    fn extend(&self, elapsed: Duration, until: Duration) -> bool {
        let (now, until) = (millis(elapsed), millis(until));
        let further = |end: u64| (now < end).then(|| end.max(until));
        let moved = self.0.fetch_update(Ordering::AcqRel, Ordering::Acquire, further).is_ok();
        moved || self.holds(elapsed)
    }

    fn end(&self) {
        self.0.store(OVER, Ordering::Release);
    }
}

/// The generation that a node is in. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Deadline(Arc<RwLock<Permit>>);

impl Deadline {
    /// For a node that does not share its store. Never expires.
    pub(crate) fn never() -> Self {
        Self(Arc::new(RwLock::new(Permit::unlimited())))
    }

    /// For a node that may not act yet.
    pub(crate) fn passed() -> Self {
        Self(Arc::new(RwLock::new(Permit::until(Duration::ZERO))))
    }

    /// The permit of this generation, for the engines that start in it.
    pub(crate) fn permit(&self) -> Permit {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Whether the node may act.
    pub(crate) fn holds(&self, elapsed: Duration) -> bool {
        self.permit().holds(elapsed)
    }

    /// Extends this generation; `false` if it has expired, which is final.
    pub(crate) fn extend(&self, elapsed: Duration, until: Duration) -> bool {
        self.permit().extend(elapsed, until)
    }

    /// Begins a new generation. The caller has waited until all engines of the last one have ended.
    pub(crate) fn begin(&self, until: Duration) {
        let mut permit = self.0.write().unwrap_or_else(PoisonError::into_inner);
        std::mem::replace(&mut *permit, Permit::until(until)).end();
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn s(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn a_node_acts_until_its_deadline() {
        let deadline = Deadline::passed();
        assert!(!deadline.holds(Duration::ZERO));
        deadline.begin(s(5));
        assert!(deadline.holds(Duration::from_millis(4_999)));
        assert!(!deadline.holds(s(5)));
        assert!(Deadline::never().holds(Duration::from_secs(1 << 40)));
    }

    #[test]
    fn a_deadline_is_extended_while_it_holds() {
        let deadline = Deadline::passed();
        deadline.begin(s(5));
        assert!(deadline.extend(s(4), s(9)));
        assert!(deadline.holds(s(8)));
        assert!(deadline.extend(s(8), s(7)), "an older heartbeat does not shorten it");
        assert!(deadline.holds(s(8)));
    }

    #[test]
    fn a_deadline_that_has_passed_is_never_extended() {
        let deadline = Deadline::passed();
        deadline.begin(s(5));
        assert!(!deadline.extend(s(5), s(10)));
        assert!(!deadline.holds(s(6)));
        assert!(!deadline.holds(s(1)), "not even for a check that read the clock before");
    }

    #[test]
    fn one_engine_that_sees_the_deadline_pass_ends_it_for_all() {
        let deadline = Deadline::passed();
        deadline.begin(s(5));
        let engine = deadline.permit();
        assert!(!engine.holds(s(5)));
        // The heartbeat read its clock a moment earlier.
        assert!(!deadline.extend(Duration::from_millis(4_999), s(10)));
    }

    #[test]
    fn an_engine_of_an_older_generation_never_acts_again() {
        let deadline = Deadline::passed();
        deadline.begin(s(5));
        let old = deadline.permit();
        deadline.begin(s(60));
        assert!(deadline.holds(s(6)));
        assert!(!old.holds(s(1)) && !old.extend(s(1), s(60)));
    }
}
