//! Silences: alarms that are suppressed for a while.

use fastjob_core::{ChannelName, instant};
use jiff::{SignedDuration, Timestamp};

use super::{Error, Ops, Page, SilenceRequest, SilenceView};
use crate::{
    clock::wall_now,
    store::{Silence, SilenceRow},
};

/// Longest silence: an alarm that is unwanted for longer should be removed instead.
const LONGEST: SignedDuration = SignedDuration::from_hours(30 * 24);
/// Maximum number of active silences.
const MOST: u32 = 500;
/// Maximum number of characters of a reason.
const REASON_MAX: usize = 200;

impl Ops {
    /// The silences that have not expired, oldest first.
    pub(crate) async fn list_silences(&self) -> Result<Page<SilenceView>, Error> {
        let rows = self.store.silences(wall_now()).await?;
        Ok(Page::new(rows.into_iter().map(view).collect(), None))
    }

    /// Silences a job, a channel, or a job on a channel. It is in effect when this returns, except
    /// for alarms that are already being sent.
    pub(crate) async fn silence(&self, ask: SilenceRequest) -> Result<SilenceView, Error> {
        let now = wall_now();
        let until = until(&ask, now)?;
        let reason = ask.reason.unwrap_or_default().trim().to_owned();
        let length = reason.chars().count();
        if length > REASON_MAX {
            let message = format!("it has {length} characters, at most {REASON_MAX} are allowed");
            return Err(Error::invalid("reason", message));
        }
        let channel = ask.channel.map(|name| self.channel(&name)).transpose()?;
        let job = match &ask.job {
            None => None,
            Some(path) => match self.find(path).await {
                Ok(row) => Some((row.id, row.job.path().to_string())),
                Err(Error::NotFound(message)) => return Err(Error::invalid("job", message)),
                Err(other) => return Err(other),
            },
        };
        if job.is_none() && channel.is_none() {
            let message = "it is missing: a job, a channel or both can be silenced";
            return Err(Error::invalid("job", message));
        }
        let silence = Silence { job, channel, until, reason };
        match self.store.add_silence(&silence, now, MOST).await? {
            Some(id) => Ok(view(SilenceRow { id, silence, created_at: now })),
            None => Err(Error::Conflict(format!("there are already {MOST} silences"))),
        }
    }

    /// Ends a silence: later alarms are sent again.
    pub(crate) async fn unsilence(&self, id: i64) -> Result<(), Error> {
        if self.store.remove_silence(id, wall_now()).await? {
            return Ok(());
        }
        Err(Error::NotFound(format!("there is no silence {id}, or it has expired")))
    }

    fn channel(&self, name: &str) -> Result<ChannelName, Error> {
        let name: ChannelName = name.parse().map_err(|err| Error::invalid("channel", err))?;
        match self.channels.unknown(&name) {
            None => Ok(name),
            Some(message) => Err(Error::invalid("channel", message)),
        }
    }
}

/// The end of a silence, in whole milliseconds.
fn until(ask: &SilenceRequest, now: Timestamp) -> Result<Timestamp, Error> {
    let (field, until) = match (&ask.until, &ask.span) {
        (Some(_), Some(_)) => {
            return Err(Error::invalid("until", "it cannot be combined with for"));
        }
        (None, None) => return Err(Error::invalid("for", "it is missing: set for or until")),
        (Some(until), None) => {
            let until = instant::parse(until).map_err(|err| Error::invalid("until", err))?;
            ("until", until)
        }
        (None, Some(span)) => {
            let span = fastjob_core::duration::parse(span);
            let span = span.map_err(|err| Error::invalid("for", err))?;
            let until = SignedDuration::try_from(span).ok();
            let until = until.and_then(|span| now.checked_add(span).ok());
            ("for", until.unwrap_or(Timestamp::MAX))
        }
    };
    let until = Timestamp::from_millisecond(until.as_millisecond())
        .map_err(|err| Error::invalid(field, err))?;
    let length = until.duration_since(now);
    if !length.is_positive() {
        return Err(Error::invalid(field, "it is not in the future"));
    }
    if length > LONGEST {
        let days = LONGEST.as_hours() / 24;
        return Err(Error::invalid(field, format!("it is more than {days} days away")));
    }
    Ok(until)
}

fn view(row: SilenceRow) -> SilenceView {
    let Silence { job, channel, until, reason } = row.silence;
    SilenceView {
        id: row.id,
        job: job.map(|(_, name)| name),
        channel: channel.map(|name| name.to_string()),
        until,
        reason,
        created_at: row.created_at,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_silence_ends_in_the_future_and_within_thirty_days() {
        #[track_caller]
        fn check(until_text: Option<&str>, span: Option<&str>, right: Result<&str, &str>) {
            let now: Timestamp = "2026-12-01T00:00:00Z".parse().unwrap();
            let (until_text, span) = (until_text.map(str::to_owned), span.map(str::to_owned));
            let ask = SilenceRequest { until: until_text, span, ..SilenceRequest::default() };
            match (until(&ask, now), right) {
                (Ok(at), Ok(right)) => assert_eq!(at.to_string(), right),
                (Err(err), Err(right)) => assert!(err.to_string().contains(right), "{err}"),
                (other, _) => panic!("{other:?}"),
            }
        }
        check(None, Some("2h"), Ok("2026-12-01T02:00:00Z"));
        check(Some("2026-12-01T09:00:00+08:00"), None, Ok("2026-12-01T01:00:00Z"));
        check(None, Some("720h"), Ok("2026-12-31T00:00:00Z"));
        check(None, Some("721h"), Err("for: it is more than 30 days away"));
        check(None, Some("0s"), Err("for: it is not in the future"));
        check(Some("2026-12-01T00:00:00Z"), None, Err("until: it is not in the future"));
        check(Some("soon"), None, Err("until: "));
        check(None, Some("soon"), Err("for: "));
        check(None, None, Err("for: it is missing"));
        check(Some("2026-12-01T09:00:00Z"), Some("2h"), Err("until: it cannot be combined"));
    }
}
