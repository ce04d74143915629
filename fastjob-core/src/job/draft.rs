//! The draft of a job, which has the same structure in TOML, in JSON and in code.
//!
//! Parsing rejects unknown fields. The values are checked when a draft becomes a
//! [`Job`](super::Job).

use std::{collections::BTreeMap, fmt, marker::PhantomData};

use serde::{
    Deserialize, Deserializer, Serialize,
    de::{self, MapAccess, Visitor, value::MapAccessDeserializer},
};

#[cfg(feature = "openapi")]
use super::schemas;

/// A job as users and programs write it. Omitted fields have their defaults.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(default, deny_unknown_fields)]
pub struct JobDraft {
    /// Unique within the service.
    #[cfg_attr(feature = "openapi", schema(required, min_length = 1, max_length = 128))]
    pub name: String,
    /// A description for users.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub description: Option<String>,
    /// The service whose executors may run it; `default` if omitted.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub service: Option<String>,
    /// The handler; the job's name if omitted.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub handler: Option<String>,
    /// The param: text, or any JSON.
    #[serde(skip_serializing_if = "serde_json::Value::is_null")]
    pub param: serde_json::Value,
    /// Whether the schedule fires; `true` if omitted.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub enabled: Option<bool>,
    /// Labels for users and for filters.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// `"none"`, or a table with one of `cron` (and `zone`), `fixed_rate`, `fixed_delay`, `once`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = schemas::Schedule))]
    pub schedule: Option<WordOr<ScheduleDraft>>,
    /// The job does not fire before this instant (RFC 3339); a fixed rate counts from here.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Timestamp))]
    pub start_at: Option<String>,
    /// The job does not fire after this instant (RFC 3339).
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Timestamp))]
    pub end_at: Option<String>,
    /// Maximum random delay of fires, at most `"1h"`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = schemas::Span))]
    pub jitter: Option<String>,
    /// Days and hours without fires.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub exclude: Option<ExcludeDraft>,
    /// `"skip"`, `"fire_once"`, or `{ fire_all = { max, window } }`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = schemas::Misfire))]
    pub misfire: Option<WordOr<MisfireDraft>>,
    /// The name of a strategy, or `{ specific = "executor" }`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = schemas::Route))]
    pub route: Option<WordOr<RouteDraft>>,
    /// `"one"`, `"all"`, `{ dynamic = "filter" }` or `{ count = 8 }`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = schemas::Shard))]
    pub shard: Option<WordOr<ShardDraft>>,
    /// The name of a strategy, or a table with `strategy`, `scope` and bounds.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = schemas::Block))]
    pub block: Option<WordOr<BlockDraft>>,
    /// Timeout of an attempt.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = schemas::Span))]
    pub timeout: Option<String>,
    /// Time between the stop token and the abort; `"10s"` if omitted.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = schemas::Span))]
    pub grace: Option<String>,
    /// How failed attempts are retried.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = schemas::Retry))]
    pub retry: Option<RetryDraft>,
    /// How long to wait for an executor; `"60s"` if omitted.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = schemas::Span))]
    pub no_executor: Option<String>,
    /// Jobs to start when a task has ended.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[cfg_attr(feature = "openapi", schema(max_items = 64))]
    pub children: Vec<ChildDraft>,
    /// Channels to notify when a task failed permanently, recovered, ran too long or started too
    /// late.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[cfg_attr(feature = "openapi", schema(max_items = 16))]
    pub alarms: Vec<String>,
    /// Thresholds for slow-run and late-start alarms.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub alarm_when: Option<AlarmWhenDraft>,
}

/// The service of a job that names none.
const DEFAULT_SERVICE: &str = "default";

impl JobDraft {
    /// The service whose executors may run it.
    pub fn service_or_default(&self) -> &str {
        self.service.as_deref().unwrap_or(DEFAULT_SERVICE)
    }

    /// The job's name with its service: `service.name`. The text may not be valid.
    pub fn full_name(&self) -> String {
        format!("{}.{}", self.service_or_default(), self.name)
    }
}

/// When a job fires. Exactly one of the first four fields must be set.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(default, deny_unknown_fields)]
pub struct ScheduleDraft {
    /// A cron expression.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub cron: Option<String>,
    /// The interval between fires.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = schemas::Span))]
    pub fixed_rate: Option<String>,
    /// The delay after the end of the last task.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = schemas::Span))]
    pub fixed_delay: Option<String>,
    /// At this instant, RFC 3339.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Timestamp))]
    pub once: Option<String>,
    /// The time zone of `cron`; UTC if omitted.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub zone: Option<String>,
}

/// Calendars of days and hours without fires.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(default, deny_unknown_fields)]
pub struct ExcludeDraft {
    /// `2026-12-25`, `12-25` for every year, `sat`, and ranges such as `2026-12-24..2026-12-26`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub days: Vec<String>,
    /// `22-6` or `12-13:30`; the end is not included.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub hours: Vec<String>,
    /// The time zone, for schedules other than `cron`, which has its own; UTC if omitted.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub zone: Option<String>,
}

