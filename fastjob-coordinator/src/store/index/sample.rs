//! When tasks of the history were created, around the instants between which a list is searched.
//!
//! A segment says only when its first and its last task were created, which may be a day apart. So the
//! task is searched whose creation is the next one to such an instant, among those of which the segment
//! says where they are: the first one of each block by end, and those that ended about then. Most tasks
//! end soon after their creation. If they do not, the result is as exact as the blocks are.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::{
    END, Entry, Key, Segment,
    block::entries,
    find::IndexReader,
    plan::{Created, Plan},
};
use crate::store::{Result, TaskFilter, filter::LOOKED_AT};

/// Into how many parts a search divides what is left.
const WAYS: usize = 4;
/// How often it does. A clock that was set back needs more, and gets a less exact result.
const ROUNDS: usize = 8;

/// When some tasks were created of the large segments in which the range of the filter begins or ends:
/// close around these instants.
pub(super) async fn sample(
    reader: &mut impl IndexReader,
    segments: &[Segment],
    plan: &Plan,
    filter: &TaskFilter,
) -> Result<Vec<Created>> {
    let used = segments.iter().filter(|segment| plan.uses(segment));
    let mut samples: Vec<_> = used.filter_map(|segment| Sample::of(segment, filter)).collect();
    if samples.is_empty() {
        return Ok(Vec::new());
    }
    let segments: Vec<_> = samples.iter().map(|sample| sample.segment).collect();
    for (place, task) in reader.firsts(&segments).await? {
        samples.get_mut(place).into_iter().for_each(|sample| sample.tasks.push(task));
    }
    let (mut at, mut places) = (Vec::new(), Vec::new());
    for (place, sample) in samples.iter().enumerate() {
        for instant in &sample.instants {
            let key = Key { kind: END, value: *instant };
            at.push((sample.segment, Entry { key, task: i64::MIN }));
            places.push(place);
        }
    }
    for (nth, block) in reader.blocks(&at).await? {
        let sample = places.get(nth).and_then(|place| samples.get_mut(*place));
        let ends = entries(&block.bytes)?.into_iter().filter(|entry| entry.key.kind == END);
        sample.into_iter().for_each(|sample| sample.tasks.extend(ends.clone().map(|it| it.task)));
    }
    samples.iter_mut().for_each(Sample::sort);
    for _ in 0..ROUNDS {
        let asked: HashSet<_> = samples.iter().flat_map(Sample::next).collect();
        if asked.is_empty() {
            break;
        }
        let tasks: Vec<_> = asked.iter().copied().collect();
        let created: HashMap<_, _> = reader.created(&tasks).await?.into_iter().collect();
        samples.iter_mut().for_each(|sample| sample.take(&asked, &created));
    }
    Ok(samples.iter().flat_map(Sample::created).collect())
}

/// When tasks of a segment were created, as far as it is known.
struct Sample {
    segment: Segment,
    /// Those of the filter that are between its tasks.
    instants: Vec<i64>,
    /// Some of its tasks, by id.
    tasks: Vec<i64>,
    /// When those of them were created that were asked for.
    created: BTreeMap<i64, i64>,
}

impl Sample {
    /// `None` if it is not worth to know more about the segment.
    fn of(segment: &Segment, filter: &TaskFilter) -> Option<Self> {
        let instants = filter.since.iter().chain(&filter.until).map(|at| at.as_millisecond());
        let is_inside = |at: &i64| segment.first_created < *at && *at <= segment.last_created;
        let instants: Vec<_> = instants.filter(is_inside).collect();
        let is_large = usize::try_from(segment.tasks).is_ok_and(|tasks| tasks >= LOOKED_AT);
        let (tasks, created) = (Vec::new(), BTreeMap::new());
        (is_large && !instants.is_empty()).then_some(Self {
            segment: *segment,
            instants,
            tasks,
            created,
        })
    }

    fn sort(&mut self) {
        self.tasks.sort_unstable();
        self.tasks.dedup();
    }

    /// The tasks to ask for next: a few between the known ones around each instant.
    fn next(&self) -> Vec<i64> {
        let mut next = Vec::new();
        for instant in &self.instants {
            let before = self.created.iter().take_while(|(_, at)| *at < instant).last();
            let beyond = self.created.iter().rev().take_while(|(_, at)| *at >= instant).last();
            let is_between = |task: &&i64| {
                before.is_none_or(|(before, _)| before < *task)
                    && beyond.is_none_or(|(beyond, _)| *task < beyond)
                    && !self.created.contains_key(*task)
            };
            let between: Vec<_> = self.tasks.iter().filter(is_between).copied().collect();
            let place = |part: usize| between.get(between.len() * part / WAYS).copied();
            next.extend((1..WAYS).filter_map(place));
        }
        next
    }

    /// Takes what was asked for. Tasks that are not there any more are forgotten.
    fn take(&mut self, asked: &HashSet<i64>, created: &HashMap<i64, i64>) {
        self.tasks.retain(|task| !asked.contains(task) || created.contains_key(task));
        let known = self.tasks.iter().filter_map(|task| Some((*task, *created.get(task)?)));
        self.created.extend(known);
    }

    fn created(&self) -> impl Iterator<Item = Created> {
        let partition = self.segment.partition;
        self.created.iter().map(move |(task, at)| Created { partition, task: *task, at: *at })
    }
}
