//! The copy that lists read, while the store loses, removes, damages and repairs records.

use super::*;
use crate::store::{TaskFilter, journal::stage::Writing};

const P: Partition = Partition(0);

/// What a store answers to a refresh, up to `most` rows.
fn rows(copy: &OpenTasks, stores: &[(Partition, &Kept)], most: usize) -> Vec<Refresh> {
    let known: BTreeMap<_, _> = copy.known().map(|known| (known.partition, known)).collect();
    let bad: HashSet<_> = copy.bad().into_iter().map(|(partition, _)| partition).collect();
    let mut rows = Vec::new();
    for (partition, kept) in stores.iter().filter(|(partition, _)| !bad.contains(partition)) {
        let partition = *partition;
        let known = known.get(&partition);
        let is_there = |seq, tail: [u8; 4]| {
            kept.records.get(&seq).is_some_and(|record| record.ends_with(&tail))
        };
        let continues = known.is_some_and(|known| is_there(known.seq, known.tail));
        let after = known.filter(|_| continues).map_or(0, |known| known.seq);
        let records: Vec<_> = kept.records.range(after + 1..).collect();
        if records.is_empty() && known.is_some() && !continues {
            rows.push(Refresh { partition, continues, record: None });
        }
        rows.extend(records.into_iter().map(|(seq, bytes)| Refresh {
            partition,
            continues,
            record: Some((*seq, bytes.clone())),
        }));
    }
    rows.truncate(most);
    rows
}

/// Brings the copy up to date.
fn refresh(copy: &mut OpenTasks, stores: &[(Partition, &Kept)]) {
    check_bad(copy, stores);
    let rows = rows(copy, stores, usize::MAX);
    let mut refresh = copy.refresh();
    rows.into_iter().for_each(|row| refresh.take(row));
    refresh.complete();
}

/// A refresh that fails after this many rows.
fn refresh_some(copy: &mut OpenTasks, stores: &[(Partition, &Kept)], most: usize) {
    check_bad(copy, stores);
    let rows = rows(copy, stores, most);
    let mut refresh = copy.refresh();
    rows.into_iter().for_each(|row| refresh.take(row));
}

fn check_bad(copy: &mut OpenTasks, stores: &[(Partition, &Kept)]) {
    let stores: BTreeMap<_, _> = stores.iter().copied().collect();
    let bad = copy.bad().into_iter();
    let found = bad.filter_map(|(partition, seq)| {
        Some(((partition, seq), stores.get(&partition)?.records.get(&seq)?.clone()))
    });
    copy.check_bad(&found.collect());
}

/// The open tasks of the copy.
fn ids(copy: &OpenTasks) -> Vec<i64> {
    let filter = TaskFilter { limit: 1_000, ..TaskFilter::default() };
    let mut ids: Vec<_> =
        copy.candidates(&filter).tasks.into_iter().map(|open| open.task.0).collect();
    ids.sort_unstable();
    ids
}

/// A store with a record for each of these tasks.
fn with(tasks: impl IntoIterator<Item = i64>) -> Kept {
    let mut kept = Kept::new();
    for task in tasks {
        kept.write(&[plan([head(task)])]);
    }
    kept
}

/// Carries what is open into a new record, and removes all others.
fn clean(kept: &mut Kept) {
    let mut journal = kept.replayed();
    let before = journal.first_seq();
    let mut writing = Writing::of(&journal);
    for oldest in std::mem::take(&mut journal.records) {
        for id in oldest.tasks {
            journal.carry(id, oldest.seq, &mut writing.writer, &mut writing.segment);
        }
    }
    let record = writing.complete(P, &mut journal, before);
    kept.records.insert(record.seq, record.bytes);
    kept.records.retain(|seq, _| !record.removed.contains(seq));
    *kept = Kept::restored(&kept.records);
}

fn copied(kept: &Kept) -> OpenTasks {
    let mut copy = OpenTasks::default();
    refresh(&mut copy, &[(P, kept)]);
    copy
}

#[test]
fn a_copy_reads_only_what_is_new() {
    let mut kept = with(10..13);
    let mut copy = copied(&kept);
    kept.write(&[end([succeeded(10, 10)])]);
    assert_eq!(rows(&copy, &[(P, &kept)], usize::MAX).len(), 1);
    refresh(&mut copy, &[(P, &kept)]);
    assert_eq!(ids(&copy), [11, 12]);
    assert_eq!(rows(&copy, &[(P, &kept)], usize::MAX).len(), 0);
}

