//! Open overviews of the console, as a coordinator sees them: an event stream each, and the requests
//! that the page makes at intervals and when an event says that something has changed.
//!
//! The requests are those of `pages/overview` and `shell` of the console; intervals, and which change
//! leads to which request, are in its `api/queries.ts`, and the pause between two rounds is in its
//! `api/live.ts`. `--bench console -- storm` prints what a real page requests per minute.

use std::time::{Duration, Instant};

use fastjob_executor::CancellationToken;
use futures_util::{StreamExt, stream};
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use tokio::{sync::mpsc, task::JoinSet};

use super::Percentiles;
use crate::rest::{Events, Rest};

/// The shortest time between two rounds of requests that events cause.
const THROTTLE: Duration = Duration::from_secs(2);
/// How many requests a browser makes at the same time, beside the event stream.
const AT_ONCE: usize = 5;
/// The time over which pages are opened: users do not open them at the same instant.
const OPENED_OVER: Duration = Duration::from_secs(2);
/// How long all pages may take to open.
const PATIENCE: Duration = Duration::from_secs(60);
/// How often the page looks which intervals are over.
const LOOK: Duration = Duration::from_millis(250);

/// A request of the page.
struct Query {
    path: fn(Timestamp) -> String,
    /// The interval; without one it is only made again after a change.
    every: Option<Duration>,
    /// The changes after which it is made again, as the event `changed` names them.
    after: &'static [&'static str],
}

const QUERIES: &[Query] = &[
    Query {
        path: |_| "/api/v1/overview".to_owned(),
        every: Some(Duration::from_secs(15)),
        after: &["jobs", "tasks", "executors", "alarms"],
    },
    Query {
        path: |_| "/api/v1/executors?limit=500".to_owned(),
        every: Some(Duration::from_secs(15)),
        after: &["executors"],
    },
    Query { path: |_| "/api/v1/jobs?limit=1".to_owned(), every: None, after: &["jobs", "tasks"] },
    Query { path: |_| "/api/v1/tasks?limit=1".to_owned(), every: None, after: &["tasks"] },
    Query {
        path: |now| format!("/api/v1/stats?{}&bucket=15m", range(now, 0)),
        every: Some(Duration::from_secs(30)),
        after: &[],
    },
    Query {
        path: |now| format!("/api/v1/stats?{}&bucket=1h", range(now, 1)),
        every: Some(Duration::from_secs(30)),
        after: &[],
    },
    Query {
        path: |now| {
            let until = now + SignedDuration::from_hours(1);
            format!("/api/v1/schedule?from={now}&until={until}&per_job=130&limit=2000")
        },
        every: Some(Duration::from_secs(60)),
        after: &["jobs"],
    },
    Query { path: |now| of_jobs(now, "failed"), every: Some(Duration::from_secs(60)), after: &[] },
    Query {
        path: |now| of_jobs(now, "run_time"),
        every: Some(Duration::from_secs(60)),
        after: &[],
    },
    Query {
        path: |_| "/api/v1/about".to_owned(),
        every: Some(Duration::from_secs(60)),
        after: &["nodes"],
    },
    Query {
        path: |_| "/api/v1/services".to_owned(),
        every: Some(Duration::from_secs(60)),
        after: &["jobs", "executors"],
    },
];

/// The last 24 hours in whole buckets of 15 minutes, or a range this many days earlier.
fn range(now: Timestamp, days: i64) -> String {
    let bucket = 15 * 60;
    let until = (now.as_second().div_euclid(bucket) + 1) * bucket - days * 24 * 3600;
    let at = |second| Timestamp::from_second(second).expect("an instant of this century");
    format!("since={}&until={}", at(until - 24 * 3600), at(until))
}

fn of_jobs(now: Timestamp, order: &str) -> String {
    let range = range(now, 0);
    let since = range.split('&').next().unwrap_or_default();
    format!("/api/v1/stats/jobs?{since}&limit=5&order={order}")
}

/// What pages have seen.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    /// Events of their streams.
    pub events: usize,
    /// Streams that ended before the page was closed.
    pub broken: usize,
    /// Requests, beside the streams.
    pub requests: usize,
    /// Requests without an answer, or with an error.
    pub failed: usize,
    /// The time of each request, in microseconds.
    micros: Vec<i64>,
}

