//! Reads statistics from segments.

use std::collections::BTreeMap;

use super::{Block, Entry, Key, Segment, block::read, find::IndexReader, merge::HOURS};
use crate::store::{
    Result,
    stats::{Bucket, HOUR, StatFilter, Stats, Subject},
};

/// Segments whose blocks are read at once.
const SEGMENTS: usize = 256;
/// Blocks of each of them that are read at once, after the first one.
const BLOCKS: u32 = 16;

/// The statistics that match the filter, oldest first.
///
/// Whole hours are read from the entries by hour, where a segment has them. So a long range costs a
/// few blocks of each segment.
pub(in crate::store) async fn buckets(
    reader: &mut impl IndexReader,
    filter: &StatFilter,
) -> Result<Vec<Bucket>> {
    let job = match filter.subject {
        Subject::Job(job) => Some(job),
        Subject::Service(_) | Subject::All => None,
    };
    let mut segments = reader.segments(job).await?;
    let millis = |minute: i64| minute.saturating_mul(60_000);
    let (from, until) = (millis(filter.from), millis(filter.until));
    // Retention advances the first end, and the statistics before it stay. No task ends before it is
    // created.
    let begin = |segment: &Segment| segment.end_at.min(segment.first_created);
    segments.retain(|segment| segment.last_end >= from && begin(segment) < until);
    let minutes = Key::minutes(filter.subject);
    let mut sums = BTreeMap::new();
    if filter.bucket % HOUR == 0 {
        let is_long = |segment: &mut Segment| {
            segment.level > 0 && segment.last_end.saturating_sub(begin(segment)) >= HOURS
        };
        let long = segments.extract_if(.., is_long).collect();
        // What has no statistics by hour may have them by minute.
        segments.extend(add(reader, long, minutes.hours(), filter, &mut sums).await?);
    }
    add(reader, segments, minutes, filter, &mut sums).await?;
    let bucket = |(from, stats)| Bucket { from, stats };
    Ok(sums.into_iter().map(bucket).collect())
}

/// Adds the entries of a key. Returns the segments that have none in the range of the filter.
async fn add(
    reader: &mut impl IndexReader,
    segments: Vec<Segment>,
    key: Key,
    filter: &StatFilter,
    sums: &mut BTreeMap<i64, Stats>,
) -> Result<Vec<Segment>> {
    let first = Entry { key, task: filter.from };
    let last = Entry { key, task: filter.until.saturating_sub(1) };
    let mut without = Vec::new();
    for segments in segments.chunks(SEGMENTS) {
        let at: Vec<_> = segments.iter().map(|segment| (*segment, first)).collect();
        let mut parts = Vec::new();
        for (place, block) in reader.blocks(&at).await? {
            let Some(segment) = segments.get(place) else { continue };
            let mut part =
                Part { segment: *segment, at: block.first, count: 0, is_complete: false };
            part.add(&block, (first, last), filter.bucket, sums)?;
            parts.push(part);
        }
        loop {
            let (open, complete): (Vec<_>, _) = parts.into_iter().partition(|it| !it.is_complete);
            without.extend(complete.iter().filter(|it| it.count == 0).map(|it| it.segment));
            if open.is_empty() {
                break;
            }
            parts = open;
            let at: Vec<_> = parts.iter().map(|part| (part.segment, part.at)).collect();
            // Without another block they are complete.
            parts.iter_mut().for_each(|part| part.is_complete = true);
            for (place, block) in reader.blocks_after(&at, last, BLOCKS).await? {
                let Some(part) = parts.get_mut(place) else { continue };
                part.is_complete = false;
                part.add(&block, (first, last), filter.bucket, sums)?;
            }
        }
    }
    Ok(without)
}

/// What was read of a segment so far.
struct Part {
    segment: Segment,
    /// Where its last block begins.
    at: Entry,
    /// How many of its entries are in the range.
    count: usize,
    /// Whether it has no more of them.
    is_complete: bool,
}

impl Part {
    /// Adds the entries of its next block from the first to the last one.
    fn add(
        &mut self,
        block: &Block,
        (first, last): (Entry, Entry),
        bucket: i64,
        sums: &mut BTreeMap<i64, Stats>,
    ) -> Result<()> {
        self.at = block.first;
        read(&block.bytes, |entry, stats| {
            self.is_complete |= entry > last;
            if !entry.key.has_stats() {
                return Ok(());
            }
            let is_inside = first <= entry && entry <= last;
            self.count += usize::from(is_inside);
            let at = entry.task - entry.task.rem_euclid(bucket);
            Stats::read(stats, is_inside.then(|| sums.entry(at).or_default()))
        })
    }
}
