//! Running a coordinator: the one file that knows every part. It connects them, runs them until one
//! ends or all are asked to stop, and stops them in order.

use std::{sync::Arc, time::Duration};

use tokio::{sync::Semaphore, task::JoinSet};
use tokio_util::sync::CancellationToken;

use super::{Coordinator, error::RunError, handle::Handles, limits, open::Opened};
use crate::{
    alarm, archive,
    clock::{self, Clock, Witness},
    cluster::{self, ClusterMap, Drains, Engines, Keeper},
    config::CoordinatorConfig,
    console::{self, Console},
    handlers::Handlers,
    indexer,
    losses::Losses,
    metrics::{self, Metrics},
    ops::{self, Feeds, Handshakes, Ops},
    parts::{Ended, caught, part, whole},
    permit::Deadline,
    rpc::{Link, NodeCredit, Terms},
    server::{self, Cookies, Door, Secure},
    sessions::Sessions,
    store::{
        self, NodeRow, Store, StoreFacts,
        writer::{Unwritten, Writer},
    },
    sweep,
    traces::Traces,
};

/// How long to wait for the part that caused the writer to end.
const CAUSE: Duration = Duration::from_secs(1);
/// How long the writer may take for the last commits once all other parts have stopped.
const LAST_COMMITS: Duration = Duration::from_secs(15);
/// How long closing the store may take.
const CLOSE: Duration = Duration::from_secs(5);
/// How long parts may take beyond the drain timeout before they are aborted.
const BEYOND_DRAIN: Duration = Duration::from_secs(2);

/// How the writer ended: with its result, or with the message of its panic.
type Written = Result<Result<(), Unwritten>, String>;

/// The parts of a coordinator that runs.
struct Parts {
    /// All parts but the writer.
    loops: JoinSet<Ended>,
    /// The writer outlives the other parts, so that their decisions are persisted.
    writer: JoinSet<Written>,
    /// Ends the writer once it has written everything.
    writing: CancellationToken,
    /// How the writer ended, if it has.
    written: Option<Written>,
    store: Arc<dyn Store>,
    handles: Handles,
    drain: Duration,
    /// Ends after the engines, with the last spans. Nothing waits for it before that.
    exporter: JoinSet<Ended>,
    exporting: CancellationToken,
    /// How long it may take for the last spans.
    export_within: Duration,
}

impl Coordinator {
    pub(super) async fn work(self, stop: CancellationToken) -> Result<(), RunError> {
        let mut parts = self.start(&stop).await?;
        // Whether one part fails or `stop` is cancelled, all parts stop.
        let first = parts.first_end(&stop).await;
        let asked_to_stop = stop.is_cancelled();
        if let Some(Ended { part, panic }) = first.as_ref().filter(|_| !asked_to_stop) {
            tracing::error!(part, panic, "a part ended unexpectedly, the coordinator shuts down");
        }
        stop.cancel();
        let writer_failed = parts.stop().await;
        tracing::info!("coordinator stopped");
        match first {
            // The engine, or the writer, ended for that reason.
            _ if matches!(writer_failed, Some(RunError::Behind)) => Err(RunError::Behind),
            Some(ended) if !asked_to_stop => Err(ended.into()),
            Some(Ended { part, panic: Some(message) }) => Err(RunError::Panicked { part, message }),
            Some(_) | None => writer_failed.map_or(Ok(()), Err),
        }
    }

