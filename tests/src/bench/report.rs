//! How figures are printed and kept.

use std::fmt;

use serde_json::{Map, Value, json};

use super::target;

/// A line of `key=value` pairs for programs that read the output of a bench: one for each build,
/// and one that begins with `ratio` if two were compared.
#[derive(Clone, Debug)]
pub struct Summary {
    title: String,
    figures: Vec<(String, Value)>,
}

impl Summary {
    /// An empty line that begins with `title`.
    pub fn new(title: &str) -> Self {
        Self { title: title.to_owned(), figures: Vec::new() }
    }

    /// Adds a figure.
    #[must_use]
    pub fn with(mut self, key: &str, value: impl Into<Value>) -> Self {
        self.figures.push((key.to_owned(), value.into()));
        self
    }

    /// Adds a figure if there is one.
    #[must_use]
    pub fn with_some(self, key: &str, value: Option<impl Into<Value>>) -> Self {
        match value {
            Some(value) => self.with(key, value),
            None => self,
        }
    }

    /// As a JSON object.
    pub fn to_json(&self) -> Value {
        Value::Object(self.figures.iter().cloned().collect::<Map<_, _>>())
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.title)?;
        for (key, value) in &self.figures {
            match value.as_str() {
                Some(text) if !text.contains(' ') => write!(f, " {key}={text}")?,
                _ => write!(f, " {key}={value}")?,
            }
        }
        Ok(())
    }
}

/// Percentiles of measured times, in milliseconds.
#[derive(Clone, Debug)]
pub struct Percentiles(Vec<i64>);

impl Percentiles {
    /// Of times in microseconds.
    pub fn of(mut micros: Vec<i64>) -> Self {
        micros.sort_unstable();
        Self(micros)
    }

    /// The number of values.
    pub fn count(&self) -> usize {
        self.0.len()
    }

    /// The time that this part of the values does not exceed, from 0 to 1; 0 if there are none.
    pub fn at(&self, part: f64) -> f64 {
        let index = (self.0.len().saturating_sub(1) as f64 * part).round() as usize;
        self.0.get(index).map_or(0.0, |micros| *micros as f64 / 1_000.0)
    }

    /// The usual ones, as JSON.
    pub fn to_json(&self) -> Value {
        json!({"p50": self.at(0.5), "p90": self.at(0.9), "p99": self.at(0.99), "max": self.at(1.0)})
    }
}

impl fmt::Display for Percentiles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [p50, p90, p99, max] = [0.5, 0.9, 0.99, 1.0].map(|part| self.at(part));
        write!(f, "p50 {p50:.1} ms, p90 {p90:.1}, p99 {p99:.1}, max {max:.1}")
    }
}

/// A description of the machine of the measurement.
pub fn machine() -> Value {
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let cpu = read("/proc/cpuinfo");
    let model = cpu.lines().find_map(|line| line.strip_prefix("model name")?.split(':').nth(1));
    json!({
        "cpu": model.unwrap_or("unknown").trim(),
        "cores": std::thread::available_parallelism().map_or(0, usize::from),
        "kernel": read("/proc/sys/kernel/osrelease").trim(),
        "fastjob": env!("CARGO_PKG_VERSION"),
        "profile": if cfg!(debug_assertions) { "debug" } else { "release" },
    })
}

/// Writes the figures to `target/bench/NAME`, and prints them.
///
/// # Panics
///
/// Panics if they cannot be written.
pub fn write(name: &str, figures: &Value) {
    keep(name, figures);
    println!("{figures:#}");
}

/// Writes the figures to `target/bench/NAME`.
///
/// # Panics
///
/// Panics if they cannot be written.
pub fn keep(name: &str, figures: &Value) {
    let path = target().join("bench").join(name);
    std::fs::create_dir_all(target().join("bench")).expect("a folder can be made");
    std::fs::write(&path, format!("{figures:#}\n")).expect("the figures can be written");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_summary_is_a_line_of_pairs() {
        let line = Summary::new("summary")
            .with("build", "this")
            .with("store", "sqlite, WAL")
            .with("runs_per_s", 42_000)
            .with_some("ratio", Some(2.5))
            .with_some("missing", None::<f64>);
        let expected = r#"summary build=this store="sqlite, WAL" runs_per_s=42000 ratio=2.5"#;
        assert_eq!(line.to_string(), expected);
        assert_eq!(line.to_json()["runs_per_s"], 42_000);
    }

    #[test]
    fn percentiles_are_of_the_sorted_values() {
        let times = Percentiles::of((1..=101).rev().map(|n| n * 1_000).collect());
        assert_eq!((times.at(0.5), times.at(0.99), times.at(1.0)), (51.0, 100.0, 101.0));
        assert_eq!(Percentiles::of(Vec::new()).at(0.5), 0.0);
    }
}
