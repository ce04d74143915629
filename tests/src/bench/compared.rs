//! The figures of each build, and the ratio of two builds.

use std::fmt;

use serde_json::{Value, json};

use super::{Build, Summary};

/// A figure of a summary: its name, and how it follows from a measurement; `None` if the measurement
/// does not have it.
pub type Figure<T> = (&'static str, fn(&T) -> Option<f64>);

/// The summaries of all builds, and the ratio if there are two.
#[derive(Clone, Debug)]
pub struct Compared {
    builds: Vec<String>,
    summaries: Vec<Summary>,
    ratio: Option<Summary>,
}

impl Compared {
    /// Takes the mean of the measurements of each build. `settings` begin each line.
    pub fn of<T>(
        settings: &[(&str, Value)],
        builds: &[Build],
        measured: &[Vec<T>],
        figures: &[Figure<T>],
    ) -> Self {
        let line = |title: &str, build: Option<&str>| {
            let line = Summary::new(title).with_some("build", build);
            settings.iter().fold(line, |line, (key, value)| line.with(key, value.clone()))
        };
        let summaries = builds.iter().zip(measured).map(|(build, measured)| {
            figures.iter().fold(line("summary", Some(build.name)), |line, (key, figure)| {
                line.with_some(key, mean(measured, *figure).map(number))
            })
        });
        let ratio = |this: &[T], other: &[T]| {
            figures.iter().fold(line("ratio", None), |line, (key, figure)| {
                let pair = mean(this, *figure).zip(mean(other, *figure));
                line.with_some(key, pair.and_then(|(this, other)| ratio(this, other)).map(number))
            })
        };
        Self {
            builds: builds.iter().map(|build| build.program.display().to_string()).collect(),
            summaries: summaries.collect(),
            ratio: match measured {
                [this, other] => Some(ratio(this, other)),
                _ => None,
            },
        }
    }

    /// As JSON.
    pub fn to_json(&self) -> Value {
        let summaries: Value = self.summaries.iter().map(Summary::to_json).collect();
        let ratio = self.ratio.as_ref().map(Summary::to_json);
        json!({"programs": self.builds, "summaries": summaries, "ratio": ratio})
    }
}

/// The lines for programs.
impl fmt::Display for Compared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lines = self.summaries.iter().chain(&self.ratio).map(Summary::to_string);
        f.write_str(&lines.collect::<Vec<_>>().join("\n"))
    }
}

/// The mean of the measurements that have the figure.
fn mean<T>(measured: &[T], figure: fn(&T) -> Option<f64>) -> Option<f64> {
    let values: Vec<_> = measured.iter().filter_map(figure).collect();
    (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
}

fn ratio(this: f64, other: f64) -> Option<f64> {
    (other > 0.0).then(|| this / other)
}

/// With three decimals, or none if it is whole.
fn number(value: f64) -> Value {
    let rounded = (value * 1_000.0).round() / 1_000.0;
    if rounded.fract() == 0.0 { json!(rounded as i64) } else { json!(rounded) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIGURES: &[Figure<f64>] = &[
        ("rate", |rate| Some(*rate)),
        ("doubled", |rate| Some(*rate * 2.0)),
        ("high", |rate| (*rate > 100.0).then_some(*rate)),
    ];

    fn builds(names: &[&'static str]) -> Vec<Build> {
        names.iter().map(|name| Build { name, program: name.into() }).collect()
    }

    #[test]
    fn the_ratio_is_of_the_means_of_two_builds() {
        let settings = [("store", json!("sqlite"))];
        let measured = [vec![40.0, 60.0], vec![10.0, 30.0]];
        let compared = Compared::of(&settings, &builds(&["this", "other"]), &measured, FIGURES);
        let expected = "summary build=this store=sqlite rate=50 doubled=100\n\
                        summary build=other store=sqlite rate=20 doubled=40\n\
                        ratio store=sqlite rate=2.5 doubled=2.5";
        assert_eq!(compared.to_string(), expected);
        assert_eq!(compared.to_json()["ratio"]["rate"], 2.5);
    }

    #[test]
    fn a_single_build_has_no_ratio_and_a_missing_figure_no_entry() {
        let compared = Compared::of(&[], &builds(&["this"]), &[vec![50.0, 150.0]], FIGURES);
        assert_eq!(compared.to_string(), "summary build=this rate=100 doubled=200 high=150");
        let two = Compared::of(&[], &builds(&["a", "b"]), &[vec![1.0], vec![0.0]], FIGURES);
        assert!(two.to_string().ends_with("\nratio"), "{two}");
    }
}
