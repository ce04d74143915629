//! From a draft to a job and back.
//!
//! Every field is looked at, so that whoever wrote the draft sees all mistakes at once. A value
//! whose behaviour does not exist in this release is refused: nothing is accepted and ignored.

use std::{fmt::Display, str::FromStr, time::Duration};

use jiff::Timestamp;

use super::{
    BlockDraft, DESCRIPTION_MAX, FireAllDraft, InvalidJob, Job, JobDraft, LABELS_MAX, MisfireDraft,
    PARAM_MAX, Problem, RetryDraft, RouteDraft, ScheduleDraft, ShardDraft, WordOr, param_text,
};
use crate::{
    block::{Block, BlockScope, BlockStrategy},
    duration,
    misfire::{FIRE_ALL_MOST, MisfireStrategy},
    retry::RetryPolicy,
    route::RouteStrategy,
    schedule::{SHORTEST, Schedule, Zone},
    shard::ShardStrategy,
};

const DEFAULT_SERVICE: &str = "default";
const DEFAULT_NO_EXECUTOR: Duration = Duration::from_secs(60);
const DEFAULT_GRACE: Duration = Duration::from_secs(10);
const NOT_YET: &str = "is not available in this release";

struct Problems(Vec<Problem>);

impl Problems {
    fn add(&mut self, field: &str, message: impl Display) {
        self.0.push(Problem { field: field.to_owned(), message: message.to_string() });
    }

    fn take<T, E: Display>(&mut self, field: &str, result: Result<T, E>) -> Option<T> {
        result.map_err(|err| self.add(field, err)).ok()
    }

    fn parse<T: FromStr<Err: Display>>(&mut self, field: &str, text: &str) -> Option<T> {
        self.take(field, text.parse())
    }

    fn duration(&mut self, field: &str, text: Option<&str>, default: Duration) -> Duration {
        text.and_then(|text| self.take(field, duration::parse(text))).unwrap_or(default)
    }

    fn at_most(&mut self, field: &str, value: u32, least: u32, most: u32) -> u32 {
        if !(least..=most).contains(&value) {
            self.add(field, format_args!("{value} is not between {least} and {most}"));
        }
        value
    }

    fn word<T: Clone>(
        &mut self,
        field: &str,
        word: &str,
        names: &[(&str, T)],
        more: &str,
    ) -> Option<T> {
        let found = names.iter().find(|(name, _)| *name == word).map(|(_, value)| value.clone());
        if found.is_none() {
            let names: Vec<_> = names.iter().map(|(name, _)| *name).collect();
            self.add(
                field,
                format_args!("`{word}` is unknown; there are {}{more}", names.join(", ")),
            );
        }
        found
    }
}

impl TryFrom<JobDraft> for Job {
    type Error = InvalidJob;

    fn try_from(draft: JobDraft) -> Result<Self, InvalidJob> {
        let mut p = Problems(Vec::new());
        let name = p.parse("name", &draft.name);
        let service = p.parse("service", draft.service.as_deref().unwrap_or(DEFAULT_SERVICE));
        let handler = match &draft.handler {
            Some(handler) => p.parse("handler", handler),
            // A wrong name has been told already.
            None => draft.name.parse().ok(),
        };
        let description = draft.description.clone().unwrap_or_default();
        if description.len() > DESCRIPTION_MAX {
            p.add(
                "description",
                format_args!(
                    "it has {} bytes, at most {DESCRIPTION_MAX} are allowed",
                    description.len()
                ),
            );
        }
        let param = param_text(&draft.param);
        if let Some(Err(err)) = param.as_deref().map(check_param) {
            p.add("param", err);
        }
        labels(&draft, &mut p);
        not_yet(&draft, &mut p);
        let schedule = schedule(draft.schedule.as_ref(), &mut p);
        let misfire = misfire(draft.misfire.as_ref(), &mut p);
        let route = route(draft.route.as_ref(), &mut p);
        let shard = shard(draft.shard.as_ref(), &mut p);
        let block = block(draft.block.as_ref(), &mut p);
        let timeout =
            draft.timeout.as_deref().and_then(|text| p.take("timeout", duration::parse(text)));
        if timeout.is_some_and(|timeout| timeout.is_zero()) {
            p.add("timeout", "it is zero; leave it out for no limit");
        }
        let grace = p.duration("grace", draft.grace.as_deref(), DEFAULT_GRACE);
        let retry = retry(draft.retry.as_ref(), &mut p);
        let no_executor =
            p.duration("no_executor", draft.no_executor.as_deref(), DEFAULT_NO_EXECUTOR);
        match (name, service, handler) {
            (Some(name), Some(service), Some(handler)) if p.0.is_empty() => Ok(Self {
                name,
                description,
                service,
                handler,
                param: param.map(Into::into),
                enabled: draft.enabled.unwrap_or(true),
                labels: draft.labels,
                schedule,
                misfire,
                route,
                shard,
                block,
                timeout,
                grace,
                retry,
                no_executor,
            }),
            _ => Err(InvalidJob {
                name: Some(draft.name).filter(|name| !name.is_empty()),
                problems: p.0,
            }),
        }
    }
}

