//! Converts a job to a draft: the whole definition, including defaults.

use super::super::{
    AlarmWhenDraft, BlockDraft, ChildDraft, ExcludeDraft, FireAllDraft, Job, JobDraft,
    MisfireDraft, RetryDraft, RouteDraft, ScheduleDraft, ShardDraft, WordOr,
};
use crate::{
    block::{Block, BlockScope, BlockStrategy},
    children::{Child, ChildOn},
    duration,
    misfire::MisfireStrategy,
    route::RouteStrategy,
    schedule::{Schedule, Timetable},
    shard::ShardStrategy,
};

impl From<&Job> for JobDraft {
    /// The whole definition, including defaults, so that a reader sees the effective values.
    fn from(job: &Job) -> Self {
        let text = |duration| Some(duration::to_text(duration));
        let limits = job.timetable.limits();
        Self {
            name: job.name.to_string(),
            description: Some(job.description().to_owned()).filter(|text| !text.is_empty()),
            service: Some(job.service.to_string()),
            handler: Some(job.handler.to_string()),
            param: job.param.as_deref().map_or(serde_json::Value::Null, Into::into),
            enabled: Some(job.enabled),
            labels: job.labels().map(|(key, value)| (key.to_owned(), value.to_owned())).collect(),
            schedule: Some(schedule_draft(job.timetable.schedule())),
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
            start_at: limits.and_then(|limits| limits.start_at).map(|at| at.to_string()),
            end_at: limits.and_then(|limits| limits.end_at).map(|at| at.to_string()),
            jitter: limits
                .map(|limits| limits.jitter)
                .filter(|jitter| !jitter.is_zero())
                .map(duration::to_text),
            exclude: exclude_draft(&job.timetable),
            children: job.children.iter().map(child_draft).collect(),
            alarms: job.alarms.iter().map(ToString::to_string).collect(),
            alarm_when: (!job.alarms.is_empty()).then(|| AlarmWhenDraft {
                runs_longer: job.alarm_after.runs.map(duration::to_text),
                starts_later: text(job.alarm_after.starts),
            }),
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

fn exclude_draft(timetable: &Timetable) -> Option<ExcludeDraft> {
    let calendar = timetable.limits()?.exclude.as_ref()?;
    let has_own_zone = !matches!(timetable.schedule(), Schedule::Cron(..));
    Some(ExcludeDraft {
        days: calendar.days().iter().map(ToString::to_string).collect(),
        hours: calendar.hours().iter().map(ToString::to_string).collect(),
        zone: has_own_zone.then(|| calendar.zone().to_string()),
    })
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
    let scope = BlockScope::NAMES.iter().find(|(_, named)| *named == block.scope);
    WordOr::Table(BlockDraft {
        strategy: Some(found.map_or("serial", |(name, _)| name).to_owned()),
        scope: Some(scope.map_or("executor", |(name, _)| name).to_owned()),
        max_waiting: block.strategy.waits().then_some(block.max_waiting),
        max_running: (block.strategy == BlockStrategy::Parallel).then_some(block.max_running),
    })
}

fn child_draft(child: &Child) -> ChildDraft {
    let found = ChildOn::NAMES.iter().find(|(_, named)| *named == child.on);
    ChildDraft {
        job: child.job.to_string(),
        on: Some(found.map_or("success", |(name, _)| name).to_owned()),
        pass_result: Some(child.pass_result),
    }
}
