//! The journal alone, without a store.

mod copy;
mod losses;

use std::collections::{BTreeMap, HashSet};

use fastjob_core::{AttemptState, ExecutorName, TaskState};
use fastjob_engine::record::NOT_SPREAD;
use rand::{RngExt, SeedableRng, rngs::StdRng};

use super::*;
use crate::store::{
    Commit, EndedAttempt, Lease, NewAttempt, Partition,
    suite::rows::{
        at, end, failed, failed_once, head, last, moved, name, placed, plan, retry, shard, spread,
        succeeded, trace,
    },
};

/// A journal as a store keeps it: the state that writes, and the records.
#[derive(Default)]
struct Kept {
    journals: Journals,
    records: BTreeMap<i64, Vec<u8>>,
    commits: i64,
}

impl Kept {
    fn new() -> Self {
        let mut kept = Self::default();
        assert!(kept.journals.keep(Lease::default(), Journal::default()));
        kept
    }

    /// Writes commits in one transaction, and returns what ended.
    fn write<'a>(&mut self, commits: &'a [Commit]) -> Staged<'a> {
        let mark = self.mark();
        assert!(self.journals.is_at(Lease::default(), mark));
        let staged = stage(commits, &mut self.journals, &HashSet::new());
        for record in &staged.records {
            self.records.insert(record.seq, record.bytes.clone());
            self.records.retain(|seq, _| !record.removed.contains(seq));
        }
        self.journals.written(commits);
        self.commits += 1;
        staged
    }

    /// The store with these records, as another process finds it.
    fn restored(records: &BTreeMap<i64, Vec<u8>>) -> Self {
        let mut kept = Self { records: records.clone(), ..Self::default() };
        assert!(kept.journals.keep(Lease::default(), kept.replayed()));
        kept
    }

    /// How far the store is.
    fn mark(&self) -> Mark {
        let seq = self.records.last_key_value().map_or(0, |(seq, _)| *seq);
        Mark { seq, commits: self.commits }
    }

    fn replayed(&self) -> Journal {
        Journal::replay(self.records.clone().into_iter().map(Ok)).unwrap()
    }

    fn live(&self) -> &Journal {
        self.journals.live(Partition(0))
    }

    fn bytes(&self) -> usize {
        self.records.values().map(Vec::len).sum()
    }
}

/// What is open, without what only the writer knows.
fn shown(journal: &Journal) -> BTreeMap<TaskId, OpenTask> {
    let plain = |(id, task): (TaskId, &OpenTask)| {
        let mut open = task.open.clone();
        open.sort_by_key(|open| open.row.attempt);
        let task = OpenTask { open, ended: Vec::new(), base: 0, bytes: 0, ..task.clone() };
        (id, task)
    };
    journal.tasks().map(plain).collect()
}

#[track_caller]
fn check(kept: &Kept) {
    let (live, replayed) = (kept.live(), kept.replayed());
    assert_eq!(shown(live), shown(&replayed));
    assert_eq!(live.attempts(), replayed.attempts());
    assert_eq!(live.others, replayed.others);
    assert_eq!((live.bytes, live.open_bytes), (replayed.bytes, replayed.open_bytes));
    assert_eq!(live.bytes, kept.bytes());
    let counted: usize = live.tasks().map(|(_, task)| task.open.len()).sum();
    assert_eq!(live.attempts(), counted);
}

/// A head with everything that a task can have.
fn full(id: i64) -> NewAttempt {
    let executor: ExecutorName = name("e1");
    NewAttempt {
        parent: Some(TaskId(3)),
        lineage: Some(Lineage { depth: 7, budget: u32::MAX }),
        rerun: Some(Arc::new(RerunOf { task: TaskId(2), shards: [0, 1, u32::MAX].into() })),
        trace: Some(trace(head(id).row.created_at)),
        wanted: Some(executor),
        life: Some(LifeId(9)),
        param: Some("päram".into()),
        note: Some("nöte".to_owned()),
        row: Attempt { fire_at: Some(at(id - 5)), due_at: at(id + 5), ..head(id).row },
        ..head(id)
    }
}

