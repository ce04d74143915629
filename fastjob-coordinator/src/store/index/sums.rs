//! Adds up the statistics of segments that are merged.

use super::{ALL_HOURS, Block, Entry, block::Writer};
use crate::store::{
    binary::Read,
    stats::{HOUR, Stats},
};

/// Writes the entries of several segments, which have to come in their order, as those of one.
#[derive(Debug)]
pub(super) struct Sums {
    writer: Writer,
    minutes: Sum,
    /// `None` if the segment gets no statistics by hour.
    hours: Option<Hours>,
}

/// Statistics by hour, which follow all those by minute.
#[derive(Debug, Default)]
struct Hours {
    sum: Sum,
    complete: Vec<(Entry, Vec<u8>)>,
}

/// Statistics of one entry. Most come from one segment, and are copied.
#[derive(Debug, Default)]
struct Sum {
    entry: Option<Entry>,
    /// The binary form, unless it is of several.
    bytes: Vec<u8>,
    is_of_several: bool,
    stats: Stats,
}

impl Sum {
    /// Adds statistics of the same entry.
    fn add(&mut self, stats: &[u8]) -> Read<()> {
        if !self.is_of_several {
            self.stats.clear();
            Stats::read(&mut &self.bytes[..], Some(&mut self.stats))?;
            self.is_of_several = true;
        }
        Stats::read(&mut &stats[..], Some(&mut self.stats))
    }

    /// Begins with another entry.
    fn begin(&mut self, entry: Entry, stats: &[u8]) {
        self.entry = Some(entry);
        self.bytes.clear();
        self.bytes.extend_from_slice(stats);
        self.is_of_several = false;
    }

    /// The entry and the binary form of its statistics.
    fn take(&mut self) -> Option<(Entry, &[u8])> {
        let entry = self.entry.take()?;
        if self.is_of_several {
            self.bytes.clear();
            self.stats.write(&mut self.bytes);
        }
        Some((entry, &self.bytes))
    }
}

impl Sums {
    /// `has_hours` says whether the statistics by minute are also added up by hour.
    pub(super) fn new(has_hours: bool) -> Self {
        let hours = has_hours.then(Hours::default);
        Self { writer: Writer::default(), minutes: Sum::default(), hours }
    }

    /// Adds an entry, with its statistics if it has any.
    ///
    /// # Errors
    ///
    /// Fails if the statistics cannot be read. Those that [`visit`](super::block::visit) has passed
    /// can.
    pub(super) fn push(&mut self, entry: Entry, stats: &[u8]) -> Read<()> {
        if entry.key.has_hours() {
            // They are added up again.
            return Ok(());
        }
        if self.minutes.entry == Some(entry) {
            return self.minutes.add(stats);
        }
        self.end_entry()?;
        if entry.key.has_stats() {
            self.minutes.begin(entry, stats);
            return Ok(());
        }
        if entry.key.kind > ALL_HOURS {
            self.end_hours();
        }
        self.writer.push(entry);
        Ok(())
    }

    fn end_entry(&mut self) -> Read<()> {
        let Some((entry, stats)) = self.minutes.take() else { return Ok(()) };
        self.writer.push_stats(entry, stats);
        if let Some(hours) = self.hours.as_mut().filter(|_| entry.key.has_minutes()) {
            let task = entry.task - entry.task.rem_euclid(HOUR);
            hours.add(Entry { key: entry.key.hours(), task }, stats)?;
        }
        Ok(())
    }

    fn end_hours(&mut self) {
        for (entry, stats) in self.hours.take().map(Hours::finish).unwrap_or_default() {
            self.writer.push_stats(entry, &stats);
        }
    }

    /// The blocks of all entries.
    ///
    /// # Errors
    ///
    /// Fails if statistics cannot be read.
    pub(super) fn finish(mut self) -> Read<Vec<Block>> {
        self.end_entry()?;
        self.end_hours();
        Ok(self.writer.finish())
    }
}

impl Hours {
    fn add(&mut self, entry: Entry, stats: &[u8]) -> Read<()> {
        if self.sum.entry == Some(entry) {
            return self.sum.add(stats);
        }
        self.end();
        self.sum.begin(entry, stats);
        Ok(())
    }

    fn end(&mut self) {
        if let Some((entry, stats)) = self.sum.take() {
            self.complete.push((entry, stats.to_vec()));
        }
    }

    fn finish(mut self) -> Vec<(Entry, Vec<u8>)> {
        self.end();
        self.complete
    }
}