impl Seen {
    /// How long the requests took.
    pub fn times(&self) -> Percentiles {
        Percentiles::of(self.micros.clone())
    }

    fn add(&mut self, other: Self) {
        self.events += other.events;
        self.broken += other.broken;
        self.requests += other.requests;
        self.failed += other.failed;
        self.micros.extend(other.micros);
    }
}

/// Overviews that are open.
pub struct Overviews {
    pages: JoinSet<Seen>,
    /// Ends what has been seen so far, and begins again.
    measured: CancellationToken,
    stop: CancellationToken,
}

impl Overviews {
    /// Opens this many pages, and waits until each has its event stream.
    ///
    /// # Panics
    ///
    /// Panics if one cannot be opened.
    pub async fn open(url: &str, count: usize) -> Self {
        let (stop, measured) = (CancellationToken::new(), CancellationToken::new());
        let (opened, mut are_open) = mpsc::channel(count.max(1));
        let mut pages = JoinSet::new();
        for nth in 0..count {
            // A client each, as browsers share no connections.
            let rest = Rest::new(url.to_owned());
            let (stop, measured, opened) = (stop.clone(), measured.clone(), opened.clone());
            let pause = OPENED_OVER.mul_f64(nth as f64 / count as f64);
            pages.spawn(async move {
                tokio::time::sleep(pause).await;
                let events = rest.events("/api/v1/events").await.expect("a stream is opened");
                let mut page = Page::new(rest);
                page.request(&all(), Instant::now()).await;
                opened.send(()).await.expect("the bench waits for it");
                page.stay(events, &measured, &stop).await
            });
        }
        drop(opened);
        let all_open = async {
            for _ in 0..count {
                are_open.recv().await.expect("no page fails to open");
            }
        };
        tokio::time::timeout(PATIENCE, all_open).await.expect("all pages are open in time");
        Self { pages, measured, stop }
    }

    /// Forgets what was seen until now.
    pub fn begin(&self) {
        self.measured.cancel();
    }

    /// Closes the pages, and returns what they have seen since [`begin`](Self::begin).
    ///
    /// # Panics
    ///
    /// Panics if a page has panicked.
    pub async fn close(mut self) -> Seen {
        self.stop.cancel();
        let mut seen = Seen::default();
        while let Some(page) = self.pages.join_next().await {
            seen.add(page.expect("a page does not panic"));
        }
        seen
    }
}

/// The numbers of all queries.
fn all() -> Vec<usize> {
    (0..QUERIES.len()).collect()
}

/// One page.
struct Page {
    rest: Rest,
    seen: Seen,
    /// When each query was made last.
    made: Vec<Instant>,
    /// Changes that have not led to requests yet.
    changed: Vec<String>,
    flushed: Instant,
}

impl Page {
    fn new(rest: Rest) -> Self {
        let now = Instant::now();
        let made = vec![now; QUERIES.len()];
        Self { rest, seen: Seen::default(), made, changed: Vec::new(), flushed: now }
    }

    /// Stays open until `stop`. What was seen before `measured` is forgotten.
    async fn stay(
        mut self,
        mut events: Events,
        measured: &CancellationToken,
        stop: &CancellationToken,
    ) -> Seen {
        // Events are read while requests are under way.
        let (sender, mut received) = mpsc::unbounded_channel();
        let reader = tokio::spawn(async move {
            while let Some(event) = events.next().await {
                if sender.send(event).is_err() {
                    return;
                }
            }
        });
        let mut look = tokio::time::interval(LOOK);
        look.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
        let mut is_begun = false;
        let mut is_whole = true;
        loop {
            tokio::select! {
                () = stop.cancelled() => break,
                () = measured.cancelled(), if !is_begun => {
                    (self.seen, is_begun) = (Seen::default(), true);
                }
                event = received.recv(), if is_whole => match event {
                    Some((name, data)) => self.take(&name, &data),
                    None => {
                        (self.seen.broken, is_whole) = (self.seen.broken + 1, false);
                    }
                },
                _ = look.tick() => {
                    let now = Instant::now();
                    let due = self.due(now);
                    self.request(&due, now).await;
                }
            }
        }
        reader.abort();
        self.seen
    }

