//! A store that has lost what was written to it.

use super::*;

#[test]
fn a_store_that_lost_transactions_is_noticed() {
    let mut kept = Kept::new();
    let lease = Lease::default();
    kept.write(&[plan([head(10)])]);
    kept.write(&[plan([head(11)])]);
    let whole = kept.mark();
    kept.write(&[Commit { watermark: Some(at(5)), ..Commit::default() }]);
    assert_eq!(kept.mark(), Mark { seq: 2, commits: 3 }, "the last one has no record");
    let one = Mark { seq: 1, commits: 1 };
    assert!(kept.journals.is_at(lease, kept.mark()));
    // The result of a transaction is unknown: the store may have it, but nothing less than before.
    let next = [plan([head(12)])];
    stage(&next, &mut kept.journals, &HashSet::new());
    assert_eq!(kept.journals.missing(&next), [lease].into());
    for mark in [kept.mark(), Mark { seq: 3, commits: 4 }] {
        assert!(kept.journals.is_at(lease, mark), "{mark:?}");
    }
    let behind = Journal::replay([Ok((1, kept.records[&1].clone()))]).unwrap();
    assert!(!kept.journals.keep(lease, behind));
    assert_eq!(kept.journals.missing(&next), [lease].into(), "it is not continued");
    assert!(!kept.journals.is_at(lease, whole));
    // The engine of the lease does not know what was lost, whatever the store has next.
    for mark in [one, whole, kept.mark()] {
        assert!(!kept.journals.is_at(lease, mark), "{mark:?}");
    }
    // Another lease starts from what there is.
    let later = Lease { term: 1, ..lease };
    kept.journals.missing(&[Commit { lease: later, ..Commit::default() }]);
    assert!(kept.journals.is_at(later, one));
    let mut kept = Kept::restored(&kept.records);
    kept.write(&[plan([head(13)])]);
    assert!(!kept.journals.is_at(lease, Mark { seq: 2, commits: 0 }), "without a failure before");
}

#[test]
fn a_failure_right_after_a_replay_is_no_loss() {
    let mut kept = Kept::new();
    let lease = Lease::default();
    kept.write(&[plan([head(10)])]);
    // It is written, and its answer is lost.
    let next = [plan([head(11)])];
    let staged = stage(&next, &mut kept.journals, &HashSet::new());
    kept.records.extend(staged.records.iter().map(|record| (record.seq, record.bytes.clone())));
    kept.commits += 1;
    // The retry replays, and fails before it stages anything.
    assert_eq!(kept.journals.missing(&next), [lease].into());
    assert!(kept.journals.is_at(lease, kept.mark()));
    let replayed = kept.replayed();
    assert!(kept.journals.keep(lease, replayed));
    assert_eq!(kept.journals.missing(&next), [].into());
    assert!(kept.journals.is_at(lease, kept.mark()));
    assert!(!kept.journals.is_at(lease, Mark { seq: 1, commits: 1 }), "that would be one");
}

#[test]
fn a_loss_between_the_load_and_the_first_commit_is_noticed() {
    let mut journals = Journals::default();
    let commit = [Commit::default()];
    journals.loaded(Lease::default(), Mark { seq: 3, commits: 5 });
    journals.missing(&commit);
    assert!(journals.is_at(Lease::default(), Mark { seq: 3, commits: 5 }));
    assert!(!journals.is_at(Lease::default(), Mark { seq: 3, commits: 4 }));
}

#[cfg(feature = "postgres")]
#[test]
fn an_older_lease_that_ends_does_not_affect_a_newer_one() {
    let mut journals = Journals::default();
    let [old, new] = [1, 2].map(|term| Lease { term, ..Lease::default() });
    let commit = [Commit { lease: new, ..plan([head(10)]) }];
    assert!(journals.keep(new, Journal::default()));
    stage(&commit, &mut journals, &HashSet::new());
    journals.forget(&[old]);
    assert_eq!(journals.missing(&commit), [new].into());
    assert_eq!(journals.doubtful(&commit), [10], "what it does not know is not forgotten");
    journals.forget(&[new]);
    assert_eq!(journals.doubtful(&commit), [0_i64; 0]);
}

#[test]
fn a_record_that_follows_another_history_is_rejected() {
    let mut kept = Kept::new();
    kept.write(&[plan([head(10)])]);
    kept.write(&[plan([head(11)])]);
    let mut other = Kept::new();
    other.write(&[plan([head(99)])]);
    let mixed = [other.records[&1].clone(), kept.records[&2].clone()];
    let err = Journal::replay((1..).zip(mixed).map(Ok)).unwrap_err().to_string();
    assert!(err.contains("record 2") && err.contains("not written after"), "{err}");
}
