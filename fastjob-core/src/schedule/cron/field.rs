//! Parses one field of an expression: its values, and the symbols that only some fields have.
//!
//! A field is a list of items: `*`, a value or a range, with an optional step, or one of Quartz's
//! symbols. An invalid character is rejected at its position.

use std::ops::Range;

use super::error::{Fault, Problem};

/// The description of a field.
#[derive(Debug)]
pub(super) struct Unit {
    pub(super) name: &'static str,
    pub(super) allowed: &'static str,
    /// The smallest and largest number that may be written.
    pub(super) min: u16,
    pub(super) max: u16,
    /// The number of distinct values, starting with the smallest. In Unix cron, Sunday has two
    /// numbers.
    pub(super) size: u16,
    /// The value of bit 0.
    pub(super) origin: u16,
    /// Names of the values, starting with the smallest.
    pub(super) names: &'static [&'static str],
    pub(super) kind: Kind,
    pub(super) quartz: bool,
}

/// The symbols that a field accepts in addition to the common ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Plain,
    DayOfMonth,
    DayOfWeek,
    Year,
}

/// A parsed field. The bits are those of [`super::days::Days`].
#[derive(Debug, Default)]
pub(super) struct Values {
    pub(super) bits: [u64; 4],
    pub(super) from_last: u32,
    pub(super) near: u32,
    pub(super) near_last: u32,
    pub(super) last_of_week: u8,
    pub(super) nth_of_week: [u8; 5],
    /// Whether the field is `?`.
    pub(super) question: bool,
    /// Whether the field is exactly `?` or `*`.
    pub(super) unrestricted: bool,
    /// Whether the field starts with `*`.
    pub(super) star: bool,
    /// Whether the field has a `*` or a step.
    pub(super) stepped: bool,
}

/// Parses the field at `at` in `text`.
pub(super) fn read(text: &str, at: Range<usize>, unit: &'static Unit) -> Result<Values, Fault> {
    let field = &text[at.clone()];
    let mut reader = Reader { text, at: at.start, end: at.end, unit, values: Values::default() };
    reader.values.star = field.starts_with('*');
    if field == "?" && unit.quartz && unit.kind.is_day() {
        reader.values.question = true;
        reader.all(1);
    } else {
        reader.item()?;
        while reader.take(b',') {
            reader.item()?;
        }
        if reader.at < reader.end {
            return Err(reader.stray());
        }
    }
    reader.values.unrestricted = matches!(field, "?" | "*");
    Ok(reader.values)
}

impl Kind {
    const fn is_day(self) -> bool {
        matches!(self, Self::DayOfMonth | Self::DayOfWeek)
    }
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
    end: usize,
    unit: &'static Unit,
    values: Values,
}

impl<'a> Reader<'a> {
    fn item(&mut self) -> Result<(), Fault> {
        match self.peek() {
            Some(b'*') => {
                self.at += 1;
                self.values.stepped = true;
                let step = self.step()?.unwrap_or(1);
                self.all(step);
                Ok(())
            }
            // Quartz accepts `/5` for `*/5`.
            Some(b'/') if self.unit.quartz => {
                let step = self.step()?.unwrap_or(1);
                self.all(step);
                Ok(())
            }
            Some(byte) if byte.is_ascii_alphabetic() && self.unit.quartz => {
                if self.last()? {
                    Ok(())
                } else {
                    self.range()
                }
            }
            _ => self.range(),
        }
    }

    /// Parses a value, and a range or step that may follow.
    fn range(&mut self) -> Result<(), Fault> {
        let start = self.at;
        let from = self.value()?;
        let to = if self.take(b'-') { Some(self.value()?) } else { None };
        let written = start..self.at;
        if let Some(step) = self.step()? {
            let last = self.unit.min + self.unit.size - 1;
            return self.span(from, to.unwrap_or(last), step, written);
        }
        if let Some(to) = to {
            return self.span(from, to, 1, written);
        }
        if self.unit.quartz && self.mark(from)? {
            return Ok(());
        }
        self.add(from);
        Ok(())
    }

