//! Finds tasks in segments, newest first.

use std::cmp::Reverse;

use fastjob_core::{JobId, TaskId, TaskState};
use jiff::Timestamp;

use super::{Block, Entry, Key, Segment, block::entries};
use crate::store::{JobEnd, Partition, Result, TaskFilter};

/// Segments that are searched at once at first; later four times as many.
const PAGE: usize = 16;
const LARGEST_PAGE: usize = 256;
/// Tasks that are looked at for a list at first; later twice as many.
const TASKS: usize = 200;
const MOST_TASKS: usize = 12_800;

/// A task of the history, as far as filters ask.
#[derive(Clone, Copy, Debug)]
pub(in crate::store) struct Found {
    pub(in crate::store) task: TaskId,
    pub(in crate::store) job: JobId,
    pub(in crate::store) state: TaskState,
    pub(in crate::store) created_at: Timestamp,
}

impl Found {
    fn matches(&self, filter: &TaskFilter) -> bool {
        filter.job.is_none_or(|job| self.job == job)
            && filter.state.is_none_or(|state| self.state == state)
            && filter.since.is_none_or(|since| self.created_at >= since)
    }
}

/// Reads the index and the history as of one instant.
#[async_trait::async_trait]
pub(in crate::store) trait IndexReader: Send {
    /// The segments with the tasks of a job, or all.
    async fn segments(&mut self, of: Option<JobId>) -> Result<Vec<Segment>>;
    /// The segments of a partition that have tasks to remove which ended before the instant.
    async fn segments_before(
        &mut self,
        partition: Partition,
        before: Timestamp,
    ) -> Result<Vec<Segment>>;
    /// Of each segment the last block that begins at or before the entry, with the place of the
    /// segment in the slice. Segments without such a block are left out.
    async fn blocks(&mut self, of: &[(Segment, Entry)]) -> Result<Vec<(usize, Block)>>;
    /// The next blocks of a segment after the one that begins with this entry, at most `limit`.
    async fn blocks_after(
        &mut self,
        segment: &Segment,
        first: Entry,
        limit: u32,
    ) -> Result<Vec<Block>>;
    /// How the tasks ended that are in the history, with their jobs, in any order.
    async fn ends(&mut self, tasks: &[i64]) -> Result<Vec<(JobId, JobEnd)>>;
    /// Those of the tasks that are in the history, in any order.
    async fn found(&mut self, tasks: &[i64]) -> Result<Vec<Found>>;
}

/// The tasks under the key that match the filter, newest first, at most its limit.
pub(in crate::store) async fn list(
    reader: &mut impl IndexReader,
    key: Key,
    filter: &TaskFilter,
) -> Result<Vec<TaskId>> {
    let segments = reader.segments(filter.job).await?;
    search(reader, segments, key, filter).await
}

/// The same, in some segments.
pub(super) async fn search(
    reader: &mut impl IndexReader,
    mut segments: Vec<Segment>,
    key: Key,
    filter: &TaskFilter,
) -> Result<Vec<TaskId>> {
    let limit = filter.limit as usize;
    let mut listed = Vec::new();
    if limit == 0 {
        return Ok(listed);
    }
    let since = filter.since.map_or(i64::MIN, Timestamp::as_millisecond);
    segments.retain(|segment| segment.may_have(key) && segment.last_created >= since);
    segments.sort_unstable_by_key(|segment| Reverse(segment.last_task));
    let mut below = filter.below.map_or(i64::MAX, |task| task.0);
    let mut wanted = if limit == 1 { 1 } else { limit.max(TASKS) };
    loop {
        let tasks = newest(reader, &segments, key, below, wanted).await?;
        let Some(last) = tasks.last() else { break };
        below = *last;
        let mut found = reader.found(&tasks).await?;
        found.sort_unstable_by_key(|found| Reverse(found.task));
        listed.extend(found.iter().filter(|found| found.matches(filter)).map(|found| found.task));
        if listed.len() >= limit || tasks.len() < wanted {
            break;
        }
        wanted = (2 * wanted).clamp(TASKS, MOST_TASKS);
    }
    listed.truncate(limit);
    Ok(listed)
}

/// The newest tasks under the key with ids below `below`, newest first, at most `wanted`: fewer only
/// if there are no more. The segments are ordered by their newest task, newest first.
async fn newest(
    reader: &mut impl IndexReader,
    segments: &[Segment],
    key: Key,
    below: i64,
    wanted: usize,
) -> Result<Vec<i64>> {
    let mut found: Vec<i64> = Vec::new();
    let (mut rest, mut page) = (segments, PAGE);
    while let Some(next) = rest.first() {
        let is_enough = wanted.checked_sub(1).and_then(|at| found.get(at));
        if is_enough.is_some_and(|oldest| next.last_task < *oldest) {
            break;
        }
        let (these, later) = rest.split_at(page.min(rest.len()));
        (rest, page) = (later, (4 * page).min(LARGEST_PAGE));
        let upto = Entry { key, task: below.saturating_sub(1) };
        let these = these.iter().filter(|segment| segment.first_task < below);
        // With the number of tasks that were found in the segment so far.
        let mut open: Vec<_> = these.map(|segment| ((*segment, upto), 0)).collect();
        while !open.is_empty() {
            let at: Vec<_> = open.iter().map(|(at, _)| *at).collect();
            let mut before = Vec::new();
            for (place, block) in reader.blocks(&at).await? {
                let Some(((segment, _), count)) = open.get(place) else { continue };
                let tasks = found.len();
                let of_key = entries(&block.bytes)?.into_iter().filter(|entry| entry.key == key);
                found.extend(of_key.map(|entry| entry.task).filter(|task| *task < below));
                let count = count + found.len() - tasks;
                if block.first.key == key && count < wanted {
                    let upto = Entry { key, task: block.first.task.saturating_sub(1) };
                    before.push(((*segment, upto), count));
                }
            }
            keep_newest(&mut found, wanted);
            open = before;
        }
    }
    Ok(found)
}

fn keep_newest(tasks: &mut Vec<i64>, wanted: usize) {
    tasks.sort_unstable_by(|a, b| b.cmp(a));
    tasks.dedup();
    tasks.truncate(wanted);
}
