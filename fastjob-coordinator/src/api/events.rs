//! What happens, as server-sent events for a live page.
//!
//! A page gets `counts` first, and again when they change; `changed` when lists are outdated; and
//! `task` for each task that it shows, at once and when that changes. When the server stops, the
//! session of its browser is over, or nothing more can be read, it gets `bye`, and the stream ends: it
//! connects again. Nothing is
//! lost with a connection, because the first events say everything.

use std::{convert::Infallible, sync::Arc, time::Duration};

use axum::{
    extract::{Extension, State},
    response::{
        IntoResponse, Response,
        sse::{Event, KeepAlive, Sse},
    },
};
use futures_util::{Stream, StreamExt, stream};
use serde::Serialize;

use super::{Field, Kind, Problem, Until, read::Params};
use crate::{
    bounds::Bounds,
    ops::{Ops, PageEvent, Watcher},
};

/// Interval between keep-alive comments on a stream.
const KEEP_ALIVE: Duration = Duration::from_secs(15);
/// How long a browser waits before it connects again.
const RETRY: Duration = Duration::from_secs(2);

pub(super) async fn follow(
    State(ops): State<Ops>,
    query: Params,
    until: Until,
    bounds: Option<Extension<Bounds>>,
) -> Result<Response, Problem> {
    let (tasks, service) = query.read(|q| (q.texts("tasks"), q.text("service")))?;
    let tasks = tasks.iter().map(|text| id(text)).collect::<Result<Vec<_>, _>>()?;
    let place = bounds.map(|Extension(bounds)| {
        Arc::clone(&bounds.pages).try_acquire_owned().map_err(|_| {
            let detail = "too many live pages are open on this coordinator: close some, or try \
                          again later";
            Problem::new(Kind::Unavailable, detail)
        })
    });
    let place = place.transpose()?;
    let watcher = ops.watch(&tasks, service)?;
    let events = events(watcher, until).map(move |event| {
        let _place = &place;
        Ok::<_, Infallible>(event)
    });
    let alive = KeepAlive::new().interval(KEEP_ALIVE);
    Ok(([("x-accel-buffering", "no")], Sse::new(events).keep_alive(alive)).into_response())
}

fn id(text: &str) -> Result<i64, Problem> {
    let id = text.parse().ok().filter(|id| *id > 0);
    id.ok_or_else(|| {
        let message = format!("`{text}` is not the number of a task");
        Problem::invalid(vec![Field::new("tasks", message)])
    })
}

/// The events of a page, until the server stops or the session is over.
fn events(watcher: Watcher, until: Until) -> impl Stream<Item = Event> + Send {
    let begin = (Some(watcher), until, true);
    stream::unfold(begin, |(watcher, until, is_first)| async move {
        let mut watcher = watcher?;
        let next = tokio::select! {
            biased;
            () = until.reached() => None,
            next = watcher.next() => next,
        };
        let event = match &next {
            Some(PageEvent::Counts(counts)) => named("counts", counts),
            Some(PageEvent::Changed(changed)) => named("changed", changed),
            Some(PageEvent::Task(json)) => Event::default().event("task").data(json),
            None => Event::default().event("bye").data("{}"),
        };
        let event = if is_first { event.retry(RETRY) } else { event };
        let watcher = next.is_some().then_some(watcher);
        Some((event, (watcher, until, false)))
    })
}

fn named(name: &str, data: &impl Serialize) -> Event {
    Event::default().event(name).data(serde_json::to_string(data).unwrap_or_default())
}