/// The misfire strategy with parameters.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct MisfireDraft {
    /// Catch up on each missed fire.
    pub fire_all: FireAllDraft,
}

/// Bounds for catching up on missed fires.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(default, deny_unknown_fields)]
pub struct FireAllDraft {
    /// Maximum number of tasks; 10 if omitted.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub max: Option<u32>,
    /// Maximum age of a fire; unlimited if omitted.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = schemas::Span))]
    pub window: Option<String>,
}

/// The route strategy with a parameter.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct RouteDraft {
    /// The name of the executor.
    pub specific: String,
}

/// The shard strategies with a value; exactly one must be set.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(default, deny_unknown_fields)]
pub struct ShardDraft {
    /// A filter over an executor's labels and figures.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub dynamic: Option<String>,
    /// A fixed number of shards.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub count: Option<u32>,
}

/// The block strategy with its scope and bounds.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(default, deny_unknown_fields)]
pub struct BlockDraft {
    /// The name of the strategy; `serial` if omitted.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = schemas::BlockStrategyName))]
    pub strategy: Option<String>,
    /// `executor` or `cluster`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = schemas::BlockScopeName))]
    pub scope: Option<String>,
    /// Maximum number of attempts that wait in a lane.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub max_waiting: Option<u32>,
    /// Maximum number of attempts that run in parallel.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub max_running: Option<u32>,
}

/// How failed attempts are retried. A number alone is a count.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RetryDraft {
    /// Maximum number of retries.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub count: Option<u32>,
    /// Delay before the first retry; `"5s"` if omitted.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = schemas::Span))]
    pub delay: Option<String>,
    /// Factor by which each further delay grows; 2 if omitted.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub factor: Option<f64>,
    /// Maximum delay; `"5m"` if omitted.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = schemas::Span))]
    pub max_delay: Option<String>,
    /// Random part of the delay, 0 to 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub jitter: Option<f64>,
}

/// A job to start when a task has ended.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(default, deny_unknown_fields)]
pub struct ChildDraft {
    /// Its name.
    #[cfg_attr(feature = "openapi", schema(required))]
    pub job: String,
    /// `success`, `failure` or `always`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = schemas::ChildOnName))]
    pub on: Option<String>,
    /// Whether the parent's result becomes its param.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub pass_result: Option<bool>,
}

/// Thresholds for slow-run and late-start alarms.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(default, deny_unknown_fields)]
pub struct AlarmWhenDraft {
    /// Maximum duration of an attempt before an alarm; no alarm if omitted.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = schemas::Span))]
    pub runs_longer: Option<String>,
    /// Maximum delay of a task's start before an alarm; `"60s"` if omitted.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = schemas::Span))]
    pub starts_later: Option<String>,
}

/// A name, or a table with parameters.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub enum WordOr<T> {
    /// A name.
    Word(String),
    /// A table.
    Table(T),
}

// Not `untagged`, so that errors in a table name the field.
impl<'de, T: Deserialize<'de>> Deserialize<'de> for WordOr<T> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Either<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for Either<T> {
            type Value = WordOr<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a word or a table")
            }

            fn visit_str<E: de::Error>(self, word: &str) -> Result<WordOr<T>, E> {
                Ok(WordOr::Word(word.to_owned()))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<WordOr<T>, A::Error> {
                T::deserialize(MapAccessDeserializer::new(map)).map(WordOr::Table)
            }
        }
        from.deserialize_any(Either(PhantomData))
    }
}

impl<'de> Deserialize<'de> for RetryDraft {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        #[derive(Default, Deserialize)]
        #[serde(default, deny_unknown_fields)]
        struct Table {
            count: Option<u32>,
            delay: Option<String>,
            factor: Option<f64>,
            max_delay: Option<String>,
            jitter: Option<f64>,
        }
        struct CountOrTable;
        impl<'de> Visitor<'de> for CountOrTable {
            type Value = RetryDraft;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number of retries or a table")
            }

            fn visit_u64<E: de::Error>(self, count: u64) -> Result<RetryDraft, E> {
                let count = u32::try_from(count).map_err(|_| E::custom("too many retries"))?;
                Ok(RetryDraft { count: Some(count), ..RetryDraft::default() })
            }

            fn visit_i64<E: de::Error>(self, count: i64) -> Result<RetryDraft, E> {
                let count =
                    u64::try_from(count).map_err(|_| E::custom("a count must not be negative"))?;
                self.visit_u64(count)
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<RetryDraft, A::Error> {
                let Table { count, delay, factor, max_delay, jitter } =
                    Table::deserialize(MapAccessDeserializer::new(map))?;
                Ok(RetryDraft { count, delay, factor, max_delay, jitter })
            }
        }
        from.deserialize_any(CountOrTable)
    }
}
