//! How a list is searched: by which keys of the index, and in which range of ids.

use std::collections::HashMap;

use fastjob_core::ServiceName;

use super::{JOB, Key, SERVICE, STATE, Segment, is_indexed};
use crate::store::{Partition, TaskFilter, filter::Order};

/// Jobs that are looked up one by one; the tasks of more jobs are found among all.
const JOBS: usize = 50;

/// What leaves the fewest tasks to look at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Plan {
    /// The tasks under any of these keys.
    Keys(Vec<Key>),
    /// All tasks of the history.
    History,
}

impl Plan {
    /// The plan of a filter.
    pub(super) fn of(filter: &TaskFilter) -> Self {
        if filter.task.is_some() {
            // The range has one task.
            return Self::History;
        }
        let ended = || filter.states.iter().copied().filter(|state| state.is_final());
        let is_failures = !filter.states.is_empty() && ended().all(is_indexed);
        if let Some(jobs) = filter.jobs.as_ref().filter(|jobs| jobs.len() <= JOBS)
            && filter.job.is_none()
        {
            let key = if is_failures { Key::failures } else { Key::job };
            return Self::Keys(jobs.iter().copied().map(key).collect());
        }
        let service = filter.service.as_ref().map(ServiceName::key);
        Self::Keys(match (filter.job, service, is_failures) {
            (Some(job), _, true) => vec![Key::failures(job)],
            (Some(job), _, false) => vec![Key::job(job)],
            (None, Some(service), true) => vec![Key::service_failures(service)],
            (None, Some(service), false) => vec![Key::service(service)],
            (None, None, true) => ended().map(Key::state).collect(),
            (None, None, false) => return Self::History,
        })
    }

    /// Whether all tasks that it leaves match the filter, but for the time of their creation.
    pub(super) fn leaves_only_matches(&self, filter: &TaskFilter) -> bool {
        match self {
            Self::History => filter.is_of_all(),
            Self::Keys(keys) => {
                let has = |key: &Key| match key.kind {
                    JOB => filter.service.is_none() && filter.states.is_empty(),
                    SERVICE => filter.states.is_empty(),
                    STATE => true,
                    _ => false,
                };
                !filter.needs_rows() && keys.iter().all(has)
            }
        }
    }

    /// Whether segments say where to look.
    pub(super) const fn needs_segments(&self, filter: &TaskFilter) -> bool {
        let has_range = filter.since.is_some() || filter.until.is_some();
        matches!(self, Self::Keys(_)) || has_range
    }

    /// Whether it looks at tasks in the segment.
    pub(super) fn uses(&self, segment: &Segment) -> bool {
        match self {
            Self::Keys(keys) => keys.iter().any(|key| segment.may_have(*key)),
            Self::History => true,
        }
    }
}

/// When a task was created.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::store) struct Created {
    pub(in crate::store) partition: Partition,
    pub(in crate::store) task: i64,
    pub(in crate::store) at: i64,
}

impl Created {
    /// Those of the first and the last task of a segment.
    pub(super) const fn ends(segment: &Segment) -> [Self; 2] {
        let Segment { partition, first_task, last_task, .. } = *segment;
        [
            Self { partition, task: first_task, at: segment.first_created },
            Self { partition, task: last_task, at: segment.last_created },
        ]
    }
}

/// A range of ids.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::store) struct Range {
    pub(in crate::store) first: i64,
    pub(in crate::store) last: i64,
}

impl Range {
    pub(super) const ALL: Self = Self { first: i64::MIN, last: i64::MAX };

    pub(super) const fn is_empty(self) -> bool {
        self.first > self.last
    }

    pub(super) const fn has(self, id: i64) -> bool {
        self.first <= id && id <= self.last
    }

    fn and(self, other: Self) -> Self {
        Self { first: self.first.max(other.first), last: self.last.min(other.last) }
    }

    /// What follows this id in the order of the list.
    pub(super) fn after(self, id: i64, order: Order) -> Self {
        self.and(match order {
            Order::Newest | Order::RunTime => Self { last: id.saturating_sub(1), ..Self::ALL },
            Order::Oldest => Self { first: id.saturating_add(1), ..Self::ALL },
        })
    }

    /// The ids of the page, before it is known when tasks were created.
    fn of_page(filter: &TaskFilter) -> Self {
        let one = filter.task.map_or(Self::ALL, |task| Self { first: task.0, last: task.0 });
        match filter.after {
            Some(after) if filter.order != Order::RunTime => one.after(after.task.0, filter.order),
            _ => one,
        }
    }

    /// The ids that tasks of the page can have. `created` says when some tasks were created, among
    /// them the first and the last one of each segment.
    ///
    /// In a partition, tasks are created in the order of their ids. So these say where the tasks that
    /// were created in the range of the filter begin and end.
    pub(super) fn of(created: &[Created], filter: &TaskFilter) -> Self {
        let page = Self::of_page(filter);
        if filter.since.is_none() && filter.until.is_none() {
            return page;
        }
        let mut partitions: HashMap<Partition, Vec<(i64, i64)>> = HashMap::new();
        for Created { partition, task, at } in created {
            partitions.entry(*partition).or_default().push((*task, *at));
        }
        let empty = Self { first: i64::MAX, last: i64::MIN };
        let hull = partitions
            .into_values()
            .map(|created| Self::of_partition(created, filter))
            .fold(empty, |hull, range| Self {
                first: hull.first.min(range.first),
                last: hull.last.max(range.last),
            });
        page.and(hull)
    }

    /// The ids in a partition, by ids with the instants at which they were created.
    ///
    /// A clock that was ahead for a while, and was set back, leaves instants that are out of order.
    /// Such tasks are not passed, so that only the range is larger.
    fn of_partition(mut created: Vec<(i64, i64)>, filter: &TaskFilter) -> Self {
        created.sort_unstable();
        let empty = Self { first: i64::MAX, last: i64::MIN };
        let since = filter.since.map_or(i64::MIN, |since| since.as_millisecond());
        let until = filter.until.map_or(i64::MAX, |until| until.as_millisecond());
        // All tasks of the partition are between the first and the last one here. So a partition that
        // has been idle, or was idle before, does not widen the range of the others.
        let (Some((first, _)), Some((last, _))) = (created.first(), created.last()) else {
            return empty;
        };
        if created.iter().all(|(_, at)| *at < since) || created.iter().all(|(_, at)| *at >= until) {
            return empty;
        }
        let before = created.iter().take_while(|(_, at)| *at < since).last();
        let beyond = created.iter().rev().take_while(|(_, at)| *at >= until).last();
        Self {
            first: before.map_or(*first, |(id, _)| id.saturating_add(1)),
            last: beyond.map_or(*last, |(id, _)| id.saturating_sub(1)),
        }
    }
}
