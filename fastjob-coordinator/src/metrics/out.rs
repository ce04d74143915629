//! Writes metric families. The names and units are checked by tests of the whole exposition.

use std::fmt;

use prometheus_client::{
    encoding::{DescriptorEncoder, MetricEncoder, NoLabelSet},
    metrics::MetricType,
    registry::Unit,
};

use super::histogram::Counted;

/// The unit of a metric, which is the end of its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum In {
    /// A count of things, which the name says.
    Count,
    Seconds,
    Bytes,
}

impl In {
    fn unit(self) -> Option<&'static Unit> {
        static SECONDS: Unit = Unit::Seconds;
        static BYTES: Unit = Unit::Bytes;
        match self {
            Self::Count => None,
            Self::Seconds => Some(&SECONDS),
            Self::Bytes => Some(&BYTES),
        }
    }
}

/// The labels of a series.
pub(super) type Labels<'a> = &'a [(&'static str, &'a str)];

/// Writes metric families one after the other.
pub(super) struct Out<'a>(pub(super) DescriptorEncoder<'a>);

impl Out<'_> {
    fn family(
        &mut self,
        kind: MetricType,
        unit: In,
        name: &'static str,
        help: &str,
    ) -> Result<Family<'_>, fmt::Error> {
        Ok(Family(self.0.encode_descriptor(name, help, unit.unit(), kind)?))
    }

    /// A family of counters. The name is without its `_total`.
    pub(super) fn counters(
        &mut self,
        unit: In,
        name: &'static str,
        help: &str,
    ) -> Result<Family<'_>, fmt::Error> {
        self.family(MetricType::Counter, unit, name, help)
    }

    /// A family of gauges.
    pub(super) fn gauges(
        &mut self,
        unit: In,
        name: &'static str,
        help: &str,
    ) -> Result<Family<'_>, fmt::Error> {
        self.family(MetricType::Gauge, unit, name, help)
    }

    /// A family of histograms of durations.
    pub(super) fn histograms(
        &mut self,
        name: &'static str,
        help: &str,
    ) -> Result<Family<'_>, fmt::Error> {
        self.family(MetricType::Histogram, In::Seconds, name, help)
    }

    /// A counter without labels.
    pub(super) fn counter(&mut self, name: &'static str, help: &str, value: u64) -> fmt::Result {
        self.counters(In::Count, name, help)?.count(&[], value)
    }

    /// Counters with one label.
    pub(super) fn counters_by<'v>(
        &mut self,
        name: &'static str,
        help: &str,
        label: &'static str,
        values: impl IntoIterator<Item = (&'v str, u64)>,
    ) -> fmt::Result {
        let mut family = self.counters(In::Count, name, help)?;
        values.into_iter().try_for_each(|(value, count)| family.count(&[(label, value)], count))
    }

    /// A gauge without labels.
    pub(super) fn gauge(&mut self, name: &'static str, help: &str, value: u64) -> fmt::Result {
        self.gauges(In::Count, name, help)?.gauge(&[], value as f64)
    }

    /// Gauges with one label.
    pub(super) fn gauges_by<'v>(
        &mut self,
        name: &'static str,
        help: &str,
        label: &'static str,
        values: impl IntoIterator<Item = (&'v str, u64)>,
    ) -> fmt::Result {
        let mut family = self.gauges(In::Count, name, help)?;
        values.into_iter().try_for_each(|(value, n)| family.gauge(&[(label, value)], n as f64))
    }

    /// A gauge that is 1 or 0.
    pub(super) fn flag(&mut self, name: &'static str, help: &str, is: bool) -> fmt::Result {
        self.gauge(name, help, u64::from(is))
    }

    /// A histogram without labels.
    pub(super) fn histogram(
        &mut self,
        name: &'static str,
        help: &str,
        counted: &Counted,
    ) -> fmt::Result {
        self.histograms(name, help)?.histogram(&[], counted)
    }

    /// Facts as labels, with the value 1.
    pub(super) fn info(
        &mut self,
        name: &'static str,
        help: &str,
        labels: Labels<'_>,
    ) -> fmt::Result {
        self.family(MetricType::Info, In::Count, name, help)?.0.encode_info(&labels)
    }
}

/// Writes the series of a family.
pub(super) struct Family<'a>(MetricEncoder<'a>);

impl Family<'_> {
    pub(super) fn count(&mut self, labels: Labels<'_>, value: u64) -> fmt::Result {
        match labels {
            [] => self.0.encode_counter::<NoLabelSet, _, u64>(&value, None),
            _ => self.0.encode_family(&labels)?.encode_counter::<NoLabelSet, _, u64>(&value, None),
        }
    }

    /// A counter of seconds.
    pub(super) fn seconds(&mut self, labels: Labels<'_>, value: f64) -> fmt::Result {
        match labels {
            [] => self.0.encode_counter::<NoLabelSet, _, f64>(&value, None),
            _ => self.0.encode_family(&labels)?.encode_counter::<NoLabelSet, _, f64>(&value, None),
        }
    }

    pub(super) fn gauge(&mut self, labels: Labels<'_>, value: f64) -> fmt::Result {
        match labels {
            [] => self.0.encode_gauge(&value),
            _ => self.0.encode_family(&labels)?.encode_gauge(&value),
        }
    }

    pub(super) fn histogram(&mut self, labels: Labels<'_>, counted: &Counted) -> fmt::Result {
        let Counted { sum, count, buckets } = counted;
        match labels {
            [] => self.0.encode_histogram::<NoLabelSet>(*sum, *count, buckets, None),
            _ => self
                .0
                .encode_family(&labels)?
                .encode_histogram::<NoLabelSet>(*sum, *count, buckets, None),
        }
    }
}
