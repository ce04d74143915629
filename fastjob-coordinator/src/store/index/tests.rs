//! Against an index that is searched entry by entry.

mod lists;
mod stats;

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet, HashSet},
};

use fastjob_core::{Cause, ExecutorName, JobId, ServiceName, TaskId, TaskState};
use jiff::Timestamp;
use proptest::prelude::*;

use super::{block::entries, find::list, *};
use crate::store::{
    Error, JobEnd, LifeId, Order, TaskFilter,
    journal::Candidates,
    suite::rows::{JOB, OTHER, at, name},
};

/// Segments and a history in memory.
#[derive(Default)]
struct Memory {
    segments: Vec<NewSegment>,
    history: BTreeMap<i64, Found>,
    ends: BTreeMap<i64, Timestamp>,
}

#[async_trait::async_trait]
impl IndexReader for Memory {
    async fn segments(&mut self, _of: Option<JobId>) -> Result<Vec<Segment>> {
        Ok(self.segments.iter().map(|new| new.segment).collect())
    }

    async fn segments_before(
        &mut self,
        partition: Partition,
        before: Timestamp,
    ) -> Result<Vec<Segment>> {
        let all = self.segments.iter().map(|new| new.segment);
        let is_before = |segment: &Segment| {
            segment.partition == partition && segment.end_at < before.as_millisecond()
        };
        Ok(all.filter(is_before).collect())
    }

    async fn blocks(&mut self, of: &[(Segment, Entry)]) -> Result<Vec<(usize, Block)>> {
        let find = |(place, (segment, at)): (usize, &(Segment, Entry))| {
            let blocks = &self.of(segment).blocks;
            Some((place, blocks.iter().rfind(|block| block.first <= *at)?.clone()))
        };
        Ok(of.iter().enumerate().filter_map(find).collect())
    }

    async fn blocks_after(
        &mut self,
        segment: &Segment,
        first: Entry,
        limit: u32,
    ) -> Result<Vec<Block>> {
        let blocks = self.of(segment).blocks.iter();
        Ok(blocks.filter(|block| block.first > first).take(limit as usize).cloned().collect())
    }

    async fn ends(&mut self, tasks: &[i64]) -> Result<Vec<(JobId, JobEnd)>> {
        let found = tasks.iter().filter_map(|task| self.history.get(task));
        let end = |found: &Found| {
            let Found { task, job, state, .. } = *found;
            (job, JobEnd { task, state, started_at: None, ended_at: self.ends[&task.0] })
        };
        Ok(found.map(end).collect())
    }

    async fn sample(&mut self, segments: &[Segment]) -> Result<Vec<Created>> {
        let blocks = segments.iter().flat_map(|segment| self.of(segment).blocks.clone());
        let created = |block: Block| {
            let task = block.first.task;
            let at = self.history.get(&task)?.created_at.as_millisecond();
            Some(Created { partition: Partition(0), task, at })
        };
        Ok(blocks.filter_map(created).collect())
    }

    async fn found(&mut self, tasks: &[i64], _: &TaskFilter) -> Result<Vec<Found>> {
        Ok(tasks.iter().filter_map(|task| self.history.get(task)).copied().collect())
    }

    async fn history(
        &mut self,
        range: Range,
        filter: &TaskFilter,
        limit: usize,
    ) -> Result<Vec<Found>> {
        let found = self.history.range(range.first..=range.last).map(|(_, found)| *found);
        let mut found: Vec<_> =
            found.filter(|found| filter.has_created(found.created_at)).collect();
        found.sort_unstable_by(|a, b| filter.order.compare(a.task, b.task));
        found.truncate(limit);
        Ok(found)
    }

    async fn jobs_of(&mut self, _: &[JobId], _: &ServiceName) -> Result<HashSet<JobId>> {
        Ok(HashSet::new())
    }

    async fn lives_of(&mut self, _: &ExecutorName) -> Result<HashSet<LifeId>> {
        Ok(HashSet::new())
    }

    async fn attempted(
        &mut self,
        _: &[TaskId],
        _: &TaskFilter,
    ) -> Result<Vec<(TaskId, bool, bool)>> {
        Ok(Vec::new())
    }
}