#[test]
fn a_replayed_journal_has_what_was_written() {
    let mut kept = Kept::new();
    let waiting = NewAttempt { row: Attempt { shard: NOT_SPREAD, ..head(30).row }, ..head(30) };
    let manual = NewAttempt { row: Attempt { fire_at: None, ..head(31).row }, ..head(31) };
    let commits = [
        plan([head(10), full(11), waiting, manual, shard(40, 40, 0, 2), shard(40, 41, 1, 2)]),
        Commit { planned: vec![retry(10, 12, 2)], ..end([failed_once(10, 10)]) },
        Commit {
            spread: vec![spread(30, 3)],
            placed: vec![placed(12, Some(5)), placed(11, None), placed(99, Some(1))],
            moved: vec![moved(31, TaskState::Stopping), moved(99, TaskState::Stopping)],
            notes: vec![(TaskId(31), "second".to_owned()), (TaskId(11), "third".to_owned())],
            ..Commit::default()
        },
        end([succeeded(40, 41)]),
    ];
    for commit in &commits {
        kept.write(std::slice::from_ref(commit));
        check(&kept);
    }
    let tasks = shown(kept.live());
    assert_eq!(tasks[&TaskId(11)].note.as_deref(), Some("nöte; third"));
    assert_eq!(tasks[&TaskId(30)].head.shard.total, 3);
    assert!(tasks[&TaskId(10)].has_rows, "its first attempt has a row");
}

#[test]
fn a_usual_task_takes_a_few_bytes_and_one_row() {
    let mut kept = Kept::new();
    let life = Some(LifeId(1_000_000));
    let ids = 1_000_000_000..1_000_001_000_i64;
    let planned =
        |id| NewAttempt { life, row: Attempt { due_at: at(0), ..head(id).row }, ..head(id) };
    let plans = plan(ids.clone().map(planned));
    kept.write(&[plans]);
    let ends = [end(ids.map(|id| succeeded(id, id)))];
    let staged = kept.write(&ends);
    assert_eq!((staged.tasks.len(), staged.attempts.len()), (1_000, 0));
    assert!(staged.tasks.iter().all(|task| task.only.is_some()));
    assert!(kept.bytes() < 1_000 * 30, "{} bytes for 1,000 tasks", kept.bytes());
    assert_eq!(kept.live().attempts(), 0);
    check(&kept);
}

#[test]
fn a_journal_stays_small_while_tasks_come_and_go() {
    let mut kept = Kept::new();
    // They stay open throughout.
    kept.write(&[plan((1..200).map(full))]);
    for round in 0..300_i64 {
        let ids = || (1_000 * (round + 1)..).take(500);
        kept.write(&[plan(ids().map(full))]);
        kept.write(&[end(ids().map(|id| succeeded(id, id)))]);
        let most = 2 * kept.live().open_bytes + SMALL;
        assert!(kept.bytes() <= most + 50_000, "{} bytes after round {round}", kept.bytes());
    }
    assert!(kept.records.len() < 100, "{} records", kept.records.len());
    assert!(*kept.records.keys().next().unwrap() > 300, "old ones were removed");
    assert_eq!(kept.live().attempts(), 199);
    check(&kept);
}

#[test]
fn a_record_that_is_torn_or_unknown_is_rejected() {
    let mut kept = Kept::new();
    kept.write(&[plan([full(10), head(11)])]);
    let whole = kept.records[&1].clone();
    for len in 0..whole.len() {
        let torn = Journal::replay([Ok((1, whole[..len].to_vec()))]);
        assert!(torn.is_err(), "{len} bytes: {torn:?}");
    }
    for at in 0..whole.len() {
        let mut damaged = whole.clone();
        damaged[at] ^= 0x10;
        let read = Journal::replay([Ok((1, damaged))]);
        assert!(read.is_err(), "byte {at}: {read:?}");
    }
    let said = |bytes: Vec<u8>| Journal::replay([Ok((1, bytes))]).unwrap_err().to_string();
    let newer = said([&[2], &whole[1..]].concat());
    assert!(newer.contains("it has the format 2, and this release knows 1"), "{newer}");
    let unknown = said(checked(&[99]));
    assert!(unknown.contains("the unknown change 99"), "{unknown}");
    let unknown = said(checked(&[1, 0xff, 0xff, 3]));
    assert!(unknown.contains("the unknown flags"), "{unknown}");
    let gap = Journal::replay([Ok((1, whole.clone())), Ok((3, whole))]).unwrap_err().to_string();
    assert!(gap.contains("a gap at 3"), "{gap}");
}

