//! The arguments of a bench.
//!
//! Anything unknown or unreadable ends the bench with an error before it measures: a mistyped flag
//! must not lead to figures with other settings.

use std::{fmt::Display, path::PathBuf, str::FromStr};

use super::Kind;

/// The arguments that were given, checked against those that there are.
#[derive(Debug)]
pub struct Args {
    given: Vec<(String, String)>,
}

impl Args {
    /// Parses the arguments of this process: `usage` is printed for `--help`, `values` are flags
    /// with a value, and `switches` are flags without one. Exits with an error if they are invalid.
    pub fn of_process(usage: &str, values: &[&str], switches: &[&str]) -> Self {
        let words: Vec<_> = std::env::args().skip(1).collect();
        if words.iter().any(|word| word == "--help" || word == "-h") {
            println!("{}", usage.trim());
            std::process::exit(0);
        }
        or_exit(Self::parse(words, values, switches))
    }

    fn parse(words: Vec<String>, values: &[&str], switches: &[&str]) -> Result<Self, String> {
        let mut given: Vec<(String, String)> = Vec::new();
        let mut words = words.into_iter();
        while let Some(word) = words.next() {
            // Cargo adds this one.
            if word == "--bench" {
                continue;
            }
            if given.iter().any(|(name, _)| *name == word) {
                return Err(format!("{word} is given more than once"));
            }
            if switches.contains(&word.as_str()) {
                given.push((word, String::new()));
            } else if values.contains(&word.as_str()) {
                let value = words.next().filter(|value| !value.starts_with("--"));
                let value = value.ok_or_else(|| format!("{word} needs a value"))?;
                given.push((word, value));
            } else {
                let known = [values, switches].concat().join(", ");
                return Err(format!("`{word}` is not a flag of this bench; there are {known}"));
            }
        }
        Ok(Self { given })
    }

    /// Whether a flag is there.
    pub fn has(&self, name: &str) -> bool {
        self.text(name).is_some()
    }

    /// The value of a flag, as it was written.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.given.iter().find(|(given, _)| given == name).map(|(_, value)| value.as_str())
    }

    /// A number from `least` to `most`; exits with an error if it is not.
    pub fn number<T: FromStr + Display + PartialOrd + Copy>(
        &self,
        name: &str,
        default: T,
        (least, most): (T, T),
    ) -> T {
        or_exit(self.try_number(name, default, (least, most)))
    }

    fn try_number<T: FromStr + Display + PartialOrd + Copy>(
        &self,
        name: &str,
        default: T,
        (least, most): (T, T),
    ) -> Result<T, String> {
        let Some(text) = self.text(name) else { return Ok(default) };
        match text.replace('_', "").parse::<T>() {
            Ok(number) if number >= least && number <= most => Ok(number),
            _ => Err(format!("{name} must be a number from {least} to {most}, not `{text}`")),
        }
    }

    /// Rates, separated by commas; exits with an error if one is not a positive number.
    pub fn rates(&self, name: &str, default: &[usize]) -> Vec<usize> {
        let Some(text) = self.text(name) else { return default.to_vec() };
        or_exit(rates(text).ok_or_else(|| {
            format!("{name} must be positive numbers with commas between them, not `{text}`")
        }))
    }

    /// The store of `--store` and `--nodes`; exits with an error if they are invalid.
    pub fn kind(&self) -> Kind {
        or_exit(self.try_kind())
    }

    fn try_kind(&self) -> Result<Kind, String> {
        let nodes = self.try_number("--nodes", 1, (1, 16))?;
        match self.text("--store") {
            None | Some("sqlite") if nodes == 1 => Ok(Kind::Sqlite),
            None | Some("sqlite") => Err("--nodes above 1 needs --store postgres".to_owned()),
            Some("postgres") => Ok(Kind::Postgres { nodes }),
            Some(other) => Err(format!("--store must be sqlite or postgres, not `{other}`")),
        }
    }

    /// The program of `--against`; exits with an error if there is no such file.
    pub fn against(&self) -> Option<PathBuf> {
        let path = PathBuf::from(self.text("--against")?);
        or_exit(match path.is_file() {
            true => Ok(Some(path)),
            false => Err(format!("--against: there is no file {}", path.display())),
        })
    }
}

/// Exits with the error of arguments that cannot be combined.
pub fn refuse(why: &str) -> ! {
    eprintln!("error: {why}");
    std::process::exit(2);
}

fn or_exit<T>(parsed: Result<T, String>) -> T {
    parsed.unwrap_or_else(|why| refuse(&why))
}

fn rates(text: &str) -> Option<Vec<usize>> {
    let rates = text.split(',').map(|rate| rate.trim().replace('_', "").parse().ok());
    rates.map(|rate| rate.filter(|rate| *rate > 0)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(words: &str) -> Result<Args, String> {
        let words = words.split_whitespace().map(str::to_owned).collect();
        Args::parse(words, &["--seconds", "--store", "--nodes"], &["--find"])
    }

    #[test]
    fn flags_with_and_without_values_are_read() {
        let args = parse("--bench --find --seconds 1_000").unwrap();
        assert!(args.has("--find") && !args.has("--store"));
        assert_eq!(args.try_number("--seconds", 20, (1, 2_000)), Ok(1_000));
        assert_eq!(args.try_number("--nodes", 3, (1, 16)), Ok(3));
    }

    #[test]
    fn mistakes_are_errors_that_name_the_flag() {
        #[track_caller]
        fn check(words: &str, part: &str) {
            let err = parse(words).unwrap_err();
            assert!(err.contains(part), "{err}");
        }
        check("--secnods 5", "`--secnods`");
        check("--seconds", "--seconds needs a value");
        check("--seconds --find", "--seconds needs a value");
        check("--find --find", "--find is given more than once");
        check("fast", "`fast`");
    }

    #[test]
    fn numbers_have_bounds() {
        #[track_caller]
        fn check(words: &str) {
            let err = parse(words).unwrap().try_number("--seconds", 1, (1, 60)).unwrap_err();
            assert!(err.contains("--seconds must be a number from 1 to 60"), "{err}");
        }
        check("--seconds 0");
        check("--seconds 61");
        check("--seconds long");
    }

    #[test]
    fn the_store_is_checked_with_its_number_of_nodes() {
        let kind = |words| parse(words).unwrap().try_kind();
        assert_eq!(kind(""), Ok(Kind::Sqlite));
        assert_eq!(kind("--store postgres --nodes 2"), Ok(Kind::Postgres { nodes: 2 }));
        assert!(kind("--nodes 2").is_err() && kind("--store mysql").is_err());
    }

    #[test]
    fn rates_are_positive_numbers() {
        assert_eq!(rates("20000, 40_000"), Some(vec![20_000, 40_000]));
        assert_eq!((rates("20000,,5"), rates("0"), rates("1e4")), (None, None, None));
    }
}
