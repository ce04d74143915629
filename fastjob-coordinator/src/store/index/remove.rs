//! Which tasks of the history are to be removed, by their ends.

use jiff::Timestamp;

use super::{END, Entry, Key, Segment, Unreadable, block::entries, find::IndexReader, unreadable};
use crate::store::{Error, Partition, Result};

/// Blocks that are read at once.
const BLOCKS: u32 = 16;
/// Most segments at once.
const SEGMENTS: usize = 500;

/// The tasks of a segment that ended long ago.
#[derive(Clone, Debug)]
pub(in crate::store) struct Due {
    segment: Segment,
    /// Ends and tasks, in that order.
    tasks: Vec<(i64, i64)>,
    /// The next end and task that the segment has; `None` if it has no more.
    next: Option<(i64, i64)>,
}

/// What a transaction changes in the index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::store) enum Removal {
    /// The segment is removed with its blocks.
    Whole(Segment),
    /// Its first end and task that remain.
    Upto(Segment, i64, i64),
}

/// The tasks of a partition that ended before the instant and that are in the index, at most `limit`:
/// segment by segment, and the earliest end first in each. Some of them may be removed already.
pub(in crate::store) async fn due(
    reader: &mut impl IndexReader,
    partition: Partition,
    before: Timestamp,
    limit: usize,
) -> Result<Vec<Due>> {
    let mut segments = reader.segments_before(partition, before).await?;
    segments.sort_unstable_by_key(|segment| (segment.end_at, segment.number));
    let mut all = Vec::new();
    let mut wanted = limit;
    for segment in segments.into_iter().take(SEGMENTS) {
        if wanted == 0 {
            break;
        }
        let due = match of_segment(reader, segment, before, wanted).await {
            // The tasks of others are still removed.
            Err(why @ Error::Corrupt { .. }) => {
                unreadable(&Unreadable { segment, why });
                continue;
            }
            due => due?,
        };
        wanted = wanted.saturating_sub(due.tasks.len());
        all.push(due);
    }
    Ok(all)
}

async fn of_segment(
    reader: &mut impl IndexReader,
    segment: Segment,
    before: Timestamp,
    limit: usize,
) -> Result<Due> {
    let from = (segment.end_at, segment.end_task);
    let before = before.as_millisecond();
    let mut due = Due { segment, tasks: Vec::new(), next: None };
    let at = Entry { key: Key { kind: END, value: from.0 }, task: from.1 };
    let mut blocks: Vec<_> =
        reader.blocks(&[(segment, at)]).await?.into_iter().map(|(_, block)| block).collect();
    if blocks.is_empty() {
        // Its first entry is of a job, which is before all ends.
        let Segment { level, number, .. } = segment;
        return Err(Error::Corrupt {
            what: format!("the segment {number} of level {level}, which has no blocks"),
        });
    }
    let end = Entry { key: Key { kind: END, value: i64::MAX }, task: i64::MAX };
    while let Some(last) = blocks.last().map(|block| block.first) {
        for block in &blocks {
            for entry in entries(&block.bytes)?.into_iter().filter(|entry| entry.key.kind == END) {
                let end = (entry.key.value, entry.task);
                if end < from {
                    continue;
                }
                if end.0 >= before || due.tasks.len() >= limit {
                    due.next = Some(end);
                    return Ok(due);
                }
                due.tasks.push(end);
            }
        }
        let after = reader.blocks_after(&[(segment, last)], end, BLOCKS).await?;
        blocks = after.into_iter().map(|(_, block)| block).collect();
    }
    Ok(due)
}

impl Due {
    /// The tasks of all, in their order.
    pub(in crate::store) fn tasks(all: &[Self]) -> Vec<i64> {
        all.iter().flat_map(|due| &due.tasks).map(|(_, task)| *task).collect()
    }

    /// What changes in the index when the first `count` tasks are removed.
    pub(in crate::store) fn removed(all: &[Self], count: usize) -> Vec<Removal> {
        let mut rest = count;
        let mut removals = Vec::new();
        for due in all {
            let removed = rest.min(due.tasks.len());
            rest -= removed;
            match due.tasks.get(removed).copied().or(due.next) {
                None => removals.push(Removal::Whole(due.segment)),
                Some((end, task)) if (end, task) != (due.segment.end_at, due.segment.end_task) => {
                    removals.push(Removal::Upto(due.segment, end, task));
                }
                Some(_) => {}
            }
        }
        // In one order, so that two transactions do not wait for each other.
        removals.sort_unstable_by_key(|removal| {
            let (Removal::Whole(segment) | Removal::Upto(segment, ..)) = removal;
            (segment.level, segment.number)
        });
        removals
    }
}