/// The first record of a journal with these changes.
fn checked(changes: &[u8]) -> Vec<u8> {
    let bytes = [&[1, 0, 0, 0, 0], changes].concat();
    let check = crc::Crc::<u32>::new(&crc::CRC_32_ISCSI).checksum(&bytes);
    [&bytes[..], &check.to_le_bytes()].concat()
}

#[test]
fn random_bytes_never_panic() {
    let mut dice = StdRng::seed_from_u64(5);
    for _ in 0..20_000 {
        let len = dice.random_range(0..60);
        let mut bytes: Vec<u8> = (0..len).map(|_| dice.random()).collect();
        // Changes with small codes are more likely to be read.
        if let Some(first) = bytes.first_mut() {
            *first %= 9;
        }
        // Either is fine: it must end.
        drop(Journal::replay([Ok((1, checked(&bytes)))]));
    }
}

#[test]
fn random_histories_are_replayed_as_they_were_written() {
    for seed in 0..50 {
        let mut dice = StdRng::seed_from_u64(seed);
        let mut kept = Kept::new();
        let mut open: Vec<(i64, i64, u32)> = Vec::new();
        let mut next = 10;
        for _ in 0..200 {
            let mut commit = Commit::default();
            for _ in 0..dice.random_range(0..20) {
                let chosen = (!open.is_empty()).then(|| dice.random_range(0..open.len()));
                match (dice.random_range(0..8), chosen) {
                    (0..=2, _) | (_, None) => {
                        let new = if dice.random() { full(next) } else { head(next) };
                        commit.planned.push(new);
                        open.push((next, next, 1));
                        next += 1;
                    }
                    (3, Some(at)) => commit.placed.push(placed(open[at].1, Some(next))),
                    (4, Some(at)) => commit.moved.push(moved(open[at].0, TaskState::Stopping)),
                    (5, Some(at)) => commit.notes.push((TaskId(open[at].0), format!("n{next}"))),
                    (6, Some(at)) => {
                        let (task, attempt, number) = open.remove(at);
                        commit.ended.push(failed_once(task, attempt));
                        commit.planned.push(retry(task, next, number + 1));
                        open.push((task, next, number + 1));
                        next += 1;
                    }
                    (_, Some(at)) => {
                        let (task, attempt, _) = open.remove(at);
                        commit.ended.push(failed(task, attempt));
                    }
                }
            }
            kept.write(&[commit]);
        }
        check(&kept);
        let expected: HashSet<_> = open.iter().map(|(_, attempt, _)| AttemptId(*attempt)).collect();
        let found = kept.replayed();
        let found: HashSet<_> =
            found.tasks().flat_map(|(_, task)| &task.open).map(|open| open.row.attempt).collect();
        assert_eq!(found, expected, "seed {seed}");
    }
}

#[test]
fn a_commit_that_is_written_again_ends_nothing_twice() {
    let mut kept = Kept::new();
    let both = [plan([head(10)]), end([succeeded(10, 10)])];
    let staged = stage(&both, &mut kept.journals, &HashSet::new());
    let written = (staged.records[0].seq, staged.records[0].bytes.clone());
    assert_eq!(kept.journals.doubtful(&both), [0_i64; 0]);
    // The answer was lost, and the journals are replayed from the store.
    assert_eq!(kept.journals.missing(&both), [Lease::default()].into());
    assert_eq!(kept.journals.doubtful(&both), [10]);
    let replayed = Journal::replay([Ok(written)]).unwrap();
    assert!(kept.journals.keep(Lease::default(), replayed));
    // The store says that the attempt is in the history.
    let staged = stage(&both, &mut kept.journals, &HashSet::from([AttemptId(10)]));
    assert_eq!(staged.tasks, []);
    assert_eq!(staged.records, []);
    kept.journals.written(&both);
    assert_eq!(kept.journals.doubtful(&both), [0_i64; 0]);
    assert_eq!(kept.journals.missing(&both), [].into());
}