    /// Connects the parts and starts them.
    async fn start(self, stop: &CancellationToken) -> Result<Parts, RunError> {
        let Self {
            config: settings,
            bound,
            connections,
            guard,
            executor_key,
            tls,
            store: Opened { whole: store, cluster: shared },
            facts,
            me,
            peers,
            channels,
            archive,
            handles,
        } = self;
        let witness = if shared.is_some() { Witness::Database } else { Witness::Uptime };
        let clock = Arc::new(Clock::start(witness));
        let sessions = Sessions::new(limits::sessions(&settings.limits));
        let (map, deadline) = match &shared {
            Some(_) => (ClusterMap::of(me.id.clone()), Deadline::passed()),
            None => (ClusterMap::alone(me.clone()), Deadline::never()),
        };
        tracing::info!(listen = %bound.local_addr(), store = %settings.store, "coordinator started");
        let writing = CancellationToken::new();
        let metrics = Metrics::new(
            settings.metrics.jobs as usize,
            metrics::About { node: me.id.0.clone(), store: settings.store.kind() },
        );
        let (writer, writer_handle) = Writer::new(Arc::clone(&store) as _);
        let writer = writer.counting(metrics.clone());
        let engines = Engines::new(
            facts.clone(),
            Arc::clone(&clock),
            deadline.clone(),
            writer_handle.health(),
        );
        let (traces, exporter) = Traces::new(&settings.traces, &metrics, &me.id.0);
        let drains = Drains::new(Arc::clone(&store) as _, engines.clone());
        let losses = Losses::counting(settings.lost_executors, metrics.clone());
        let cookies = executor_key.as_ref().map(|key| Cookies::new(key, Arc::clone(&clock)));
        let handshakes = Arc::new(Handshakes::new(executor_key, Arc::clone(peers.credential())));
        let ops = Ops::from(ops::Parts {
            engines: engines.clone(),
            map: map.clone(),
            peers,
            store: Arc::clone(&store),
            sessions: sessions.clone(),
            channels: channels.clone(),
            drains: drains.clone(),
            losses: losses.clone(),
            traces: traces.clone(),
            handlers: Handlers::default(),
            metrics: metrics.clone(),
            feeds: Feeds::default(),
            identity: ops::Identity {
                node: me.clone(),
                store: settings.store.kind(),
                has_token: settings.token.is_some(),
            },
            overviews: ops::Overviews::default(),
            pulse: ops::Pulse::default(),
            job_stats: ops::JobStatsCache::default(),
            archive: archive.clone(),
            applying: Semaphore::new(1),
            bulk: Semaphore::new(1),
            scanning: Semaphore::new(1),
            labelled: ops::Labelled::default(),
            full_names: ops::FullNames::default(),
            sorted: ops::SortedJobs::default(),
        });
        // Within the drain timeout, sessions last until the engines have ended, so that the
        // engines' last messages are delivered.
        let released = CancellationToken::new();
        let (shakes, its_clock) = (Arc::clone(&handshakes), Arc::clone(&clock));
        let link = link(&settings, &facts, &me, &ops, shakes, its_clock, released.clone());
        let keeper = Keeper {
            settings: cluster::Settings {
                executor_lost: settings.executor_lost,
                lease: settings.lease,
                job_quota: limits::jobs(&settings.limits),
            },
            limits: limits::tasks(&settings.limits, channels.defaults()),
            store: Arc::clone(&store) as _,
            clock: Arc::clone(&clock),
            writer: writer_handle,
            sessions: sessions.clone(),
            engines: engines.clone(),
            deadline,
            map,
            drains: drains.clone(),
            losses: losses.clone(),
            traces,
            metrics: metrics.clone(),
        };

        let mut parts = Parts {
            loops: JoinSet::new(),
            writer: JoinSet::new(),
            writing: writing.clone(),
            written: None,
            store: Arc::clone(&store),
            handles,
            drain: settings.drain,
            exporter: JoinSet::new(),
            exporting: CancellationToken::new(),
            export_within: settings.traces.timeout,
        };
        if let Some(exporter) = exporter {
            let exporting = exporter.run(parts.exporting.clone());
            parts.exporter.spawn(part("trace exporter", exporting));
        }
        let listener = engines.clone();
        parts.writer.spawn(caught(async move { writer.run(writing, listener).await }));
        let until_released = released.drop_guard();
        match shared {
            Some(cluster) => {
                let keeping = keeper.shared(cluster, me, stop.child_token());
                parts.loops.spawn(whole("keeper", async move {
                    let _until_released = until_released;
                    keeping.await
                }));
            }
            None => {
                drains.refresh().await.map_err(RunError::load)?;
                let loaded = store.load(store::Partition(0)).await.map_err(RunError::load)?;
                if let Some(last) = loaded.clock {
                    // Time must not run backwards across a restart.
                    clock.not_before(last);
                }
                let keeping = keeper.alone(loaded, stop.child_token());
                parts.loops.spawn(part("engine", async move {
                    let _until_released = until_released;
                    keeping.await;
                }));
            }
        }
        parts.loops.spawn(part("drain reader", drains.run(stop.child_token())));
        parts.loops.spawn(part("executor log", losses.run(stop.child_token())));
        let merged = engines.clone();
        let held = move || merged.loaded().into_iter().map(|lease| lease.partition).collect();
        let indexing = indexer::run(Arc::clone(&store), held, metrics.clone(), stop.child_token());
        parts.loops.spawn(part("indexer", indexing));
        if let Some(archive) = archive {
            let own = engines.clone();
            // One node removes old logs: the one that acts on the first partition.
            let is_ours =
                move || own.loaded().iter().any(|lease| lease.partition == store::Partition(0));
            let (limits, its_clock) = (settings.logs.clone(), Arc::clone(&clock));
            let sweep = archive::sweep(archive, limits, is_ours, its_clock, stop.child_token());
            parts.loops.spawn(part("log cleanup", sweep));
        }
        let swept = sweep::Node { engines: engines.clone(), sessions: sessions.clone() };
        let sweep = sweep::run(
            Arc::clone(&store),
            swept,
            settings.history,
            Arc::clone(&clock),
            stop.child_token(),
        );
        parts.loops.spawn(part("history cleanup", sweep));
        let watch = clock::watch(clock.clone(), stop.child_token());
        parts.loops.spawn(part("clock watcher", watch));
        let turn: alarm::Turn = Arc::new(move |channel| engines.sends_to(channel));
        let alarms = alarm::run(store, channels, turn, clock, metrics, stop.child_token());
        parts.loops.spawn(part("alarm sender", alarms));
        let cookies = cookies.filter(|_| settings.console.enabled);
        let door = Door::new(guard.clone(), handshakes, sessions).with_cookies(cookies.clone());
        let secure = if tls.is_some() { Secure::Yes } else { Secure::No };
        let console = Console { settings: settings.console.clone(), guard, cookies, secure };
        let requests = limits::requests(&settings.limits);
        // Now, because calls need the engine, which has been loaded.
        parts.handles.open(ops.clone());
        let app = server::app(ops, link.into_router(), console::router(console), door, requests);
        let serving = bound.serve(app, tls, connections, stop.child_token(), settings.drain);
        parts.loops.spawn(part("server", serving));
        Ok(parts)
    }
}