/// Refuses a param that is too long.
pub(super) fn check_param(param: &str) -> Result<(), String> {
    match param.len() {
        0..=PARAM_MAX => Ok(()),
        long => Err(format!("it has {long} bytes, at most {PARAM_MAX} are allowed")),
    }
}

fn labels(draft: &JobDraft, p: &mut Problems) {
    if draft.labels.len() > LABELS_MAX {
        p.add(
            "labels",
            format_args!("there are {}, at most {LABELS_MAX} are allowed", draft.labels.len()),
        );
    }
    for (key, value) in &draft.labels {
        if key.is_empty() || key.len() > 63 || value.len() > 255 {
            p.add("labels", format_args!("`{key}`: keys have 1 to 63 bytes, values at most 255"));
        }
    }
}

/// What can be said, but does nothing in this release: judged, then refused.
fn not_yet(draft: &JobDraft, p: &mut Problems) {
    let instants = [("start_at", &draft.start_at), ("end_at", &draft.end_at)];
    for (field, text) in instants {
        if let Some(text) = text {
            p.parse::<Timestamp>(field, text);
            p.add(field, NOT_YET);
        }
    }
    if let Some(jitter) = &draft.jitter {
        p.take("jitter", duration::parse(jitter));
        p.add("jitter", NOT_YET);
    }
    let others = [
        ("exclude", draft.exclude.is_some()),
        ("children", !draft.children.is_empty()),
        ("alarms", !draft.alarms.is_empty()),
    ];
    for (field, _) in others.into_iter().filter(|(_, given)| *given) {
        p.add(field, NOT_YET);
    }
}

fn schedule(draft: Option<&WordOr<ScheduleDraft>>, p: &mut Problems) -> Schedule {
    let table = match draft {
        None => return Schedule::None,
        Some(WordOr::Word(word)) => {
            if word != "none" {
                p.add("schedule", format_args!("`{word}` is unknown; write \"none\" or a table such as {{ cron = \"0 0 2 * * ?\" }}"));
            }
            return Schedule::None;
        }
        Some(WordOr::Table(table)) => table,
    };
    let given = [&table.cron, &table.fixed_rate, &table.fixed_delay, &table.once];
    if given.iter().filter(|field| field.is_some()).count() != 1 {
        p.add("schedule", "it needs exactly one of cron, fixed_rate, fixed_delay and once");
        return Schedule::None;
    }
    if table.zone.is_some() && table.cron.is_none() {
        p.add("schedule.zone", "a time zone goes with cron only");
    }
    if let Some(text) = &table.cron {
        let zone = match &table.zone {
            Some(name) => p.parse("schedule.zone", name),
            None => Some(Zone::default()),
        };
        let cron = p.parse("schedule.cron", text);
        return cron.zip(zone).map_or(Schedule::None, |(cron, zone)| Schedule::Cron(cron, zone));
    }
    if let Some(text) = &table.fixed_rate {
        return Schedule::FixedRate(period("schedule.fixed_rate", text, p));
    }
    if let Some(text) = &table.fixed_delay {
        return Schedule::FixedDelay(period("schedule.fixed_delay", text, p));
    }
    let at = table.once.as_ref().and_then(|text| p.parse::<Timestamp>("schedule.once", text));
    // Whole milliseconds, as everything that is stored.
    let at = at.and_then(|at| Timestamp::from_millisecond(at.as_millisecond()).ok());
    at.map_or(Schedule::None, Schedule::Once)
}

fn period(field: &str, text: &str, p: &mut Problems) -> Duration {
    let period = p.duration(field, Some(text), Duration::from_secs(1));
    if period < SHORTEST {
        p.add(field, format_args!("`{text}` is shorter than {}", duration::to_text(SHORTEST)));
    }
    period
}

