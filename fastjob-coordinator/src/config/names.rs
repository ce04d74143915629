//! The known variables. A variable that begins with `FASTJOB_` and is not known is rejected as a
//! probable typo: otherwise the intended setting would be ignored silently.

use fastjob_core::{environment::is_service_link, settings::executor_variables};

use super::{Config, Problem, env};

const PREFIX: &str = "FASTJOB_";

/// Read before the settings, or separately, with what they are for.
pub(super) const ASIDE: [(&str, &str); 2] = [
    (
        "FASTJOB_CONFIG",
        "The file to read. Flag `--config`. If it is not set, `fastjob.toml` if it exists.",
    ),
    (
        "FASTJOB_LOG",
        "The level of the log of `fastjob serve`, such as `debug` or `info,sqlx=warn`. If it is not \
         set, `RUST_LOG`, else `info`.",
    ),
];

/// Variables that an executor sets for a command that it runs, which may be `fastjob` itself.
const TASK: [&str; 4] =
    ["FASTJOB_TASK", "FASTJOB_ATTEMPT", "FASTJOB_SHARD_INDEX", "FASTJOB_SHARD_TOTAL"];

/// Variables of tests and benchmarks.
const TESTS: [&str; 8] = [
    "FASTJOB_BENCH_FOLDER",
    "FASTJOB_BENCH_PORT",
    "FASTJOB_BENCH_ROLE",
    "FASTJOB_BENCH_STORE",
    "FASTJOB_REGENERATE",
    "FASTJOB_RELEASE_BIN",
    "FASTJOB_REQUIRE_BROWSER",
    "FASTJOB_SEED",
];

/// Enables the long tests.
const SOAK: &str = "FASTJOB_SOAK";

/// Every unknown variable that begins with `FASTJOB_`. An empty one counts as not set.
pub(crate) fn unknown_variables<'a>(
    vars: impl IntoIterator<Item = (&'a str, &'a str)>,
) -> Vec<Problem> {
    let settings = settings();
    let aside = ASIDE.iter().map(|(name, _)| *name);
    let known: Vec<&str> = settings.iter().map(String::as_str).chain(aside).collect();
    // The executor library may run in the same environment.
    let executor = executor_variables();
    let others = [&executor[..], &TASK, &TESTS, &[SOAK]].concat();
    let is_fine = |name: &str, value: &str| {
        !name.starts_with(PREFIX)
            || value.is_empty()
            || known.contains(&name)
            || others.contains(&name)
            || is_service_link(name, value)
    };
    let mut problems: Vec<_> = vars
        .into_iter()
        .filter(|(name, value)| !is_fine(name, value))
        .map(|(name, _)| {
            let meant = nearest(name, known.iter().chain(&executor).copied());
            let message = match meant {
                Some(meant) => format!("unknown variable; did you mean {meant}?"),
                None => format!("unknown variable; there are {}", known.join(", ")),
            };
            Problem::new(name, message)
        })
        .collect();
    problems.sort_by(|one, other| one.key.cmp(&other.key));
    problems
}

/// The variables of the settings, in alphabetical order: recorded while the settings are read.
fn settings() -> Vec<String> {
    let names = std::cell::RefCell::new(Vec::new());
    let ask = |name: &str| {
        names.borrow_mut().push(name.to_owned());
        None
    };
    env::read(&mut Config::default(), &ask, &mut Vec::new());
    let mut names = names.into_inner();
    names.sort_unstable();
    names.dedup();
    names
}

/// The known name, of a variable or a key, with the smallest edit distance, if that is small.
pub(super) fn nearest<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let bare = |name: &str| name.strip_prefix(PREFIX).unwrap_or(name).len();
    known
        .map(|known| (strsim::damerau_levenshtein(name, known), known))
        .min()
        .filter(|(changes, known)| *changes <= bare(known).div_ceil(3))
        .map(|(_, known)| known)
}
