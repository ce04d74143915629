//! Requests by route, and those that were refused.
//!
//! Routes are those of the router, so a client cannot add any. A request without one counts as
//! `none`. gRPC calls are counted like all others; the session of an executor is one call.

use std::{
    collections::HashMap,
    fmt,
    sync::{
        Arc, Mutex, PoisonError, RwLock,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use super::{
    histogram::{Histogram, read_all},
    out::{In, Out},
};

/// In microseconds.
const ANSWERS: &[u64] = &[
    1_000, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000, 2_500_000,
    5_000_000,
];
/// The most routes that are distinguished: more than there are, so that only a mistake reaches it.
const ROUTES: usize = 200;
/// Classes of HTTP statuses.
const CLASSES: [&str; 4] = ["2xx", "3xx", "4xx", "5xx"];
/// Methods that are distinguished.
const METHODS: [&str; 6] = ["GET", "POST", "PUT", "PATCH", "DELETE", "other"];
const NO_ROUTE: &str = "none";

/// Counts requests.
#[derive(Debug, Default)]
pub(crate) struct Requests {
    routes: RwLock<HashMap<Box<str>, Arc<Route>>>,
    /// By reason. The reasons are few and fixed.
    refused: Mutex<Vec<(&'static str, u64)>>,
}

#[derive(Debug)]
struct Route {
    /// By method and class.
    counts: [[AtomicU64; CLASSES.len()]; METHODS.len()],
    took: Histogram,
}

impl Default for Route {
    fn default() -> Self {
        let counts = [const { [const { AtomicU64::new(0) }; CLASSES.len()] }; METHODS.len()];
        Self { counts, took: Histogram::new(ANSWERS) }
    }
}

/// Why a request was refused, as a value of a label. Attached to the response.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Refused(pub(crate) &'static str);

impl Requests {
    /// Counts a request that was answered: with its route, if it has one.
    pub(crate) fn answered(&self, route: Option<&str>, method: &str, status: u16, took: Duration) {
        let route = self.route(route.unwrap_or(NO_ROUTE));
        let method = METHODS.iter().position(|known| *known == method).unwrap_or(METHODS.len() - 1);
        let class = match status {
            0..300 => 0,
            300..400 => 1,
            400..500 => 2,
            500.. => 3,
        };
        route.counts[method][class].fetch_add(1, Relaxed);
        route.took.observe(took);
    }

    fn route(&self, name: &str) -> Arc<Route> {
        let known = self.routes.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(route) = known.get(name) {
            return Arc::clone(route);
        }
        let name = if known.len() < ROUTES { name } else { NO_ROUTE };
        drop(known);
        let mut known = self.routes.write().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(known.entry(name.into()).or_default())
    }

    /// Counts a request that was refused before it was handled.
    pub(crate) fn refused(&self, Refused(reason): Refused) {
        let mut refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        match refused.iter_mut().find(|(known, _)| *known == reason) {
            Some((_, count)) => *count += 1,
            None => refused.push((reason, 1)),
        }
    }

    pub(super) fn write(&self, out: &mut Out<'_>) -> fmt::Result {
        let mut routes: Vec<_> = {
            let known = self.routes.read().unwrap_or_else(PoisonError::into_inner);
            known.iter().map(|(name, route)| (name.clone(), Arc::clone(route))).collect()
        };
        routes.sort_by(|(a, _), (b, _)| a.cmp(b));
        let mut requests = out.counters(
            In::Count,
            "fastjob_http_requests",
            "Requests that were answered, by route, method and class of the status",
        )?;
        for (name, route) in &routes {
            for (method, counts) in METHODS.iter().zip(&route.counts) {
                for (class, count) in CLASSES.iter().zip(read_all(counts)) {
                    if count > 0 {
                        let labels = [("route", &**name), ("method", method), ("status", class)];
                        requests.count(&labels, count)?;
                    }
                }
            }
        }
        let mut took = out.histograms(
            "fastjob_http_request_duration",
            "How long requests took until the head of their response, by route",
        )?;
        for (name, route) in &routes {
            took.histogram(&[("route", name)], &route.took.read())?;
        }
        let refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner).clone();
        out.counters_by(
            "fastjob_requests_refused",
            "Requests that were refused before they were handled, by reason",
            "reason",
            refused,
        )
    }
}