#[test]
fn a_copy_survives_that_its_last_record_was_removed() {
    let mut kept = with(10..13);
    let mut copy = copied(&kept);
    kept.write(&[end([succeeded(10, 10)])]);
    clean(&mut kept);
    assert_eq!(kept.records.keys().copied().collect::<Vec<_>>(), [5]);
    refresh(&mut copy, &[(P, &kept)]);
    assert_eq!(ids(&copy), [11, 12]);
    // The record after the known one is the first that is left.
    clean(&mut kept);
    assert_eq!(kept.records.keys().copied().collect::<Vec<_>>(), [6]);
    refresh(&mut copy, &[(P, &kept)]);
    assert_eq!(ids(&copy), [11, 12]);
}

#[test]
fn a_copy_forgets_what_the_store_has_lost() {
    let kept = with(10..13);
    let mut copy = copied(&kept);
    for left in [1, 0] {
        let lost = with(10..10 + left);
        refresh(&mut copy, &[(P, &lost)]);
        assert_eq!(ids(&copy), (10..10 + left).collect::<Vec<_>>());
    }
}

#[test]
fn a_copy_notices_as_many_new_records_as_were_lost() {
    let mut kept = with([10, 11]);
    let before = kept.records.clone();
    kept.write(&[plan([head(12)])]);
    let outcome = [end([succeeded(10, 10)])];
    kept.write(&outcome);
    let mut copy = copied(&kept);
    // An executor reports the same outcome again, so the last records have the same content.
    let mut lost = Kept::restored(&before);
    lost.write(&[plan([head(13)])]);
    lost.write(&outcome);
    let content = |kept: &Kept| {
        let last = &kept.records[&4];
        last[5..last.len() - 4].to_vec()
    };
    assert_eq!(content(&kept), content(&lost));
    refresh(&mut copy, &[(P, &lost)]);
    assert_eq!(ids(&copy), [11, 13]);
}

#[test]
fn a_copy_notices_more_new_records_than_were_lost() {
    let kept = with(10..14);
    let mut copy = copied(&kept);
    let mut lost = with([10, 11, 20, 21, 22, 23, 24]);
    refresh(&mut copy, &[(P, &lost)]);
    assert_eq!(ids(&copy), [10, 11, 20, 21, 22, 23, 24]);
    // The same, and the lost ones are no longer in the journal.
    let mut copy = copied(&kept);
    clean(&mut lost);
    refresh(&mut copy, &[(P, &lost)]);
    assert_eq!(ids(&copy), [10, 11, 20, 21, 22, 23, 24]);
    // The first that is left is the next one to the copy, but of another history.
    let mut copy = copied(&kept);
    let mut lost = with([10, 20, 21, 22]);
    clean(&mut lost);
    assert_eq!(lost.records.keys().copied().collect::<Vec<_>>(), [5]);
    refresh(&mut copy, &[(P, &lost)]);
    assert_eq!(ids(&copy), [10, 20, 21, 22]);
}

#[test]
fn a_refresh_that_fails_halfway_is_continued() {
    let mut kept = with(10..20);
    let mut copy = OpenTasks::default();
    refresh_some(&mut copy, &[(P, &kept)], 4);
    kept.write(&[end([succeeded(10, 10)])]);
    assert_eq!(rows(&copy, &[(P, &kept)], usize::MAX).len(), 7);
    refresh(&mut copy, &[(P, &kept)]);
    assert_eq!(ids(&copy), (11..20).collect::<Vec<_>>());
    // Another node has the partition meanwhile, and the database has lost what the first half was.
    let mut copy = OpenTasks::default();
    refresh_some(&mut copy, &[(P, &kept)], 4);
    let lost = with([10, 11, 12, 23, 24]);
    refresh(&mut copy, &[(P, &lost)]);
    assert_eq!(ids(&copy), [10, 11, 12, 23, 24]);
    // The journal is cleaned meanwhile.
    let mut copy = OpenTasks::default();
    refresh_some(&mut copy, &[(P, &kept)], 4);
    clean(&mut kept);
    refresh(&mut copy, &[(P, &kept)]);
    assert_eq!(ids(&copy), (11..20).collect::<Vec<_>>());
}

#[test]
fn a_partition_that_cannot_be_read_does_not_affect_others() {
    let [first, mut second] = [with([10, 11]), with([21, 22])];
    second.records.insert(1, vec![2]);
    let stores = [(Partition(0), &first), (Partition(1), &second)];
    let mut copy = OpenTasks::default();
    refresh(&mut copy, &stores);
    assert_eq!(ids(&copy), [10, 11]);
    assert!(copy.jobs(Partition(0)).is_ok() && copy.jobs(Partition(1)).is_err());
    assert!(copy.lives(&[Partition(0)]).is_ok());
    assert!(copy.lives(&[Partition(0), Partition(1)]).is_err(), "they could be in use");
    let found = copy.find(&[TaskId(10), TaskId(12), TaskId(21)]);
    assert!(found.has(TaskId(10)) && !found.has(TaskId(21)));
    assert!(found.check([Partition(0)]).is_ok(), "it is known not to be open");
    assert!(found.check([Partition(0), Partition(1)]).is_err(), "unknown");
}

