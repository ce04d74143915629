//! Instants as people write and read them, in the zone of the terminal or of `--tz`.

use jiff::{
    SignedDuration, Timestamp, ToSpan, Zoned,
    civil::{Date, DateTime, Time, Weekday},
    tz::TimeZone,
};

use super::error::Error;
use crate::clock::wall_now;

/// An instant as it was written: it depends on the zone and on the present.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Moment {
    /// With a zone or an offset.
    At(Timestamp),
    Now,
    /// So long ago, or so long from now.
    Away(SignedDuration),
    /// A time of the day; with a day, only that one.
    Local(Option<Day>, Time),
}

/// A day as it was written.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Day {
    Date(Date),
    /// So many days after today.
    Relative(i64),
    /// The last or the next one that is not today.
    Weekday(Weekday),
}

/// In which direction an instant without a date lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Side {
    Past,
    Future,
}

/// Reads `2026-12-01T08:00:00Z`, `2026-12-01`, `2026-12-01 08:00`, `08:00`, `24h`, `now`, `today`,
/// `yesterday`, `tomorrow`, `monday`, and a day with a time, such as `yesterday 18:00`.
pub(super) fn moment(text: &str) -> Result<Moment, String> {
    let given = text.trim();
    if given.eq_ignore_ascii_case("now") {
        return Ok(Moment::Now);
    }
    if let Ok(at) = fastjob_core::instant::parse(given) {
        return Ok(Moment::At(at));
    }
    if let Some(time) = time(given) {
        return Ok(Moment::Local(None, time));
    }
    if let Some(day) = day(given) {
        return Ok(Moment::Local(Some(day), Time::midnight()));
    }
    if let Some((date, clock)) = given.split_once([' ', 'T'])
        && let (Some(day), Some(time)) = (day(date), time(clock.trim()))
    {
        return Ok(Moment::Local(Some(day), time));
    }
    if let Ok(span) = fastjob_core::duration::parse(given)
        && let Ok(span) = SignedDuration::try_from(span)
    {
        return Ok(Moment::Away(span));
    }
    Err(format!(
        "`{}` is not an instant; write it like 2026-12-01T08:00:00Z, 2026-12-01, \"2026-12-01 08:00\", \
         08:00, 24h, now, today, yesterday, tomorrow, monday or \"yesterday 18:00\"",
        super::table::shortened(given, 64)
    ))
}

fn time(text: &str) -> Option<Time> {
    let has_form = |c: char| c.is_ascii_digit() || matches!(c, ':' | '.');
    (text.contains(':') && text.chars().all(has_form)).then(|| text.parse().ok())?
}

fn day(text: &str) -> Option<Day> {
    let day = match text.to_ascii_lowercase().as_str() {
        "today" => Day::Relative(0),
        "yesterday" => Day::Relative(-1),
        "tomorrow" => Day::Relative(1),
        "monday" | "mon" => Day::Weekday(Weekday::Monday),
        "tuesday" | "tue" => Day::Weekday(Weekday::Tuesday),
        "wednesday" | "wed" => Day::Weekday(Weekday::Wednesday),
        "thursday" | "thu" => Day::Weekday(Weekday::Thursday),
        "friday" | "fri" => Day::Weekday(Weekday::Friday),
        "saturday" | "sat" => Day::Weekday(Weekday::Saturday),
        "sunday" | "sun" => Day::Weekday(Weekday::Sunday),
        date if date.len() == "2026-12-01".len() => Day::Date(date.parse().ok()?),
        _ => return None,
    };
    Some(day)
}

/// Reads the name of a zone for `--tz`.
pub(super) fn zone(name: &str) -> Result<TimeZone, String> {
    if name.eq_ignore_ascii_case("utc") {
        return Ok(TimeZone::UTC);
    }
    TimeZone::get(name).map_err(|_| {
        format!("`{name}` is not a time zone; write it like UTC, Asia/Shanghai or Europe/Berlin")
    })
}

/// Whether it is UTC by any of its names, or not known.
fn is_utc(zone: &TimeZone) -> bool {
    let name = zone.iana_name().unwrap_or_default();
    *zone == TimeZone::UTC
        || zone.is_unknown()
        || matches!(name, "UTC" | "Etc/UTC" | "UCT" | "Etc/UCT" | "Zulu" | "Etc/Zulu")
}

/// The zone in which a command reads and shows instants, and its present.
#[derive(Clone, Debug)]
pub(super) struct Times {
    zone: TimeZone,
    now: Timestamp,
}

impl Times {
    pub(super) fn new(zone: TimeZone) -> Self {
        Self { zone, now: wall_now() }
    }