    fn take(&mut self, event: &str, data: &Value) {
        self.seen.events += 1;
        if event == "changed" {
            let flags = data.as_object().into_iter().flatten();
            let nouns =
                flags.filter(|(_, is)| is.as_bool() == Some(true)).map(|(noun, _)| noun.clone());
            self.changed.extend(nouns);
        }
    }

    /// The queries that are to be made now.
    fn due(&mut self, now: Instant) -> Vec<usize> {
        let is_flush = !self.changed.is_empty() && now.duration_since(self.flushed) >= THROTTLE;
        let due = all().into_iter().filter(|nth| {
            let query = &QUERIES[*nth];
            let is_over = |every: Duration| now.duration_since(self.made[*nth]) >= every;
            let is_outdated =
                || query.after.iter().any(|noun| self.changed.iter().any(|it| it == noun));
            query.every.is_some_and(is_over) || (is_flush && is_outdated())
        });
        let due = due.collect();
        if is_flush {
            self.flushed = now;
            self.changed.clear();
        }
        due
    }

    async fn request(&mut self, queries: &[usize], now: Instant) {
        let rest = &self.rest;
        let instant = crate::now();
        let asked = queries.iter().map(|nth| {
            let path = (QUERIES[*nth].path)(instant);
            async move {
                let started = Instant::now();
                let answer = rest.get(&path).await;
                let micros = i64::try_from(started.elapsed().as_micros()).unwrap_or(i64::MAX);
                (micros, matches!(answer, Ok((200, _))))
            }
        });
        // Collected first: a stream of borrowing futures is not `Send` in a spawned task.
        let asked: Vec<_> = asked.collect();
        let answers: Vec<_> = stream::iter(asked).buffer_unordered(AT_ONCE).collect().await;
        for nth in queries {
            self.made[*nth] = now;
        }
        self.seen.requests += answers.len();
        self.seen.failed += answers.iter().filter(|(_, is_good)| !is_good).count();
        self.seen.micros.extend(answers.iter().map(|(micros, _)| micros));
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn page() -> Page {
        Page::new(Rest::new("http://127.0.0.1:9".to_owned()))
    }

    fn paths(queries: &[usize]) -> Vec<String> {
        let now = "2026-03-01T12:07:00Z".parse().unwrap();
        queries.iter().map(|nth| (QUERIES[*nth].path)(now)).collect()
    }

    #[test]
    fn the_range_is_a_day_of_whole_buckets() {
        let now = "2026-03-01T12:07:00Z".parse().unwrap();
        assert_eq!(range(now, 0), "since=2026-02-28T12:15:00Z&until=2026-03-01T12:15:00Z");
        assert_eq!(range(now, 1), "since=2026-02-27T12:15:00Z&until=2026-02-28T12:15:00Z");
    }

    #[test]
    fn a_change_leads_to_its_requests_at_most_every_two_seconds() {
        let mut page = page();
        let opened = page.flushed;
        page.take("changed", &json!({"tasks": true, "nodes": false}));
        assert!(page.due(opened + Duration::from_secs(1)).is_empty());
        let due = page.due(opened + THROTTLE);
        let expected = ["/api/v1/overview", "/api/v1/jobs?limit=1", "/api/v1/tasks?limit=1"];
        assert_eq!(paths(&due), expected);
        assert!(page.due(opened + 2 * THROTTLE).is_empty(), "nothing has changed since");
        assert_eq!(page.seen.events, 1);
    }

    #[test]
    fn requests_are_repeated_at_their_intervals() {
        let mut page = page();
        let due = page.due(page.flushed + Duration::from_secs(15));
        assert_eq!(paths(&due), ["/api/v1/overview", "/api/v1/executors?limit=500"]);
        let due = page.due(page.flushed + Duration::from_secs(60));
        assert_eq!(due.len(), QUERIES.iter().filter(|query| query.every.is_some()).count());
    }
}
