//! A strict parser of OpenMetrics 1.0, as far as it is used: everything else is a panic.

use std::collections::{BTreeMap, BTreeSet};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Counter,
    Gauge,
    Histogram,
    Info,
}

type Labels = BTreeMap<String, String>;

/// A text that was parsed.
#[derive(Debug, Default)]
pub(super) struct Exposition {
    families: BTreeMap<String, Kind>,
    samples: Vec<(String, Labels, f64)>,
}

impl Exposition {
    pub(super) fn kind(&self, family: &str) -> Option<Kind> {
        self.families.get(family).copied()
    }

    /// The names of the families, as the documentation has them: those of counters with `_total`.
    pub(super) fn families(&self) -> BTreeSet<String> {
        let name = |(name, kind): (&String, &Kind)| match kind {
            Kind::Counter => format!("{name}_total"),
            Kind::Info => format!("{name}_info"),
            Kind::Gauge | Kind::Histogram => name.clone(),
        };
        self.families.iter().map(name).collect()
    }

    fn matching(&self, name: &str, labels: &[(&str, &str)]) -> impl Iterator<Item = f64> {
        self.samples.iter().filter_map(move |(found, has, value)| {
            let all = labels.iter().all(|(key, value)| has.get(*key).is_some_and(|v| v == value));
            (found == name && all).then_some(*value)
        })
    }

    /// The sum of the samples with these labels; there has to be one.
    pub(super) fn value(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        assert!(self.series(name, labels) > 0, "there is no {name} with {labels:?}");
        self.matching(name, labels).sum()
    }

    /// How many samples have these labels.
    pub(super) fn series(&self, name: &str, labels: &[(&str, &str)]) -> usize {
        self.matching(name, labels).count()
    }
}

pub(super) fn parse(text: &str) -> Exposition {
    let body = text.strip_suffix("# EOF\n").expect("it ends with # EOF");
    let mut shown = Exposition::default();
    let mut current: Option<(String, Kind)> = None;
    let mut helped = BTreeSet::new();
    for line in body.lines() {
        if let Some(rest) = line.strip_prefix("# ") {
            let mut words = rest.splitn(3, ' ');
            let mut word = || words.next().unwrap_or_else(|| panic!("cut: {line}")).to_owned();
            let (what, name, value) = (word(), word(), word());
            match what.as_str() {
                "HELP" => assert!(helped.insert(name), "helped twice: {line}"),
                "TYPE" => {
                    let kind = match value.as_str() {
                        "counter" => Kind::Counter,
                        "gauge" => Kind::Gauge,
                        "histogram" => Kind::Histogram,
                        "info" => Kind::Info,
                        other => panic!("a type that is not used: {other}"),
                    };
                    let new = shown.families.insert(name.clone(), kind);
                    assert_eq!(new, None, "a family twice: {line}");
                    current = Some((name, kind));
                }
                "UNIT" => {
                    let (family, _) = current.as_ref().expect("a unit follows a type");
                    assert!(*family == name && name.ends_with(&format!("_{value}")), "{line}");
                }
                _ => panic!("an unknown comment: {line}"),
            }
            continue;
        }
        let (name, labels, value) = sample(line);
        let (family, kind) = current.as_ref().expect("a sample follows a type");
        let ends: &[&str] = match kind {
            Kind::Counter => &["_total"],
            Kind::Gauge => &[""],
            Kind::Histogram => &["_bucket", "_count", "_sum"],
            Kind::Info => &["_info"],
        };
        let is_of = |end: &&str| name.strip_suffix(*end) == Some(family.as_str());
        assert!(ends.iter().any(is_of), "{line} is not of {family}");
        assert!(value >= 0.0 || *kind == Kind::Gauge, "{line}");
        let same = |(other, others, _): &(String, Labels, f64)| *other == name && *others == labels;
        assert!(!shown.samples.iter().any(same), "a series twice: {line}");
        shown.samples.push((name, labels, value));
    }
    for (family, kind) in &shown.families {
        assert!(helped.contains(family), "{family} has no help");
        if *kind == Kind::Histogram {
            check_histogram(&shown, family);
        }
    }
    shown
}

/// Buckets grow with their bounds up to the count.
fn check_histogram(shown: &Exposition, family: &str) {
    let mut series: BTreeMap<Labels, Vec<(f64, f64)>> = BTreeMap::new();
    for (name, labels, value) in &shown.samples {
        if *name == format!("{family}_bucket") {
            let mut labels = labels.clone();
            let bound = match labels.remove("le").expect("a bucket has a bound").as_str() {
                "+Inf" => f64::INFINITY,
                bound => bound.parse().unwrap(),
            };
            series.entry(labels).or_default().push((bound, *value));
        }
    }
    for (labels, buckets) in series {
        let grows = |pair: &[(f64, f64)]| pair[0].0 < pair[1].0 && pair[0].1 <= pair[1].1;
        assert!(buckets.windows(2).all(grows), "{family} {labels:?}: {buckets:?}");
        let last = *buckets.last().unwrap();
        let labels: Vec<_> = labels.iter().map(|(key, value)| (&**key, &**value)).collect();
        assert_eq!(last, (f64::INFINITY, shown.value(&format!("{family}_count"), &labels)));
        assert_eq!(shown.series(&format!("{family}_sum"), &labels), 1);
    }
}

fn is_name(text: &str) -> bool {
    let mut letters = text.chars();
    letters.next().is_some_and(|c| c.is_ascii_lowercase())
        && letters.all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
}

fn sample(line: &str) -> (String, Labels, f64) {
    let end = line.find(['{', ' ']).unwrap_or_else(|| panic!("no value: {line}"));
    let (name, mut rest) = line.split_at(end);
    assert!(is_name(name), "not a name: {line}");
    let mut labels = Labels::new();
    if let Some(inside) = rest.strip_prefix('{') {
        rest = inside;
        loop {
            let (key, value) = rest.split_once("=\"").unwrap_or_else(|| panic!("labels: {line}"));
            assert!(is_name(key), "not a label: {line}");
            let mut text = String::new();
            let mut letters = value.char_indices();
            let end = loop {
                match letters.next().unwrap_or_else(|| panic!("an open quote: {line}")) {
                    (at, '"') => break at + 1,
                    (_, '\\') => text.push(match letters.next().map(|(_, c)| c) {
                        Some('n') => '\n',
                        Some(c @ ('"' | '\\')) => c,
                        other => panic!("an escape {other:?}: {line}"),
                    }),
                    (_, c) => text.push(c),
                }
            };
            assert_eq!(labels.insert(key.to_owned(), text), None, "a label twice: {line}");
            rest = &value[end..];
            match rest.chars().next() {
                Some(',') => rest = &rest[1..],
                Some('}') => break,
                other => panic!("after a label {other:?}: {line}"),
            }
        }
        rest = &rest[1..];
    }
    let value = rest.strip_prefix(' ').unwrap_or_else(|| panic!("no value: {line}"));
    (name.to_owned(), labels, value.parse().unwrap_or_else(|_| panic!("not a number: {line}")))
}