#[test]
fn a_journal_that_is_set_back_is_replaced_in_records_of_bounded_size() {
    let mut kept = Kept::new();
    let text: std::sync::Arc<str> = "x".repeat(100_000).into();
    let made = |id| NewAttempt {
        row: Attempt { created_at: at(9_000), due_at: at(9_300), ..head(id).row },
        param: Some(std::sync::Arc::clone(&text)),
        ..head(id)
    };
    kept.write(&[plan((10..110).map(made))]);
    let mut journal = kept.replayed();
    let records = set_back(Partition(0), &mut journal, at(1_000));
    assert!(records.len() >= 2, "{} records", records.len());
    #[cfg(feature = "postgres")]
    {
        let pieces =
            |records: &[Record]| super::pieces(records).map(<[_]>::len).collect::<Vec<_>>();
        assert_eq!(pieces(&records), [records.len()], "there are few");
        let many: Vec<_> = records.iter().cycle().take(8).cloned().collect();
        assert_eq!(pieces(&many).iter().sum::<usize>(), many.len());
        assert!(pieces(&many).len() > 1 && !pieces(&many).contains(&0), "{:?}", pieces(&many));
        assert_eq!(pieces(&[]), [0_usize; 0]);
    }
    for record in records {
        assert!(record.bytes.len() < 5_000_000, "{} bytes", record.bytes.len());
        kept.records.insert(record.seq, record.bytes.clone());
        kept.records.retain(|seq, _| !record.removed.contains(seq));
    }
    let replayed = kept.replayed();
    assert_eq!(shown(&journal), shown(&replayed));
    assert_eq!((journal.bytes, journal.open_bytes), (replayed.bytes, replayed.open_bytes));
    assert_eq!(later_than(&replayed, at(1_000)), 0);
    assert!(replayed.tasks().all(|(_, task)| task.open[0].row.due_at == at(1_300)));
}

#[test]
fn an_attempt_that_ends_after_its_task_still_gets_its_row() {
    let mut kept = Kept::new();
    kept.write(&[plan([shard(10, 10, 0, 2), shard(10, 11, 1, 2)])]);
    let first = [end([last(10, 10, AttemptState::Stopped, TaskState::Stopped)])];
    let staged = kept.write(&first);
    assert_eq!((staged.tasks.len(), staged.attempts.len()), (1, 1));
    assert_eq!(kept.live().attempts(), 1, "the other is still open");
    let second = [end([EndedAttempt { task_state: None, ..failed(10, 11) }])];
    let staged = kept.write(&second);
    assert_eq!((staged.tasks.len(), staged.attempts.len()), (0, 1));
    assert!(kept.live().tasks().next().is_none());
    check(&kept);
}

#[test]
fn past_attempts_of_a_task_that_stays_open_do_not_count_as_open() {
    let mut kept = Kept::new();
    let ids = || 1..=500_i64;
    kept.write(&[plan(ids().map(head))]);
    for round in 1..=100_u32 {
        let later = |id: i64, round: u32| id + 500 * i64::from(round);
        let ended = end(ids().map(|id| failed_once(id, later(id, round - 1))));
        let retries = ids().map(|id| retry(id, later(id, round), round + 1)).collect();
        kept.write(&[Commit { planned: retries, ..ended }]);
    }
    assert_eq!(kept.live().attempts(), 500);
    check(&kept);
    // A task and an attempt take at most 40 bytes each.
    let most = 2 * 500 * (40 + 40) + SMALL + 500 * 80;
    assert!(kept.bytes() < most, "{} bytes, more than {most}", kept.bytes());
}
