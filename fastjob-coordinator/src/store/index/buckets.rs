//! Reads statistics from segments.

use std::collections::BTreeMap;

use super::{Entry, Key, MERGED, Segment, block::corrupt, block::visit, find::IndexReader};
use crate::store::{
    Result,
    stats::{Bucket, HOUR, StatFilter, Stats, Subject},
};

/// Segments whose blocks are read at once.
const SEGMENTS: usize = 256;
/// Blocks of a segment that are read at once, after the first two.
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
        let merged = segments.extract_if(.., |segment| segment.level >= MERGED).collect();
        // What has no statistics by hour may have them by minute.
        segments.extend(add(reader, merged, minutes.hours(), filter, &mut sums).await?);
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
    let mut without = Vec::new();
    for segments in segments.chunks(SEGMENTS) {
        let at: Vec<_> = segments.iter().map(|segment| (*segment, first)).collect();
        for (place, block) in reader.blocks(&at).await? {
            let Some(segment) = segments.get(place) else { continue };
            let mut found = Found { key, filter, sums: &mut *sums, count: 0, is_complete: false };
            found.add(&block.bytes)?;
            let (mut last, mut limit) = (block.first, 1);
            while !found.is_complete {
                let blocks = reader.blocks_after(segment, last, limit).await?;
                limit = BLOCKS;
                let Some(block) = blocks.last() else { break };
                last = block.first;
                for block in &blocks {
                    found.add(&block.bytes)?;
                }
            }
            if found.count == 0 {
                without.push(*segment);
            }
        }
    }
    Ok(without)
}

/// What was found in a segment so far.
struct Found<'f> {
    key: Key,
    filter: &'f StatFilter,
    sums: &'f mut BTreeMap<i64, Stats>,
    count: usize,
    /// Whether an entry behind the range was found.
    is_complete: bool,
}

impl Found<'_> {
    fn add(&mut self, bytes: &[u8]) -> Result<()> {
        let StatFilter { from, until, bucket, .. } = *self.filter;
        let (first, behind) = (self.entry(from), self.entry(until));
        let mut read = Ok(());
        visit(bytes, |entry, stats| {
            self.is_complete |= entry >= behind;
            if entry < first || entry >= behind {
                return;
            }
            self.count += 1;
            let at = entry.task - entry.task.rem_euclid(bucket);
            let mut stats = bytes.get(stats).unwrap_or_default();
            let added = Stats::read(&mut stats, Some(self.sums.entry(at).or_default()));
            read = std::mem::replace(&mut read, Ok(())).and(added);
        })?;
        read.map_err(corrupt)
    }

    const fn entry(&self, minute: i64) -> Entry {
        Entry { key: self.key, task: minute }
    }
}