fn misfire(draft: Option<&WordOr<MisfireDraft>>, p: &mut Problems) -> MisfireStrategy {
    let fire_all = |bounds: &FireAllDraft, p: &mut Problems| MisfireStrategy::FireAll {
        max: p.at_most("misfire.fire_all.max", bounds.max.unwrap_or(10), 1, FIRE_ALL_MOST),
        window: bounds
            .window
            .as_deref()
            .and_then(|text| p.take("misfire.fire_all.window", duration::parse(text))),
    };
    match draft {
        None => MisfireStrategy::Skip,
        Some(WordOr::Table(table)) => fire_all(&table.fire_all, p),
        Some(WordOr::Word(word)) => match word.as_str() {
            "skip" => MisfireStrategy::Skip,
            "fire_once" => MisfireStrategy::FireOnce,
            "fire_all" => fire_all(&FireAllDraft::default(), p),
            _ => {
                p.add(
                    "misfire",
                    format_args!("`{word}` is unknown; there are skip, fire_once and fire_all"),
                );
                MisfireStrategy::Skip
            }
        },
    }
}

fn route(draft: Option<&WordOr<RouteDraft>>, p: &mut Problems) -> RouteStrategy {
    let route = match draft {
        None => return RouteStrategy::RoundRobin,
        Some(WordOr::Table(table)) => {
            return p
                .parse("route.specific", &table.specific)
                .map_or(RouteStrategy::RoundRobin, RouteStrategy::Specific);
        }
        Some(WordOr::Word(word)) => p
            .word("route", word, &RouteStrategy::NAMES, " and { specific = \"executor\" }")
            .map(|route| (word, route)),
    };
    match route {
        None | Some((_, RouteStrategy::RoundRobin)) => RouteStrategy::RoundRobin,
        Some((word, route)) => {
            p.add(
                "route",
                format_args!(
                    "`{word}` {NOT_YET}; there are round_robin and {{ specific = \"executor\" }}"
                ),
            );
            route
        }
    }
}

fn shard(draft: Option<&WordOr<ShardDraft>>, p: &mut Problems) -> ShardStrategy {
    let shard = match draft {
        None => return ShardStrategy::One,
        Some(WordOr::Word(word)) => {
            let names = [("one", ShardStrategy::One), ("all", ShardStrategy::All)];
            p.word("shard", word, &names, ", { dynamic = \"filter\" } and { count = 8 }")
        }
        Some(WordOr::Table(ShardDraft { dynamic: Some(filter), count: None })) => {
            p.parse("shard.dynamic", filter).map(ShardStrategy::Dynamic)
        }
        Some(WordOr::Table(ShardDraft { dynamic: None, count: Some(count) })) => {
            Some(ShardStrategy::Count(p.at_most("shard.count", *count, 1, ShardStrategy::MOST)))
        }
        Some(WordOr::Table(_)) => {
            p.add("shard", "it needs exactly one of dynamic and count");
            None
        }
    };
    let shard = shard.unwrap_or_default();
    if shard != ShardStrategy::One {
        p.add("shard", format_args!("sharding {NOT_YET}; there is \"one\""));
    }
    shard
}

fn block(draft: Option<&WordOr<BlockDraft>>, p: &mut Problems) -> Block {
    let whole = Block::default();
    let (word, table) = match draft {
        None => return whole,
        Some(WordOr::Word(word)) => (word.as_str(), BlockDraft::default()),
        Some(WordOr::Table(table)) => {
            (table.strategy.as_deref().unwrap_or("serial"), table.clone())
        }
    };
    let strategy = p.word("block", word, &BlockStrategy::NAMES, "").unwrap_or_default();
    if strategy == BlockStrategy::Parallel {
        p.add(
            "block",
            format_args!("`parallel` {NOT_YET}; there are serial, skip_new and replace_running"),
        );
    }
    let scopes = [("executor", BlockScope::Executor), ("cluster", BlockScope::Cluster)];
    let scope = table.scope.as_deref().and_then(|word| p.word("block.scope", word, &scopes, ""));
    if scope == Some(BlockScope::Cluster) {
        p.add("block.scope", format_args!("`cluster` {NOT_YET}; there is executor"));
    }
    if table.max_waiting.is_some() && strategy != BlockStrategy::Serial {
        p.add("block.max_waiting", "it goes with serial only");
    }
    if table.max_running.is_some() && strategy != BlockStrategy::Parallel {
        p.add("block.max_running", "it goes with parallel only");
    }
    Block {
        strategy,
        scope: scope.unwrap_or_default(),
        max_waiting: table
            .max_waiting
            .map_or(whole.max_waiting, |n| p.at_most("block.max_waiting", n, 0, Block::MOST)),
        max_running: table
            .max_running
            .map_or(whole.max_running, |n| p.at_most("block.max_running", n, 1, Block::MOST)),
    }
}

