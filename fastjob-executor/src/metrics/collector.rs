//! The metrics in a registry of `prometheus-client`, read at each scrape.

use std::fmt;

use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, MetricEncoder, NoLabelSet},
    metrics::MetricType,
    registry::{Registry, Unit},
};

use super::{ExecutorMetrics, OUTCOMES, RunTimes};

impl ExecutorMetrics {
    /// Registers all metrics of the executor. Their names begin with `fastjob_executor_`.
    ///
    /// A registry takes those of one executor: a family of metrics may be there only once. Give
    /// further executors of a process sub-registries with prefixes.
    pub fn register(&self, registry: &mut Registry) {
        registry.register_collector(Box::new(self.clone()));
    }
}

/// The labels of a series.
type Labels<'a> = &'a [(&'a str, &'a str)];

struct Out<'a>(DescriptorEncoder<'a>);

impl Out<'_> {
    fn family(
        &mut self,
        kind: MetricType,
        unit: Option<&'static Unit>,
        name: &'static str,
        help: &str,
    ) -> Result<MetricEncoder<'_>, fmt::Error> {
        self.0.encode_descriptor(name, help, unit, kind)
    }

    fn counter(
        &mut self,
        unit: Option<&'static Unit>,
        name: &'static str,
        help: &str,
        value: u64,
    ) -> fmt::Result {
        self.family(MetricType::Counter, unit, name, help)?
            .encode_counter::<NoLabelSet, _, u64>(&value, None)
    }

    fn gauge(&mut self, name: &'static str, help: &str, value: u64) -> fmt::Result {
        self.family(MetricType::Gauge, None, name, help)?.encode_gauge(&value)
    }
}

impl Collector for ExecutorMetrics {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> fmt::Result {
        static SECONDS: Unit = Unit::Seconds;
        static BYTES: Unit = Unit::Bytes;
        let out = &mut Out(encoder);
        let now = self.snapshot();
        if let Some(about) = self.0.about.get() {
            let labels: Labels<'_> = &[
                ("service", &about.service),
                ("executor", &about.executor),
                ("version", env!("CARGO_PKG_VERSION")),
            ];
            let help = "The service and the name of this executor, and the release of its library";
            out.family(MetricType::Info, None, "fastjob_executor_build", help)?
                .encode_info(&labels)?;
        }
        let help = "Attempts that entered a handler and ended, by handler and outcome";
        let mut ended =
            out.family(MetricType::Counter, None, "fastjob_executor_attempts_ended", help)?;
        for (handler, metrics) in &now.handlers {
            for outcome in OUTCOMES {
                if let Some(count) = metrics.ended.get(outcome) {
                    let labels: Labels<'_> = &[("handler", handler), ("outcome", outcome)];
                    ended
                        .encode_family(&labels)?
                        .encode_counter::<NoLabelSet, _, u64>(count, None)?;
                }
            }
        }
        let help = "From the start to the end of an attempt, by handler";
        let (kind, unit) = (MetricType::Histogram, Some(&SECONDS));
        let mut run_time = out.family(kind, unit, "fastjob_executor_run_time", help)?;
        for (handler, metrics) in &now.handlers {
            let RunTimes { count, sum, buckets } = &metrics.run_time;
            if *count == 0 {
                continue;
            }
            let last = buckets.len().saturating_sub(1);
            let buckets = buckets.iter().enumerate().map(|(at, (bound, count))| {
                (if at == last { f64::INFINITY } else { bound.as_secs_f64() }, *count)
            });
            let (buckets, sum): (Vec<_>, _) = (buckets.collect(), sum.as_secs_f64());
            let labels: Labels<'_> = &[("handler", handler)];
            run_time
                .encode_family(&labels)?
                .encode_histogram::<NoLabelSet>(sum, *count, &buckets, None)?;
        }
        out.counter(
            None,
            "fastjob_executor_attempts_not_entered",
            "Attempts that ended without entering a handler: skipped, replaced, or stopped before",
            now.not_entered,
        )?;
        let held = [
            (
                "fastjob_executor_capacity",
                "How many attempts may run at the same time",
                now.capacity,
            ),
            ("fastjob_executor_running", "Attempts that run", now.running),
            (
                "fastjob_executor_waiting",
                "Due attempts that wait for their turn or for a place",
                now.waiting,
            ),
        ];
        for (name, help, value) in held {
            out.gauge(name, help, value.into())?;
        }
        let help = "Outcomes that no coordinator has acknowledged";
        out.gauge("fastjob_executor_outbox", help, now.outbox)?;
        let help = "Open sessions, at most one with each coordinator";
        out.gauge("fastjob_executor_sessions", help, now.sessions)?;
        let help = "Sessions that were opened, reconnects included";
        out.counter(None, "fastjob_executor_sessions_opened", help, now.sessions_opened)?;
        let help = "Connections to coordinators that failed or were interrupted";
        out.counter(None, "fastjob_executor_sessions_failed", help, now.sessions_failed)?;
        let help = "Bytes that attempts logged and that were written";
        out.counter(Some(&BYTES), "fastjob_executor_log_written", help, now.log_bytes)?;
        out.counter(
            Some(&BYTES),
            "fastjob_executor_log_dropped",
            "Bytes that attempts logged and that are lost: full log, failed file, or a disk that is too slow",
            now.log_bytes_dropped,
        )
    }
}
