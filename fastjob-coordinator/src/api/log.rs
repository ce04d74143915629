//! Logs: read in pieces, or followed as server-sent events.
//!
//! A caller may wait for a piece: instead of an empty answer, it gets one when the log has grown or
//! ended, or after the given time.
//!
//! A follower gets a `log` event for each piece and an `end` event after the last one. The id of
//! each event is the position at which to resume after a lost connection. If the log becomes
//! unreadable, the stream ends with a `problem` event. When the server stops, or the session of the
//! browser that reads it is over, the stream ends without an event.
//!
//! A stream covers one attempt: it does not continue with a retry or with the next shard.

use std::{convert::Infallible, fmt, sync::Arc, time::Duration};

use axum::{
    Json,
    extract::{Extension, State},
    response::{
        IntoResponse, Response,
        sse::{Event, KeepAlive, Sse},
    },
};
use futures_util::{Stream, StreamExt, stream};
use http::{HeaderMap, header::ACCEPT};
use tokio::sync::OwnedSemaphorePermit;

use super::{
    Kind, Problem, Until,
    read::{Id, Params, Room},
};
use crate::{
    bounds::Bounds,
    ops::{self, Follower, LogChoice, LogView, Ops},
};

/// Memory for the largest piece of a log, in MiB: its text, and the JSON created from it.
const PIECE_MIB: u64 = 2;
/// Longest wait for a piece.
const WAIT_MAX: Duration = Duration::from_secs(60);
/// Interval between keep-alive comments on a stream.
const KEEP_ALIVE: Duration = Duration::from_secs(15);
/// The header with the position that a browser has reached.
const LAST_EVENT_ID: &str = "last-event-id";

pub(super) async fn show(
    State(ops): State<Ops>,
    Id(task): Id,
    query: Params,
    headers: HeaderMap,
    until: Until,
    bounds: Option<Extension<Bounds>>,
    room: Room<PIECE_MIB>,
) -> Result<Response, Problem> {
    let (choice, offset, limit, wait) = query.read(|q| {
        let choice = LogChoice { shard: q.number("shard"), attempt: q.number("attempt") };
        let offset = q.number("offset").unwrap_or(0);
        (choice, offset, q.number::<u32>("limit"), q.duration("wait", WAIT_MAX))
    })?;
    if !wants_events(&headers) {
        let first = ops.task_log(task, choice, offset, limit).await?;
        let Some(wait) = wait.filter(|_| first.text.is_empty() && !first.ended) else {
            return Ok((room, Json(first)).into_response());
        };
        let _place = bounds.map(|Extension(bounds)| follower(&bounds)).transpose()?;
        // A waiting request reserves no memory; the piece is counted when it is sent.
        drop(room);
        let mut follower = ops.follow(task, &first, limit);
        tokio::select! {
            // The item is not used: the log, of this attempt or a retry, is read again below.
            _ = follower.next() => {}
            () = until.reached() => {}
            () = tokio::time::sleep(wait) => {}
        }
        return Ok(Json(ops.task_log(task, choice, offset, limit).await?).into_response());
    }
    let (choice, offset) = match Place::last(&headers)? {
        Some(place) => (place.choice(), place.offset),
        None => (choice, offset),
    };
    let place = bounds.map(|Extension(bounds)| follower(&bounds)).transpose()?;
    let first = ops.task_log(task, choice, offset, limit).await?;
    // Each piece is counted when it is sent.
    drop(room);
    let follower = ops.follow(task, &first, limit);
    let events = follow(first, follower, until);
    let events = events.map(move |event| {
        let _place = &place;
        Ok::<_, Infallible>(event.into_sse())
    });
    let alive = KeepAlive::new().interval(KEEP_ALIVE);
    Ok(([("x-accel-buffering", "no")], Sse::new(events).keep_alive(alive)).into_response())
}

/// A slot for a client that follows a log.
fn follower(bounds: &Bounds) -> Result<OwnedSemaphorePermit, Problem> {
    Arc::clone(&bounds.followers).try_acquire_owned().map_err(|_| {
        let detail = "too many clients follow logs: try again later, or raise \
                      coordinator.limits.max_log_followers";
        Problem::new(Kind::Unavailable, detail)
    })
}