    /// The same at present, for a command that runs for long.
    pub(super) fn at_present(&self) -> Self {
        Self::new(self.zone.clone())
    }

    /// When the command began.
    pub(super) fn now(&self) -> Timestamp {
        self.now
    }

    /// An instant of which the last one is meant: `18:00` is the last one, `24h` a day ago.
    pub(super) fn past(&self, moment: &Moment) -> Result<Timestamp, Error> {
        self.resolve(moment, self.now, Side::Past)
    }

    /// The same, if there is one.
    pub(super) fn past_if(&self, moment: Option<&Moment>) -> Result<Option<Timestamp>, Error> {
        moment.map(|moment| self.past(moment)).transpose()
    }

    /// An instant of which the next one is meant: `18:00` is the next one, `24h` in a day.
    pub(super) fn future(&self, moment: &Moment) -> Result<Timestamp, Error> {
        self.future_of(moment, self.now)
    }

    /// The next one after `from`.
    pub(super) fn future_of(&self, moment: &Moment, from: Timestamp) -> Result<Timestamp, Error> {
        self.resolve(moment, from, Side::Future)
    }

    /// The same, if there is one.
    pub(super) fn future_if(&self, moment: Option<&Moment>) -> Result<Option<Timestamp>, Error> {
        moment.map(|moment| self.future(moment)).transpose()
    }

    fn resolve(&self, moment: &Moment, base: Timestamp, side: Side) -> Result<Timestamp, Error> {
        let at = match (moment, side) {
            (Moment::At(at), _) => Ok(*at),
            (Moment::Now, _) => Ok(self.now),
            (Moment::Away(span), Side::Past) => base.checked_sub(*span),
            (Moment::Away(span), Side::Future) => base.checked_add(*span),
            (Moment::Local(day, time), _) => self.local(*day, *time, base, side),
        };
        let at = at.and_then(|at| Timestamp::from_millisecond(at.as_millisecond()));
        at.map_err(|err| Error::Misuse(format!("an instant is out of range: {err}")))
    }

    fn local(
        &self,
        day: Option<Day>,
        time: Time,
        base: Timestamp,
        side: Side,
    ) -> Result<Timestamp, jiff::Error> {
        let here = |at: Timestamp| at.to_zoned(self.zone.clone());
        let at = |date: Date| {
            let zoned: Zoned = DateTime::from_parts(date, time).to_zoned(self.zone.clone())?;
            Ok::<_, jiff::Error>(zoned.timestamp())
        };
        match (day, side) {
            (Some(Day::Date(date)), _) => at(date),
            (Some(Day::Relative(days)), _) => at(here(self.now).date().checked_add(days.days())?),
            (Some(Day::Weekday(weekday)), _) => {
                let nth = if side == Side::Past { -1 } else { 1 };
                at(here(self.now).date().nth_weekday(nth, weekday)?)
            }
            (None, Side::Past) => {
                let date = here(base).date();
                match at(date)? {
                    at if at <= base => Ok(at),
                    _ => at(date.yesterday()?),
                }
            }
            (None, Side::Future) => {
                let date = here(base).date();
                match at(date)? {
                    at if at > base => Ok(at),
                    _ => at(date.tomorrow()?),
                }
            }
        }
    }

    /// An instant with seconds; empty for `None`.
    pub(super) fn seconds(&self, at: Option<Timestamp>) -> String {
        self.shown(at, "%Y-%m-%dT%H:%M:%S")
    }

    /// An instant with milliseconds; empty for `None`.
    pub(super) fn millis(&self, at: Option<Timestamp>) -> String {
        self.shown(at, "%Y-%m-%dT%H:%M:%S%.3f")
    }

    /// An instant, with its time in the zone of a job beside it if that shows another one.
    pub(super) fn seconds_and_in(&self, at: Option<Timestamp>, zone: Option<&str>) -> String {
        let shown = self.seconds(at);
        let zone = zone.and_then(|name| Some((name, self::zone(name).ok()?)));
        match (at, zone) {
            (Some(at), Some((name, zone))) => {
                let there = at.to_zoned(zone);
                match there.offset() == self.zone.to_offset(at) {
                    true => shown,
                    false => format!("{shown} ({} {name})", there.strftime("%a %H:%M:%S")),
                }
            }
            _ => shown,
        }
    }

