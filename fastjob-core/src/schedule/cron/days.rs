//! The days of one month on which an expression fires, as bits.
//!
//! A month is processed as a whole: its days fit into one word, and a month without a match is
//! skipped in one step. All rules about days (`L`, `W`, `#`, either or both) are here.

/// Bits 1 to 31.
const EVERY_DAY: u32 = !1;
/// One bit per week, counted from the lowest.
const WEEKLY: u64 = 1 | 1 << 7 | 1 << 14 | 1 << 21 | 1 << 28;

/// The two day fields of an expression.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Days {
    /// Bit n is the nth day.
    pub(super) of_month: u32,
    /// Bit n is the nth day before the last: `L-n`.
    pub(super) from_last: u32,
    /// Bit n is the working day nearest to the nth day: `nW`.
    pub(super) near: u32,
    /// Bit n is the working day nearest to the nth before the last: `LW`, `L-nW`.
    pub(super) near_last: u32,
    /// Bits 0 to 6 are Sunday to Saturday.
    pub(super) of_week: u8,
    /// The last such weekday: `6L`.
    pub(super) last_of_week: u8,
    /// The nth such weekday, from the first: `6#1`.
    pub(super) nth_of_week: [u8; 5],
    /// Whether a day that matches one of the two fields is enough.
    pub(super) either: bool,
}

impl Days {
    /// The matching days of a month with `length` days, whose first day has the weekday `first` (0
    /// is Sunday). Bit n is the nth day.
    pub(super) fn of(&self, first: u8, length: u8) -> u32 {
        let all = EVERY_DAY & (u32::MAX >> (31 - length));
        let by_date = self.by_date(first, length);
        let by_weekday = self.by_weekday(first, length);
        all & if self.either { by_date | by_weekday } else { by_date & by_weekday }
    }

    fn by_date(&self, first: u8, length: u8) -> u32 {
        let mut days = self.of_month;
        for back in ones(self.from_last).filter(|back| *back < length) {
            days |= 1 << (length - back);
        }
        for day in ones(self.near).filter(|day| *day <= length) {
            days |= 1 << working_day(day, first, length);
        }
        for back in ones(self.near_last).filter(|back| *back < length) {
            days |= 1 << working_day(length - back, first, length);
        }
        days
    }

    fn by_weekday(&self, first: u8, length: u8) -> u32 {
        if self.of_week == 0b111_1111 {
            return EVERY_DAY;
        }
        let mut days = u64::from(week(self.of_week, first)) * WEEKLY;
        for (from, nth) in (0..).step_by(7).zip(self.nth_of_week) {
            days |= u64::from(week(nth, first)) << from;
        }
        let last_week = 0b111_1111 << (length - 7);
        days |= (u64::from(week(self.last_of_week, first)) * WEEKLY) & last_week;
        // Up to here, bit 0 was day 1.
        (days << 1) as u32
    }
}

/// The weekdays as the first seven days of a month that begins with the weekday `first`.
const fn week(weekdays: u8, first: u8) -> u8 {
    (weekdays >> first | weekdays << (7 - first)) & 0b111_1111
}

/// The weekday from Monday to Friday that is nearest to `day` in the same month.
const fn working_day(day: u8, first: u8, length: u8) -> u8 {
    match (first + day - 1) % 7 {
        6 if day == 1 => 3,
        6 => day - 1,
        0 if day == length => day - 2,
        0 => day + 1,
        _ => day,
    }
}

/// The positions of the set bits.
fn ones(mut bits: u32) -> impl Iterator<Item = u8> {
    std::iter::from_fn(move || {
        let at = (bits != 0).then(|| bits.trailing_zeros() as u8)?;
        bits &= bits - 1;
        Some(at)
    })
}