impl Memory {
    fn of(&self, segment: &Segment) -> &NewSegment {
        let is_it = |new: &&NewSegment| {
            (new.segment.level, new.segment.number) == (segment.level, segment.number)
        };
        self.segments.iter().find(is_it).unwrap()
    }

    /// Writes a transaction that ends these tasks.
    fn end(&mut self, ended: &[Ended]) {
        let number = self.segments.iter().map(|new| new.segment.number).max().unwrap_or(0) + 1;
        self.segments.extend(NewSegment::new(Partition(0), number, ended));
        for end in ended {
            let Ended { task, job, state, created_at, ended_at, service, .. } = *end;
            let found = Found {
                task,
                job,
                state,
                cause: Cause::Api,
                created_at,
                run_time: Some(ended_at.as_millisecond() - created_at.as_millisecond()),
                has_service: service == Some(name::<ServiceName>("b").key()),
                has_executor: true,
                has_text: true,
            };
            self.history.insert(task.0, found);
            self.ends.insert(task.0, ended_at);
        }
    }

    /// Merges once; returns whether there was something to merge.
    fn merge(&mut self) -> bool {
        let segments: Vec<_> = self.segments.iter().map(|new| new.segment).collect();
        let below: Vec<_> = segments.into_iter().filter(|s| s.level < MERGED).collect();
        let Some(chosen) = choose(&below) else { return false };
        let blocks = chosen
            .sources
            .iter()
            .map(|source| self.of(source).blocks.iter().map(|block| block.bytes.clone()).collect());
        let merged = merge(&chosen, blocks.collect()).unwrap();
        self.segments.retain(|new| !chosen.sources.contains(&new.segment));
        self.segments.push(merged);
        true
    }

    fn naive(&self, filter: &TaskFilter) -> Vec<TaskId> {
        let matches = |found: &&Found| {
            filter.job.is_none_or(|job| found.job == job)
                && (filter.service.is_none() || found.has_service)
                && (filter.states.is_empty() || filter.states.contains(&found.state))
                && filter.since.is_none_or(|since| found.created_at >= since)
                && filter.until.is_none_or(|until| found.created_at < until)
        };
        let mut all: Vec<_> = self.history.values().filter(matches).collect();
        match filter.order {
            Order::Newest => all.reverse(),
            Order::Oldest => {}
            Order::RunTime => all.sort_by_key(|found| Reverse((found.run_time, found.task))),
        }
        all.into_iter().map(|found| found.task).collect()
    }
}

/// The jobs are of the services `a` and `b`.
fn service(job: JobId) -> ServiceKey {
    let service: ServiceName = name(if job == JOB { "a" } else { "b" });
    service.key()
}

fn ended(task: i64, job: JobId, state: TaskState) -> Ended {
    let service = (job == JOB || task % 7 > 0).then(|| service(job));
    Ended {
        task: TaskId(task),
        job,
        service,
        state,
        created_at: at(task),
        ended_at: at(task),
        times: None,
    }
}

fn written(entries: &BTreeSet<Entry>) -> Vec<Block> {
    let mut writer = block::Writer::default();
    entries.iter().for_each(|entry| writer.push(*entry));
    writer.finish()
}

fn entry() -> impl Strategy<Value = Entry> {
    let value = prop_oneof![any::<i64>(), 0..5_i64];
    (0..6_u8, value, prop_oneof![any::<i64>(), 0..1_000_i64])
        .prop_map(|(kind, value, task)| Entry { key: Key { kind, value }, task })
}

proptest! {
    #[test]
    fn entries_are_read_as_they_were_written(
        all in proptest::collection::btree_set(entry(), 0..3_000),
    ) {
        let blocks = written(&all);
        let read: Vec<_> = blocks.iter().flat_map(|block| entries(&block.bytes).unwrap()).collect();
        prop_assert_eq!(&read, &all.into_iter().collect::<Vec<_>>());
        for block in &blocks {
            prop_assert_eq!(entries(&block.bytes).unwrap()[0], block.first);
            prop_assert!(block.bytes.len() < 3_800, "{}", block.bytes.len());
        }
    }

    #[test]
    fn any_bytes_are_read_or_rejected(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        // With a correct checksum, so that the rest is read.
        let mut sealed = vec![2];
        sealed.extend(bytes);
        let _ = entries(&crate::store::binary::seal(sealed).0);
    }
}

