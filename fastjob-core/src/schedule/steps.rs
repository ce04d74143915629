//! Counts the steps of searches, so that tests can check bounds without measuring time.

/// Counts one step of a search over fires, excluded spans or zone transitions.
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

    /// Returns the result of `work` and the number of its steps.
    pub(crate) fn of<T>(work: impl FnOnce() -> T) -> (T, usize) {
        let before = STEPS.get();
        let done = work();
        (done, STEPS.get() - before)
    }
}