    /// With the offset, so that what is shown can be used as an argument.
    fn shown(&self, at: Option<Timestamp>, format: &str) -> String {
        let Some(at) = at else { return String::new() };
        let zoned = at.to_zoned(self.zone.clone());
        let offset = if is_utc(&self.zone) { "Z" } else { "%:z" };
        zoned.strftime(&format!("{format}{offset}")).to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn times(zone: &str) -> Times {
        // A Monday, 02:41 in Berlin.
        let now = "2026-11-30T01:41:07Z".parse().unwrap();
        Times { now, ..Times::new(self::zone(zone).unwrap()) }
    }

    #[test]
    fn instants_are_read_as_people_write_them() {
        let berlin = times("Europe/Berlin");
        for (text, past, future) in [
            ("2026-11-24T08:00:00Z", "2026-11-24T08:00:00Z", "2026-11-24T08:00:00Z"),
            ("2026-11-24", "2026-11-23T23:00:00Z", "2026-11-23T23:00:00Z"),
            ("2026-11-24 08:00", "2026-11-24T07:00:00Z", "2026-11-24T07:00:00Z"),
            ("2026-11-24T08:00:30", "2026-11-24T07:00:30Z", "2026-11-24T07:00:30Z"),
            ("18:00", "2026-11-29T17:00:00Z", "2026-11-30T17:00:00Z"),
            ("02:30", "2026-11-30T01:30:00Z", "2026-12-01T01:30:00Z"),
            ("24h", "2026-11-29T01:41:07Z", "2026-12-01T01:41:07Z"),
            ("now", "2026-11-30T01:41:07Z", "2026-11-30T01:41:07Z"),
            ("today", "2026-11-29T23:00:00Z", "2026-11-29T23:00:00Z"),
            ("Yesterday", "2026-11-28T23:00:00Z", "2026-11-28T23:00:00Z"),
            ("tomorrow", "2026-11-30T23:00:00Z", "2026-11-30T23:00:00Z"),
            ("yesterday 18:00", "2026-11-29T17:00:00Z", "2026-11-29T17:00:00Z"),
            ("friday", "2026-11-26T23:00:00Z", "2026-12-03T23:00:00Z"),
            ("mon 06:00", "2026-11-23T05:00:00Z", "2026-12-07T05:00:00Z"),
        ] {
            let moment = moment(text).unwrap();
            assert_eq!(berlin.past(&moment).unwrap().to_string(), past, "{text}");
            assert_eq!(berlin.future(&moment).unwrap().to_string(), future, "{text}");
        }
        let tonight = berlin.future(&moment("18:00").unwrap()).unwrap();
        let morning = berlin.future_of(&moment("06:00").unwrap(), tonight).unwrap();
        assert_eq!(morning.to_string(), "2026-12-01T05:00:00Z");
        // A local time that the clock skips is an hour later.
        let gap = berlin.past(&moment("2027-03-28 02:30").unwrap()).unwrap();
        assert_eq!(gap.to_string(), "2027-03-28T01:30:00Z");
    }

    #[test]
    fn what_is_not_an_instant_is_rejected() {
        for text in ["", "soon", "25:00", "2026-13-01", "18", "yesterday noon", "-5m", "::"] {
            let err = moment(text).unwrap_err();
            assert!(err.contains("is not an instant; write it like"), "{err}");
        }
        let far = moment("2000000d")
            .and_then(|far| times("UTC").future(&far).map_err(|err| format!("{err:?}")));
        assert!(far.is_err(), "{far:?}");
        assert!(zone("Mars/Olympus").unwrap_err().contains("is not a time zone"));
    }

    #[test]
    fn instants_are_shown_with_their_offset() {
        let at: Timestamp = "2026-11-23T08:00:01.2345+08:00".parse().unwrap();
        let shown = |zone: &str| {
            let times = times(zone);
            (times.seconds(Some(at)), times.millis(Some(at)))
        };
        let of = |seconds: &str, millis: &str| (seconds.to_owned(), millis.to_owned());
        assert_eq!(shown("UTC"), of("2026-11-23T00:00:01Z", "2026-11-23T00:00:01.234Z"));
        let there = of("2026-11-23T08:00:01+08:00", "2026-11-23T08:00:01.234+08:00");
        assert_eq!(shown("Asia/Shanghai"), there);
        assert_eq!(shown("Etc/UTC"), shown("UTC"));
        assert_eq!(times("UTC").seconds(None), "");
    }

    #[test]
    fn the_zone_of_a_job_is_shown_beside_another_one() {
        let at = Some("2026-11-23T00:00:01Z".parse().unwrap());
        let beside = |zone: &str, job| times(zone).seconds_and_in(at, job);
        let both = "2026-11-23T00:00:01Z (Mon 08:00:01 Asia/Shanghai)";
        assert_eq!(beside("UTC", Some("Asia/Shanghai")), both);
        assert_eq!(beside("Asia/Shanghai", Some("Asia/Shanghai")), "2026-11-23T08:00:01+08:00");
        assert_eq!(beside("UTC", None), "2026-11-23T00:00:01Z");
    }
}