#[test]
fn a_partition_is_read_again_once_its_bad_record_is_gone_or_repaired() {
    let whole = with([10, 11, 12]);
    let mut kept = Kept::restored(&whole.records);
    let damage = |kept: &mut Kept, seq: i64| kept.records.get_mut(&seq).unwrap()[6] ^= 1;
    let is_read = |copy: &OpenTasks| copy.jobs(P).is_ok();
    for repair in [0, 1, 2] {
        damage(&mut kept, 2);
        let mut copy = copied(&kept);
        assert!(!is_read(&copy) && copy.bad() == [(P, 2)]);
        refresh(&mut copy, &[(P, &kept)]);
        assert!(!is_read(&copy), "it is still there");
        let mut expected = vec![10, 11, 12];
        match repair {
            // By hand. Its checksum was never wrong.
            0 => damage(&mut kept, 2),
            // A newer release cleaned the journal, or `fastjob repair clock` rewrote it.
            1 => {
                kept = Kept::restored(&whole.records);
                clean(&mut kept);
            }
            // The database lost its last records.
            _ => {
                kept = with([10]);
                expected = vec![10];
            }
        }
        refresh(&mut copy, &[(P, &kept)]);
        assert!(is_read(&copy));
        assert_eq!(ids(&copy), expected, "repair {repair}");
        kept = Kept::restored(&whole.records);
    }
    // A record that is missing is put back.
    let missing = kept.records.remove(&2).unwrap();
    let mut copy = copied(&kept);
    assert!(!is_read(&copy) && copy.bad() == [(P, 3)]);
    kept.records.insert(2, missing);
    refresh(&mut copy, &[(P, &kept)]);
    assert_eq!(ids(&copy), [10, 11, 12]);
    // Another one is bad than before.
    damage(&mut kept, 3);
    refresh(&mut copy, &[(P, &kept)]);
    assert!(is_read(&copy), "the copy had read it before");
    let mut copy = copied(&kept);
    damage(&mut kept, 3);
    damage(&mut kept, 1);
    refresh(&mut copy, &[(P, &kept)]);
    assert_eq!(copy.bad(), [(P, 1)]);
}

#[tokio::test(start_paused = true)]
async fn a_reader_does_not_wait_for_others_forever() {
    let shared = SharedOpenTasks::default();
    let (_held, is_old) = shared.lock().await.unwrap();
    assert!(is_old);
    let late = shared.lock().await;
    assert!(matches!(late, Err(Error::TimedOut { .. })));
}

#[test]
fn a_copy_equals_the_store_whatever_happens_to_it() {
    for seed in 0..300 {
        let mut dice = StdRng::seed_from_u64(seed);
        let mut kept = Kept::new();
        let mut copy = OpenTasks::default();
        let mut backups = vec![BTreeMap::new()];
        let mut next = 10;
        for step in 0..60 {
            match dice.random_range(0..12) {
                0..6 => {
                    kept.write(&[plan([head(next)])]);
                    next += 1;
                }
                // Often the same content as a lost record.
                6 | 7 => {
                    let mut open: Vec<_> = kept.live().tasks().map(|(id, _)| id.0).collect();
                    open.sort_unstable();
                    if let Some(first) = open.first() {
                        kept.write(&[end([succeeded(*first, *first)])]);
                    }
                }
                8 => clean(&mut kept),
                9 => backups.push(kept.records.clone()),
                10 => {
                    let backup = &backups[dice.random_range(0..backups.len())];
                    kept = Kept::restored(backup);
                }
                _ => {
                    let mut damaged = Kept { records: kept.records.clone(), ..Kept::default() };
                    let nth = dice.random_range(0..kept.records.len().max(1));
                    if let Some((_, record)) = damaged.records.iter_mut().nth(nth) {
                        let at = dice.random_range(0..record.len());
                        record[at] ^= 1 << dice.random_range(0..8);
                    }
                    refresh(&mut copy, &[(P, &damaged)]);
                }
            }
            match dice.random_range(0..3) {
                0 => {}
                1 => refresh_some(&mut copy, &[(P, &kept)], dice.random_range(0..6)),
                _ => {
                    refresh(&mut copy, &[(P, &kept)]);
                    let expected: Vec<_> = shown(kept.live()).into_keys().map(|id| id.0).collect();
                    assert!(copy.jobs(P).is_ok(), "seed {seed}, step {step}");
                    assert_eq!(ids(&copy), expected, "seed {seed}, step {step}");
                }
            }
        }
    }
}
