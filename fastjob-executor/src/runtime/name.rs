//! An attempt's name: its id and its creation time.
//!
//! A coordinator whose store was restored from a backup may reuse ids that this process still holds
//! or remembers. The creation time distinguishes the two attempts.

use fastjob_core::wire::v1;

/// Names one attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Name {
    pub(super) id: i64,
    /// In milliseconds; 0 from a coordinator of an earlier release, which sends only ids.
    pub(super) created_at: i64,
}

impl Name {
    pub(super) fn of(attempt: &v1::Attempt) -> Self {
        Self { id: attempt.attempt, created_at: attempt.created_at }
    }

    pub(super) fn of_outcome(outcome: &v1::Outcome) -> Self {
        Self { id: outcome.attempt, created_at: outcome.created_at }
    }

    /// Whether both name the same attempt. An unknown creation time matches every other.
    pub(super) fn is(self, other: Self) -> bool {
        let unknown = self.created_at == 0 || other.created_at == 0;
        self.id == other.id && (unknown || self.created_at == other.created_at)
    }
}

/// The names in a message with parallel lists. Missing creation times are unknown.
pub(super) fn names(ids: &[i64], created_at: &[i64]) -> impl Iterator<Item = Name> {
    let created_at = created_at.iter().copied().chain(std::iter::repeat(0));
    ids.iter().zip(created_at).map(|(id, created_at)| Name { id: *id, created_at })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reused_id_names_another_attempt() {
        let name = |created_at| Name { id: 1, created_at };
        assert!(name(5).is(name(5)) && !name(5).is(name(6)));
        assert!(name(5).is(name(0)) && name(0).is(name(6)), "an earlier release sends none");
        assert!(!name(5).is(Name { id: 2, created_at: 5 }));
        let read: Vec<_> = names(&[1, 2], &[5]).collect();
        assert_eq!(read, [name(5), Name { id: 2, created_at: 0 }]);
    }
}
