//! Merges segments into larger ones.

use std::{cmp::Reverse, collections::BinaryHeap, ops::Range, vec};

use super::{
    END, Entry, NewSegment, Segment,
    block::{corrupt, visit},
    sums::Sums,
};
use crate::store::Error;

/// How many segments of a level are merged, at least.
const FAN: usize = 16;
/// Most segments that are merged at once.
const MOST: usize = 128;
/// Most tasks of a segment that was merged. More would make the transaction that writes it long.
const TASKS: i64 = 100_000;
/// The longest time between two ends in a segment of many tasks, in milliseconds: it is removed when
/// the last of its tasks is.
const SPAN: i64 = 24 * 60 * 60 * 1_000;
/// A segment of fewer tasks may have a longer span: it is small, and many of them would be slow.
const FEW: i64 = 5_000;
/// The shortest time between two ends in a segment that has statistics by hour, in milliseconds: in a
/// shorter time a subject has few minutes.
pub(super) const HOURS: i64 = 60 * 60 * 1_000;
/// The level of segments that are not merged any more.
pub(in crate::store) const MERGED: i16 = 8;

/// Segments to merge, and the level of the result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::store) struct Merge {
    /// The oldest one.
    first: Segment,
    /// All of them, oldest first.
    pub(in crate::store) sources: Vec<Segment>,
    pub(in crate::store) level: i16,
}

impl Merge {
    fn rest(&self) -> impl Iterator<Item = &Segment> {
        self.sources.iter().skip(1)
    }
}

/// A segment with a block that cannot be read.
#[derive(Debug)]
pub(in crate::store) struct Unreadable {
    pub(in crate::store) segment: Segment,
    pub(in crate::store) why: Error,
}

/// Which segments of a partition to merge next. `segments` are those below the level [`MERGED`].
pub(in crate::store) fn choose(segments: &[Segment]) -> Option<Merge> {
    (0..MERGED).find_map(|level| {
        let mut same: Vec<_> =
            segments.iter().filter(|segment| segment.level == level).copied().collect();
        let tasks: i64 = same.iter().map(|segment| segment.tasks).sum();
        if same.len() < FAN && (same.len() < 2 || tasks < TASKS) {
            return None;
        }
        same.sort_unstable_by_key(|segment| segment.number);
        let mut sources: Vec<Segment> = Vec::new();
        let (mut tasks, mut is_full) = (0, false);
        for segment in same.into_iter().take(MOST) {
            let first_end =
                sources.iter().map(|source| source.end_at).fold(segment.end_at, i64::min);
            let last_end =
                sources.iter().map(|source| source.last_end).fold(segment.last_end, i64::max);
            let sum = tasks + segment.tasks;
            is_full = sum > TASKS || (sum > FEW && last_end.saturating_sub(first_end) > SPAN);
            if is_full && !sources.is_empty() {
                break;
            }
            tasks += segment.tasks;
            sources.push(segment);
        }
        let level = if is_full || 2 * tasks >= TASKS { MERGED } else { level + 1 };
        let first = *sources.first()?;
        Some(Merge { first, sources, level })
    })
}

/// Merges segments. `blocks` are the blocks of each source in their order.
///
/// # Errors
///
/// Fails with the source that cannot be read, and why.
pub(in crate::store) fn merge(
    merge: &Merge,
    blocks: Vec<Vec<Vec<u8>>>,
) -> std::result::Result<NewSegment, Box<Unreadable>> {
    let mut sources: Vec<_> = merge
        .sources
        .iter()
        .zip(blocks)
        .map(|(segment, blocks)| Source {
            blocks: blocks.into_iter(),
            block: Vec::new(),
            entries: Vec::new().into_iter(),
            stats: 0..0,
            segment: *segment,
        })
        .collect();
    let mut heap = BinaryHeap::with_capacity(sources.len());
    for (place, source) in sources.iter_mut().enumerate() {
        heap.extend(source.next()?.map(|entry| Reverse((entry, place))));
    }
    let first_end = merge.sources.iter().map(|source| source.end_at).min();
    let last_end = merge.sources.iter().map(|source| source.last_end).max();
    let span = last_end.zip(first_end).map_or(0, |(last, first)| last.saturating_sub(first));
    let mut sums = Sums::new(span >= HOURS);
    while let Some(Reverse((entry, place))) = heap.pop() {
        let Some(source) = sources.get_mut(place) else { continue };
        sums.push(entry, source.stats()).map_err(|why| unreadable(source.segment, why))?;
        heap.extend(source.next()?.map(|entry| Reverse((entry, place))));
    }
    let segment = merge.rest().fold(merge.first, |a, b| Segment {
        number: a.number.max(b.number),
        tasks: a.tasks + b.tasks,
        not_succeeded: a.not_succeeded + b.not_succeeded,
        first_task: a.first_task.min(b.first_task),
        last_task: a.last_task.max(b.last_task),
        first_created: a.first_created.min(b.first_created),
        last_created: a.last_created.max(b.last_created),
        end_at: a.end_at.min(b.end_at),
        end_task: i64::MIN,
        last_end: a.last_end.max(b.last_end),
        ..a
    });
    let segment = Segment { level: merge.level, ..segment };
    let blocks = sums.finish().map_err(|why| unreadable(merge.first, why))?;
    Ok(NewSegment { segment, blocks })
}

impl NewSegment {
    /// Adds the statistics by hour that a merge adds, if it spans hours.
    pub(super) fn with_hours(self) -> Self {
        let segment = self.segment;
        if segment.last_end.saturating_sub(segment.end_at) < HOURS {
            return self;
        }
        let alone = Merge { first: segment, sources: vec![segment], level: segment.level };
        let blocks = self.blocks.iter().map(|block| block.bytes.clone()).collect();
        // Its own blocks can be read.
        merge(&alone, vec![blocks]).unwrap_or(self)
    }
}

fn unreadable(segment: Segment, why: String) -> Box<Unreadable> {
    Box::new(Unreadable { segment, why: corrupt(why) })
}

/// The entries of a segment.
struct Source {
    blocks: vec::IntoIter<Vec<u8>>,
    block: Vec<u8>,
    /// Those of the block, with their statistics.
    entries: vec::IntoIter<(Entry, Range<usize>)>,
    /// Where the statistics of the last entry are in the block.
    stats: Range<usize>,
    segment: Segment,
}

impl Source {
    /// The next entry, without the ends that retention has removed.
    fn next(&mut self) -> std::result::Result<Option<Entry>, Box<Unreadable>> {
        let segment = self.segment;
        loop {
            for (entry, stats) in self.entries.by_ref() {
                let end = (entry.key.value, entry.task);
                if entry.key.kind != END || end >= (segment.end_at, segment.end_task) {
                    self.stats = stats;
                    return Ok(Some(entry));
                }
            }
            let Some(block) = self.blocks.next() else { return Ok(None) };
            let mut read = Vec::with_capacity(block.len() / 2);
            visit(&block, |entry, stats| read.push((entry, stats)))
                .map_err(|why| Box::new(Unreadable { segment, why }))?;
            (self.block, self.entries) = (block, read.into_iter());
        }
    }

    /// The statistics of the last entry; empty if it has none.
    fn stats(&self) -> &[u8] {
        self.block.get(self.stats.clone()).unwrap_or_default()
    }
}
