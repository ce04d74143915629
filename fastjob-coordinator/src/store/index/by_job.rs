//! Reads the statistics of all jobs within a range of time.
//!
//! The entries of a kind are sorted by job, so a segment is read from its first job to its last one.
//! That costs about as much as tasks ended in it: only the newest segments are read, up to a number of
//! tasks. The range begins where the first one that is left out ends.

use fastjob_core::JobId;

use super::{
    Block, Entry, JOB_HOURS, JOB_MINUTES, Key, Segment, block::read, find::IndexReader,
    merge::HOURS,
};
use crate::store::{
    Result,
    stats::{HOUR, JobSums, Stats},
};

/// The number of tasks whose statistics are read.
const TASKS: i64 = 3_000_000;
/// Segments whose blocks are read at once.
const SEGMENTS: usize = 64;
/// Blocks of each of them that are read at once, after the first one.
const BLOCKS: u32 = 16;
/// Milliseconds of a minute.
const MINUTE: i64 = 60_000;

/// The statistics of the jobs whose tasks ended in the range.
pub(in crate::store) async fn by_job(
    reader: &mut impl IndexReader,
    from: i64,
    until: i64,
) -> Result<JobSums> {
    by_job_of(reader, (from, until), TASKS).await
}

/// The same, of at most about so many tasks.
pub(super) async fn by_job_of(
    reader: &mut impl IndexReader,
    (from, until): (i64, i64),
    most: i64,
) -> Result<JobSums> {
    let begin = |segment: &Segment| segment.end_at.min(segment.first_created);
    let mut segments = reader.segments(None).await?;
    segments.retain(|segment| {
        segment.last_end >= from.saturating_mul(MINUTE)
            && begin(segment) < until.saturating_mul(MINUTE)
    });
    let from = from.max(complete_from(&mut segments, until - from, most));
    let mut sums = JobSums { from, ..JobSums::default() };
    // By hour only if the range is of whole hours.
    let by_hours = from % HOUR == 0 && until % HOUR == 0;
    let is_long = |segment: &mut Segment| {
        by_hours && segment.level > 0 && segment.last_end.saturating_sub(begin(segment)) >= HOURS
    };
    let long = segments.extract_if(.., is_long).collect();
    let without = add(reader, long, JOB_HOURS, until, &mut sums).await?;
    segments.extend(without);
    add(reader, segments, JOB_MINUTES, until, &mut sums).await?;
    sums.jobs.retain(|_, stats| *stats != Stats::default());
    Ok(sums)
}

/// Removes the oldest segments beyond the number of tasks. Returns the minute from which on the rest
/// is complete.
fn complete_from(segments: &mut Vec<Segment>, range: i64, most: i64) -> i64 {
    segments.sort_unstable_by_key(|segment| std::cmp::Reverse(segment.last_end));
    let mut sum = 0_i64;
    let fit = segments.iter().take_while(|segment| {
        sum = sum.saturating_add(segment.tasks);
        sum <= most
    });
    // At least one: it may be a large one.
    let fit = fit.count().max(1);
    let Some(left_out) = segments.get(fit) else { return i64::MIN };
    let minute = left_out.last_end.div_euclid(MINUTE) + 1;
    segments.truncate(fit);
    let unit = if range > 2 * HOUR { HOUR } else { 1 };
    minute + (-minute).rem_euclid(unit)
}

/// Adds the statistics of one kind. Returns the segments that have none of it.
async fn add(
    reader: &mut impl IndexReader,
    segments: Vec<Segment>,
    kind: u8,
    until: i64,
    sums: &mut JobSums,
) -> Result<Vec<Segment>> {
    let first = Entry { key: Key { kind, value: i64::MIN }, task: i64::MIN };
    let last = Entry { key: Key { kind, value: i64::MAX }, task: i64::MAX };
    let mut without = Vec::new();
    for segments in segments.chunks(SEGMENTS) {
        let at: Vec<_> = segments.iter().map(|segment| (*segment, first)).collect();
        let mut parts: Vec<_> = segments
            .iter()
            .map(|segment| Part { segment: *segment, at: first, count: 0 })
            .collect();
        // The block that begins before the kind may end with entries of it.
        for (place, block) in reader.blocks(&at).await? {
            if let Some(part) = parts.get_mut(place) {
                part.add(&block, kind, until, sums)?;
            }
        }
        let mut open: Vec<_> = parts.into_iter().collect();
        while !open.is_empty() {
            let at: Vec<_> = open.iter().map(|part| (part.segment, part.at)).collect();
            let mut has_more = vec![false; open.len()];
            for (place, block) in reader.blocks_after(&at, last, BLOCKS).await? {
                let Some(part) = open.get_mut(place) else { continue };
                has_more[place] = true;
                part.add(&block, kind, until, sums)?;
            }
            let mut has_more = has_more.into_iter();
            let (more, complete): (Vec<_>, Vec<_>) =
                open.into_iter().partition(|_| has_more.next().unwrap_or(false));
            without.extend(complete.iter().filter(|it| it.count == 0).map(|it| it.segment));
            open = more;
            // Other work of the runtime has a turn between the pages.
            tokio::task::yield_now().await;
        }
    }
    Ok(without)
}

/// What was read of a segment so far.
struct Part {
    segment: Segment,
    /// Where its last block begins.
    at: Entry,
    /// How many entries of the kind it has.
    count: usize,
}

impl Part {
    fn add(&mut self, block: &Block, kind: u8, until: i64, sums: &mut JobSums) -> Result<()> {
        self.at = block.first;
        let from = sums.from;
        read(&block.bytes, |entry, stats| {
            if !entry.key.has_stats() {
                return Ok(());
            }
            let is_of_kind = entry.key.kind == kind;
            self.count += usize::from(is_of_kind);
            let is_inside = is_of_kind && from <= entry.task && entry.task < until;
            let into = is_inside.then(|| sums.jobs.entry(JobId(entry.key.value)).or_default());
            Stats::read(stats, into)
        })
    }
}
