//! Statistics of tasks that ended.
//!
//! Buckets begin at multiples of their length since the Unix epoch, so the same bucket has the same
//! instant in every answer.

use std::time::Duration;

use fastjob_core::{ServiceName, TaskState, duration, instant};
use jiff::Timestamp;

use super::{DurationStats, Error, Ops, StatsBucket, StatsView, TaskStats};
use crate::{
    clock::wall_now,
    store::{Bucket, Measure, StatFilter, Stats, Subject},
};

/// Most buckets of an answer.
const MOST: i64 = 1_500;
/// About as many buckets there are if the caller does not choose their length.
const USUAL: i64 = 100;
/// Lengths of buckets that are chosen, in minutes; longer ones are whole days.
const LENGTHS: [i64; 11] = [1, 2, 5, 10, 15, 30, HOUR, 2 * HOUR, 3 * HOUR, 6 * HOUR, 12 * HOUR];
const HOUR: i64 = 60;
const DAY: i64 = 24 * HOUR;
/// The longest range in minutes whose statistics are read minute by minute.
const FINE: i64 = 14 * DAY;

/// Which statistics to show, as the caller wrote it.
#[derive(Clone, Debug, Default)]
pub(crate) struct AskStats {
    pub(crate) job: Option<String>,
    pub(crate) service: Option<String>,
    pub(crate) since: Option<String>,
    pub(crate) until: Option<String>,
    pub(crate) bucket: Option<String>,
}

impl Ops {
    /// Statistics by bucket, oldest first.
    pub(crate) async fn stats(&self, ask: AskStats) -> Result<StatsView, Error> {
        let (from, until, bucket) = range(&ask, wall_now())?;
        let subject = match (&ask.job, &ask.service) {
            (Some(_), Some(_)) => {
                return Err(Error::invalid("service", "is given together with job: use one"));
            }
            (Some(path), None) => Subject::Job(self.find(path).await?.id),
            (None, Some(service)) => {
                let service: ServiceName =
                    service.parse().map_err(|err| Error::invalid("service", err))?;
                Subject::Service(service.key())
            }
            (None, None) => Subject::All,
        };
        let filter = StatFilter { subject, from, until, bucket };
        view(&filter, &self.store.stats(&filter).await?)
    }
}

/// The first minute, the minute behind the last one, and the length of a bucket in minutes.
fn range(ask: &AskStats, now: Timestamp) -> Result<(i64, i64, i64), Error> {
    let parse = |name, text: &Option<String>| {
        let parse = |text: &String| instant::parse(text).map_err(|err| Error::invalid(name, err));
        text.as_ref().map(parse).transpose()
    };
    let until = parse("until", &ask.until)?.unwrap_or(now);
    let day = jiff::SignedDuration::from_hours(24);
    let since = match parse("since", &ask.since)? {
        Some(since) => since,
        None => until.checked_sub(day).unwrap_or(Timestamp::MIN),
    };
    if since >= until {
        return Err(Error::invalid("since", format!("{since} is not before {until}")));
    }
    let is_whole = until.subsec_nanosecond() % 1_000_000 == 0;
    let (since, until) = (since.as_millisecond(), until.as_millisecond() + i64::from(!is_whole));
    let rounded = |bucket: i64| {
        let millis = bucket * 60_000;
        (since.div_euclid(millis), until.div_euclid(millis) + i64::from(until % millis != 0))
    };
    let bucket = match &ask.bucket {
        Some(text) => length(text)?,
        None => {
            let days = (until - since) / (USUAL * DAY * 60_000) + 1;
            let fits = |length: &i64| until - since <= USUAL * length * 60_000;
            LENGTHS.into_iter().find(fits).unwrap_or(days * DAY)
        }
    };
    let (first, behind) = rounded(bucket);
    let count = behind - first;
    if count > MOST {
        let message = format!(
            "{count} buckets of {} are more than {MOST}: choose a longer bucket or a shorter range",
            text(bucket)
        );
        return Err(Error::invalid("bucket", message));
    }
    if bucket % HOUR != 0 && behind - first > FINE / bucket {
        let message = format!(
            "{} is not whole hours: more than {} days are read by hours only",
            text(bucket),
            FINE / DAY
        );
        return Err(Error::invalid("bucket", message));
    }
    Ok((first * bucket, behind * bucket, bucket))
}

/// Parses the length of a bucket.
fn length(text: &str) -> Result<i64, Error> {
    let length = duration::parse(text).map_err(|err| Error::invalid("bucket", err))?;
    let minutes = i64::try_from(length.as_secs() / 60).unwrap_or(i64::MAX);
    if minutes < 1 || length != Duration::from_secs(minutes.unsigned_abs() * 60) {
        return Err(Error::invalid("bucket", format!("{text} is not one or more whole minutes")));
    }
    if minutes > HOUR && minutes % HOUR != 0 {
        let message = format!("{text} is more than an hour, and not whole hours");
        return Err(Error::invalid("bucket", message));
    }
    Ok(minutes)
}

fn text(minutes: i64) -> String {
    duration::to_text(Duration::from_secs(minutes.unsigned_abs().saturating_mul(60)))
}