#[test]
fn a_damaged_block_is_rejected_as_a_whole() {
    let all = (0..100).map(|task| Entry { key: Key::job(JOB), task }).collect();
    let block = written(&all).remove(0);
    for at in 0..block.bytes.len() {
        let mut bytes = block.bytes.clone();
        bytes[at] ^= 1;
        let refused = entries(&bytes).unwrap_err();
        assert!(matches!(refused, Error::Corrupt { .. }), "{at}: {refused}");
        assert!(entries(&block.bytes[..at]).is_err(), "{at}");
    }
}

#[test]
fn the_tasks_of_a_key_take_two_bytes_each() {
    let all: BTreeSet<_> =
        (0..10_000).map(|n| Entry { key: Key::job(JOB), task: 1_000 * n }).collect();
    let bytes: usize = written(&all).iter().map(|block| block.bytes.len()).sum();
    assert!(bytes < 20_500, "{bytes}");
}

/// What happens to an index.
#[derive(Clone, Debug)]
enum Step {
    End(Vec<(bool, u8, u8)>),
    Merge,
    Remove(u8),
}

fn step() -> impl Strategy<Value = Step> {
    let ended = (any::<bool>(), 3..7_u8, 0..30_u8);
    prop_oneof![
        20 => proptest::collection::vec(ended, 1..40).prop_map(Step::End),
        3 => Just(Step::Merge),
        1 => (1..100_u8).prop_map(Step::Remove),
    ]
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().build().unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn a_list_has_what_is_in_the_history_whatever_was_merged_and_removed(
        steps in proptest::collection::vec(step(), 1..80),
        limit in prop_oneof![1..10_u32, Just(500)],
        most in prop_oneof![5..50_usize, Just(10_000)],
    ) {
        runtime().block_on(async {
            let mut memory = Memory::default();
            let (mut next, mut was_removed) = (1, false);
            for step in steps {
                match step {
                    Step::End(tasks) => {
                        let all: Vec<_> = tasks.iter().map(|(is_other, state, late)| {
                            next += 1;
                            let job = if *is_other { OTHER } else { JOB };
                            let state = crate::store::codes::task_state(i64::from(*state)).unwrap();
                            Ended { ended_at: at(next + i64::from(*late)), ..ended(next, job, state) }
                        }).collect();
                        memory.end(&all);
                    }
                    Step::Merge => while memory.merge() {},
                    Step::Remove(percent) => {
                        let before = at(next * i64::from(percent) / 100);
                        loop {
                            let due = due(&mut memory, Partition(0), before, 7).await.unwrap();
                            let tasks = Due::tasks(&due);
                            was_removed |= !tasks.is_empty();
                            for task in &tasks {
                                memory.history.remove(task);
                            }
                            let removals = Due::removed(&due, tasks.len());
                            if removals.is_empty() {
                                break;
                            }
                            memory.apply(&removals);
                        }
                        let is_due = |task: &&i64| memory.ends[*task] < before;
                        assert_eq!(memory.history.keys().find(is_due), None, "left");
                    }
                }
            }
            let each = limit as usize;
            let last = last_ends(&mut memory, &[JOB, OTHER, JobId(9)], each, 1).await.unwrap();
            assert!(!last.contains_key(&JobId(9)));
            for job in [JOB, OTHER] {
                let filter = TaskFilter { job: Some(job), limit, ..TaskFilter::default() };
                let mut all = memory.naive(&filter);
                all.truncate(each);
                let last = last.get(&job).map(Vec::as_slice).unwrap_or_default();
                let last: Vec<_> = last.iter().map(|end| end.task).collect();
                assert!(all.starts_with(&last), "{last:?} of {all:?}");
                // Removed tasks that are still in the index take the places of older ones.
                assert!(was_removed || last.len() == all.len(), "{last:?} of {all:?}");
            }
            let states: [&[TaskState]; 4] = [
                &[],
                &[TaskState::Failed],
                &[TaskState::Skipped, TaskState::Stopped],
                &[TaskState::Failed, TaskState::Succeeded],
            ];
            let (early, late) = (at(next / 2), at(next * 3 / 4));
            for order in [Order::Newest, Order::Oldest, Order::RunTime] {
                for (job, service) in [
                    (None, None), (Some(JOB), None), (Some(OTHER), None), (None, Some("b")),
                ] {
                    for states in states {
                        for (since, until) in [
                            (None, None), (Some(early), None), (None, Some(early)),
                            (Some(early), Some(late)),
                        ] {
                            let filter = TaskFilter {
                                order, job, since, until, limit, states: states.to_vec(),
                                service: service.map(name),
                                most: (order != Order::RunTime).then_some(most),
                                ..TaskFilter::default()
                            };
                            let listed = memory.pages(&filter).await;
                            assert_eq!(listed, memory.naive(&filter), "{filter:?}");
                        }
                    }
                }
            }
        });
    }
}