fn wants_events(headers: &HeaderMap) -> bool {
    let accepted = headers.get_all(ACCEPT).iter().filter_map(|accept| accept.to_str().ok());
    accepted
        .flat_map(|accept| accept.split(','))
        .filter_map(|media| media.split(';').next())
        .any(|media| media.trim().eq_ignore_ascii_case("text/event-stream"))
}

/// A position in the logs of a task: `shard-number-offset` in the id of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Place {
    shard: u32,
    attempt: u32,
    offset: u64,
}

impl Place {
    /// The position after a piece.
    fn after(piece: &LogView) -> Self {
        Self { shard: piece.shard, attempt: piece.number, offset: piece.next_offset }
    }

    fn choice(self) -> LogChoice {
        LogChoice { shard: Some(self.shard), attempt: Some(self.attempt) }
    }

    fn last(headers: &HeaderMap) -> Result<Option<Self>, Problem> {
        let Some(id) = headers.get(LAST_EVENT_ID) else { return Ok(None) };
        let place = id.to_str().ok().and_then(|text| {
            let mut parts = text.splitn(3, '-');
            let (shard, attempt) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
            Some(Self { shard, attempt, offset: parts.next()?.parse().ok()? })
        });
        let strange =
            || Problem::new(Kind::Invalid, "Last-Event-ID does not belong to this stream");
        place.ok_or_else(strange).map(Some)
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}-{}", self.shard, self.attempt, self.offset)
    }
}

/// An event for a follower.
#[derive(Debug, PartialEq)]
enum LogEvent {
    Piece(LogView),
    Problem(Problem),
    End,
}

impl LogEvent {
    fn into_sse(self) -> Event {
        let (name, id, data) = match self {
            Self::Piece(piece) => {
                let place = Place::after(&piece).to_string();
                ("log", Some(place), serde_json::to_string(&piece))
            }
            Self::Problem(problem) => ("problem", None, serde_json::to_string(&problem.details())),
            Self::End => ("end", None, Ok("{}".to_owned())),
        };
        let event = Event::default().event(name).data(data.unwrap_or_default());
        match id {
            Some(id) => event.id(id),
            None => event,
        }
    }
}

/// The next event for a follower.
enum Next {
    Piece(LogView),
    Read,
    End,
    Over,
}