fn view(filter: &StatFilter, buckets: &[Bucket]) -> Result<StatsView, Error> {
    let at = |minute: i64| {
        Timestamp::from_second(minute.saturating_mul(60))
            .map_err(|_| Error::invalid("bucket", "is too long for instants in this range"))
    };
    let (mut total, mut found) = (Stats::default(), buckets.iter().peekable());
    let (mut items, mut from) = (Vec::new(), filter.from);
    while from < filter.until {
        let bucket = found.next_if(|bucket| bucket.from == from);
        if let Some(bucket) = bucket {
            total.merge(&bucket.stats);
        }
        let tasks = bucket.map(|bucket| tasks(&bucket.stats)).unwrap_or_default();
        items.push(StatsBucket { at: at(from)?, tasks });
        from += filter.bucket;
    }
    Ok(StatsView {
        since: at(filter.from)?,
        until: at(filter.until)?,
        bucket: text(filter.bucket),
        items,
        total: tasks(&total),
    })
}

pub(super) fn tasks(stats: &Stats) -> TaskStats {
    TaskStats {
        succeeded: stats.ended(TaskState::Succeeded),
        failed: stats.ended(TaskState::Failed),
        stopped: stats.ended(TaskState::Stopped),
        skipped: stats.ended(TaskState::Skipped),
        run_time: durations(&stats.run_time),
        wait: durations(&stats.wait),
        lateness: durations(&stats.lateness),
    }
}

fn durations(measure: &Measure) -> Option<DurationStats> {
    Some(DurationStats {
        count: measure.count,
        // Durations are recorded in whole milliseconds.
        mean_ms: (measure.mean()? * 10.0).round() / 10.0,
        p50_ms: measure.percentile(50)?,
        p95_ms: measure.percentile(95)?,
        p99_ms: measure.percentile(99)?,
        max_ms: measure.max,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(since: &str, until: &str, bucket: &str) -> AskStats {
        let given = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        let (since, until, bucket) = (given(since), given(until), given(bucket));
        AskStats { since, until, bucket, ..AskStats::default() }
    }

    fn ranged(since: &str, until: &str, bucket: &str) -> (String, String, i64) {
        let now = "2026-11-29T10:20:30Z".parse().unwrap();
        let (from, until, bucket) = range(&ask(since, until, bucket), now).unwrap();
        let at = |minute: i64| Timestamp::from_second(minute * 60).unwrap().to_string();
        (at(from), at(until), bucket)
    }

    #[test]
    fn a_range_is_rounded_to_whole_buckets() {
        let check = |(since, until, bucket), expected: (&str, &str, i64)| {
            let (from, behind, minutes) = ranged(since, until, bucket);
            assert_eq!((from.as_str(), behind.as_str(), minutes), expected);
        };
        check(("", "", ""), ("2026-11-28T10:15:00Z", "2026-11-29T10:30:00Z", 15));
        let hour = "2026-11-29T09:20:30Z";
        check((hour, "", ""), ("2026-11-29T09:20:00Z", "2026-11-29T10:21:00Z", 1));
        check((hour, "", "1h"), ("2026-11-29T09:00:00Z", "2026-11-29T11:00:00Z", 60));
        let (from, until) = ("2026-11-29T09:00:00Z", "2026-11-29T10:00:00Z");
        check((from, until, "5m"), (from, until, 5));
        check((from, until, "1d"), ("2026-11-29T00:00:00Z", "2026-11-30T00:00:00Z", 1_440));
        let early = "1969-12-31T23:59:30Z";
        check(
            (early, "1970-01-01T00:00:30Z", "1m"),
            ("1969-12-31T23:59:00Z", "1970-01-01T00:01:00Z", 1),
        );
    }

    #[test]
    fn a_bucket_is_chosen_so_that_there_are_about_a_hundred() {
        for (since, minutes) in [
            ("2026-11-29T10:20:00Z", 1),
            ("2026-11-29T08:00:00Z", 2),
            ("2026-11-22T10:20:00Z", 120),
            ("2026-10-29T10:20:00Z", 720),
            ("2026-01-01T00:00:00Z", 4 * 1_440),
            ("1970-01-01T00:00:00Z", 208 * 1_440),
        ] {
            let (_, _, bucket) = ranged(since, "", "");
            assert_eq!(bucket, minutes, "{since}");
        }
    }

    #[test]
    fn a_bucket_that_begins_before_all_instants_is_rejected() {
        let ask = ask("-009999-01-02T02:00:00Z", "9999-12-30T22:00:00Z", "");
        let (from, until, bucket) = range(&ask, Timestamp::UNIX_EPOCH).unwrap();
        let filter = StatFilter { subject: Subject::All, from, until, bucket };
        let refused = view(&filter, &[]).unwrap_err().to_string();
        assert_eq!(refused, "bucket: is too long for instants in this range");
    }

    #[test]
    fn a_range_that_cannot_be_answered_is_rejected() {
        let check = |(since, until, bucket), message: &str| {
            let now = "2026-11-29T10:20:30Z".parse().unwrap();
            let refused = range(&ask(since, until, bucket), now).unwrap_err();
            assert_eq!(refused.to_string(), message);
        };
        let late = "2026-11-29T10:20:31Z";
        check((late, "", ""), "since: 2026-11-29T10:20:31Z is not before 2026-11-29T10:20:30Z");
        check(("", "", "90s"), "bucket: 90s is not one or more whole minutes");
        check(("", "", "0s"), "bucket: 0s is not one or more whole minutes");
        check(("", "", "90m"), "bucket: 90m is more than an hour, and not whole hours");
        check(
            ("2026-11-01T00:00:00Z", "2026-11-29T00:00:00Z", "1m"),
            "bucket: 40320 buckets of 1m are more than 1500: choose a longer bucket or a shorter \
             range",
        );
    }
}
