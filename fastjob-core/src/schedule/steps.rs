//! Counts the steps of searches, so that tests can hold their bounds without reading a clock.

/// One step of a search over fires, excluded spans or time zone transitions.
#[inline]
pub(crate) fn step() {
    #[cfg(test)]
    counted::add();
}

#[cfg(test)]
pub(crate) use counted::of;

#[cfg(test)]
mod counted {
    use std::cell::Cell;

    thread_local! {
        static STEPS: Cell<usize> = const { Cell::new(0) };
    }

    pub(super) fn add() {
        STEPS.set(STEPS.get() + 1);
    }

    /// What `work` returns, and how many steps it took.
    pub(crate) fn of<T>(work: impl FnOnce() -> T) -> (T, usize) {
        let before = STEPS.get();
        let done = work();
        (done, STEPS.get() - before)
    }
}
