//! An attempt's name: its id and its creation time.
//!
//! A coordinator whose store was restored from a backup may reuse ids that this process still holds
//! or remembers. The creation time distinguishes the two attempts.

use fastjob_core::AttemptId;

/// Names one attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Name {
    pub(crate) id: AttemptId,
    pub(crate) created_at: CreatedAt,
}

/// When an attempt was created, in milliseconds since the Unix epoch. It is only compared, so any
/// value that a coordinator sends is valid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct CreatedAt(pub(crate) i64);

impl CreatedAt {
    /// From a coordinator of an earlier release, which sends only ids.
    pub(crate) const UNKNOWN: Self = Self(0);
}

impl Name {
    /// Whether both name the same attempt. An unknown creation time matches every other.
    pub(super) fn is(self, other: Self) -> bool {
        let unknown = [self.created_at, other.created_at].contains(&CreatedAt::UNKNOWN);
        self.id == other.id && (unknown || self.created_at == other.created_at)
    }
}

#[cfg(test)]
impl Name {
    pub(crate) fn of(id: i64, created_at: i64) -> Self {
        Self { id: AttemptId(id), created_at: CreatedAt(created_at) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reused_id_names_another_attempt() {
        let name = |created_at| Name::of(1, created_at);
        assert!(name(5).is(name(5)) && !name(5).is(name(6)));
        assert!(name(5).is(name(0)) && name(0).is(name(6)), "an earlier release sends none");
        assert!(!name(5).is(Name::of(2, 5)));
    }
}
