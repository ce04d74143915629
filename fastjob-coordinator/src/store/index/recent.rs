//! The last tasks of several jobs.

use std::{
    cmp::Reverse,
    collections::{BTreeSet, HashMap},
};

use fastjob_core::JobId;

use super::{Entry, Key, Segment, block::entries, find::IndexReader};
use crate::store::{JobEnd, Partition, Result};

/// Segments that are searched at once at first; later twice as many.
const PAGE: usize = 16;
const LARGEST_PAGE: usize = 256;

/// The newest tasks of each job that have ended, newest first, at most `each`. Jobs without any are
/// left out.
pub(in crate::store) async fn last_ends(
    reader: &mut impl IndexReader,
    jobs: &[JobId],
    each: usize,
    partitions: u32,
) -> Result<HashMap<JobId, Vec<JobEnd>>> {
    let mut wanted: HashMap<JobId, BTreeSet<i64>> =
        jobs.iter().map(|job| (*job, BTreeSet::new())).collect();
    let of = |job: JobId| Partition::of_id(job.0, partitions);
    let held: BTreeSet<_> = jobs.iter().map(|job| of(*job)).collect();
    let mut segments = reader.segments(None).await?;
    segments.retain(|segment| held.contains(&segment.partition));
    segments.sort_unstable_by_key(|segment| Reverse(segment.last_task));
    let (mut rest, mut page) = (segments.as_slice(), PAGE);
    while each > 0 && !rest.is_empty() {
        let (these, later) = rest.split_at(page.min(rest.len()));
        (rest, page) = (later, (2 * page).min(LARGEST_PAGE));
        let mut searches: Vec<_> = these
            .iter()
            .filter_map(|segment| {
                let is_wanted = |(job, tasks): &(&JobId, &BTreeSet<i64>)| {
                    of(**job) == segment.partition && needs(tasks, each, segment)
                };
                let jobs = wanted.iter().filter(is_wanted).map(|(job, _)| *job);
                Search::of(*segment, jobs.collect())
            })
            .collect();
        while !searches.is_empty() {
            let at: Vec<_> = searches.iter().map(|search| (search.segment, search.at)).collect();
            let mut blocks: HashMap<_, _> = reader.blocks(&at).await?.into_iter().collect();
            let mut left = Vec::new();
            for (place, mut search) in searches.into_iter().enumerate() {
                // A segment without such a block has no tasks of the jobs that are left.
                let Some(block) = blocks.remove(&place) else { continue };
                let found = entries(&block.bytes)?;
                if search.take(block.first, &found, each, &mut wanted) {
                    left.push(search);
                }
            }
            searches = left;
        }
    }
    let tasks: Vec<_> = wanted.values().flatten().copied().collect();
    let mut ends: HashMap<JobId, Vec<JobEnd>> = HashMap::new();
    for (job, end) in reader.ends(&tasks).await? {
        ends.entry(job).or_default().push(end);
    }
    ends.values_mut().for_each(|ends| ends.sort_unstable_by_key(|end| Reverse(end.task)));
    Ok(ends)
}

/// Whether a segment may have tasks that belong to the newest ones.
fn needs(tasks: &BTreeSet<i64>, each: usize, segment: &Segment) -> bool {
    tasks.len() < each || tasks.first().is_none_or(|oldest| segment.last_task > *oldest)
}

/// The search in one segment: from its highest job down.
struct Search {
    segment: Segment,
    /// The jobs that are left, lowest first.
    jobs: Vec<JobId>,
    /// Up to where it is searched.
    at: Entry,
}

impl Search {
    fn of(segment: Segment, mut jobs: Vec<JobId>) -> Option<Self> {
        jobs.sort_unstable();
        let at = all_of(*jobs.last()?);
        Some(Self { segment, jobs, at })
    }

    /// Takes the tasks of a block, which begins with `first`. Returns whether an earlier block may
    /// have more.
    fn take(
        &mut self,
        first: Entry,
        block: &[Entry],
        each: usize,
        wanted: &mut HashMap<JobId, BTreeSet<i64>>,
    ) -> bool {
        while let Some(job) = self.jobs.last().copied() {
            let key = Key::job(job);
            if key < first.key {
                self.at = all_of(job);
                return true;
            }
            let tasks = wanted.entry(job).or_default();
            let start = block.partition_point(|entry| entry.key < key);
            let of_job = block.iter().skip(start).take_while(|entry| entry.key == key);
            tasks.extend(of_job.map(|entry| entry.task));
            while tasks.len() > each {
                tasks.pop_first();
            }
            if key == first.key && (tasks.len() < each || tasks.first() < Some(&first.task)) {
                // Its older tasks are in an earlier block.
                self.at = Entry { key, task: first.task.saturating_sub(1) };
                return true;
            }
            self.jobs.pop();
        }
        false
    }
}

/// Below all entries of the next job.
const fn all_of(job: JobId) -> Entry {
    Entry { key: Key::job(job), task: i64::MAX }
}
