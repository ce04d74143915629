//! The segment of a transaction: the entries of the tasks that it ends.

use super::{
    ALL_MINUTES, Block, END, Ended, Entry, FAILURES, JOB, JOB_MINUTES, Key, SERVICE,
    SERVICE_FAILURES, SERVICE_MINUTES, STATE, Segment, block::Writer, is_indexed,
};
use crate::store::{Partition, codes::task_state_code, stats::Stats};

/// Milliseconds of a minute.
const MINUTE: i64 = 60_000;

/// A segment to write, with its blocks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::store) struct NewSegment {
    pub(in crate::store) segment: Segment,
    pub(in crate::store) blocks: Vec<Block>,
}

impl NewSegment {
    /// The segment for the tasks that a transaction ends; `None` if there are none.
    pub(in crate::store) fn new(
        partition: Partition,
        number: i64,
        ended: &[Ended],
    ) -> Option<Self> {
        let millis = |end: &Ended| end.ended_at.as_millisecond();
        let created = || ended.iter().map(|end| end.created_at.as_millisecond());
        let ends = || ended.iter().map(millis);
        let ids = || ended.iter().map(|end| end.task.0);
        let segment = Segment {
            partition,
            level: 0,
            number,
            tasks: count(ended.len()),
            not_succeeded: count(ended.iter().filter(|end| is_indexed(end.state)).count()),
            first_task: ids().min()?,
            last_task: ids().max()?,
            first_created: created().min()?,
            last_created: created().max()?,
            end_at: ends().min()?,
            end_task: i64::MIN,
            last_end: ends().max()?,
        };
        Some(Self { segment, blocks: blocks(ended) })
    }
}

fn count(number: usize) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// The entries of all keys, in their order. Entries of the same tasks have nearly the same order, so
/// they are sorted again from the last one.
fn blocks(ended: &[Ended]) -> Vec<Block> {
    let mut writer = Writer::default();
    let mut stats = Statistics::default();
    let mut by_job = Order::of(ended, |end| Some((end.job.0, end.task.0)));
    let mut by_service = Order::of(ended, |end| Some((end.service?.0, end.task.0)));
    let by_state = Order::of(ended, |end| {
        is_indexed(end.state).then(|| (task_state_code(end.state), end.task.0))
    });
    let by_end = Order::of(ended, |end| Some((end.ended_at.as_millisecond(), end.task.0)));
    by_job.write(&mut writer, JOB, |_| true);
    by_state.write(&mut writer, STATE, |_| true);
    by_job.write(&mut writer, FAILURES, |end| is_indexed(end.state));
    by_service.write(&mut writer, SERVICE, |_| true);
    by_service.write(&mut writer, SERVICE_FAILURES, |end| is_indexed(end.state));
    by_job.sort_by_minute();
    stats.write(&mut writer, JOB_MINUTES, &by_job, |numbers| numbers);
    by_service.sort_by_minute();
    stats.write(&mut writer, SERVICE_MINUTES, &by_service, |numbers| numbers);
    // They are in the order of their minutes already.
    stats.write(&mut writer, ALL_MINUTES, &by_end, |(end, _)| (0, end.div_euclid(MINUTE)));
    by_end.write(&mut writer, END, |_| true);
    writer.finish()
}

/// Tasks in the order of two numbers: the value of a key, and what is next in an [`Entry`].
struct Order<'e>(Vec<((i64, i64), &'e Ended)>);

impl<'e> Order<'e> {
    /// The tasks that have these numbers.
    fn of(ended: &'e [Ended], numbers: impl Fn(&Ended) -> Option<(i64, i64)>) -> Self {
        let mut order: Vec<_> = ended.iter().filter_map(|end| Some((numbers(end)?, end))).collect();
        order.sort_unstable_by_key(|(numbers, _)| *numbers);
        Self(order)
    }

    /// Orders them by the minutes of their ends instead of by the second number.
    fn sort_by_minute(&mut self) {
        for ((_, second), end) in &mut self.0 {
            *second = end.ended_at.as_millisecond().div_euclid(MINUTE);
        }
        self.0.sort_unstable_by_key(|(numbers, _)| *numbers);
    }

    fn write(&self, writer: &mut Writer, kind: u8, which: impl Fn(&Ended) -> bool) {
        for ((value, task), end) in &self.0 {
            if which(end) {
                writer.push(Entry { key: Key { kind, value: *value }, task: *task });
            }
        }
    }
}

/// Adds up the tasks of each subject and minute.
#[derive(Default)]
struct Statistics {
    sum: Stats,
    bytes: Vec<u8>,
}

impl Statistics {
    /// `subject` is the value and the minute of a task by its numbers.
    fn write(
        &mut self,
        writer: &mut Writer,
        kind: u8,
        order: &Order<'_>,
        subject: impl Fn((i64, i64)) -> (i64, i64),
    ) {
        for same in order.0.chunk_by(|a, b| subject(a.0) == subject(b.0)) {
            let Some((numbers, _)) = same.first() else { continue };
            let (value, minute) = subject(*numbers);
            self.bytes.clear();
            if let [(_, end)] = same {
                Stats::write_single(end.state, end.times, &mut self.bytes);
            } else {
                self.sum.clear();
                for (_, end) in same {
                    self.sum.add(end.state, end.times);
                }
                self.sum.write(&mut self.bytes);
            }
            let entry = Entry { key: Key { kind, value }, task: minute };
            writer.push_stats(entry, &self.bytes);
        }
    }
}