/// Streams `first` and everything that `follower` reads after it from the same log.
fn follow<R, F>(
    first: LogView,
    follower: Follower<R>,
    until: Until,
) -> impl Stream<Item = LogEvent> + Send
where
    R: Fn(u64, Option<u32>) -> F + Send + Sync + 'static,
    F: Future<Output = Result<LogView, ops::Error>> + Send + 'static,
{
    let begin = (Next::Piece(first), follower, until);
    stream::unfold(begin, |(mut next, mut follower, until)| async move {
        loop {
            next = match next {
                Next::Piece(piece) => {
                    let after = if piece.ended { Next::End } else { Next::Read };
                    if !piece.text.is_empty() {
                        return Some((LogEvent::Piece(piece), (after, follower, until)));
                    }
                    after
                }
                Next::Read => {
                    let read = tokio::select! {
                        biased;
                        () = until.reached() => return None,
                        read = follower.next() => read,
                    };
                    match read {
                        Ok(piece) => Next::Piece(piece),
                        Err(err) => {
                            let event = LogEvent::Problem(err.into());
                            return Some((event, (Next::Over, follower, until)));
                        }
                    }
                }
                Next::End => return Some((LogEvent::End, (Next::Over, follower, until))),
                Next::Over => return None,
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use tokio_util::sync::CancellationToken;

    use super::*;
    use crate::{
        api::{SessionEnd, Stopping},
        ops::{Feeds, LogKey},
    };

    fn piece(offset: u64, text: &str, ended: bool) -> LogView {
        let next_offset = offset + text.len() as u64;
        let (text, source) = (text.to_owned(), "executor".to_owned());
        let (attempt, number, shard, shards) = (9, 1, 0, 1);
        LogView {
            attempt,
            number,
            shard,
            shards,
            offset,
            next_offset,
            text,
            ended,
            source,
            note: None,
        }
    }

    /// A follower of the log that `read` reads.
    fn after<R, F>(
        first: &LogView,
        read: R,
    ) -> Follower<impl Fn(u64, Option<u32>) -> F + Send + Sync + use<R, F>>
    where
        R: Fn(u64) -> F + Send + Sync + 'static,
        F: Future<Output = Result<LogView, ops::Error>> + Send + 'static,
    {
        let log = LogKey { task: 7, shard: 0, attempt: 1 };
        Follower::after(first, Feeds::default(), log, None, move |offset, _| read(offset))
    }

    async fn all<R, F>(first: LogView, read: R) -> Vec<LogEvent>
    where
        R: Fn(u64) -> F + Send + Sync + 'static,
        F: Future<Output = Result<LogView, ops::Error>> + Send + 'static,
    {
        let follower = after(&first, read);
        follow(first, follower, Until::default()).collect().await
    }

    #[tokio::test(start_paused = true)]
    async fn a_log_is_followed_to_its_end() {
        let begun = tokio::time::Instant::now();
        let read = move |offset: u64| async move {
            match offset {
                2 => Ok(piece(2, "cde", false)),
                5 if begun.elapsed() < Duration::from_secs(2) => Ok(piece(5, "", false)),
                5 => Ok(piece(5, "", true)),
                other => Err(ops::Error::NotFound(other.to_string())),
            }
        };
        let events = all(piece(0, "ab", false), read).await;
        let expected = [
            LogEvent::Piece(piece(0, "ab", false)),
            LogEvent::Piece(piece(2, "cde", false)),
            LogEvent::End,
        ];
        assert_eq!(events, expected);
    }

    #[tokio::test(start_paused = true)]
    async fn a_log_that_becomes_unreadable_is_a_problem() {
        let read = |_| async { Err(ops::Error::Unavailable("it is gone".into())) };
        let events = all(piece(0, "", false), read).await;
        assert_eq!(events, [LogEvent::Problem(Problem::new(Kind::Unavailable, "it is gone"))]);
    }

    #[tokio::test(start_paused = true)]
    async fn following_ends_when_the_server_stops() {
        let stop = CancellationToken::new();
        let read = |offset: u64| async move { Ok(piece(offset, "", false)) };
        let until = Until { stopping: Some(Stopping(stop.clone())), session: None };
        let first = piece(0, "a", false);
        let follower = after(&first, read);
        let mut events = std::pin::pin!(follow(first, follower, until));
        assert!(events.next().await.is_some());
        assert!(tokio::time::timeout(Duration::from_secs(30), events.next()).await.is_err());
        stop.cancel();
        assert_eq!(events.next().await, None);
    }

    #[tokio::test(start_paused = true)]
    async fn following_ends_when_the_session_is_over() {
        let read = |offset: u64| async move { Ok(piece(offset, "", false)) };
        let end = tokio::time::Instant::now() + Duration::from_secs(3600);
        let until = Until { stopping: None, session: Some(SessionEnd(end)) };
        let first = piece(0, "", false);
        let follower = after(&first, read);
        let mut events = std::pin::pin!(follow(first, follower, until));
        assert_eq!(events.next().await, None);
        assert!(end.elapsed() < Duration::from_secs(1) && tokio::time::Instant::now() >= end);
    }

    #[test]
    fn events_are_requested_by_their_media_type() {
        let asks =
            |accept: &str| wants_events(&HeaderMap::from_iter([(ACCEPT, accept.parse().unwrap())]));
        assert!(asks("text/event-stream") && asks("text/html, Text/Event-Stream;q=0.9"));
        assert!(!asks("application/json") && !asks("*/*") && !wants_events(&HeaderMap::new()));
    }

    #[test]
    fn a_follower_resumes_at_its_position() {
        let said = |id: &str| {
            let name = http::HeaderName::from_static(LAST_EVENT_ID);
            Place::last(&HeaderMap::from_iter([(name, id.parse().unwrap())]))
        };
        let place = Place { shard: 2, attempt: 9, offset: 120 };
        assert_eq!(said(&place.to_string()), Ok(Some(place)));
        for strange in ["9", "9-120", "-1-2", "a-b-c", "1-2-3-4"] {
            assert!(said(strange).is_err(), "{strange:?} was accepted");
        }
        assert_eq!(Place::last(&HeaderMap::new()), Ok(None));
    }
}