fn retry(draft: Option<&RetryDraft>, p: &mut Problems) -> RetryPolicy {
    let whole = RetryPolicy::default();
    let Some(draft) = draft else { return whole };
    let retry = RetryPolicy {
        count: p.at_most("retry.count", draft.count.unwrap_or(0), 0, RetryPolicy::MOST),
        delay: p.duration("retry.delay", draft.delay.as_deref(), whole.delay),
        factor: draft.factor.unwrap_or(whole.factor),
        max_delay: p.duration("retry.max_delay", draft.max_delay.as_deref(), whole.max_delay),
        jitter: draft.jitter.unwrap_or(whole.jitter),
    };
    if !(1.0..=100.0).contains(&retry.factor) {
        p.add("retry.factor", format_args!("{} is not between 1 and 100", retry.factor));
    }
    if !(0.0..=1.0).contains(&retry.jitter) {
        p.add("retry.jitter", format_args!("{} is not between 0 and 1", retry.jitter));
    }
    retry
}

impl From<&Job> for JobDraft {
    /// The whole definition, defaults included, so that a reader sees what holds.
    fn from(job: &Job) -> Self {
        let text = |duration| Some(duration::to_text(duration));
        Self {
            name: job.name.to_string(),
            description: Some(job.description.clone()).filter(|text| !text.is_empty()),
            service: Some(job.service.to_string()),
            handler: Some(job.handler.to_string()),
            param: job.param.as_deref().map_or(serde_json::Value::Null, Into::into),
            enabled: Some(job.enabled),
            labels: job.labels.clone(),
            schedule: Some(schedule_draft(&job.schedule)),
            misfire: Some(misfire_draft(job.misfire)),
            route: Some(route_draft(&job.route)),
            shard: Some(shard_draft(&job.shard)),
            block: Some(block_draft(&job.block)),
            timeout: job.timeout.map(duration::to_text),
            grace: text(job.grace),
            retry: Some(RetryDraft {
                count: Some(job.retry.count),
                delay: text(job.retry.delay),
                factor: Some(job.retry.factor),
                max_delay: text(job.retry.max_delay),
                jitter: Some(job.retry.jitter),
            }),
            no_executor: text(job.no_executor),
            ..Self::default()
        }
    }
}

fn schedule_draft(schedule: &Schedule) -> WordOr<ScheduleDraft> {
    let mut table = ScheduleDraft::default();
    match schedule {
        Schedule::None => return WordOr::Word("none".to_owned()),
        Schedule::Cron(cron, zone) => {
            table.cron = Some(cron.to_string());
            table.zone = Some(zone.to_string());
        }
        Schedule::FixedRate(rate) => table.fixed_rate = Some(duration::to_text(*rate)),
        Schedule::FixedDelay(delay) => table.fixed_delay = Some(duration::to_text(*delay)),
        Schedule::Once(at) => table.once = Some(at.to_string()),
    }
    WordOr::Table(table)
}

fn misfire_draft(misfire: MisfireStrategy) -> WordOr<MisfireDraft> {
    match misfire {
        MisfireStrategy::Skip => WordOr::Word("skip".to_owned()),
        MisfireStrategy::FireOnce => WordOr::Word("fire_once".to_owned()),
        MisfireStrategy::FireAll { max, window } => WordOr::Table(MisfireDraft {
            fire_all: FireAllDraft { max: Some(max), window: window.map(duration::to_text) },
        }),
    }
}

fn route_draft(route: &RouteStrategy) -> WordOr<RouteDraft> {
    if let RouteStrategy::Specific(name) = route {
        return WordOr::Table(RouteDraft { specific: name.to_string() });
    }
    let found = RouteStrategy::NAMES.iter().find(|(_, named)| named == route);
    WordOr::Word(found.map_or("round_robin", |(name, _)| name).to_owned())
}

fn shard_draft(shard: &ShardStrategy) -> WordOr<ShardDraft> {
    match shard {
        ShardStrategy::One => WordOr::Word("one".to_owned()),
        ShardStrategy::All => WordOr::Word("all".to_owned()),
        ShardStrategy::Dynamic(filter) => {
            WordOr::Table(ShardDraft { dynamic: Some(filter.to_string()), count: None })
        }
        ShardStrategy::Count(count) => {
            WordOr::Table(ShardDraft { dynamic: None, count: Some(*count) })
        }
    }
}

fn block_draft(block: &Block) -> WordOr<BlockDraft> {
    let found = BlockStrategy::NAMES.iter().find(|(_, named)| *named == block.strategy);
    let scope = match block.scope {
        BlockScope::Executor => "executor",
        BlockScope::Cluster => "cluster",
    };
    WordOr::Table(BlockDraft {
        strategy: Some(found.map_or("serial", |(name, _)| name).to_owned()),
        scope: Some(scope.to_owned()),
        max_waiting: (block.strategy == BlockStrategy::Serial).then_some(block.max_waiting),
        max_running: (block.strategy == BlockStrategy::Parallel).then_some(block.max_running),
    })
}