    /// Parses a Quartz symbol after a value: `15W`, `6L`, `6#3`.
    fn mark(&mut self, value: u16) -> Result<bool, Fault> {
        match (self.unit.kind, self.peek().map(|byte| byte.to_ascii_uppercase())) {
            (Kind::DayOfMonth, Some(b'W')) => {
                self.at += 1;
                self.values.near |= 1 << value;
            }
            (Kind::DayOfWeek, Some(b'L')) => {
                self.at += 1;
                self.values.last_of_week |= 1 << (value - self.unit.origin);
            }
            (Kind::DayOfWeek, Some(b'#')) => {
                let sign = self.at;
                self.at += 1;
                let digits = self.digits().ok_or_else(|| self.missing())?;
                let nth = match digits.parse::<usize>() {
                    Ok(nth) if (1..=5).contains(&nth) => nth,
                    _ => return Err(Fault::new(sign..self.at, Problem::Nth(digits.into()))),
                };
                self.values.nth_of_week[nth - 1] |= 1 << (value - self.unit.origin);
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// Parses `L` and what may follow it; returns false if there is no `L`.
    fn last(&mut self) -> Result<bool, Fault> {
        let (start, word) = (self.at, self.word().unwrap_or_default().to_ascii_uppercase());
        match (self.unit.kind, word.as_str()) {
            // The last day of the week is Saturday.
            (Kind::DayOfWeek, "L") => self.add(self.unit.max),
            (Kind::DayOfMonth, "LW") => self.values.near_last |= 1,
            (Kind::DayOfMonth, "L") if self.take(b'-') => {
                let digits = self.digits().ok_or_else(|| self.missing())?;
                let back = match digits.parse::<u32>() {
                    Ok(back) if back <= 30 => back,
                    _ => {
                        return Err(Fault::new(start..self.at, Problem::BeforeLast(digits.into())));
                    }
                };
                if self.take(b'W') || self.take(b'w') {
                    self.values.near_last |= 1 << back;
                } else {
                    self.values.from_last |= 1 << back;
                }
            }
            (Kind::DayOfMonth, "L") => self.values.from_last |= 1,
            _ => {
                self.at = start;
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Parses a number or a name.
    fn value(&mut self) -> Result<u16, Fault> {
        let (start, unit) = (self.at, self.unit);
        if let Some(digits) = self.digits() {
            return match digits.parse::<u16>() {
                Ok(value) if (unit.min..=unit.max).contains(&value) => Ok(value),
                _ => {
                    let (value, min, max) = (digits.into(), unit.min, unit.max);
                    let problem = Problem::OutOfRange { unit: unit.name, value, min, max };
                    Err(Fault::new(start..self.at, problem))
                }
            };
        }
        let Some(word) = self.word() else {
            return Err(match self.peek() {
                None | Some(b',' | b'-' | b'/') => self.missing(),
                Some(_) => self.stray(),
            });
        };
        let named =
            |name: &str| unit.names.iter().position(|known| known.eq_ignore_ascii_case(name));
        if let Some(index) = named(word) {
            return Ok(unit.min + index as u16);
        }
        // `FRIL`: leave the `L` for the caller.
        if let Some(name) = word.strip_suffix(['L', 'l'])
            && unit.kind == Kind::DayOfWeek
            && let Some(index) = named(name)
        {
            self.at -= 1;
            return Ok(unit.min + index as u16);
        }
        if matches!(word, "L" | "l" | "W" | "w" | "LW" | "lw") {
            self.at = start;
            return Err(self.stray());
        }
        let word = word.into();
        let problem = Problem::NotAValue { unit: unit.name, word, allowed: unit.allowed };
        Err(Fault::new(start..self.at, problem))
    }

    /// Parses `/5`, if present.
    fn step(&mut self) -> Result<Option<u16>, Fault> {
        if !self.take(b'/') {
            return Ok(None);
        }
        self.values.stepped = true;
        let (start, unit) = (self.at, self.unit);
        let Some(digits) = self.digits() else {
            return Err(match self.peek() {
                None | Some(b',') => self.missing(),
                Some(_) => self.stray(),
            });
        };
        let max = if unit.kind == Kind::Year { unit.size } else { unit.max };
        match digits.parse::<u16>() {
            Ok(step) if (1..=max).contains(&step) => Ok(Some(step)),
            _ => {
                let problem = Problem::Step { unit: unit.name, value: digits.into(), max };
                Err(Fault::new(start..self.at, problem))
            }
        }
    }

    fn all(&mut self, step: u16) {
        for index in (0..self.unit.size).step_by(step.into()) {
            self.add(self.unit.min + index);
        }
    }

    /// Adds every `step`th value of a range, which may wrap around.
    fn span(&mut self, from: u16, to: u16, step: u16, at: Range<usize>) -> Result<(), Fault> {
        if from > to && self.unit.kind == Kind::Year {
            return Err(Fault::new(at, Problem::Backwards { from, to }));
        }
        let length =
            if from <= to { to - from } else { (to + self.unit.size - from) % self.unit.size };
        for index in (0..=length).step_by(step.into()) {
            self.add(from + index);
        }
        Ok(())
    }

    /// Adds a value; values beyond the largest wrap around to the smallest.
    const fn add(&mut self, value: u16) {
        let bit = (self.unit.min - self.unit.origin) + (value - self.unit.min) % self.unit.size;
        self.values.bits[bit as usize / 64] |= 1 << (bit % 64);
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes()[self.at..self.end].first().copied()
    }

    fn take(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        self.at += usize::from(found);
        found
    }

    fn digits(&mut self) -> Option<&'a str> {
        self.run(|byte| byte.is_ascii_digit())
    }

    fn word(&mut self) -> Option<&'a str> {
        self.run(|byte| byte.is_ascii_alphabetic())
    }

    fn run(&mut self, fits: fn(&u8) -> bool) -> Option<&'a str> {
        let start = self.at;
        self.at += self.text.as_bytes()[start..self.end].iter().take_while(|b| fits(b)).count();
        let text = self.text;
        (self.at > start).then(|| &text[start..self.at])
    }

    fn missing(&self) -> Fault {
        let problem = Problem::Missing { unit: self.unit.name, allowed: self.unit.allowed };
        Fault::new(self.at..self.at, problem)
    }

    /// Rejects the next character.
    fn stray(&self) -> Fault {
        let Some(sign) = self.text[self.at..self.end].chars().next() else { return self.missing() };
        let at = self.at..self.at + sign.len_utf8();
        let (unit, kind) = (self.unit.name, self.unit.kind);
        let only = match sign.to_ascii_uppercase() {
            '?' | 'L' if !kind.is_day() => Some("day of month and the day of week"),
            'W' if kind != Kind::DayOfMonth => Some("day of month"),
            '#' if kind != Kind::DayOfWeek => Some("day of week"),
            _ => None,
        };
        let problem = match (sign, only) {
            ('?' | 'L' | 'l' | 'W' | 'w' | '#', _) if !self.unit.quartz => {
                Problem::OnlyQuartz(sign)
            }
            (_, Some(only)) => Problem::NotHere { sign, unit, only },
            ('?', None) => Problem::NotAlone,
            (_, None) => Problem::Unexpected { sign, unit, allowed: self.unit.allowed },
        };
        Fault::new(at, problem)
    }
}
