//! Where the traces of tasks are sent: `[coordinator.traces]`.

use std::{collections::BTreeMap, time::Duration};

use fastjob_core::trace::Sampler;
use http::{HeaderName, HeaderValue, Uri};

use super::{
    Problem, Secret,
    setting::{between, settings},
};

/// Shortest time that a collector may take.
const TIMEOUT_MIN: Duration = Duration::from_millis(1);
/// Longest time that a collector may take. The coordinator waits as long for it when it stops.
const TIMEOUT_MAX: Duration = Duration::from_secs(60);

settings! {
    /// Where the traces of tasks are sent. Without an `endpoint`, traces of callers are passed on to
    /// executors and children, and nothing is sent.
    pub struct TracesConfig {
        /// The collector, which speaks OTLP over gRPC, such as `http://localhost:4317`. If it is not
        /// set, no traces are sent.
        pub endpoint: Option<String> = None;
        /// The share of new traces that is recorded, from 0 to 1: of fires, and of calls that are not part of a
        /// trace. If a caller is part of a trace, it has decided.
        pub sample: f64 = 1.0;
        /// How long the collector may take for a batch, and for the last ones when the coordinator
        /// stops.
        pub timeout: Duration = Duration::from_secs(10), between(TIMEOUT_MIN, TIMEOUT_MAX);
        /// Headers that are sent along, such as an API key. In the variable, `name=value` separated
        /// by commas.
        pub headers: BTreeMap<String, Secret> = BTreeMap::new();
        /// The name of the coordinator in traces, `service.name`.
        pub service: String = "fastjob".to_owned();
        /// Allows spans to be sent in plain text to another machine, if something else protects the
        /// connection.
        pub allow_http: bool = false;
    }
}

impl TracesConfig {
    pub(super) fn check(&self, problems: &mut Vec<Problem>) {
        let mut problem = |key: &str, message: String| {
            problems.push(Problem::new(format!("coordinator.traces.{key}"), message));
        };
        if let Some(Err(message)) = self.endpoint.as_deref().map(|url| self.judge(url)) {
            problem("endpoint", message);
        }
        if let Err(err) = Sampler::new(self.sample) {
            problem("sample", err.to_string());
        }
        if self.service.trim().is_empty() {
            problem("service", "it is empty".to_owned());
        }
        for (name, value) in &self.headers {
            if name.parse::<HeaderName>().is_err() || value.expose().parse::<HeaderValue>().is_err()
            {
                problem("headers", format!("`{name}` is not a valid header"));
            }
        }
    }

    /// Checks the URL of the collector: messages of errors and headers must not be readable on the
    /// network.
    fn judge(&self, url: &str) -> Result<(), String> {
        if !cfg!(feature = "traces") {
            return Err("this build cannot send traces: build it with the feature `traces`".into());
        }
        let wrong = || "write it like `http://localhost:4317` or `https://HOST:PORT`".to_owned();
        let uri: Uri = url.parse().map_err(|_| wrong())?;
        let host = uri.host().filter(|host| !host.is_empty()).ok_or_else(wrong)?;
        if uri.authority().is_some_and(|authority| authority.as_str().contains('@')) {
            return Err("it must not contain a user: use headers".to_owned());
        }
        match uri.scheme_str() {
            Some("https") => Ok(()),
            Some("http") if self.allow_http || is_loopback(host) => Ok(()),
            Some("http") => {
                Err("spans and headers would be sent in plain text: use https, or set \
                                 allow_http = true if the connection is protected otherwise"
                    .to_owned())
            }
            _ => Err(wrong()),
        }
    }
}

fn is_loopback(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || bare.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
}