/// The sessions of executors.
fn link(
    settings: &CoordinatorConfig,
    facts: &StoreFacts,
    me: &NodeRow,
    ops: &Ops,
    handshakes: Arc<Handshakes>,
    clock: Arc<Clock>,
    released: CancellationToken,
) -> Link {
    Link {
        handshakes,
        ops: ops.clone(),
        engines: ops.engines.clone(),
        clock,
        map: ops.map.clone(),
        sessions: ops.sessions.clone(),
        terms: Terms {
            cluster: facts.cluster.clone(),
            node: me.id.0.clone(),
            beat: settings.beat,
            silence: settings.beat * 3,
            exclusive: settings.executor_lost * 3 / 5,
            lost: settings.executor_lost,
        },
        limits: limits::hello(&settings.limits),
        credit: NodeCredit::default(),
        archive: ops.archive.clone(),
        released,
    }
}

impl Parts {
    /// Waits for the first part that ends, and returns it. If that is the writer, returns the part
    /// that made it end, if there is one.
    async fn first_end(&mut self, stop: &CancellationToken) -> Option<Ended> {
        tokio::select! {
            ended = self.loops.join_next() => ended.and_then(Result::ok),
            ended = self.writer.join_next() => {
                self.written = ended.and_then(Result::ok);
                let panic = self.written.as_ref().and_then(|written| written.as_ref().err());
                let mut first = Ended { part: "writer", panic: panic.cloned() };
                if first.panic.is_none() && !stop.is_cancelled() {
                    // The writer ends when all of its senders have: find the part that ended first.
                    let cause = tokio::time::timeout(CAUSE, self.loops.join_next()).await;
                    if let Ok(Some(Ok(cause))) = cause {
                        first = cause;
                    }
                }
                Some(first)
            }
        }
    }

    /// Stops the parts, the writer last, and closes the store. Returns why the last commits may not
    /// be durable.
    async fn stop(mut self) -> Option<RunError> {
        self.stop_loops().await;
        drop(self.handles);
        self.writing.cancel();
        if self.written.is_none() {
            let last = tokio::time::timeout(LAST_COMMITS, self.writer.join_next()).await;
            self.written = last.ok().flatten().and_then(Result::ok);
        }
        close(&*self.store).await;
        stop_exporter(self.exporter, &self.exporting, self.export_within).await;
        match self.written {
            Some(Ok(Ok(()))) => None,
            Some(Ok(Err(Unwritten::Late { waited }))) => Some(RunError::Unwritten { waited }),
            Some(Ok(Err(Unwritten::Behind))) => Some(RunError::Behind),
            Some(Err(panic)) => Some(Ended { part: "writer", panic: Some(panic) }.into()),
            // The store neither accepted nor rejected the last commits in time.
            None => Some(RunError::Unwritten { waited: LAST_COMMITS }),
        }
    }

    /// Waits for all parts but the writer within the drain timeout, then aborts the rest.
    async fn stop_loops(&mut self) {
        let rest = async {
            while let Some(ended) = self.loops.join_next().await {
                if let Ok(Ended { part, panic: Some(panic) }) = ended {
                    tracing::error!(part, panic, "a part panicked during shutdown");
                }
            }
        };
        if tokio::time::timeout(self.drain + BEYOND_DRAIN, rest).await.is_err() {
            tracing::warn!("shutdown timed out, aborting the remaining parts");
        }
        self.loops.abort_all();
    }
}

/// Has the last spans exported, for as long as that may take.
async fn stop_exporter(
    mut exporter: JoinSet<Ended>,
    exporting: &CancellationToken,
    most: Duration,
) {
    exporting.cancel();
    match tokio::time::timeout(most, exporter.join_next()).await {
        Ok(Some(Ok(Ended { part, panic: Some(panic) }))) => {
            tracing::error!(part, panic, "a part panicked: its spans are lost");
        }
        Ok(_) => {}
        Err(_) => tracing::warn!("timed out exporting the last spans, they are dropped"),
    }
}

async fn close(store: &dyn Store) {
    match tokio::time::timeout(CLOSE, store.close()).await {
        Ok(Ok(())) => {}
        Ok(Err(err)) => {
            tracing::warn!(error = &err as &dyn std::error::Error, "could not close the store");
        }
        Err(_) => tracing::warn!("timed out closing the store"),
    }
}