impl Memory {
    /// All pages of a list.
    async fn pages(&mut self, filter: &TaskFilter) -> Vec<TaskId> {
        let (mut all, mut filter) = (Vec::new(), filter.clone());
        loop {
            let page = list(self, &filter, Candidates::default()).await.unwrap();
            all.extend(page.ids());
            filter.after = match (page.stopped, page.places.last()) {
                (Some(stopped), _) => {
                    assert!(page.places.len() < filter.limit as usize, "a full page has no mark");
                    Some(stopped.task.into())
                }
                (None, Some(last)) if page.places.len() == filter.limit as usize => Some(*last),
                (None, _) => return all,
            };
        }
    }

    fn apply(&mut self, removals: &[Removal]) {
        for removal in removals {
            let same = |new: &NewSegment, of: &Segment| {
                (new.segment.level, new.segment.number) == (of.level, of.number)
            };
            match removal {
                Removal::Whole(segment) => self.segments.retain(|new| !same(new, segment)),
                Removal::Upto(segment, end, task) => {
                    let new = self.segments.iter_mut().find(|new| same(new, segment)).unwrap();
                    (new.segment.end_at, new.segment.end_task) = (*end, *task);
                }
            }
        }
    }
}

#[tokio::test]
async fn the_number_of_segments_grows_with_the_logarithm_of_the_transactions() {
    let mut memory = Memory::default();
    for task in 1..=5_000 {
        memory.end(&[ended(task, JOB, TaskState::Succeeded)]);
        while memory.merge() {}
    }
    assert!(memory.segments.len() < 64, "{}", memory.segments.len());
    let filter =
        TaskFilter { job: Some(JOB), limit: 5_000, most: Some(5_000), ..TaskFilter::default() };
    let listed = list(&mut memory, &filter, Candidates::default()).await.unwrap();
    assert_eq!(listed.places.len(), 5_000);
}

#[test]
fn a_segment_has_a_bounded_number_of_tasks_and_a_bounded_span() {
    let segment = |number, tasks, end: i64| Segment {
        partition: Partition(0),
        level: 0,
        number,
        tasks,
        not_succeeded: 0,
        first_task: number,
        last_task: number,
        first_created: end,
        last_created: end,
        end_at: end,
        end_task: i64::MIN,
        last_end: end,
    };
    let large: Vec<_> = (0..20).map(|n| segment(n, 30_000, n)).collect();
    let chosen = choose(&large).unwrap();
    assert_eq!((chosen.sources.len(), chosen.level), (3, MERGED));
    let days: Vec<_> = (0..20).map(|n| segment(n, 3_000, n * 3_600_000 * 10)).collect();
    let chosen = choose(&days).unwrap();
    assert_eq!((chosen.sources.len(), chosen.level), (3, MERGED));
    let quiet: Vec<_> = (0..20).map(|n| segment(n, 1, n * 3_600_000 * 1_000)).collect();
    let chosen = choose(&quiet).unwrap();
    assert_eq!((chosen.sources.len(), chosen.level), (20, 1), "few tasks may have a long span");
    assert_eq!(choose(&large[..1]), None);
    assert_eq!(choose(&days[..15]), None);
    // One that is too large already is not written again for nothing more than once.
    let huge: Vec<_> = (0..2).map(|n| segment(n, 1_000_000, n)).collect();
    let chosen = choose(&huge).unwrap();
    assert_eq!((chosen.sources.len(), chosen.level), (1, MERGED));
}
