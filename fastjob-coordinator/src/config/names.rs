//! Which variables there are: what begins with `FASTJOB_` and nobody reads is a slip, and the
//! setting that was meant would be left out without a word.

use super::{Config, Problem, env};

const PREFIX: &str = "FASTJOB_";

/// Read before or beside the settings.
const ASIDE: [&str; 2] = ["FASTJOB_CONFIG", "FASTJOB_LOG"];

/// Those of the executor library, which may run in the same environment.
const EXECUTOR: [&str; 12] = [
    "FASTJOB_ACCESS_TOKEN",
    "FASTJOB_ADMIN_ADDRESSES",
    "FASTJOB_ALLOW_COMMANDS",
    "FASTJOB_ALLOW_HTTP",
    "FASTJOB_APP_NAME",
    "FASTJOB_CAPACITY",
    "FASTJOB_CA_CERT",
    "FASTJOB_EXECUTOR_NAME",
    "FASTJOB_IP",
    "FASTJOB_LOG_PATH",
    "FASTJOB_LOG_RETENTION_DAYS",
    "FASTJOB_PORT",
];

/// What an executor tells a command that it runs, which may be this one.
const TASK: [&str; 4] =
    ["FASTJOB_TASK", "FASTJOB_ATTEMPT", "FASTJOB_SHARD_INDEX", "FASTJOB_SHARD_TOTAL"];

/// Switches of the tests and measurements.
const TESTS: [&str; 7] = [
    "FASTJOB_BENCH_FOLDER",
    "FASTJOB_BENCH_PORT",
    "FASTJOB_BENCH_ROLE",
    "FASTJOB_BENCH_STORE",
    "FASTJOB_REGENERATE",
    "FASTJOB_RELEASE_BIN",
    "FASTJOB_SEED",
];

/// Tests that take long are switched on with it.
const SOAK: &str = "FASTJOB_SOAK";

/// Every variable that begins with `FASTJOB_` and that nobody reads. An empty one counts as not set.
pub(crate) fn unknown_variables<'a>(
    vars: impl IntoIterator<Item = (&'a str, &'a str)>,
) -> Vec<Problem> {
    let settings = settings();
    let known: Vec<&str> = settings.iter().map(String::as_str).chain(ASIDE).collect();
    let others = [&EXECUTOR[..], &TASK, &TESTS, &[SOAK]].concat();
    let is_fine = |name: &str, value: &str| {
        !name.starts_with(PREFIX)
            || value.is_empty()
            || known.contains(&name)
            || others.contains(&name)
            || is_a_service_link(name, value)
    };
    let mut problems: Vec<_> = vars
        .into_iter()
        .filter(|(name, value)| !is_fine(name, value))
        .map(|(name, _)| {
            let meant = nearest(name, known.iter().chain(&EXECUTOR).copied());
            let message = match meant {
                Some(meant) => format!("no such variable is known; is {meant} meant?"),
                None => format!("no such variable is known; there are {}", known.join(", ")),
            };
            Problem::new(name, message)
        })
        .collect();
    problems.sort_by(|one, other| one.key.cmp(&other.key));
    problems
}

/// What the settings are read from: whatever is asked for when they are.
fn settings() -> Vec<String> {
    let names = std::cell::RefCell::new(Vec::new());
    let ask = |name: &str| {
        names.borrow_mut().push(name.to_owned());
        None
    };
    env::read(&mut Config::default(), &ask, &mut Vec::new());
    names.into_inner()
}

/// Whether Kubernetes or Docker sets it by itself for a service whose name begins with `fastjob`,
/// such as `FASTJOB_SERVICE_HOST` and `FASTJOB_PORT_7070_TCP_ADDR`.
fn is_a_service_link(name: &str, value: &str) -> bool {
    let has_port = |(_, rest): (&str, &str)| {
        let (port, protocol) = rest.split_once('_').unwrap_or((rest, ""));
        !port.is_empty()
            && port.bytes().all(|byte| byte.is_ascii_digit())
            && ["TCP", "UDP", "SCTP"].iter().any(|known| protocol.starts_with(known))
    };
    name.contains("_SERVICE_HOST")
        || name.contains("_SERVICE_PORT")
        || (name.ends_with("_PORT") && value.contains("://"))
        || name.split_once("_PORT_").is_some_and(has_port)
}

/// The known name that takes the fewest changes, if these are few.
fn nearest<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let bare = |name: &str| name.strip_prefix(PREFIX).unwrap_or(name).len();
    known
        .map(|known| (strsim::damerau_levenshtein(name, known), known))
        .min()
        .filter(|(changes, known)| *changes <= bare(known).div_ceil(3))
        .map(|(_, known)| known)
}
